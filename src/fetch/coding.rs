//! Content codings: gzip with any number of members, and both forms of deflate.
//!
//! Only gzip is requested. `x-gzip` is its former name (RFC 9110, section 8.4.1.3), and some
//! servers send `deflate` unrequested: as zlib data (RFC 1950), which the standard means, or raw
//! (RFC 1951), which browsers accept as well.

use std::io::{self, BufRead, Read};

use bytes::{Buf, Bytes};
use flate2::bufread::GzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use reqwest::header::{CONTENT_ENCODING, HeaderMap};

use super::{Failure, FailureKind};

/// The first two bytes of each gzip member.
pub(super) const GZIP: [u8; 2] = [0x1f, 0x8b];
/// How much of an unknown coding's name is quoted in a message.
const LONGEST_NAME: usize = 24;

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// Not encoded.
    Identity,
    /// gzip.
    Gzip,
    /// deflate, with or without the zlib frame.
    Deflate,
}

/// Returns the coding that the headers declare. Several codings at once and unknown ones are
/// failures.
pub(super) fn declared(headers: &HeaderMap) -> Result<Coding, Failure> {
    let mut coding = Coding::Identity;
    for value in headers.get_all(CONTENT_ENCODING) {
        let value = String::from_utf8_lossy(value.as_bytes());
        for name in value.split(',').map(|name| name.trim().to_ascii_lowercase()) {
            let next = match name.as_str() {
                "" | "identity" => continue,
                "gzip" | "x-gzip" => Coding::Gzip,
                "deflate" => Coding::Deflate,
                other => return Err(broken(&format!("the server sent \"{}\"", shown(other)))),
            };
            if coding != Coding::Identity {
                return Err(broken("the server applied several compressions"));
            }
            coding = next;
        }
    }
    Ok(coding)
}

fn shown(name: &str) -> String {
    name.chars().filter(char::is_ascii_graphic).take(LONGEST_NAME).collect()
}

fn broken(why: &str) -> Failure {
    Failure::new(FailureKind::Encoding, format!("invalid compression: {why}; gzip was requested"))
}

/// Decodes a body chunk by chunk: [`push`](Self::push), then [`read`](Self::read) until it needs
/// more input. Holds the compressed chunks not yet decoded and a window of 32 KiB.
pub(super) struct Decoder {
    input: Input,
    stage: Stage,
}

enum Stage {
    /// Only the coding is known.
    Start(Coding),
    Gzip(Box<GzDecoder<Input>>),
    /// After a complete gzip member: another one follows, or trailing data to ignore.
    Between,
    Deflate(Box<Decompress>),
    /// Trailing data is ignored, as browsers do.
    Done,
}

impl Decoder {
    pub(super) fn new(coding: Coding) -> Self {
        Self { input: Input::default(), stage: Stage::Start(coding) }
    }

    /// Appends compressed bytes; `None` at the end of the body.
    pub(super) fn push(&mut self, piece: Option<Bytes>) {
        let input = match &mut self.stage {
            Stage::Gzip(decoder) => decoder.get_mut(),
            _ => &mut self.input,
        };
        match piece {
            Some(piece) => input.append(&piece),
            None => input.ended = true,
        }
    }

    /// Decodes into `out`; 0 at the end. An error of kind `WouldBlock` requests more input.
    pub(super) fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            match &mut self.stage {
                Stage::Start(coding) => {
                    self.stage = match coding {
                        Coding::Identity => return self.input.read(out),
                        // An empty body is empty, whatever its headers declare.
                        _ if self.input.fill_buf()?.is_empty() => Stage::Done,
                        Coding::Gzip => gzip(&mut self.input),
                        Coding::Deflate => {
                            let zlib = self.input.two()?.is_some_and(is_zlib);
                            Stage::Deflate(Box::new(Decompress::new(zlib)))
                        }
                    };
                }
                Stage::Gzip(decoder) => match decoder.read(out)? {
                    0 => {
                        self.input = std::mem::take(decoder.get_mut());
                        self.stage = Stage::Between;
                    }
                    length => return Ok(length),
                },
                Stage::Between => {
                    let more = self.input.two()? == Some(GZIP);
                    self.stage = if more { gzip(&mut self.input) } else { Stage::Done };
                }
                Stage::Deflate(decoder) => match inflate(decoder, &mut self.input, out)? {
                    (0, true) => self.stage = Stage::Done,
                    (length, _) => return Ok(length),
                },
                Stage::Done => {
                    self.input.bytes.clear();
                    return if self.input.ended { Ok(0) } else { Err(more()) };
                }
            }
        }
    }
}

fn gzip(input: &mut Input) -> Stage {
    Stage::Gzip(Box::new(GzDecoder::new(std::mem::take(input))))
}

/// Returns whether deflate data begins with the header of RFC 1950: method 8, and a multiple of 31.
fn is_zlib([first, second]: [u8; 2]) -> bool {
    first & 0x0f == 8 && u16::from_be_bytes([first, second]).is_multiple_of(31)
}

/// Returns how much was decoded, and whether that was the end.
fn inflate(
    decoder: &mut Decompress,
    input: &mut Input,
    out: &mut [u8],
) -> io::Result<(usize, bool)> {
    loop {
        let piece = input.fill_buf()?;
        let ended = piece.is_empty();
        let (consumed, produced) = (decoder.total_in(), decoder.total_out());
        let status = decoder.decompress(piece, out, FlushDecompress::None)?;
        input.consume((decoder.total_in() - consumed) as usize);
        let length = (decoder.total_out() - produced) as usize;
        match status {
            Status::StreamEnd => return Ok((length, true)),
            _ if length > 0 => return Ok((length, false)),
            _ if ended => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ => {}
        }
    }
}

fn more() -> io::Error {
    io::ErrorKind::WouldBlock.into()
}

/// Received input that is not decoded yet.
#[derive(Default)]
struct Input {
    bytes: Bytes,
    ended: bool,
}

impl Input {
    fn append(&mut self, piece: &Bytes) {
        self.bytes = if self.bytes.is_empty() {
            piece.clone()
        } else {
            // At most a byte or two of a header.
            [self.bytes.as_ref(), piece.as_ref()].concat().into()
        };
    }

    /// Returns the first two bytes without consuming them; `None` if there are fewer.
    fn two(&self) -> io::Result<Option<[u8; 2]>> {
        match self.bytes.first_chunk() {
            None if !self.ended => Err(more()),
            two => Ok(two.copied()),
        }
    }
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.bytes.is_empty() && !self.ended { Err(more()) } else { Ok(&self.bytes) }
    }

    fn consume(&mut self, length: usize) {
        self.bytes.advance(length.min(self.bytes.len()));
    }
}

impl Read for Input {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(out)?;
        self.consume(length);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use proptest::prelude::*;

    use super::*;

    fn gzipped(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn raw(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// Decodes input that arrives in chunks of this size.
    fn decoded(coding: Coding, bytes: &[u8], piece: usize) -> io::Result<Vec<u8>> {
        let mut decoder = Decoder::new(coding);
        let mut pieces = bytes.chunks(piece).map(Bytes::copy_from_slice);
        let (mut out, mut buffer) = (Vec::new(), [0; 7]);
        loop {
            match decoder.read(&mut buffer) {
                Ok(0) => return Ok(out),
                Ok(length) => out.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    decoder.push(pieces.next());
                }
                Err(error) => return Err(error),
            }
        }
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_give_the_same(text in prop::collection::vec(any::<u8>(), 0..600), at in 0_usize..600, piece in 1_usize..80) {
            let (one, other) = text.split_at(at.min(text.len()));
            let members = [gzipped(one), gzipped(other)].concat();
            prop_assert_eq!(&decoded(Coding::Gzip, &members, piece).unwrap(), &text);
            prop_assert_eq!(&decoded(Coding::Deflate, &zlib(&text), piece).unwrap(), &text);
            prop_assert_eq!(&decoded(Coding::Deflate, &raw(&text), piece).unwrap(), &text);
            prop_assert_eq!(&decoded(Coding::Identity, &text, piece).unwrap(), &text);
        }

        #[test]
        fn what_is_cut_is_an_error(text in prop::collection::vec(any::<u8>(), 1..300), cut in 1_usize..300, piece in 1_usize..80) {
            for (coding, whole) in [(Coding::Gzip, gzipped(&text)), (Coding::Deflate, zlib(&text)), (Coding::Deflate, raw(&text))] {
                let end = whole.len() - cut.min(whole.len() - 1);
                prop_assert!(decoded(coding, &whole[..end], piece).is_err());
            }
        }

        #[test]
        fn garbage_ends(bytes in prop::collection::vec(any::<u8>(), 0..300), piece in 1_usize..80) {
            drop(decoded(Coding::Gzip, &bytes, piece));
            drop(decoded(Coding::Deflate, &bytes, piece));
        }
    }

    #[test]
    fn what_follows_the_last_member_is_ignored() {
        for tail in [&[0; 9][..], b"x", b"\x1f", b"trailing text"] {
            let bytes = [gzipped(b"{}").as_slice(), tail].concat();
            assert_eq!(decoded(Coding::Gzip, &bytes, 3).unwrap(), b"{}");
            let bytes = [zlib(b"{}").as_slice(), tail].concat();
            assert_eq!(decoded(Coding::Deflate, &bytes, 3).unwrap(), b"{}");
        }
        assert!(decoded(Coding::Gzip, &[gzipped(b"{}"), GZIP.to_vec()].concat(), 64).is_err());
    }

    #[test]
    fn names_of_codings() {
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_ENCODING, value.parse().unwrap());
            }
            declared(&headers).ok()
        };
        assert_eq!(of(&[]), Some(Coding::Identity));
        assert_eq!(of(&["identity"]), Some(Coding::Identity));
        for gzip in ["gzip", "x-gzip", "GZIP", " X-Gzip ", "gzip, identity", "identity,gzip"] {
            assert_eq!(of(&[gzip]), Some(Coding::Gzip), "{gzip}");
        }
        assert_eq!(of(&["Deflate"]), Some(Coding::Deflate));
        assert_eq!(of(&["br"]), None);
        assert_eq!(of(&["gzip, gzip"]), None);
        assert_eq!(of(&["gzip", "deflate"]), None);
    }
}
