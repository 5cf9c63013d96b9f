//! `ledger move`.

use super::args::LedgerCommand;
use super::delivery::usage;
use super::exit::Exit;
use super::output;
use crate::ledger::{LockError, MoveError, Moved, Place, move_ledger};

/// Moves the ledger.
///
/// # Errors
/// It cannot be moved, and is where it was.
pub fn run(command: &LedgerCommand) -> anyhow::Result<Exit> {
    let LedgerCommand::Move { from, to } = command;
    let (from, to) = match (Place::parse(from), Place::parse(to)) {
        (Ok(from), Ok(to)) => (from, to),
        (Err(error), _) | (_, Err(error)) => return Ok(usage(&error.to_string())),
    };
    match move_ledger(&from, &to) {
        Ok(Moved { rows, events }) => {
            output::print(&format!(
                "Moved {events} events and {} other rows from {from} to {to}. Both were compared.\n",
                rows.saturating_sub(events)
            ))?;
            Ok(Exit::Done)
        }
        Err(error @ MoveError::Alike) => Ok(usage(&error.to_string())),
        Err(MoveError::Lock(error @ LockError::InUse { .. })) => {
            output::note(&format!("statuswatch: {error}"));
            Ok(Exit::Busy)
        }
        Err(error) => Err(error.into()),
    }
}
