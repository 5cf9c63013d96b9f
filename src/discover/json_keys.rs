//! The members of a JSON document with their lines, as far as dependencies need them: comments and
//! errors are passed over.

/// The maximum depth; deeper members are passed over.
const MAX_DEPTH: usize = 32;

/// Calls `member` with the key of the enclosing object, the key, and the line, for each member.
pub(super) fn members(text: &str, mut member: impl FnMut(&str, &str, usize)) {
    let mut line = 1;
    // The keys of the objects that are open.
    let mut open: Vec<&str> = vec![""];
    let mut last: Option<&str> = None;
    let mut key = "";
    let mut chars = text.char_indices().peekable();
    let mut depth = 0_usize;
    while let Some((at, c)) = chars.next() {
        match c {
            '\n' => line += 1,
            '"' => {
                let mut end = at + 1;
                while let Some((at, c)) = chars.next() {
                    end = at;
                    match c {
                        '\\' => {
                            chars.next();
                        }
                        '"' => break,
                        '\n' => line += 1,
                        _ => {}
                    }
                }
                last = text.get(at + 1..end);
            }
            ':' => {
                if let Some(name) = last.take() {
                    key = name;
                    if depth < MAX_DEPTH {
                        member(open.last().copied().unwrap_or_default(), key, line);
                    }
                }
            }
            '{' | '[' => {
                depth += 1;
                if depth < MAX_DEPTH {
                    open.push(key);
                }
                last = None;
            }
            '}' | ']' => {
                if depth < MAX_DEPTH && open.len() > 1 {
                    open.pop();
                }
                depth = depth.saturating_sub(1);
                last = None;
            }
            ',' => last = None,
            '/' if chars.peek().is_some_and(|(_, next)| *next == '/') => {
                while chars.next_if(|(_, c)| *c != '\n').is_some() {}
            }
            _ => {}
        }
    }
}
