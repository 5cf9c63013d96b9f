//! Ids of providers and channels.

/// What [`is_id`] requires, for people.
pub(super) const ID_RULE: &str = "an id has 1 to 64 lower-case letters, digits, \"-\" and \"_\", and starts with a letter or digit";

/// `[a-z0-9][a-z0-9_-]{0,63}`: it stands in file names, in keys and in commands.
#[must_use]
pub fn is_id(id: &str) -> bool {
    id.len() <= 64
        && id.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && id
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'))
}
