//! What errors of the database mean.

use std::error::Error as _;

use crate::text::one_line;

/// Maximum length of a reason, in characters.
const REASON: usize = 300;

/// Why a database could not be used. No reason contains a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It cannot be reached, the connection was lost, it is being started, stopped or promoted, or
    /// it has no room: the same may succeed later. Of a transaction whose `COMMIT` was sent it is
    /// unknown whether it was committed.
    #[error("the database is away: {reason}")]
    Away {
        /// Why.
        reason: String,
    },
    /// It does not let us in, or not do this: somebody has to change something.
    #[error("the database refuses: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
    /// It cannot execute what it was given: an error in statuswatch, or in this one statement's
    /// values.
    #[error("the database cannot execute this{}: {reason}", code(.state))]
    Defect {
        /// Its SQLSTATE, or nothing if the library itself failed.
        state: String,
        /// Why.
        reason: String,
    },
    /// The server's version is not supported.
    #[error(
        "the database server has version {found}, but statuswatch needs PostgreSQL 15 or newer"
    )]
    Old {
        /// Its version, as it says.
        found: String,
    },
    /// The schema was made by a newer statuswatch, which no longer lets this one work with it.
    #[error(
        "the schema statuswatch has version {found}, but this program supports versions up to {known}: start the newer statuswatch"
    )]
    Newer {
        /// The version of the schema.
        found: i64,
        /// The newest supported version.
        known: i64,
    },
}

/// Shows a SQLSTATE, if there is one.
fn code(state: &str) -> String {
    if state.is_empty() { String::new() } else { format!(" (SQLSTATE {state})") }
}

impl Error {
    /// Returns an error that may pass.
    #[must_use]
    pub fn away(reason: impl Into<String>) -> Self {
        Self::Away { reason: reason.into() }
    }

    /// Returns whether trying the same again later may succeed without anybody's help.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Away { .. })
    }

    /// Returns the meaning of a SQLSTATE.
    ///
    /// Source: <https://www.postgresql.org/docs/15/errcodes-appendix.html>
    fn of_state(state: &str, reason: String) -> Self {
        let class = state.get(..2).unwrap_or_default();
        match (class, state) {
            // Connections; resources; intervention of an operator, among them a crash and timeouts;
            // a transaction in conflict with another one; errors of the system.
            ("08" | "53" | "57" | "40" | "58", _)
            // Read-only: a standby. A timeout of an idle transaction. A lock that is not available.
            | (_, "25006" | "25P03" | "55P03") => Self::Away { reason },
            // Authorization, unknown database, insufficient privilege.
            ("28" | "3D", _) | (_, "42501") => Self::Refused { reason },
            _ => Self::Defect { state: state.to_owned(), reason },
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        if let Some(said) = error.as_db_error() {
            return Self::of_state(said.code().code(), one_line(said.message(), REASON));
        }
        let mut reason = error.to_string();
        let kind = reason.clone();
        let mut source = error.source();
        while let Some(cause) = source {
            reason = format!("{reason}: {cause}");
            source = cause.source();
        }
        let reason = one_line(&reason, REASON);
        let io = error.source().and_then(|cause| cause.downcast_ref::<std::io::Error>());
        // The library does not show the kinds of its errors, only their texts.
        match (io.map(std::io::Error::kind), kind.as_str()) {
            // A certificate that is not trusted, or no TLS at all where it is needed.
            (Some(std::io::ErrorKind::InvalidData), "error performing TLS handshake")
            | (
                None,
                "error performing TLS handshake" | "authentication error" | "invalid configuration",
            ) => Self::Refused { reason },
            (Some(_), _) | (None, "connection closed" | "timeout waiting for server") => {
                Self::Away { reason }
            }
            (None, _) => Self::Defect { state: String::new(), reason },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_say_whether_it_may_pass() {
        let of = |state: &str| Error::of_state(state, "why".to_owned());
        for state in [
            "08006", "53100", "53300", "57P01", "57P03", "57014", "40001", "40P01", "58030",
            "25006", "25P03", "55P03",
        ] {
            assert!(of(state).may_pass(), "{state}");
        }
        for state in ["28P01", "28000", "3D000", "42501"] {
            assert_eq!(of(state), Error::Refused { reason: "why".to_owned() }, "{state}");
        }
        for state in ["22012", "22P05", "23505", "42P01", "25P02", "XX000", ""] {
            assert!(matches!(of(state), Error::Defect { .. }), "{state}");
        }
        insta::assert_snapshot!(of("23505"), @"the database cannot execute this (SQLSTATE 23505): why");
    }
}
