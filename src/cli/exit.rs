//! Exit statuses, which scripts may rely on.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: success.
    Done,
    /// 1: runtime error, including storage errors.
    Failed,
    /// 2: invalid arguments or configuration.
    Usage,
    /// 10: `gate` holds.
    Hold,
    /// 11: `gate` does not know.
    Unknown,
    /// 75: the state directory is in use by another `run` (`EX_TEMPFAIL`: try again later).
    Busy,
}

impl Exit {
    /// Returns the exit status of the process.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Hold => 10,
            Self::Unknown => 11,
            Self::Busy => 75,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scripts and unit files rely on these numbers.
    #[test]
    fn numbers_are_the_contracts() {
        assert_eq!(
            [Exit::Done, Exit::Failed, Exit::Usage, Exit::Hold, Exit::Unknown, Exit::Busy]
                .map(Exit::code),
            [0, 1, 2, 10, 11, 75]
        );
    }
}
