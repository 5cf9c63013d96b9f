//! Building blocks of the JSON Schema that several sections use.

use schemars::JsonSchema;

/// A mapping in the file. The checker reads the file, because it knows places: these types lend
/// their shape alone.
macro_rules! shape {
    ($(#[$meta:meta])* $vis:vis $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(JsonSchema)]
        #[schemars(deny_unknown_fields)]
        #[expect(dead_code, reason = "the shape alone is used")]
        $vis struct $name { $($(#[$field_meta])* $field: Option<$type>,)* }
    };
}

pub(super) use shape;

/// A duration such as `500ms`, `15s`, `5m`, `1h30m`, or a number of seconds.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape alone is used")]
pub(super) enum Duration {
    Text(String),
    Seconds(u64),
}

/// Minimum impact to report.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "the shape alone is used")]
pub(super) enum MinImpact {
    None,
    Minor,
    Major,
    Critical,
}

/// The impact from which on a message is sent at once.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "the shape alone is used")]
pub(super) enum Urgent {
    Minor,
    Major,
    Critical,
}
