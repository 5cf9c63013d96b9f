//! Converts HTML to plain text in a single pass without a tree, so that deep nesting and unclosed
//! quotes cost no more than their bytes.

use super::decode_entities;
use super::safe::is_safe;

/// Maximum length of a link target that is shown.
const MAX_HREF: usize = 1000;

/// Converts an HTML fragment to plain text: block tags and `<br>` become line breaks, list items
/// start with `- `, scripts, styles and comments are removed, external links become `text (url)`,
/// entities are decoded once, and whitespace is collapsed. The text is not truncated; see
/// [`super::cut`].
#[must_use]
pub fn html_to_text(html: &str) -> String {
    let mut out = Writer::default();
    let mut rest = html;
    while let Some(at) = memchr::memchr(b'<', rest.as_bytes()) {
        let (text, from) = rest.split_at(at);
        out.text(&decode_entities(text));
        rest = match markup(from) {
            Markup::Text => {
                out.text("<");
                from.get(1..).unwrap_or_default()
            }
            Markup::Skip(after) => after,
            Markup::Tag { name, attributes, after, closing } => {
                out.tag(&name, attributes, closing);
                if !closing
                    && matches!(name.as_str(), "script" | "style" | "template" | "svg" | "head")
                {
                    behind_end_tag(after, &name)
                } else {
                    after
                }
            }
        };
    }
    out.text(&decode_entities(rest));
    out.done()
}

/// Returns the value of `name="…"` among the attributes of a tag, with entities decoded.
fn attribute(attributes: &str, name: &str) -> Option<String> {
    let mut rest = attributes;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '=' | '/'))?;
        let (key, after) = rest.split_at(end);
        let after = after.trim_start();
        let Some(value) = after.strip_prefix('=') else {
            // An attribute without a value, or a stray character: always consume something.
            rest = if key.is_empty() { after.get(1..)? } else { after };
            continue;
        };
        let value = value.trim_start();
        let (value, after) = match value.chars().next().filter(|c| matches!(c, '"' | '\'')) {
            Some(quote) => value.get(1..)?.split_once(quote)?,
            None => value.split_at(value.find(char::is_whitespace).unwrap_or(value.len())),
        };
        if key.eq_ignore_ascii_case(name) {
            return Some(decode_entities(value).into_owned());
        }
        rest = after;
    }
}

/// The markup that starts at a `<`.
enum Markup<'a> {
    /// None: a literal less-than sign.
    Text,
    /// A comment, declaration or processing instruction, with the remaining text.
    Skip(&'a str),
    /// A tag.
    Tag { name: String, attributes: &'a str, after: &'a str, closing: bool },
}

/// Parses the markup at the start of `from`. Unclosed markup consumes the rest: searching again at
/// each later character would take quadratic time.
fn markup(from: &str) -> Markup<'_> {
    if let Some(comment) = from.strip_prefix("<!--") {
        return Markup::Skip(comment.split_once("-->").map_or("", |(_, after)| after));
    }
    if from.starts_with("<!") || from.starts_with("<?") {
        return Markup::Skip(from.split_once('>').map_or("", |(_, after)| after));
    }
    let inner = from.get(1..).unwrap_or_default();
    let (inner, closing) = inner.strip_prefix('/').map_or((inner, false), |inner| (inner, true));
    if !inner.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Markup::Text;
    }
    let mut quote = None;
    let end = inner.bytes().position(|byte| match (quote, byte) {
        (Some(open), _) => {
            if open == byte {
                quote = None;
            }
            false
        }
        (None, b'"' | b'\'') => {
            quote = Some(byte);
            false
        }
        (None, _) => byte == b'>',
    });
    let Some((tag, after)) = end.and_then(|end| Some((inner.get(..end)?, inner.get(end + 1..)?)))
    else {
        return Markup::Skip("");
    };
    let name_end = tag
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, ':' | '-')))
        .unwrap_or(tag.len());
    let (name, attributes) = tag.split_at(name_end);
    Markup::Tag { name: name.to_ascii_lowercase(), attributes, after, closing }
}

/// Returns what follows `</name …>`; empty if it is never closed.
fn behind_end_tag<'a>(text: &'a str, name: &str) -> &'a str {
    for at in memchr::memmem::find_iter(text.as_bytes(), "</") {
        let Some(candidate) = text.get(at + 2..) else {
            continue;
        };
        if candidate.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)) {
            return candidate.split_once('>').map_or("", |(_, after)| after);
        }
    }
    ""
}

/// The text so far, and the pending whitespace before the next character.
#[derive(Default)]
struct Writer {
    out: String,
    space: bool,
    breaks: usize,
    item: bool,
    pre: usize,
    link: Option<(String, usize)>,
}

impl Writer {
    fn text(&mut self, text: &str) {
        for c in text.chars() {
            if c == '\n' && self.pre > 0 {
                self.breaks = (self.breaks + 1).min(2);
            } else if c.is_whitespace() {
                self.space = true;
            } else if is_safe(c) {
                self.owed();
                self.out.push(c);
            }
        }
    }

    /// Writes the pending whitespace before a character.
    fn owed(&mut self) {
        if self.breaks > 0 && !self.out.is_empty() {
            self.out.extend(std::iter::repeat_n('\n', self.breaks));
        } else if self.space && !self.out.is_empty() && !self.item {
            self.out.push(' ');
        }
        if self.item {
            self.out.push_str("- ");
        }
        (self.breaks, self.space, self.item) = (0, false, false);
    }

    fn tag(&mut self, name: &str, attributes: &str, closing: bool) {
        match name {
            // XHTML writes a single break as `<br></br>`.
            "br" if closing => {}
            "br" => self.breaks = (self.breaks + 1).min(2),
            "p" | "ul" | "ol" | "dl" | "table" | "blockquote" | "h1" | "h2" | "h3" | "h4"
            | "h5" | "h6" | "hr" => self.breaks = 2,
            "pre" => {
                self.breaks = 2;
                self.pre = if closing { self.pre.saturating_sub(1) } else { self.pre + 1 };
            }
            "li" => {
                self.breaks = self.breaks.max(1);
                self.item = !closing;
            }
            "div" | "tr" | "dt" | "dd" | "section" | "article" | "header" | "footer" | "main"
            | "aside" | "figure" | "form" => {
                self.breaks = self.breaks.max(1);
            }
            "td" | "th" => self.space = true,
            "a" => {
                self.end_link();
                if !closing {
                    self.link = attribute(attributes, "href")
                        .and_then(|href| target(&href))
                        .map(|href| (href, self.out.len()));
                }
            }
            _ => {}
        }
    }

    /// Writes the target of the link that ends here, unless its text already shows it.
    fn end_link(&mut self) {
        let Some((href, start)) = self.link.take() else {
            return;
        };
        let text = self.out.get(start..).unwrap_or_default().trim();
        if bare(text) == bare(&href) {
            return;
        }
        if text.is_empty() {
            self.owed();
            self.out.push_str(&href);
        } else {
            self.out.push_str(" (");
            self.out.push_str(&href);
            self.out.push(')');
        }
    }

    fn done(mut self) -> String {
        self.end_link();
        let end = self.out.trim_end().len();
        self.out.truncate(end);
        self.out
    }
}

/// Returns a link target worth showing: http(s), of reasonable length, without whitespace, control
/// characters or tracking parameters.
fn target(href: &str) -> Option<String> {
    let href = href.trim();
    let scheme = href.get(..8).unwrap_or(href).to_ascii_lowercase();
    if !(scheme.starts_with("http://") || scheme.starts_with("https://")) || href.len() > MAX_HREF {
        return None;
    }
    if href.chars().any(|c| c.is_whitespace() || !is_safe(c)) {
        return None;
    }
    let Some((base, query)) = href.split_once('?') else {
        return Some(href.to_owned());
    };
    let (query, fragment) =
        query.split_once('#').map_or((query, None), |(query, fragment)| (query, Some(fragment)));
    let kept: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("utm_")).collect();
    let mut out = base.to_owned();
    if !kept.is_empty() {
        out.push('?');
        out.push_str(&kept.join("&"));
    }
    if let Some(fragment) = fragment {
        out.push('#');
        out.push_str(fragment);
    }
    Some(out)
}

/// Returns a target without scheme and trailing slash, for comparison with the link's text.
fn bare(url: &str) -> &str {
    let url = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or(url);
    url.strip_suffix('/').unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_like_the_page() {
        for (html, text) in [
            ("<p>One  two</p>\n<p>three<br/>four</p>", "One two\n\nthree\nfour"),
            (
                "<p>We see:</p><ul><li>logins</li>\n<li> <b>mail</b></li></ul>done",
                "We see:\n\n- logins\n- mail\n\ndone",
            ),
            ("a<br><br><br>b", "a\n\nb"),
            ("x<script>alert('</p>')</SCRIPT>y<style>p{}</style><!-- <p>no</p> -->z", "xyz"),
            (
                "See <a href=\"https://s.example/a?b=1&amp;utm_source=x\">the page</a>.",
                "See the page (https://s.example/a?b=1).",
            ),
            ("<a href='https://s.example/'>s.example</a>", "s.example"),
            ("<a href='javascript:x'>x</a> <a href=mailto:a@b.example>mail</a>", "x mail"),
            ("1 < 2 &amp;&amp; 3 &lt; 4, &amp;lt;b&amp;gt;", "1 < 2 && 3 < 4, &lt;b&gt;"),
            ("<div><div>a</div></div><div>b</div>", "a\nb"),
            ("<pre>one\n  two</pre>", "one\ntwo"),
            ("<table><tr><td>EU</td><td>down</td></tr><tr><td>US</td></tr></table>", "EU down\nUS"),
            // A reference to a control character is left as its harmless source text.
            ("a\u{1b}]0;x\u{7}&#27;[2J&#8238;b", "a]0;x&#27;[2Jb"),
            ("text <b", "text"),
            ("", ""),
        ] {
            assert_eq!(html_to_text(html), text, "{html}");
        }
    }

    /// Each of these takes a single pass: unclosed markup is not searched for again.
    #[test]
    fn nasty_inputs_end() {
        assert_eq!(html_to_text(&"<div>".repeat(100_000)), "");
        assert_eq!(html_to_text(&"<a b=\"".repeat(100_000)), "");
        assert_eq!(html_to_text(&"&".repeat(1 << 20)).len(), 1 << 20);
        assert_eq!(html_to_text(&"<script>".repeat(100_000)), "");
        assert_eq!(html_to_text(&"<!--".repeat(100_000)), "");
        let links = html_to_text(&"<a href=https://x.example>y".repeat(100_000));
        assert_eq!(links.len(), 100_000 * "y (https://x.example)".len());
        assert_eq!(html_to_text(&format!("<a {}>x</a>", "b = ".repeat(10_000))), "x");
    }

    #[test]
    fn a_text_is_kept_whole() {
        let html = "<p>A &amp; b</p>".repeat(20_000);
        assert_eq!(html_to_text(&html).len(), 20_000 * "A & b\n\n".len() - 2);
    }

    proptest! {
        #[test]
        fn output_is_safe(html in any::<String>()) {
            let text = html_to_text(&html);
            prop_assert!(text.chars().all(is_safe));
        }

        #[test]
        fn markup_like_input_is_safe(parts in proptest::collection::vec(
            prop_oneof!["<", ">", "\"", "'", "=", "&#27;", "&lt;", "<a href=", "https://x.example", "</a>", "<li>", "<!--", "-->", " ", "\u{202e}", "x"], 0..60))
        {
            let html = parts.concat();
            let text = html_to_text(&html);
            prop_assert!(text.chars().all(is_safe), "{html:?} -> {text:?}");
            prop_assert!(!text.contains("\n\n\n"));
        }
    }
}
