//! Ids in the shape each platform gives them, derived from the tenant and a number.

use xxhash_rust::xxh3::xxh3_128;

use crate::world::state::State;

/// Twelve lower-case letters and digits, as Statuspage has them.
pub(super) fn code(state: &State, what: &str, number: u64) -> String {
    spell(b"0123456789abcdefghijklmnopqrstuvwxyz", 12, hash(state, what, number))
}

/// A ULID, as incident.io has them.
pub(super) fn ulid(state: &State, what: &str, number: u64) -> String {
    format!("01{}", spell(b"0123456789ABCDEFGHJKMNPQRSTVWXYZ", 24, hash(state, what, number)))
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
