//! Reading requests.

use std::io;

use bytes::{Buf as _, BytesMut};

use super::wire::Wire;

/// Longest request head, in bytes; a longer one closes the connection.
const MAX_HEAD: usize = 64 * 1024;

/// The head of a request.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, Vec<u8>)>,
}

impl Head {
    pub(super) fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
    }
}

/// Reads the next request and skips its body. Returns `None` when the client has disconnected or
/// the request is malformed.
pub(super) async fn read_head(wire: &mut Wire, buffer: &mut BytesMut) -> io::Result<Option<Head>> {
    let end = loop {
        if let Some(end) = memchr::memmem::find(buffer, b"\r\n\r\n") {
            break end;
        }
        if buffer.len() > MAX_HEAD || wire.read(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let bytes = buffer.split_to(end);
    buffer.advance(4);
    let Some(head) = parse_head(&bytes) else {
        return Ok(None);
    };
    let length = head
        .header("Content-Length")
        .and_then(|value| std::str::from_utf8(value).ok()?.trim().parse::<usize>().ok());
    let mut rest = length.unwrap_or(0);
    while rest > 0 {
        if buffer.is_empty() && wire.read(buffer).await? == 0 {
            return Ok(None);
        }
        let step = rest.min(buffer.len());
        buffer.advance(step);
        rest -= step;
    }
    Ok(Some(head))
}

fn parse_head(bytes: &[u8]) -> Option<Head> {
    let mut lines =
        bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = std::str::from_utf8(lines.next()?).ok()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = String::from_utf8(line.get(..colon)?.to_vec()).ok()?;
        headers.push((name, line.get(colon + 1..)?.trim_ascii().to_vec()));
    }
    Some(Head { method, target, headers })
}
