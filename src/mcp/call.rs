//! A call of a tool: what it can read, and its arguments.

use std::collections::HashMap;
use std::path::PathBuf;

use serde_json::Value;
use statuswatch_notify::{Audience, Routes};

use super::arguments::Arguments;
use crate::event::Time;
use crate::ledger::Reader;
use crate::view::nodes::NodesView;

/// Items of one answer, unless `limit` says otherwise.
const LIMIT: u64 = 25;
/// The greatest `limit`.
const MAX_LIMIT: u64 = 100;

/// What tools read.
pub struct Context {
    /// Where the ledger is.
    pub state_dir: PathBuf,
    /// The rules of the configuration; `None`: it cannot be read.
    pub routing: Option<Routing>,
    /// Returns the present time.
    pub now: fn() -> Time,
    /// Asks for the nodes that share a database; it returns `None` where there are none.
    pub nodes: Box<dyn Fn() -> Option<NodesView> + Send + Sync>,
}

/// Which events go to which channels, as configured.
#[derive(Debug, Clone, Default)]
pub struct Routing {
    /// The rules.
    pub routes: Routes,
    /// The channels, and who reads them.
    pub channels: Vec<(String, Audience)>,
    /// The tags of providers.
    pub tags: HashMap<String, Vec<String>>,
}

/// A question to the ledger.
pub(super) struct Call<'a> {
    pub(super) reader: &'a Reader,
    pub(super) context: &'a Context,
    pub(super) arguments: Arguments<'a>,
    pub(super) now: Time,
}

impl Call<'_> {
    /// Returns how many items are wanted.
    pub(super) fn limit(&self) -> Result<usize, String> {
        let limit = self.arguments.number("limit", MAX_LIMIT)?.unwrap_or(LIMIT);
        Ok(usize::try_from(limit).unwrap_or(usize::MAX))
    }
}

/// The answer, or why there is none, for the model to read.
pub(super) type Answer = Result<Value, String>;
