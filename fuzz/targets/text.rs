//! HTML to text, entities, and what cleans texts.
#![no_main]

#[path = "../../tests/it/fuzz/whole.rs"]
#[allow(dead_code, reason = "each target uses a part")]
mod whole;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| whole::texts(text));
