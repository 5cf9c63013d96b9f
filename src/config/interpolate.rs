//! `${VAR}`, `${VAR:-default}` and `$$` in the values of `providers.yaml`.

/// A variable could not be substituted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Problem {
    /// A variable that is not set.
    #[error("the environment variable \"{0}\" is not set")]
    Unset(String),
    /// `${` without its `}`.
    #[error("\"${{\" is missing a closing \"}}\"")]
    Unclosed,
    /// `${not a name}`.
    #[error("\"{0}\" is not the name of an environment variable")]
    BadName(String),
}

/// Substitutes the variables in `text`. A `$` that is not followed by `{` or `$` is literal.
pub(super) fn interpolate(
    text: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<String, Problem> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        filled.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            filled.push('$');
            rest = after;
        } else if let Some(inner) = after.strip_prefix('{') {
            let (inner, after) = inner.split_once('}').ok_or(Problem::Unclosed)?;
            let (name, default) = match inner.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (inner, None),
            };
            if !is_name(name) {
                return Err(Problem::BadName(name.chars().take(64).collect()));
            }
            // As in a shell, `:-` also stands in for a variable that is set to nothing.
            match (env(name), default) {
                (Some(value), Some(default)) if value.is_empty() => filled.push_str(default),
                (Some(value), _) => filled.push_str(&value),
                (None, Some(default)) => filled.push_str(default),
                (None, None) => return Err(Problem::Unset(name.to_owned())),
            }
            rest = after;
        } else {
            filled.push('$');
            rest = after;
        }
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Writes `text` so that [`interpolate`] gives it back.
pub(super) fn escape(text: &str) -> String {
    text.replace('$', "$$")
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "HOST" => Some("status.example".to_owned()),
            "EMPTY" => Some(String::new()),
            "TRICKY" => Some("${HOST}".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn variables_defaults_and_dollars() {
        for (text, filled) in [
            ("https://${HOST}/x", "https://status.example/x"),
            ("${NONE:-10s}", "10s"),
            ("${EMPTY:-10s}", "10s"),
            ("${NONE:-}", ""),
            ("a$$b $5 $", "a$b $5 $"),
            ("$${HOST}", "${HOST}"),
            ("${TRICKY}", "${HOST}"),
        ] {
            assert_eq!(interpolate(text, &env), Ok(filled.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_filled_in() {
        assert_eq!(interpolate("${NONE}", &env), Err(Problem::Unset("NONE".to_owned())));
        assert_eq!(interpolate("${HOST", &env), Err(Problem::Unclosed));
        assert_eq!(interpolate("${a b}", &env), Err(Problem::BadName("a b".to_owned())));
    }

    proptest! {
        #[test]
        fn what_is_escaped_comes_back(text in ".{0,60}") {
            prop_assert_eq!(interpolate(&escape(&text), &env), Ok(text));
        }
    }
}
