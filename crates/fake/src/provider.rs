//! [`Provider`]: the handle through which a script controls a fake provider while it is being
//! served.

#![expect(clippy::must_use_candidate, reason = "the result of an operation may be ignored")]

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use statuswatch_model::event::{ComponentStatus, Impact, IncidentStatus, Time};

use super::fault::{Behaviour, Fault};
use super::inner::{Inner, Planned};
use super::platform::{Document, Documents, Platform, Statuspage};
use super::state::{Opening, Posted, State};

/// The clock of a fake cluster.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// A fake provider; clones refer to the same one.
#[derive(Clone)]
pub struct Provider {
    shared: Arc<Shared>,
}

struct Shared {
    id: String,
    name: String,
    clock: Clock,
    inner: Mutex<Inner>,
    changes: watch::Sender<u64>,
}

impl Provider {
    /// Creates a provider on `platform` with everything operational.
    #[must_use]
    pub fn new(
        id: &str,
        name: &str,
        platform: &'static dyn Platform,
        components: &[&str],
        clock: Clock,
    ) -> Self {
        let inner = Inner::new(State::new(id, name, components, clock()), platform);
        let (changes, _) = watch::channel(0);
        Self {
            shared: Arc::new(Shared {
                id: id.to_owned(),
                name: name.to_owned(),
                clock,
                inner: Mutex::new(inner),
                changes,
            }),
        }
    }

    /// Creates a provider that serves only the documents set by [`Provider::set_document`].
    #[must_use]
    pub fn raw(id: &str, clock: Clock) -> Self {
        let provider = Self::new(id, id, &Statuspage, &[], clock);
        provider.lock().raw_only = true;
        provider
    }

    /// Returns its id, which is also its path prefix.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// Returns its display name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Returns the time by its clock.
    #[must_use]
    pub fn now(&self) -> Time {
        (self.shared.clock)()
    }

    /// Returns its platform.
    #[must_use]
    pub fn platform(&self) -> &'static dyn Platform {
        self.lock().platform
    }

    /// Returns a copy of the state of its page.
    #[must_use]
    pub fn state(&self) -> State {
        self.lock().state.clone()
    }

    /// Returns the documents as currently rendered.
    #[must_use]
    pub fn documents(&self) -> Arc<Documents> {
        self.lock().documents()
    }

    /// Returns the native id of an incident on its present platform.
    #[must_use]
    pub fn incident_id(&self, incident: u64) -> String {
        let inner = self.lock();
        inner.platform.incident_id(&inner.state, incident)
    }

    /// Returns the native id of an update on its present platform.
    #[must_use]
    pub fn update_id(&self, update: u64) -> Option<String> {
        let inner = self.lock();
        inner.platform.update_id(&inner.state, update)
    }

    /// Serves these bytes at a path (below its root, without a leading slash), in place of the
    /// platform's document.
    pub fn set_document(&self, path: &str, content_type: &str, body: impl Into<bytes::Bytes>) {
        self.lock().raw.insert(path.to_owned(), Document::new(content_type, body));
    }

    /// Removes a document set by [`Provider::set_document`].
    pub fn remove_document(&self, path: &str) {
        self.lock().raw.remove(path);
    }

    /// Changes the page atomically, at the clock's time; every other operation uses this.
    pub fn change<R>(&self, change: impl FnOnce(&mut State, Time) -> R) -> R {
        let now = self.now();
        let mut inner = self.lock();
        inner.previous = Some(inner.state.clone());
        inner.rendered = None;
        change(&mut inner.state, now)
    }

    /// Opens an incident.
    pub fn open_incident(
        &self,
        title: &str,
        impact: Impact,
        components: &[&str],
        text: &str,
    ) -> Posted {
        self.change(|state, now| state.open(now, &Opening { title, impact, components, text }))
    }

    /// Adds an update. Like all operations below, returns `None` for an unknown incident.
    pub fn update(&self, incident: u64, status: IncidentStatus, text: &str) -> Option<Posted> {
        self.change(|state, now| state.update(now, incident, status, text))
    }

    /// Edits the text of an update in place.
    pub fn edit(&self, posted: Posted, text: &str) -> Option<Posted> {
        self.change(|state, now| state.edit(now, posted, text))
    }

    /// Deletes an update.
    pub fn delete_update(&self, posted: Posted) -> Option<()> {
        self.change(|state, now| state.delete_update(now, posted))
    }

    /// Resolves an incident: it leaves the summary and stays in the history.
    pub fn resolve(&self, incident: u64, text: &str) -> Option<Posted> {
        self.update(incident, IncidentStatus::Resolved, text)
    }

    /// Removes an incident or maintenance from the page.
    pub fn withdraw(&self, incident: u64) -> Option<()> {
        self.change(|state, now| state.withdraw(now, incident))
    }

    /// Changes the impact of an incident.
    pub fn set_impact(&self, incident: u64, impact: Impact) -> Option<()> {
        self.change(|state, now| state.set_impact(now, incident, impact))
    }

    /// Changes the status of a component.
    pub fn set_component(&self, name: &str, status: ComponentStatus) -> Option<()> {
        self.change(|state, now| state.set_component(now, name, status))
    }

    /// Announces a maintenance.
    pub fn schedule(
        &self,
        title: &str,
        window: (Time, Time),
        components: &[&str],
        text: &str,
    ) -> Posted {
        let impact = Impact::Maintenance;
        self.change(|state, now| {
            state.schedule(now, &Opening { title, impact, components, text }, window)
        })
    }

    /// Starts a maintenance.
    pub fn start(&self, maintenance: u64, text: &str) -> Option<Posted> {
        self.update(maintenance, IncidentStatus::InProgress, text)
    }

    /// Sets a maintenance to verifying.
    pub fn verify(&self, maintenance: u64, text: &str) -> Option<Posted> {
        self.update(maintenance, IncidentStatus::Verifying, text)
    }

    /// Completes a maintenance.
    pub fn complete(&self, maintenance: u64, text: &str) -> Option<Posted> {
        self.update(maintenance, IncidentStatus::Completed, text)
    }

    /// Imports past incidents.
    pub fn import(&self, count: usize) {
        self.change(|state, now| state.import(now, count));
    }

    /// Moves to another platform at the same URL; all ids change their shape.
    pub fn switch_platform(&self, platform: &'static dyn Platform) {
        let mut inner = self.lock();
        inner.platform = platform;
        inner.rendered = None;
    }

    /// Starts or stops answering every path with an HTML page.
    pub fn become_html(&self, html: bool) {
        self.lock().html = html;
    }

    /// Changes how it answers in the absence of faults.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.lock().behaviour);
    }

    /// Applies a fault until [`Provider::clear_faults`]. Of several faults, the latest takes
    /// precedence.
    pub fn fault(&self, fault: Fault) {
        self.plan(Planned { fault, path: None, left: None });
    }

    /// Applies a fault to the next `answers` answers.
    pub fn fault_next(&self, answers: u32, fault: Fault) {
        self.plan(Planned { fault, path: None, left: Some(answers) });
    }

    /// Applies a fault to one path (below its root, without a leading slash) until cleared.
    pub fn fault_on(&self, path: &str, fault: Fault) {
        self.plan(Planned { fault, path: Some(path.to_owned()), left: None });
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.lock().faults.clear();
        self.shared.changes.send_modify(|count| *count += 1);
    }

    /// Returns whether connections are refused.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.lock().faults.last().is_some_and(|planned| planned.fault == Fault::Closed)
    }

    /// Returns a receiver that is notified whenever faults are set or cleared.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.shared.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn plan(&self, planned: Planned) {
        if planned.left != Some(0) {
            self.lock().faults.push(planned);
            self.shared.changes.send_modify(|count| *count += 1);
        }
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("id", &self.shared.id).finish_non_exhaustive()
    }
}
