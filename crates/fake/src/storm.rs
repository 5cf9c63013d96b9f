//! [`Storm`]: a seeded, reproducible sequence of incidents and faults across the universe.
//!
//! Everything that starts also ends, and all faults are cleared, before the last sixth: a client
//! that keeps polling until the end must have seen everything by then.

use std::collections::HashMap;
use std::time::Duration;

use fastrand::Rng;
use tokio::time::Instant;

use statuswatch_model::event::{ComponentStatus, Impact, IncidentStatus};

use super::fault::{Fault, RetryAfter};
use super::provider::Provider;
use super::state::Posted;
use super::universe::Universe;

/// The default duration of a storm.
pub const DEFAULT_DURATION: Duration = Duration::from_mins(1);

/// A planned storm.
#[derive(Debug, Clone)]
pub struct Storm {
    acts: Vec<(Duration, Act)>,
    duration: Duration,
}

/// One action. Providers and components are indexes into their lists; a slot is the index of an
/// incident in the plan.
#[derive(Debug, Clone)]
enum Act {
    Open { slot: usize, provider: usize, component: usize, impact: Impact, title: &'static str },
    Schedule { slot: usize, provider: usize, component: usize },
    Update { slot: usize, status: IncidentStatus, text: String },
    Edit { slot: usize, text: String },
    Escalate { slot: usize, impact: Impact },
    Component { provider: usize, component: usize, status: ComponentStatus },
    Fault { provider: usize, fault: Fault, answers: Option<u32> },
    Clear { provider: usize },
}

const TITLES: &[&str] = &[
    "Elevated error rates",
    "Slow responses in one region",
    "Delayed background jobs",
    "Sign-in fails for some customers",
    "Requests time out",
    "Dashboard does not load",
];

impl Storm {
    /// Plans the storm of `seed` for these providers.
    #[must_use]
    pub fn plan(seed: u64, duration: Duration, providers: &[Provider]) -> Self {
        let mut plan = Plan { rng: Rng::with_seed(seed), duration, acts: Vec::new(), slots: 0 };
        if !providers.is_empty() {
            let size = (duration.as_secs() as usize).clamp(8, 3600);
            (0..size / 2).for_each(|_| plan.incident(providers));
            (0..size / 8).for_each(|_| plan.maintenance(providers));
            (0..size / 4).for_each(|_| plan.fault(providers));
            (0..providers.len()).for_each(|provider| plan.add(0.84, Act::Clear { provider }));
        }
        // The sort is stable: actions at the same time keep their order.
        plan.acts.sort_by_key(|(at, _)| *at);
        Self { acts: plan.acts, duration }
    }

    /// Returns the number of actions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.acts.len()
    }

    /// Returns whether there are no actions.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.acts.is_empty()
    }

    /// Plans the storm of `seed` and runs it for `duration`. What it published is in
    /// [`Universe::published`].
    pub async fn play(universe: &Universe, seed: u64, duration: Duration) {
        Self::plan(seed, duration, universe.providers()).run(universe).await;
    }

    /// Scales the storm to another duration.
    #[must_use]
    pub fn within(mut self, duration: Duration) -> Self {
        let scale = duration.as_secs_f64() / self.duration.as_secs_f64().max(f64::EPSILON);
        self.acts.iter_mut().for_each(|(at, _)| *at = at.mul_f64(scale));
        self.duration = duration;
        self
    }

    /// Runs the storm; returns after its duration.
    pub async fn run(self, universe: &Universe) {
        let start = Instant::now();
        let mut slots = HashMap::new();
        for (at, act) in self.acts {
            tokio::time::sleep_until(start + at).await;
            perform(universe, &mut slots, act);
        }
        tokio::time::sleep_until(start + self.duration).await;
    }
}

struct Plan {
    rng: Rng,
    duration: Duration,
    acts: Vec<(Duration, Act)>,
    slots: usize,
}

impl Plan {
    /// Plans an incident from start to end.
    fn incident(&mut self, providers: &[Provider]) {
        let (slot, provider, component) = self.slot(providers, |_| true);
        let impact = self.pick(&[Impact::Minor, Impact::Minor, Impact::Major, Impact::Critical]);
        let title = self.pick(TITLES);
        let steps = [
            (IncidentStatus::Investigating, "We are still looking into it."),
            (IncidentStatus::Identified, "The cause is known and a fix is on its way."),
            (IncidentStatus::Monitoring, "A fix is in place; we are watching the results."),
            (IncidentStatus::Resolved, "This incident is over."),
        ];
        let begin = self.rng.f64() * 0.55;
        let step = (0.82 - begin) * (0.3 + 0.7 * self.rng.f64()) / steps.len() as f64;
        self.add(begin, Act::Open { slot, provider, component, impact, title });
        let worse = match impact {
            Impact::Minor => ComponentStatus::DegradedPerformance,
            Impact::Major => ComponentStatus::PartialOutage,
            _ => ComponentStatus::MajorOutage,
        };
        self.add(begin, Act::Component { provider, component, status: worse });
        for (number, (status, text)) in (1_u32..).zip(steps) {
            let at = begin + step * f64::from(number);
            if status == IncidentStatus::Investigating && self.rng.bool() {
                self.add(at, Act::Escalate { slot, impact: Impact::Critical });
            }
            self.add(
                at,
                Act::Update { slot, status, text: format!("{text} (reference {slot}-{number})") },
            );
            if self.rng.u8(0..4) == 0 {
                let text = format!(
                    "{text} Customers in the north see more of it. (reference {slot}-{number})"
                );
                self.add(at + step * 0.5, Act::Edit { slot, text });
            }
        }
        self.add(
            begin + step * 4.0,
            Act::Component { provider, component, status: ComponentStatus::Operational },
        );
    }

    /// Plans a maintenance from announcement to end, on a platform that shows it.
    fn maintenance(&mut self, providers: &[Provider]) {
        if !providers.iter().any(|provider| provider.platform().shows_maintenances()) {
            return;
        }
        let (slot, provider, component) =
            self.slot(providers, |provider| provider.platform().shows_maintenances());
        let steps = [
            (IncidentStatus::InProgress, "The maintenance has begun."),
            (IncidentStatus::Verifying, "The work is done and being checked."),
            (IncidentStatus::Completed, "The maintenance is complete."),
        ];
        let begin = self.rng.f64() * 0.5;
        let step = (0.8 - begin) * (0.4 + 0.6 * self.rng.f64()) / steps.len() as f64;
        self.add(begin, Act::Schedule { slot, provider, component });
        for (number, (status, text)) in (1_u32..).zip(steps) {
            let text = format!("{text} (reference {slot}-{number})");
            self.add(begin + step * f64::from(number), Act::Update { slot, status, text });
        }
    }

    /// Plans a fault of limited duration.
    fn fault(&mut self, providers: &[Provider]) {
        let provider = self.rng.usize(..providers.len());
        let pinned =
            providers.get(provider).is_some_and(|provider| provider.platform().names_owner());
        let begin = 0.03 + self.rng.f64() * 0.65;
        // These two affect a single answer, as in real life. Not every page identifies its owner.
        let once = if pinned {
            self.pick(&[Some(Fault::Stale), Some(Fault::WrongTenant), None, None, None])
        } else {
            None
        };
        if let Some(fault) = once {
            self.add(begin, Act::Fault { provider, fault, answers: Some(1) });
            return;
        }
        let fault = self.pick(&[
            Fault::Status(503, Some(RetryAfter::Seconds(1))),
            Fault::Status(500, None),
            Fault::Status(403, None),
            Fault::SlowBody(Duration::from_millis(200)),
            Fault::SlowHeaders(Duration::from_millis(200)),
            Fault::Html,
            Fault::Empty,
            Fault::Hang,
            Fault::Reset,
            Fault::Truncated,
            Fault::CutChunked,
            Fault::WrongLength,
            Fault::BrokenGzip,
            Fault::Garbage,
            Fault::RedirectLoop,
            Fault::GzipBomb(64 << 20),
            Fault::DeepJson(100_000),
            Fault::Closed,
        ]);
        let end = begin + 0.03 + self.rng.f64() * 0.1;
        self.add(begin, Act::Fault { provider, fault, answers: None });
        self.add(end, Act::Clear { provider });
    }

    /// Adds a slot at a random provider among `wanted`, which must not be empty.
    fn slot(
        &mut self,
        providers: &[Provider],
        wanted: impl Fn(&Provider) -> bool,
    ) -> (usize, usize, usize) {
        let places: Vec<usize> = providers
            .iter()
            .enumerate()
            .filter(|(_, one)| wanted(one))
            .map(|(place, _)| place)
            .collect();
        let provider = places.get(self.rng.usize(..places.len().max(1))).copied().unwrap_or(0);
        let components =
            providers.get(provider).map_or(1, |provider| provider.state().components.len().max(1));
        self.slots += 1;
        (self.slots, provider, self.rng.usize(..components))
    }

    fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        let place = self.rng.usize(..choices.len().max(1));
        #[expect(
            clippy::indexing_slicing,
            reason = "the place is drawn from within, and no list of choices is empty"
        )]
        choices[place].clone()
    }

    fn add(&mut self, share: f64, act: Act) {
        self.acts.push((self.duration.mul_f64(share), act));
    }
}

/// Performs one action; skips it if its incident no longer exists.
fn perform(universe: &Universe, slots: &mut HashMap<usize, (Provider, Posted)>, act: Act) {
    let provider_at = |place: usize| universe.providers().get(place);
    let component_of = |provider: &Provider, place: usize| {
        provider
            .state()
            .components
            .get(place)
            .map(|component| component.name.clone())
            .unwrap_or_default()
    };
    match act {
        Act::Open { slot, provider, component, impact, title } => {
            let Some(provider) = provider_at(provider) else {
                return;
            };
            let name = component_of(provider, component);
            let text = format!("We are looking into reports about {name}. (reference {slot}-0)");
            let posted = universe.open_incident(
                provider,
                &format!("{title}: {name}"),
                impact,
                &[&name],
                &text,
            );
            slots.insert(slot, (provider.clone(), posted));
        }
        Act::Schedule { slot, provider, component } => {
            let Some(provider) = provider_at(provider) else {
                return;
            };
            let name = component_of(provider, component);
            let begin = provider.now() + chrono::Duration::minutes(5);
            let window = (begin, begin + chrono::Duration::hours(1));
            let text = format!("We will work on {name}. (reference {slot}-0)");
            let posted = universe.schedule(
                provider,
                &format!("Maintenance of {name}"),
                window,
                &[&name],
                &text,
            );
            slots.insert(slot, (provider.clone(), posted));
        }
        Act::Update { slot, status, text } => {
            if let Some((provider, posted)) = slots.get_mut(&slot)
                && let Some(next) = universe.update(provider, posted.incident, status, &text)
            {
                *posted = next;
            }
        }
        Act::Edit { slot, text } => {
            if let Some((provider, posted)) = slots.get(&slot) {
                universe.edit(provider, *posted, &text);
            }
        }
        Act::Escalate { slot, impact } => {
            if let Some((provider, posted)) = slots.get(&slot) {
                provider.set_impact(posted.incident, impact);
            }
        }
        Act::Component { provider, component, status } => {
            let Some(provider) = provider_at(provider) else {
                return;
            };
            universe.set_component(provider, &component_of(provider, component), status);
        }
        Act::Fault { provider, fault, answers } => {
            let Some(provider) = provider_at(provider) else {
                return;
            };
            match answers {
                Some(answers) => provider.fault_next(answers, fault),
                None => provider.fault(fault),
            }
        }
        Act::Clear { provider } => {
            if let Some(provider) = provider_at(provider) {
                provider.clear_faults();
            }
        }
    }
}
