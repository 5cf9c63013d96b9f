//! Ids in the shape each platform gives them, derived from the tenant and a number.

use xxhash_rust::xxh3::xxh3_128;

use crate::state::State;

/// Twelve lower-case letters and digits, as Statuspage has them.
pub(super) fn code(state: &State, what: &str, number: u64) -> String {
    spell(b"0123456789abcdefghijklmnopqrstuvwxyz", 12, hash(state, what, number))
}

/// A ULID, as incident.io has them.
pub(super) fn ulid(state: &State, what: &str, number: u64) -> String {
    format!("01{}", spell(b"0123456789ABCDEFGHJKMNPQRSTVWXYZ", 24, hash(state, what, number)))
}

/// Twenty-five letters and digits that begin with a "c", as Instatus has them.
pub(super) fn cuid(state: &State, what: &str, number: u64) -> String {
    format!("c{}", spell(b"0123456789abcdefghijklmnopqrstuvwxyz", 24, hash(state, what, number)))
}

/// A decimal number, as Better Stack and Slack have them.
pub(super) fn decimal(state: &State, what: &str, number: u64) -> String {
    // Without a zero in front: to some it is a number.
    (1_000_000_000 + hash(state, what, number) % 1_000_000_000).to_string()
}

/// Twenty-four hexadecimal digits, as Status.io has them.
pub(super) fn hex(state: &State, what: &str, number: u64) -> String {
    format!("5a{}", spell(b"0123456789abcdef", 22, hash(state, what, number)))
}

/// Twenty letters and digits, as Google has them.
pub(super) fn mixed(state: &State, what: &str, number: u64) -> String {
    spell(
        b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        20,
        hash(state, what, number),
    )
}

fn hash(state: &State, what: &str, number: u64) -> u128 {
    xxh3_128(format!("{}/{what}/{number}", state.tenant).as_bytes())
}

fn spell(alphabet: &[u8], length: usize, mut rest: u128) -> String {
    let base = alphabet.len() as u128;
    let mut out = String::with_capacity(length);
    for _ in 0..length {
        out.push(alphabet.get((rest % base) as usize).copied().map_or('0', char::from));
        rest /= base;
    }
    out
}
