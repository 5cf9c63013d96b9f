//! Seeded mutations of documents.

use fastrand::Rng;
use serde_json::Value;

/// Replacement tokens.
const TOKENS: &[&str] = &[
    "\0",
    "\u{1b}[2J",
    "\u{9b}1m",
    "\u{202e}",
    "\u{200b}",
    "\r\n",
    "\\u001b[31m",
    "\\u0085",
    "\\ud800",
    "&#27;",
    "&#x9b;",
    "&#8238;",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<!DOCTYPE a [<!ENTITY b \"c\">]>",
    "&b;",
    "&lt;script&gt;",
    "<p>",
    "</",
    "/>",
    "\"",
    "'",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "true",
    "-1",
    "1e400",
    "99999999999999999999",
    "0.1",
    "\"\"",
    "2026-02-30T25:61:61Z",
    "9999-12-31T23:59:60Z",
    "-0001-01-01",
    "javascript:alert(1)",
    "https://u:p@h.example/?token=x",
    "resolved",
    "Scheduled",
    "------------------------------------------------------------",
    "[2026-01-01 00:00:00 UTC] x",
    "<rss version=\"2.0\">",
    "<feed xmlns=\"http://www.w3.org/2005/Atom\">",
    "encoding=\"utf-16\"",
    "xmlns:a=\"b\"",
];

/// Returns a damaged copy of `body`. `others` are documents to take pieces from.
pub(crate) fn mutate(random: &mut Rng, body: &[u8], others: &[&[u8]]) -> Vec<u8> {
    let mut out = body.to_vec();
    for _ in 0..random.usize(1..5) {
        match random.u8(..9) {
            0 => flip(random, &mut out),
            1 => {
                let end = random.usize(..=out.len());
                out.truncate(end);
            }
            2 => {
                let piece = piece(random, &out).to_vec();
                insert(random, &mut out, &piece);
            }
            3 => {
                let other = others[random.usize(..others.len())];
                let piece = piece(random, other).to_vec();
                insert(random, &mut out, &piece);
            }
            4 => {
                let other = others[random.usize(..others.len())];
                let at = random.usize(..=out.len());
                out.truncate(at);
                out.extend(&other[random.usize(..=other.len())..]);
            }
            5 => {
                let (start, end) = range(random, out.len());
                out.drain(start..end);
            }
            6 | 7 => {
                if let Some(changed) = swap_values(random, &out) {
                    out = changed;
                }
            }
            _ => {
                let token = TOKENS[random.usize(..TOKENS.len())].repeat(1 << random.u32(..6));
                insert(random, &mut out, token.as_bytes());
            }
        }
        out.truncate(1 << 20);
    }
    out
}

fn flip(random: &mut Rng, out: &mut [u8]) {
    for _ in 0..random.usize(1..9) {
        if !out.is_empty() {
            let at = random.usize(..out.len());
            out[at] ^= 1 << random.u8(..8);
        }
    }
}

fn range(random: &mut Rng, length: usize) -> (usize, usize) {
    let start = random.usize(..=length);
    let most = 1 << random.u32(..13);
    (start, start + random.usize(..=(length - start).min(most)))
}

fn piece<'a>(random: &mut Rng, of: &'a [u8]) -> &'a [u8] {
    let (start, end) = range(random, of.len());
    &of[start..end]
}

fn insert(random: &mut Rng, out: &mut Vec<u8>, piece: &[u8]) {
    let at = random.usize(..=out.len());
    out.splice(at..at, piece.iter().copied());
}

/// Swaps two values of a JSON document, or replaces one with a token; returns `None` for other
/// documents.
fn swap_values(random: &mut Rng, body: &[u8]) -> Option<Vec<u8>> {
    let mut whole: Value = serde_json::from_slice(body).ok()?;
    let mut places = Vec::new();
    collect(&whole, String::new(), &mut places);
    let (from, to) = (random.choice(&places)?, random.choice(&places)?);
    let value = match random.u8(..4) {
        0 => whole.pointer(from)?.clone(),
        1 => Value::String(TOKENS[random.usize(..TOKENS.len())].repeat(1 << random.u32(..12))),
        2 => match whole.pointer(from)? {
            Value::Array(list) if !list.is_empty() => {
                list.iter().cycle().take(list.len() * random.usize(2..40)).cloned().collect()
            }
            other => Value::Array(vec![other.clone()]),
        },
        _ => random.choice([
            Value::Null,
            Value::from(-7),
            Value::from(1e300),
            Value::from(true),
            Value::from(""),
        ])?,
    };
    *whole.pointer_mut(to)? = value;
    Some(whole.to_string().into_bytes())
}

/// Collects the JSON pointers of everything inside `value`.
fn collect(value: &Value, at: String, out: &mut Vec<String>) {
    let below = |key: &str| format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
    match value {
        Value::Object(object) => {
            object.iter().for_each(|(key, value)| collect(value, below(key), out));
        }
        Value::Array(list) => list
            .iter()
            .enumerate()
            .for_each(|(place, value)| collect(value, below(&place.to_string()), out)),
        _ => {}
    }
    if !at.is_empty() {
        out.push(at);
    }
}
