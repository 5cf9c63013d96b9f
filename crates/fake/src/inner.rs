//! What a provider is made of behind its lock: the page, its documents, and the faults that are
//! planned.

use std::collections::HashMap;
use std::sync::Arc;

use super::fault::{Behaviour, Fault};
use super::platform::{Document, Documents, Platform};
use super::state::State;

/// What the server needs of a provider to answer one request.
pub(super) struct Inner {
    pub(super) state: State,
    pub(super) previous: Option<State>,
    pub(super) platform: &'static dyn Platform,
    pub(super) behaviour: Behaviour,
    pub(super) html: bool,
    /// By path: what the last answer was validated by.
    pub(super) validators: HashMap<String, Validators>,
    /// Redirects given so far by a redirect loop.
    pub(super) hops: u64,
    /// Whether the platform's documents are served at all.
    pub(super) raw_only: bool,
    /// Documents given by hand.
    pub(super) raw: Documents,
    /// The platform's documents of `state`, until it changes.
    pub(super) rendered: Option<Arc<Documents>>,
    pub(super) faults: Vec<Planned>,
}

/// The validators of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Validators {
    pub(super) hash: u64,
    pub(super) modified: i64,
}

/// A fault, the path it keeps to, and for how many more answers it lasts.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub(super) fault: Fault,
    pub(super) path: Option<String>,
    pub(super) left: Option<u32>,
}

impl Inner {
    pub(super) fn new(state: State, platform: &'static dyn Platform) -> Self {
        Self {
            state,
            previous: None,
            platform,
            behaviour: Behaviour::default(),
            html: false,
            validators: HashMap::new(),
            hops: 0,
            raw_only: false,
            raw: Documents::new(),
            rendered: None,
            faults: Vec::new(),
        }
    }

    /// The documents of the present state.
    pub(super) fn documents(&mut self) -> Arc<Documents> {
        if let Some(rendered) = &self.rendered {
            return Arc::clone(rendered);
        }
        let rendered = Arc::new(self.platform.documents(&self.state));
        self.rendered = Some(Arc::clone(&rendered));
        rendered
    }

    /// What is served at a path when nothing is wrong.
    pub(super) fn document(&mut self, path: &str) -> Option<Document> {
        if let Some(document) = self.raw.get(path) {
            return Some(document.clone());
        }
        if self.raw_only { None } else { self.documents().get(path).cloned() }
    }

    /// The fault for a request of `path`, counted down; a redirect's own target is spared.
    pub(super) fn take_fault(&mut self, path: &str, target: &str) -> Option<Fault> {
        let place = self.faults.iter().rposition(|planned| {
            planned.path.as_ref().is_none_or(|only| only == path)
                && match &planned.fault {
                    Fault::NotFoundOn(only) => only == path,
                    Fault::Redirect { to, .. } => path_of(to) != target,
                    _ => true,
                }
        })?;
        let planned = self.faults.get_mut(place)?;
        let fault = planned.fault.clone();
        if let Some(left) = &mut planned.left {
            *left -= 1;
            if *left == 0 {
                self.faults.remove(place);
            }
        }
        Some(fault)
    }
}

/// The path and query of an address, which may be a path already.
fn path_of(address: &str) -> &str {
    let after_scheme = address.split_once("://").map(|(_, rest)| rest);
    after_scheme
        .map_or(address, |rest| rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or("/"))
}
