//! The state of a provider behind its lock: the page, its documents, and the scheduled faults.

use std::collections::HashMap;
use std::sync::Arc;

use super::fault::{Behaviour, Fault};
use super::platform::{Document, Documents, Platform};
use super::state::State;

/// What the server needs to answer a request.
pub(super) struct Inner {
    pub(super) state: State,
    pub(super) previous: Option<State>,
    pub(super) platform: &'static dyn Platform,
    pub(super) behaviour: Behaviour,
    pub(super) html: bool,
    /// The validators of the last answer, by path.
    pub(super) validators: HashMap<String, Validators>,
    /// Redirects sent so far by a redirect loop.
    pub(super) hops: u64,
    /// Whether the platform's documents are served at all.
    pub(super) raw_only: bool,
    /// Documents set by [`super::Provider::set_document`].
    pub(super) raw: Documents,
    /// The platform's documents for `state`, until it changes.
    pub(super) rendered: Option<Arc<Documents>>,
    pub(super) faults: Vec<Planned>,
}

/// The validators of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Validators {
    pub(super) hash: u64,
    pub(super) modified: i64,
}

/// A fault, the path it is limited to, and the number of answers it still applies to.
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

    /// Returns the documents of the present state.
    pub(super) fn documents(&mut self) -> Arc<Documents> {
        if let Some(rendered) = &self.rendered {
            return Arc::clone(rendered);
        }
        let rendered = Arc::new(self.platform.documents(&self.state));
        self.rendered = Some(Arc::clone(&rendered));
        rendered
    }

    /// Returns the document at a path in the absence of faults.
    pub(super) fn document(&mut self, path: &str) -> Option<Document> {
        if let Some(document) = self.raw.get(path) {
            return Some(document.clone());
        }
        if self.raw_only { None } else { self.documents().get(path).cloned() }
    }

    /// Returns the fault for a request of `path` and counts it down; a redirect's own target is
    /// exempt.
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

/// Returns the path and query of a URL, which may be a path already.
fn path_of(address: &str) -> &str {
    let after_scheme = address.split_once("://").map(|(_, rest)| rest);
    after_scheme
        .map_or(address, |rest| rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or("/"))
}
