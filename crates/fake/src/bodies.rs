//! The bodies that faults send.

use std::io::Write as _;

use bytes::{BufMut as _, Bytes, BytesMut};
use flate2::{Compression, Crc, FlushCompress, write::GzEncoder};

use super::fault::Charset;

/// Compresses a body.
pub(super) fn gzip(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let written = encoder.write_all(body);
    debug_assert!(written.is_ok(), "a vector takes everything");
    encoder.finish().unwrap_or_default().into()
}

/// Returns a gzip body with a wrong checksum.
pub(super) fn broken_gzip(body: &[u8]) -> Bytes {
    let mut bytes = gzip(body).to_vec();
    let checksum = bytes.len().saturating_sub(8);
    if let Some(byte) = bytes.get_mut(checksum) {
        *byte ^= 0xff;
    }
    bytes.into()
}

/// Returns a gzip body that inflates to `size` spaces, in time proportional to its compressed
/// length.
pub(super) fn gzip_bomb(size: u64) -> Bytes {
    const BLOCK: usize = 1 << 20;
    let blanks = vec![b' '; BLOCK];
    let mut crc = Crc::new();
    let mut out = BytesMut::new();
    out.put_slice(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
    // A block refers only to spaces before it, so the same bytes may be repeated.
    let (block, mut block_crc) = (deflate(&blanks), Crc::new());
    block_crc.update(&blanks);
    for _ in 0..size / BLOCK as u64 {
        out.put_slice(&block);
        crc.combine(&block_crc);
    }
    let rest = blanks.get(..(size % BLOCK as u64) as usize).unwrap_or_default();
    out.put_slice(&deflate(rest));
    crc.update(rest);
    // The final block: fixed codes, no content.
    out.put_slice(&[3, 0]);
    out.put_u32_le(crc.sum());
    out.put_u32_le(size as u32);
    out.freeze()
}

/// Returns a deflate block that ends on a byte boundary and is not the last one.
fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut compress = flate2::Compress::new(Compression::fast(), false);
    let mut out = Vec::with_capacity(bytes.len() / 8 + 1024);
    let done = compress.compress_vec(bytes, &mut out, FlushCompress::Sync);
    debug_assert!(
        done.is_ok() && compress.total_in() == bytes.len() as u64,
        "the room is enough for blanks"
    );
    out
}

/// Returns opening brackets.
pub(super) fn deep_json(depth: usize) -> Bytes {
    vec![b'['; depth].into()
}

/// Returns an HTML page.
pub(super) fn page(title: &str) -> Bytes {
    format!(
        "<!DOCTYPE html>\n<html>\n<head><title>{title}</title></head>\n<body><h1>{title}</h1>\n\
         <p>Please try again later.</p></body>\n</html>\n"
    )
    .into()
}

/// Returns the document in another encoding, with the matching `Content-Type`.
pub(super) fn transcode(body: &[u8], content_type: &str, charset: Charset) -> (String, Bytes) {
    let text = String::from_utf8_lossy(body);
    let media = content_type.split(';').next().unwrap_or(content_type);
    let marked = std::iter::once(0xfeff).chain(text.encode_utf16());
    match charset {
        Charset::Utf16Le => (media.to_owned(), marked.flat_map(u16::to_le_bytes).collect()),
        Charset::Utf16Be => (media.to_owned(), marked.flat_map(u16::to_be_bytes).collect()),
        Charset::Latin1 => {
            let bytes = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect();
            (format!("{media}; charset=iso-8859-1"), bytes)
        }
    }
}
