//! Globs, as used by filters and routes.

/// Matches a glob: `*` is any text, `?` any character; case-insensitive. Backtracks to one position
/// only, so it is linear in practice.
#[must_use]
pub fn glob(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == '?' || text.get(t) == Some(&c) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|&c| c == '*')
}

/// Returns whether any of the globs matches.
#[must_use]
pub fn any_glob(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|pattern| glob(pattern, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, text, matches) in [
            ("API*", "api requests", true),
            ("*requests", "API Requests", true),
            ("a?i", "API", true),
            ("*", "", true),
            ("Actions", "Actions", true),
            ("Actions", "GitHub Actions", false),
            ("*a*b*c", "xxaxxbxxcx", false),
            ("eu-*", "eu-west-1", true),
        ] {
            assert_eq!(glob(pattern, text), matches, "{pattern} {text}");
        }
    }
}
