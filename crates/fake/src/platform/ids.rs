//! Generates ids in the format of each platform, derived from the tenant and a number.

use xxhash_rust::xxh3::xxh3_128;

use crate::state::State;

/// Returns twelve lower-case letters and digits, as used by Statuspage.
pub(super) fn code(state: &State, what: &str, number: u64) -> String {
    spell(b"0123456789abcdefghijklmnopqrstuvwxyz", 12, hash(state, what, number))
}

/// Returns a ULID, as used by incident.io.
pub(super) fn ulid(state: &State, what: &str, number: u64) -> String {
    format!("01{}", spell(b"0123456789ABCDEFGHJKMNPQRSTVWXYZ", 24, hash(state, what, number)))
}

/// Returns a CUID, twenty-five letters and digits that start with "c", as used by Instatus.
pub(super) fn cuid(state: &State, what: &str, number: u64) -> String {
    format!("c{}", spell(b"0123456789abcdefghijklmnopqrstuvwxyz", 24, hash(state, what, number)))
}

/// Returns a decimal number, as used by Better Stack and Slack.
pub(super) fn decimal(state: &State, what: &str, number: u64) -> String {
    // No leading zero: some clients parse it as a number.
    (1_000_000_000 + hash(state, what, number) % 1_000_000_000).to_string()
}

/// Returns twenty-four hexadecimal digits, as used by Status.io.
pub(super) fn hex(state: &State, what: &str, number: u64) -> String {
    format!("5a{}", spell(b"0123456789abcdef", 22, hash(state, what, number)))
}

/// Returns twenty letters and digits, as used by Google.
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
