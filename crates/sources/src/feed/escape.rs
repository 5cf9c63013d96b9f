//! Escapes the character data of providers so that every XML parser accepts it.

use statuswatch_model::text::decode_entities;

/// Appends character data in which every `&` starts a reference XML knows: bare ones are escaped,
/// HTML references are decoded, and references to characters XML forbids are replaced.
pub(super) fn escape(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find(['&', '"', '<']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        if let Some(after) = from.strip_prefix('"') {
            out.push_str("&quot;");
            rest = after;
            continue;
        }
        if let Some(after) = from.strip_prefix('<') {
            out.push_str("&lt;");
            rest = after;
            continue;
        }
        let window = from
            .as_bytes()
            .get(1..34)
            .unwrap_or_else(|| from.as_bytes().get(1..).unwrap_or_default());
        let name = memchr::memchr(b';', window).and_then(|end| from.get(1..=end));
        let Some(name) = name
            .filter(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'#'))
        else {
            out.push_str("&amp;");
            rest = from.get(1..).unwrap_or_default();
            continue;
        };
        reference(name, out);
        rest = from.get(name.len() + 2..).unwrap_or_default();
    }
    out.push_str(rest);
}

/// Appends the reference `&name;` in a form every XML parser accepts.
fn reference(name: &str, out: &mut String) {
    if matches!(name, "amp" | "lt" | "gt" | "quot" | "apos") {
        out.push('&');
        out.push_str(name);
        out.push(';');
        return;
    }
    if let Some(number) = name.strip_prefix('#') {
        let code = number
            .strip_prefix(['x', 'X'])
            .map_or_else(|| number.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok());
        let c = code
            .and_then(char::from_u32)
            .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
            .unwrap_or('\u{fffd}');
        push_escaped(c, out);
        return;
    }
    let written = format!("&{name};");
    let decoded = decode_entities(&written);
    decoded.chars().for_each(|c| push_escaped(c, out));
}

fn push_escaped(c: char, out: &mut String) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        c => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_repaired() {
        for (from, to) in [
            ("Tom & Jerry", "Tom &amp; Jerry"),
            ("a&amp;b&#38;c&lt;", "a&amp;b&amp;c&lt;"),
            ("&nbsp;&copy;&nope;&", "\u{a0}©&amp;nope;&amp;"),
            ("&#x2019;&#0;&#x110000;&#xd800;&#27;", "’\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
            ("?a=1&b=2;", "?a=1&amp;b=2;"),
            ("\"<", "&quot;&lt;"),
        ] {
            let mut out = String::new();
            escape(from, &mut out);
            assert_eq!(out, to, "{from}");
        }
    }
}
