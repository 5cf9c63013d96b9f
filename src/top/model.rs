//! What is shown, and how keys change it. Pure: facts, time and actions in, an [`Effect`] out.

use super::detail;
use super::entry::{self, Entry, State};
use super::facts::{Details, Facts, Subject};
use super::input::{Action, Mode};
use super::tab::Tab;
use super::table::Tone;
use crate::event::{Kind, Time};
use crate::view::status::{Freshness, offline_in_one_line};

/// The longest filter and command, in characters.
const MAX_INPUT: usize = 120;
/// Facts older than this many seconds are reported as such.
const STALE_AFTER: i64 = 5;

/// What the caller must do after an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Draw.
    Draw,
    /// Read the ledger, and draw everything anew.
    Refresh,
    /// Leave.
    Quit,
    /// Stop the process until it is continued.
    Suspend,
}

/// Counts of the first line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) providers: usize,
    pub(super) fresh: usize,
    pub(super) doubted: usize,
    pub(super) stale: usize,
    pub(super) unreachable: usize,
    pub(super) never: usize,
    pub(super) incidents: usize,
    pub(super) maintenances: usize,
}

/// The dashboard.
pub struct Model {
    pub(super) facts: Facts,
    pub(super) states: Vec<State>,
    pub(super) counts: Counts,
    pub(super) entries: Vec<Entry>,
    pub(super) tab: Tab,
    pub(super) mode: Mode,
    /// The filter in effect; with `!` first, what it matches is left out.
    pub(super) filter: String,
    /// What is typed on the last line.
    pub(super) typed: String,
    /// A message on the last line, until the next key.
    pub(super) message: Option<String>,
    pub(super) selected: usize,
    selected_key: Option<String>,
    /// The first line of the list that is visible.
    pub(super) top: usize,
    /// The first line of the details that is visible.
    pub(super) scroll: usize,
    details: Option<(Subject, Details)>,
    pub(super) now: Time,
    /// When the ledger was last found to say what is shown.
    read_at: Option<Time>,
    error: Option<String>,
    /// Lines of the list on the screen, as last drawn.
    pub(super) page: usize,
    /// Whether there is color.
    pub(super) color: bool,
}

impl Model {
    /// Returns a dashboard that has not read anything.
    #[must_use]
    pub fn new(now: Time, color: bool) -> Self {
        Self {
            facts: Facts::default(),
            states: Vec::new(),
            counts: Counts::default(),
            entries: Vec::new(),
            tab: Tab::Open,
            mode: Mode::List,
            filter: String::new(),
            typed: String::new(),
            message: None,
            selected: 0,
            selected_key: None,
            top: 0,
            scroll: 0,
            details: None,
            now,
            read_at: None,
            error: None,
            page: 1,
            color,
        }
    }

    /// Replaces what was read. The selection stays with the line it is on.
    pub fn update(&mut self, facts: Facts, now: Time) {
        self.facts = facts;
        self.is_current(now);
        self.states = entry::states(&self.facts, now);
        self.rebuild();
    }

    /// Notes that the ledger still says what is shown.
    pub(super) fn is_current(&mut self, now: Time) {
        (self.now, self.read_at, self.error) = (now, Some(now), None);
    }

    /// Notes whether `run` is active.
    pub(super) const fn set_running(&mut self, running: bool) {
        self.facts.running = running;
    }

    /// Notes why the ledger could not be read. What was read before stays.
    pub fn fail(&mut self, error: String) {
        self.error = Some(error);
    }

    /// Moves the time on: ages grow, and providers that are not read anymore become stale.
    pub fn tick(&mut self, now: Time) {
        self.now = now;
        let aged = |(row, state): (&_, &State)| {
            crate::view::status::freshness(row, now) != state.freshness
        };
        if self.facts.providers.iter().zip(&self.states).any(aged) {
            self.states = entry::states(&self.facts, now);
            self.rebuild();
        }
    }

    /// Carries out an action.
    pub fn apply(&mut self, action: Action) -> Effect {
        self.message = None;
        match action {
            Action::Quit => return Effect::Quit,
            Action::Suspend => return Effect::Suspend,
            Action::Refresh => return Effect::Refresh,
            Action::Tab(tab) => self.switch(tab),
            Action::NextTab => self.switch(self.tab.next(1)),
            Action::PreviousTab => self.switch(self.tab.next(Tab::ALL.len() - 1)),
            Action::Move(by) => self.go(by),
            Action::Page(pages) => {
                let page = isize::try_from(self.page.max(1)).unwrap_or(isize::MAX);
                self.go(page.saturating_mul(pages));
            }
            Action::First => self.go(isize::MIN),
            Action::Last => self.go(isize::MAX),
            Action::Open => {
                if self.selected_entry().is_some() {
                    (self.mode, self.scroll) = (Mode::Details, 0);
                    self.remember();
                }
            }
            Action::Help => (self.mode, self.scroll) = (Mode::Help, 0),
            Action::Back => self.back(),
            Action::Filter => {
                (self.mode, self.typed) = (Mode::Filter, std::mem::take(&mut self.filter));
                self.filter.clone_from(&self.typed);
            }
            Action::Command => (self.mode, self.typed) = (Mode::Command, String::new()),
            Action::Type(c) => {
                if self.typed.chars().count() < MAX_INPUT && !c.is_control() {
                    self.typed.push(c);
                }
                self.typed();
            }
            Action::Erase => {
                if self.typed.pop().is_none() {
                    self.back();
                }
                self.typed();
            }
            Action::Enter => return self.enter(),
        }
        Effect::Draw
    }

    fn switch(&mut self, tab: Tab) {
        if self.tab != tab {
            (self.tab, self.selected, self.selected_key, self.top) = (tab, 0, None, 0);
        }
        (self.mode, self.scroll) = (Mode::List, 0);
        self.rebuild();
    }

    fn go(&mut self, by: isize) {
        if self.mode == Mode::List {
            let last = self.entries.len().saturating_sub(1);
            self.selected = self.selected.saturating_add_signed(by).min(last);
            self.scroll = 0;
            self.remember();
        } else {
            // Drawing limits it to what there is.
            self.scroll = self.scroll.saturating_add_signed(by);
        }
    }

    /// From the details or the help to the list; from the list: no filter.
    fn back(&mut self) {
        match self.mode {
            Mode::List | Mode::Filter => {
                self.filter.clear();
                self.rebuild();
            }
            Mode::Details | Mode::Help | Mode::Command => {}
        }
        (self.mode, self.scroll) = (Mode::List, 0);
        self.typed.clear();
    }

    /// The list follows what is typed.
    fn typed(&mut self) {
        if self.mode == Mode::Filter {
            self.filter.clone_from(&self.typed);
            self.rebuild();
        }
    }

    fn enter(&mut self) -> Effect {
        let typed = std::mem::take(&mut self.typed);
        let mode = std::mem::replace(&mut self.mode, Mode::List);
        match (mode, typed.trim()) {
            (Mode::Command, "q" | "q!" | "quit") => return Effect::Quit,
            (Mode::Command, "") | (Mode::Filter, _) => {}
            (_, unknown) => self.message = Some(format!("no command \"{unknown}\"; :q quits")),
        }
        Effect::Draw
    }

    /// Makes the list again and finds the selected line in it.
    fn rebuild(&mut self) {
        self.counts = counts(&self.facts, &self.states);
        self.entries = entry::entries(self.tab, &self.facts, &self.states, &self.filter);
        let found = self.selected_key.as_ref().and_then(|wanted| {
            let has_key = |entry: &Entry| entry::key(*entry, &self.facts).as_ref() == Some(wanted);
            self.entries.iter().position(has_key)
        });
        // The details of something else would be read as those of what is gone.
        if found.is_none() && self.mode == Mode::Details {
            self.mode = Mode::List;
            self.message = Some("what was shown is no longer listed".to_owned());
        }
        self.selected = found.unwrap_or(self.selected).min(self.entries.len().saturating_sub(1));
        // The first line stays selected until the selection is moved.
        if self.selected > 0 {
            self.remember();
        }
    }

    fn remember(&mut self) {
        self.selected_key = self.selected_entry().and_then(|entry| entry::key(entry, &self.facts));
    }

    pub(super) fn selected_entry(&self) -> Option<Entry> {
        self.entries.get(self.selected).copied()
    }

    /// Returns what must be read to show the details of the selected line.
    pub(super) fn subject(&self) -> Option<Subject> {
        self.selected_entry().and_then(|entry| entry::subject(entry, &self.facts))
    }

    /// Takes what was read for [`Model::subject`].
    pub(super) fn detail(&mut self, subject: Subject, details: Details) {
        self.details = Some((subject, details));
    }

    /// Returns the details of the selected line.
    pub(super) fn details(&self) -> Vec<detail::Line> {
        let Some(entry) = self.selected_entry() else { return Vec::new() };
        let read = self.details.as_ref();
        let read = read.filter(|(subject, _)| Some(subject) == self.subject().as_ref());
        detail::lines(entry, &self.facts, &self.states, read.map(|(_, details)| details), self.now)
    }

    /// Returns the words at the end of the first line: whether what is shown is the present.
    pub(super) fn liveness(&self) -> (Tone, String) {
        match self.read_at {
            None => (Tone::Dim, "reading".to_owned()),
            Some(at) if (self.now - at).num_seconds().abs() >= STALE_AFTER => {
                let since = super::cells::time(at, self.now);
                (Tone::Bad, format!("stale since {since}"))
            }
            Some(_) if !self.facts.running => (Tone::Warning, "no run".to_owned()),
            Some(_) => (Tone::Good, "live".to_owned()),
        }
    }

    /// Whether nothing was read yet.
    pub(super) const fn is_unread(&self) -> bool {
        self.read_at.is_none()
    }

    /// Returns what puts everything else in doubt.
    pub(super) fn warning(&self) -> Option<String> {
        let error = self.error.as_ref().map(|error| format!("cannot read: {error}"));
        let left_out = self.facts.left_out;
        let more = || (left_out > 0).then(|| format!("{left_out} more are open and not shown"));
        error.or_else(|| offline_in_one_line(&self.facts.network)).or_else(more)
    }
}

fn counts(facts: &Facts, states: &[State]) -> Counts {
    let of = |wanted: Freshness| states.iter().filter(|state| state.freshness == wanted).count();
    let begun = || facts.open.iter().filter(|item| !entry::is_announced(item));
    Counts {
        providers: states.len(),
        fresh: of(Freshness::Fresh),
        doubted: of(Freshness::Doubted),
        stale: of(Freshness::Stale),
        unreachable: of(Freshness::Unreachable),
        never: of(Freshness::Never),
        incidents: begun().filter(|item| item.kind != Kind::Maintenance).count(),
        maintenances: begun().filter(|item| item.kind == Kind::Maintenance).count(),
    }
}
