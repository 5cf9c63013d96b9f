//! `providers.yaml`.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use statuswatch::config::{ConfigError, parse};

fuzz_target!(|text: &str| {
    let env = |name: &str| (name == "HOME").then(|| "x".to_owned());
    match parse(Path::new("providers.yaml"), text, &env) {
        Ok(loaded) => assert!(!loaded.config.providers.is_empty()),
        Err(ConfigError::Invalid(mistakes)) => {
            assert!(!mistakes.is_empty(), "refused without a reason");
            for mistake in mistakes {
                let reported = mistake.to_string();
                assert!(!reported.chars().any(|c| c.is_control() && c != '\n'), "{reported:?}");
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
