//! Reads requests from a connection.

use std::io;

use bytes::{Buf as _, BytesMut};

use super::head::{Head, parse_head};
use super::wire::Wire;

/// Longest request head, in bytes; a longer one closes the connection.
const MAX_HEAD: usize = 64 * 1024;

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
