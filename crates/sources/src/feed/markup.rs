//! Scans XML markup before a parser sees it.

use memchr::memmem;

use statuswatch_model::text::one_line;

/// The XML feed formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    /// `<feed>`
    Atom,
    /// `<rss>`
    Rss,
    /// `<rdf:RDF>`
    Rdf,
}

/// Returns the root element of a document without reading further; the error is the name of another
/// root.
pub(super) fn root(text: &str) -> Result<(Root, String), String> {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'<', rest.as_bytes()) {
        let from = rest.get(at..).unwrap_or_default();
        if let Some(after) = prolog(from).map_err(str::to_owned)? {
            rest = after;
            continue;
        }
        let (tag, _) = tag(from).ok_or("the first tag is not closed")?;
        let name = tag.trim_end_matches('/').split(char::is_whitespace).next().unwrap_or_default();
        let root = match local(name) {
            "feed" => Root::Atom,
            "rss" => Root::Rss,
            "RDF" => Root::Rdf,
            other => return Err(format!("the root element is <{}>", one_line(other, 40))),
        };
        return Ok((root, tag.to_owned()));
    }
    Err("no element at all".to_owned())
}

/// Returns a name without its prefix.
pub(super) fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// Returns what follows a comment, an instruction or a DTD at the start of `from`; `None` if there
/// is none.
pub(super) fn prolog(from: &str) -> Result<Option<&str>, &'static str> {
    if let Some(comment) = from.strip_prefix("<!--") {
        let end = memmem::find(comment.as_bytes(), b"-->").ok_or("a comment is not closed")?;
        return Ok(comment.get(end + 3..));
    }
    if let Some(instruction) = from.strip_prefix("<?") {
        let end =
            memmem::find(instruction.as_bytes(), b"?>").ok_or("an instruction is not closed")?;
        return Ok(instruction.get(end + 2..));
    }
    if from.starts_with("<!") && !from.starts_with("<![CDATA[") {
        return Ok(Some(behind_dtd(from).ok_or("a declaration is not closed")?));
    }
    Ok(None)
}

/// Returns what follows a `<!DOCTYPE …>`, with or without internal declarations, which are never
/// evaluated.
fn behind_dtd(from: &str) -> Option<&str> {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut comment_end = 0;
    for (at, byte) in from.bytes().enumerate() {
        match (quote, byte) {
            _ if at < comment_end => {}
            (Some(open), _) if open == byte => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'<') => {
                let inner = from.get(at..)?;
                if inner.starts_with("<!--") {
                    comment_end = at + memmem::find(inner.as_bytes(), b"-->")? + 3;
                } else {
                    depth += 1;
                }
            }
            (None, b'>') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return from.get(at + 1..);
                }
            }
            _ => {}
        }
    }
    None
}

/// Returns the content of the tag at the start of `from` and what follows it.
pub(super) fn tag(from: &str) -> Option<(&str, &str)> {
    let inner = from.get(1..)?;
    let mut quote = None;
    let end = inner.bytes().position(|byte| match quote {
        Some(open) => {
            if open == byte {
                quote = None;
            }
            false
        }
        None if matches!(byte, b'"' | b'\'') => {
            quote = Some(byte);
            false
        }
        None => byte == b'>',
    })?;
    Some((inner.get(..end)?, inner.get(end + 1..)?))
}
