//! Promises that hold for any policy and any sequence of events.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{NaiveTime, TimeDelta};
use proptest::prelude::*;
use statuswatch_model::event::{
    ComponentStatus, Impact, IncidentStatus, ProviderStatus, Status, StatusEvent, Time,
};
use statuswatch_model::zone::Zone;

use super::model::{End, Model};
use super::{component, incident, provider, start};
use crate::channel::Audience;
use crate::hold::{Fate, HoldReason, Mute, Placement, ends, impact_of, is_end, reaches};
use crate::policy::{Digest, Policy, QuietHours};

/// One event to come: after how many seconds, of which provider and thread, and what it says.
#[derive(Debug, Clone, Copy)]
struct Step {
    after: i64,
    provider: usize,
    thread: usize,
    choice: usize,
    edited: bool,
}

const IMPACTS: [Impact; 5] =
    [Impact::None, Impact::Minor, Impact::Major, Impact::Critical, Impact::Unknown];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let after = prop_oneof![3 => 0i64..90, 2 => 0i64..1200, 1 => 0i64..20_000];
    let step = (after, 0usize..4, 0usize..4, 0usize..60, any::<bool>());
    prop::collection::vec(step, 1..60).prop_map(|all| {
        let step = |(after, provider, thread, choice, edited)| Step {
            after,
            provider,
            thread,
            choice,
            edited,
        };
        all.into_iter().map(step).collect()
    })
}

fn impact() -> impl Strategy<Value = Option<Impact>> {
    prop::option::of(prop::sample::select(&IMPACTS[1..4]))
}

fn policy() -> impl Strategy<Value = Policy> {
    let digest = (5u64..90, impact())
        .prop_map(|(every, immediate)| Digest { every: Duration::from_mins(every), immediate });
    (
        prop_oneof![3 => Just(Audience::Chat), 2 => Just(Audience::Pager), 1 => Just(Audience::Machine)],
        prop::option::of(digest),
        prop_oneof![Just(0), 60u64..600],
        prop::option::of(0u32..3),
        prop::option::of(0u32..6),
        prop_oneof![Just(0), 60u64..1200],
    )
        .prop_map(|(audience, digest, settle, storm, cap, edits)| Policy {
            digest,
            settle: Duration::from_secs(settle),
            storm,
            cap,
            edits: Duration::from_secs(edits),
            ..Policy::new(audience)
        })
}

fn quiet_hours() -> impl Strategy<Value = Vec<QuietHours>> {
    let clock = |minute: u32| NaiveTime::from_hms_opt(minute / 60, minute % 60, 0).unwrap();
    let one = (0u32..1440, 1u32..900, impact()).prop_map(move |(from, length, pass)| QuietHours {
        channels: vec!["ops".into()],
        from: clock(from),
        to: clock((from + length) % 1440),
        days: Vec::new(),
        zone: Zone::named("Europe/Berlin").unwrap(),
        pass,
    });
    prop::collection::vec(one, 0..2)
}

fn mutes() -> impl Strategy<Value = Vec<Mute>> {
    let one = (0usize..4, prop::option::of(Just("API".to_owned())), prop::option::of(0i64..600))
        .prop_map(|(number, component, until)| Mute {
            id: 1,
            provider: format!("p{number}"),
            component,
            until: until.map(|minutes| start() + TimeDelta::minutes(minutes)),
            reason: String::new(),
            created_at: start(),
        });
    prop::collection::vec(one, 0..3)
}

/// Returns the next event of a step's thread, which was last in the state `before`.
fn event(seq: u64, at: Time, step: Step, before: Option<&StatusEvent>) -> StatusEvent {
    let impact = IMPACTS[step.choice % IMPACTS.len()];
    let states = ComponentStatus::ALL;
    let was = before.map(|event| (event.status, event.impact));
    let event = match step.thread {
        0 => {
            let mut now = states[step.choice % states.len()];
            let was = before.map(|event| event.components[0].status);
            if was == Some(now) {
                now = states[(step.choice + 1) % states.len()];
            }
            component(seq, at, now, was)
        }
        1 => match before.map(|event| event.status) {
            None | Some(Status::Provider(ProviderStatus::Reachable)) => provider(
                seq,
                at,
                ProviderStatus::Unreachable.into(),
                before.map(|event| event.status),
            ),
            Some(_) => provider(
                seq,
                at,
                ProviderStatus::Reachable.into(),
                Some(ProviderStatus::Unreachable.into()),
            ),
        },
        _ => {
            let status = match step.choice % 7 {
                0 | 1 => IncidentStatus::Investigating,
                2 => IncidentStatus::Identified,
                3 => IncidentStatus::Monitoring,
                4 => IncidentStatus::Postmortem,
                _ => IncidentStatus::Resolved,
            };
            let status = Status::from(status);
            let edited = step.edited && was.is_some();
            let now = if edited { was.unwrap_or((status, impact)) } else { (status, impact) };
            StatusEvent {
                revision: if edited { 2 } else { 1 },
                incident_id: Some(step.thread.to_string()),
                ..incident(seq, at, now, was)
            }
        }
    };
    StatusEvent { provider: format!("p{}", step.provider), ..event }
}

/// Lets all of it happen, then waits until nothing is held.
fn run(mut model: Model, steps: &[Step]) -> (Model, u64) {
    let mut last: HashMap<(usize, usize), StatusEvent> = HashMap::new();
    let mut seq = 0;
    for step in steps {
        seq += 1;
        let at = model.now + TimeDelta::seconds(step.after);
        model.advance(at);
        let key = (step.provider, step.thread);
        let next = event(seq, at, *step, last.get(&key));
        model.event(&next);
        last.insert(key, next);
    }
    // A mute until the end lasts as long as something is open: end everything, calmly.
    for (key, before) in last {
        if is_end(&before) {
            continue;
        }
        seq += 1;
        let (status, state) = match key.1 {
            0 => (ComponentStatus::Operational.into(), ComponentStatus::Operational),
            1 => (ProviderStatus::Reachable.into(), ComponentStatus::Operational),
            _ => (Status::from(IncidentStatus::Resolved), ComponentStatus::Operational),
        };
        let at = model.now + TimeDelta::minutes(1);
        model.advance(at);
        let mut next = StatusEvent {
            seq,
            status,
            impact: Impact::None,
            previous_status: Some(before.status),
            previous_impact: Some(before.impact),
            revision: 1,
            published_at: at,
            ..before
        };
        for component in &mut next.components {
            component.status = state;
        }
        model.event(&next);
    }
    let end = model.now + TimeDelta::days(3);
    model.advance(end);
    (model, seq)
}

fn check(model: &Model, events: u64) -> Result<(), TestCaseError> {
    prop_assert_eq!(model.held(), 0);
    // Nothing is lost: each event has one end, and what stands for it was sent.
    let states: HashMap<u64, &str> = model
        .sent
        .iter()
        .flat_map(|sent| sent.states.iter().map(|(thread, seq, _)| (*seq, thread.as_str())))
        .collect();
    prop_assert_eq!(model.ends.len() as u64, events);
    for (seq, end) in &model.ends {
        match end {
            End::Sent | End::Released(Fate::Sent) => prop_assert!(states.contains_key(seq)),
            End::Released(Fate::Superseded { by }) => {
                prop_assert!(by >= seq && states.contains_key(by), "{} by {}", seq, by);
            }
            End::Released(Fate::Summarized) => {
                prop_assert!(states.keys().any(|state| state >= seq));
            }
            End::Released(Fate::Returned) => {}
            End::Pointless => prop_assert!(model.policy.audience == Audience::Pager),
        }
    }
    // In the end the reader knows the present state of everything the reader ever heard of, and
    // whatever is open.
    for (thread, present) in model.present() {
        let mut known = model.sent.iter().flat_map(|sent| &sent.states);
        let last = known.rfind(|(id, ..)| id == thread).map(|(_, _, status)| *status);
        let right = match last {
            Some(status) if is_end(present) => ends(status),
            last => last == Some(present.status) || (last.is_none() && is_end(present)),
        };
        prop_assert!(right, "the reader believes {:?}, it is {}", last, present.status);
    }
    Ok(())
}

fn check_placements(model: &Model) -> Result<(), TestCaseError> {
    let policy = &model.policy;
    for (event, notified, placement) in &model.placed {
        let Placement::Hold { reason, until } = placement else { continue };
        prop_assert!(policy.audience != Audience::Machine, "a machine waits for {:?}", event);
        let ends_page = policy.audience == Audience::Pager && is_end(event) && notified.is_some();
        prop_assert!(!ends_page, "{} holds the end of a page", reason);
        let immediate = policy.digest.and_then(|digest| digest.immediate);
        if immediate.is_some_and(|least| reaches(impact_of(event), least))
            || event.status == ProviderStatus::Unreachable
        {
            let by_hand =
                [HoldReason::Mute, HoldReason::QuietHours, HoldReason::Unstable].contains(reason);
            prop_assert!(by_hand, "{} holds what is urgent", reason);
        }
        if *reason == HoldReason::QuietHours {
            let passes = model
                .quiet_hours
                .iter()
                .any(|quiet| quiet.pass.is_some_and(|least| reaches(impact_of(event), least)));
            prop_assert!(!passes && event.status != ProviderStatus::Unreachable);
        }
        prop_assert!(until.is_some() || *reason == HoldReason::Mute);
    }
    Ok(())
}

proptest! {
    #[test]
    fn nothing_is_lost_and_the_reader_knows_the_present_state(
        policy in policy(), quiet_hours in quiet_hours(), mutes in mutes(), steps in steps(),
    ) {
        let mut model = Model::new(policy, start());
        (model.quiet_hours, model.mutes) = (quiet_hours, mutes);
        let (model, events) = run(model, &steps);
        check_placements(&model)?;
        check(&model, events)?;
    }
}
