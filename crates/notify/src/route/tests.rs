//! Rules in order, `continue`, threads that stay with their channels, and explanations.

use proptest::prelude::*;
use statuswatch_model::event::{
    Component, ComponentStatus, Impact, IncidentStatus, Kind, ProviderStatus,
};

use super::*;
use crate::channel::corpus;

const CHANNELS: [(&str, Audience); 4] = [
    ("ops", Audience::Chat),
    ("pager", Audience::Pager),
    ("mail", Audience::Chat),
    ("hook", Audience::Machine),
];

fn channels() -> Vec<(String, Audience)> {
    CHANNELS.iter().map(|(id, audience)| ((*id).to_owned(), *audience)).collect()
}

fn words(all: &[&str]) -> Vec<String> {
    all.iter().map(|word| (*word).to_owned()).collect()
}

fn rule(line: usize, matcher: Matcher, to: &[&str]) -> Rule {
    Rule { matcher, to: words(to), continues: false, line }
}

/// The rules of the documentation.
fn routes() -> Routes {
    let pager = Matcher {
        providers: words(&["github", "ac*"]),
        min_impact: Some(Impact::Major),
        ..Matcher::default()
    };
    let maintenance = Matcher { kinds: vec![Kind::Maintenance], ..Matcher::default() };
    let dev = Matcher { tags: words(&["dev"]), ..Matcher::default() };
    Routes {
        rules: vec![
            Rule { continues: true, ..rule(10, pager, &["pager"]) },
            rule(12, maintenance, &["mail"]),
            rule(14, dev, &[]),
            rule(16, Matcher::default(), &["ops"]),
        ],
    }
}

fn event(impact: Impact) -> StatusEvent {
    StatusEvent { impact, ..corpus::incident() }
}

fn to(decision: &Decision) -> Vec<String> {
    decision.to.iter().map(|chosen| format!("{}: {}", chosen.channel, chosen.reason)).collect()
}

fn nobody(_: &str) -> bool {
    false
}

#[test]
fn the_first_match_wins_unless_it_continues() {
    let decide = |event: &StatusEvent, tags: &[&str]| {
        let decision = routes().decide(event, &words(tags), &channels(), &nobody);
        (to(&decision), decision.nobody())
    };
    let (both, why) = decide(&event(Impact::Major), &[]);
    assert_eq!((both, why), (words(&["ops: rule 4 (line 16)", "pager: rule 1 (line 10)"]), None));
    let (one, _) = decide(&event(Impact::Minor), &["prod"]);
    assert_eq!(one, ["ops: rule 4 (line 16)"]);
    let (silenced, why) = decide(&event(Impact::Minor), &["prod", "dev"]);
    assert_eq!((silenced.len(), why), (0, Some(Nobody::OnPurpose)));
    let planned = StatusEvent { kind: Kind::Maintenance, ..event(Impact::Maintenance) };
    assert_eq!(decide(&planned, &["dev"]).0, ["mail: rule 2 (line 12)"]);
}

#[test]
fn every_rule_says_what_became_of_it() {
    let explain = |event: &StatusEvent, tags: &[&str]| {
        let decision = routes().decide(event, &words(tags), &channels(), &nobody);
        decision.trace.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(explain(&event(Impact::Major), &["prod"]), @r"
    rule 1 (line 10): matches: pager, and continues
    rule 2 (line 12): does not match (kinds): the kind is incident
    rule 3 (line 14): does not match (tags): the provider has the tags prod
    rule 4 (line 16): matches: ops
    ");
    insta::assert_snapshot!(explain(&event(Impact::Minor), &["dev"]), @r"
    rule 1 (line 10): does not match (min_impact): the impact is minor, below major
    rule 2 (line 12): does not match (kinds): the kind is incident
    rule 3 (line 14): matches: nobody, on purpose
    rule 4 (line 16): not reached
    ");
}

#[test]
fn notices_match_the_rules_that_name_them_alone() {
    let notices = Matcher { notices: true, ..Matcher::default() };
    let catch_all = rule(3, Matcher::default(), &["ops"]);
    let decide = |rules: &[Rule], about: &str| {
        let routes = Routes { rules: rules.to_vec() };
        let decision =
            routes.decide_notice("It FAILS", Some(about), &channels(), &words(&["mail"]));
        (to(&decision), decision.nobody())
    };
    let default = (words(&["mail: by default"]), None);
    assert_eq!(decide(&[], "ops"), default);
    assert_eq!(decide(std::slice::from_ref(&catch_all), "pager"), default);
    let named = |to: &[&str]| [rule(1, notices.clone(), to), catch_all.clone()];
    assert_eq!(
        decide(&named(&["hook", "pager", "ops"]), "pager"),
        (words(&["ops: rule 1 (line 1)", "hook: rule 1 (line 1)"]), None)
    );
    assert_eq!(decide(&named(&["pager"]), "pager"), default);
    assert_eq!(decide(&named(&[]), "pager"), (Vec::new(), Some(Nobody::OnPurpose)));
    // Every key counts, and those of events match none.
    let of = |matcher: Matcher| [rule(1, Matcher { notices: true, ..matcher }, &["hook"])];
    let own = words(&["status*"]);
    for (matcher, is_match) in [
        (Matcher { providers: own, ..Matcher::default() }, true),
        (Matcher { providers: words(&["acme"]), ..Matcher::default() }, false),
        (Matcher { min_impact: Some(Impact::Major), ..Matcher::default() }, true),
        (Matcher { min_impact: Some(Impact::Critical), ..Matcher::default() }, false),
        (Matcher { text: Some("it fails".into()), ..Matcher::default() }, true),
        (Matcher { text: Some("it works".into()), ..Matcher::default() }, false),
        (Matcher { kinds: vec![Kind::Provider], ..Matcher::default() }, true),
        (Matcher { tags: words(&["a"]), ..Matcher::default() }, false),
        (Matcher { statuses: vec![ProviderStatus::Offline.into()], ..Matcher::default() }, false),
        (Matcher { components: words(&["*"]), ..Matcher::default() }, false),
        (Matcher { regions: words(&["*"]), ..Matcher::default() }, false),
    ] {
        let (to, _) = decide(&of(matcher.clone()), "ops");
        let expected = if is_match { "hook: rule 1 (line 1)" } else { "mail: by default" };
        assert_eq!(to, [expected], "{matcher:?}");
    }
    // No event matches a rule that is about notices alone.
    assert!(!notices.matches(&event(Impact::Critical), &[]));
    let both = Matcher { kinds: vec![Kind::Incident], ..notices };
    assert!(both.matches(&event(Impact::Critical), &[]));
    let planned = StatusEvent { kind: Kind::Maintenance, ..event(Impact::Maintenance) };
    assert!(!both.matches(&planned, &[]));
}

#[test]
fn without_rules_everything_goes_to_every_channel() {
    let decision = Routes::default().decide(&event(Impact::None), &[], &channels(), &nobody);
    assert_eq!(decision.to.len(), CHANNELS.len());
    assert!(decision.to.iter().all(|chosen| chosen.reason == Reason::NoRoutes));
    let nowhere = Routes::default().decide(&event(Impact::None), &[], &[], &nobody);
    assert_eq!(nowhere.nobody(), Some(Nobody::NoChannels));
}

#[test]
fn what_no_rule_matches_is_known() {
    let routes = Routes { rules: routes().rules[..2].to_vec() };
    let decision = routes.decide(&event(Impact::Minor), &[], &channels(), &nobody);
    assert_eq!(decision.nobody(), Some(Nobody::NoMatch));
}

#[test]
fn a_thread_stays_with_its_channels_up_to_its_end() {
    let pager = |channel: &str| channel == "pager";
    let fallen = StatusEvent {
        status: IncidentStatus::Resolved.into(),
        previous_status: Some(IncidentStatus::Monitoring.into()),
        ..event(Impact::Minor)
    };
    let decision = routes().decide(&fallen, &words(&["dev"]), &channels(), &pager);
    assert_eq!(to(&decision), ["pager: it was notified of an earlier update"]);
    // Its end was sent: what is added after that goes by the rules.
    let report = StatusEvent {
        status: IncidentStatus::Postmortem.into(),
        previous_status: Some(IncidentStatus::Resolved.into()),
        ..fallen
    };
    assert!(routes().decide(&report, &words(&["dev"]), &channels(), &nobody).to.is_empty());
}

#[test]
fn a_pager_is_not_sent_the_end_of_what_it_does_not_know() {
    let over = StatusEvent {
        status: IncidentStatus::Resolved.into(),
        previous_impact: Some(Impact::Critical),
        ..event(Impact::None)
    };
    let decision = routes().decide(&over, &[], &channels(), &nobody);
    assert_eq!(to(&decision), ["ops: rule 4 (line 16)"]);
    assert_eq!(decision.without_page, ["pager"]);
    let only = Routes { rules: routes().rules[..1].to_vec() };
    let decision = only.decide(&over, &[], &channels(), &nobody);
    assert_eq!(decision.nobody(), Some(Nobody::NothingToEnd));
    let known = only.decide(&over, &[], &channels(), &|_| true);
    assert!(known.to.iter().any(|chosen| chosen.channel == "pager"));
}

#[test]
fn each_key_matches_and_says_why_not() {
    let component = |name: &str, group: Option<&str>| Component {
        id: Some("id-1".into()),
        name: name.into(),
        group: group.map(str::to_owned),
        status: ComponentStatus::PartialOutage,
    };
    let event = StatusEvent {
        title: "Delayed Parcels".into(),
        message: Some("We look into it.".into()),
        components: vec![component("EC2 (us-east-1)", Some("Compute")), component("S3", None)],
        ..event(Impact::Minor)
    };
    let unreachable = StatusEvent {
        kind: Kind::Provider,
        status: ProviderStatus::Unreachable.into(),
        components: Vec::new(),
        ..event.clone()
    };
    let all = Matcher::default;
    let why = |matcher: &Matcher, event: &StatusEvent| {
        let found = matcher.mismatch(event, &words(&["prod", "eu"]));
        found.map(|(key, why)| format!("{key}: {why}"))
    };
    for matcher in [
        all(),
        Matcher { providers: words(&["x", "ACM?"]), ..all() },
        Matcher { tags: words(&["dev", "eu"]), ..all() },
        Matcher { kinds: vec![Kind::Incident], ..all() },
        Matcher {
            statuses: vec![IncidentStatus::Resolved.into(), IncidentStatus::Identified.into()],
            ..all()
        },
        Matcher { min_impact: Some(Impact::Minor), ..all() },
        Matcher { components: words(&["s*"]), ..all() },
        Matcher { components: words(&["Compute/EC2*"]), ..all() },
        Matcher { regions: words(&["us-east-*"]), ..all() },
        Matcher { regions: words(&["compute"]), ..all() },
        Matcher { text: Some("PARCELS".into()), ..all() },
        Matcher { text: Some("look into".into()), ..all() },
    ] {
        assert_eq!(why(&matcher, &event), None, "{matcher:?}");
    }
    let mismatches = [
        (Matcher { providers: words(&["acm"]), ..all() }, &event),
        (Matcher { tags: words(&["dev"]), ..all() }, &event),
        (Matcher { kinds: vec![Kind::Component], ..all() }, &event),
        (Matcher { statuses: vec![IncidentStatus::Resolved.into()], ..all() }, &event),
        (Matcher { min_impact: Some(Impact::Major), ..all() }, &event),
        (Matcher { components: words(&["EC2"]), ..all() }, &event),
        (Matcher { regions: words(&["us-west-*"]), ..all() }, &event),
        (Matcher { components: words(&["*"]), ..all() }, &unreachable),
        (Matcher { text: Some("letters".into()), ..all() }, &event),
    ];
    let all: Vec<String> =
        mismatches.iter().map(|(matcher, event)| why(matcher, event).unwrap()).collect();
    insta::assert_snapshot!(all.join("\n"), @r"
    providers: the provider is acme
    tags: the provider has the tags prod, eu
    kinds: the kind is incident
    status: the status is identified
    min_impact: the impact is minor, below major
    components: the components are EC2 (us-east-1), S3
    regions: the components are EC2 (us-east-1), S3
    components: the event names no component
    text: neither title nor message contains it
    ");
}

#[test]
fn the_worse_of_before_and_after_counts_and_what_hides_it() {
    let major = Matcher { min_impact: Some(Impact::Major), ..Matcher::default() };
    let with = |impact, previous_impact| StatusEvent { previous_impact, ..event(impact) };
    assert!(major.matches(&with(Impact::None, Some(Impact::Critical)), &[]));
    assert!(major.matches(&with(Impact::Major, Some(Impact::Minor)), &[]));
    assert!(!major.matches(&with(Impact::Minor, Some(Impact::None)), &[]));
    assert!(!major.matches(&with(Impact::Unknown, None), &[]));
    let provider = |status, previous_status| StatusEvent {
        kind: Kind::Provider,
        status,
        previous_status,
        ..event(Impact::Unknown)
    };
    assert!(major.matches(&provider(ProviderStatus::Unreachable.into(), None), &[]));
    assert!(major.matches(
        &provider(ProviderStatus::Reachable.into(), Some(ProviderStatus::Unreachable.into())),
        &[]
    ));
    assert!(!major.matches(&provider(ProviderStatus::Reachable.into(), None), &[]));
}

proptest! {
    /// A channel gets an event if and only if a rule that matches, up to the first that does not
    /// continue, names it, or it was notified of the thread.
    #[test]
    fn decides_as_the_rules_read(
        rules in prop::collection::vec(
            (prop::option::of(prop::sample::select(&Impact::ALL[..4])), any::<[bool; 4]>(), any::<bool>()),
            1..6,
        ),
        impact in prop::sample::select(&Impact::ALL[..4]),
        notified in any::<[bool; 4]>(),
    ) {
        let named = |chosen: [bool; 4]| {
            CHANNELS.iter().zip(chosen).filter(|(_, on)| *on).map(|((id, _), _)| *id)
        };
        let routes = Routes {
            rules: rules.iter().enumerate().map(|(line, (min_impact, to, continues))| {
                let matcher = Matcher { min_impact: *min_impact, ..Matcher::default() };
                let to: Vec<&str> = named(*to).collect();
                Rule { continues: *continues, ..rule(line, matcher, &to) }
            }).collect(),
        };
        let known: Vec<&str> = named(notified).collect();
        let decision = routes.decide(&event(impact), &[], &channels(), &|id| known.contains(&id));
        let mut expected = known.clone();
        for (least, to, continues) in rules {
            if least.is_none_or(|least| impact.rank() >= least.rank()) {
                expected.extend(named(to));
                if !continues {
                    break;
                }
            }
        }
        for (id, _) in CHANNELS {
            let gets = decision.to.iter().filter(|chosen| chosen.channel == id).count();
            prop_assert_eq!(gets, usize::from(expected.contains(&id)), "{}", id);
        }
    }
}
