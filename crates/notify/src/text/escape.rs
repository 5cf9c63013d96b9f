//! Escapes plain text for the markup of a service, so that it is shown as it is: no mention, no
//! link, no format, no tag.

/// The markup of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Markup {
    /// None: the text is shown as it is.
    None,
    /// HTML.
    Html,
    /// Slack's `mrkdwn`.
    Slack,
    /// Markdown in any dialect, where `@name` may mention somebody.
    Markdown,
}

impl Markup {
    /// Escapes `text` for this markup.
    #[must_use]
    pub fn escape(self, text: &str) -> String {
        match self {
            Self::None => text.to_owned(),
            Self::Html => html(text),
            Self::Slack => slack(text),
            Self::Markdown => markdown(text),
        }
    }
}

/// Escapes text for HTML, in content and in quoted attributes.
#[must_use]
pub fn html(text: &str) -> String {
    escape(text, |c| match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' => Some("&quot;"),
        '\'' => Some("&#39;"),
        _ => None,
    })
}

/// Escapes text for Slack, whose mentions, links and channels are all written in angle brackets.
/// A zero-width space keeps its format characters and `@here` from being read.
#[must_use]
pub fn slack(text: &str) -> String {
    escape(text, |c| match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '*' => Some("\u{200b}*\u{200b}"),
        '_' => Some("\u{200b}_\u{200b}"),
        '~' => Some("\u{200b}~\u{200b}"),
        '`' => Some("\u{200b}`\u{200b}"),
        '@' => Some("@\u{200b}"),
        _ => None,
    })
}

/// Escapes text for Markdown: a backslash before every character that any dialect reads as markup,
/// and a zero-width space after `@`, which some read as a mention even when escaped, and within
/// `http:` and `www.`, of which some make links without any markup.
#[must_use]
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut line_start = true;
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '{' | '}' | '|' | '~' | '!' => {
                out.push('\\');
                out.push(c);
            }
            // Not by a backslash: dialects without HTML would show it.
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("@\u{200b}"),
            ':' => out.push_str(":\u{200b}"),
            '#' | '+' | '-' | '=' if line_start => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
        line_start = c == '\n' || (line_start && (c == ' ' || c.is_ascii_digit()));
        if line_start && c.is_ascii_digit() {
            line_start = false;
        }
    }
    out.replace("www.", "www\u{200b}.")
}

fn escape(text: &str, replacement: impl Fn(char) -> Option<&'static str>) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match replacement(c) {
            Some(escaped) => out.push_str(escaped),
            None => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_to_be_read_as_markup() {
        let hostile = "<!channel> @here [x](http://evil) **b** <users/all> `c`";
        assert_eq!(
            html(hostile),
            "&lt;!channel&gt; @here [x](http://evil) **b** &lt;users/all&gt; `c`"
        );
        assert!(!slack(hostile).contains('<') && !slack(hostile).contains("@here"));
        let markdown = markdown(hostile);
        assert!(!markdown.contains("](") && !markdown.contains("**") && !markdown.contains('<'));
        assert!(!markdown.contains("@here"));
        assert!(!super::markdown("see www.evil.example").contains("www."));
    }
}
