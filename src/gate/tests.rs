use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::event::{Component, ComponentStatus, Impact, IncidentStatus, Kind, Time, parse_time};
use crate::ledger::{OpenItem, OwnNetwork, ProviderRow};
use crate::snapshot::{UnreadTimes, component};

fn time(text: &str) -> Time {
    parse_time(text).unwrap()
}

fn row(id: &str, name: &str, impact: Impact) -> ProviderRow {
    ProviderRow {
        id: id.to_owned(),
        name: name.to_owned(),
        source: Some("statuspage".to_owned()),
        page_url: Some(format!("https://status.{id}.example/")),
        impact: Some(impact),
        watched: true,
        interval_ms: 60_000,
        stale_after_ms: 600_000,
        first_watched_at: None,
        last_poll_at: None,
        last_success_at: Some(time("2026-02-23T11:59:00Z")),
        last_change_at: None,
        last_outcome: None,
        last_error: None,
        next_poll_at: None,
        retry_until: None,
        retry_by: None,
        real_interval_ms: None,
        false_304_at: None,
        unconditional_until: None,
        failures: 0,
        unreachable: false,
        restarts: 0,
        last_restart_at: None,
        last_restart_cause: None,
        parked: false,
        quarantined_until: None,
        suspect: None,
        dropped_events: 0,
        unread_times: UnreadTimes::default(),
        doubt: None,
        doubt_since: None,
    }
}

fn item(
    provider: &str,
    impact: Impact,
    status: IncidentStatus,
    components: Vec<Component>,
) -> OpenItem {
    let kind = match status {
        IncidentStatus::Scheduled | IncidentStatus::InProgress => Kind::Maintenance,
        _ => Kind::Incident,
    };
    OpenItem {
        provider: provider.to_owned(),
        incident_id: "i1".to_owned(),
        kind,
        title: "Runs are\ndelayed\u{7}".to_owned(),
        status: status.to_string(),
        impact,
        url: Some("https://status.example/i1".to_owned()),
        started_at: Some(time("2026-02-23T11:19:00Z")),
        scheduled_for: None,
        scheduled_until: None,
        components,
    }
}

fn listed(name: &str, group: Option<&str>, status: ComponentStatus) -> Component {
    component(None, name, group.map(str::to_owned), status)
}

/// A question and what is known; [`Question::ask`] answers.
struct Question {
    rows: Vec<ProviderRow>,
    open: Vec<OpenItem>,
    components: BTreeMap<String, Vec<Component>>,
    network: OwnNetwork,
    gate: Gate,
}

impl Question {
    fn new() -> Self {
        let works = ComponentStatus::Operational;
        let github = vec![
            listed("Actions", None, works),
            listed("API Requests", None, works),
            listed("Git Operations", None, ComponentStatus::DegradedPerformance),
        ];
        let aws = vec![
            listed("EC2", Some("us-east-1"), works),
            listed("EC2", Some("eu-west-1"), ComponentStatus::MajorOutage),
            listed("S3", Some("eu-west-1"), works),
            listed("Billing", None, ComponentStatus::Unknown),
        ];
        Self {
            rows: vec![
                row("github", "GitHub", Impact::Minor),
                row("aws", "Amazon Web Services", Impact::Critical),
                row("one", "Acme Cloud", Impact::None),
                row("npm", "npm", Impact::None),
            ],
            open: Vec::new(),
            components: [("github".to_owned(), github), ("aws".to_owned(), aws)].into(),
            network: OwnNetwork { offline_since: None, seen: None, outages: 0 },
            gate: Gate {
                needs: Vec::new(),
                min_impact: Impact::Major,
                max_age: None,
                on_unknown: None,
            },
        }
    }

    fn row(&mut self, id: &str) -> &mut ProviderRow {
        self.rows.iter_mut().find(|row| row.id == id).unwrap()
    }

    fn answer(&self, needs: &str) -> Result<Answer, NeedError> {
        let gate = Gate { needs: parse_needs([needs])?, ..self.gate.clone() };
        let facts = Facts {
            rows: &self.rows,
            open: &self.open,
            components: &self.components,
            network: &self.network,
            now: time("2026-02-23T12:00:00Z"),
        };
        decide(&gate, &facts)
    }

    /// `verdict: reason` of the first need, or the error.
    fn ask(&self, need: &str) -> String {
        match self.answer(need) {
            Ok(answer) => {
                format!("{}: {}", answer.needs[0].verdict.as_str(), answer.needs[0].reason)
            }
            Err(error) => format!("error: {error}"),
        }
    }
}

#[test]
fn states_of_components_and_pages_decide() {
    let mut question = Question::new();
    for (need, answer) in [
        ("npm", "pass: operational"),
        ("github", "pass: below major: Git Operations: degraded performance"),
        ("github#actions", "pass: operational"),
        ("github#git-operations", "pass: below major: Git Operations: degraded performance"),
        ("aws", "hold: eu-west-1/EC2: major outage"),
        ("aws#eu-west-1-ec2", "hold: eu-west-1/EC2: major outage"),
        ("aws#us-east-1/EC2", "pass: operational"),
        ("aws#eu-west-1", "hold: eu-west-1/EC2: major outage"),
        ("aws#us-east-1", "pass: operational"),
        ("aws#billing", "unknown: the page does not state the status of Billing"),
    ] {
        assert_eq!(question.ask(need), answer, "{need}");
    }
    question.gate.min_impact = Impact::Minor;
    assert_eq!(question.ask("github"), "hold: Git Operations: degraded performance");
    assert_eq!(question.ask("github#actions"), "pass: operational");
    question.gate.min_impact = Impact::Critical;
    assert_eq!(question.ask("aws#eu-west-1-ec2"), "hold: eu-west-1/EC2: major outage");
    question.row("npm").impact = None;
    assert_eq!(question.ask("npm"), "unknown: the page does not state an overall status");
}

#[test]
fn incidents_decide_for_what_they_affect() {
    let actions = listed("Actions", None, ComponentStatus::Operational);
    let with = |impact, status, components: &[Component]| {
        let mut question = Question::new();
        question.open = vec![item("github", impact, status, components.to_vec())];
        ["github", "github#actions", "github#api-requests", "npm"].map(|need| question.ask(need))
    };
    let major = "hold: major incident \"Runs are delayed\", identified, since 41m";
    let degraded = "pass: below major: Git Operations: degraded performance";
    let fine = "pass: operational";
    assert_eq!(
        with(Impact::Major, IncidentStatus::Identified, std::slice::from_ref(&actions)),
        [major, major, fine, fine]
    );
    // Nobody says which components it affects.
    assert_eq!(with(Impact::Major, IncidentStatus::Identified, &[]), [major, major, major, fine]);
    let unknown =
        "unknown: incident \"Runs are delayed\", identified, since 41m, of unknown impact";
    assert_eq!(
        with(Impact::Unknown, IncidentStatus::Identified, std::slice::from_ref(&actions)),
        [unknown, unknown, fine, fine]
    );
    let minor = "pass: below major: minor incident \"Runs are delayed\", investigating, since 41m";
    assert_eq!(
        with(Impact::Minor, IncidentStatus::Investigating, std::slice::from_ref(&actions)),
        [minor, minor, fine, fine]
    );
    // One that is only announced changes nothing.
    assert_eq!(
        with(Impact::Critical, IncidentStatus::Scheduled, std::slice::from_ref(&actions)),
        [degraded, fine, fine, fine]
    );
    let maintenance = "pass: below major: maintenance \"Runs are delayed\", in progress, since 41m";
    assert_eq!(
        with(Impact::Maintenance, IncidentStatus::InProgress, std::slice::from_ref(&actions))[1],
        maintenance
    );
}

#[test]
fn what_cannot_be_seen_is_unknown() {
    type Change = fn(&mut Question);
    let table: &[(Change, &str)] = &[
        (|question| question.row("aws").watched = false, "unknown: no longer watched"),
        (|question| question.row("aws").last_success_at = None, "unknown: never read"),
        (
            |question| {
                let row = question.row("aws");
                row.unreachable = true;
                row.last_error = Some("HTTP\n403\u{7}".to_owned());
            },
            "unknown: unreachable, last read 1m ago (HTTP 403)",
        ),
        (
            |question| question.row("aws").stale_after_ms = 59_999,
            "unknown: last read 1m ago, which is more than 59s",
        ),
        (
            |question| question.gate.max_age = Some(Duration::from_secs(59)),
            "unknown: last read 1m ago, which is more than 59s",
        ),
        (
            |question| {
                question.row("aws").last_success_at = Some(time("2026-02-23T13:00:00Z"));
                question.network.offline_since = Some(time("2026-02-23T11:50:00Z"));
            },
            "unknown: last read 1h ago, which is more than 10m; the local network is down",
        ),
        (
            |question| {
                question.row("aws").doubt = Some("it lists nothing".to_owned());
                question.row("aws").doubt_since = Some(time("2026-02-23T11:58:00Z"));
            },
            "unknown: its last response was rejected: it lists nothing",
        ),
        // A longer age than `stale_after` does not make a stale state current.
        (
            |question| {
                question.row("aws").stale_after_ms = 30_000;
                question.gate.max_age = Some(Duration::from_hours(1));
            },
            "unknown: last read 1m ago, which is more than 30s",
        ),
        (
            |question| question.gate.max_age = Some(Duration::from_mins(1)),
            "hold: eu-west-1/EC2: major outage",
        ),
    ];
    for (change, answer) in table {
        let mut question = Question::new();
        change(&mut question);
        assert_eq!(question.ask("aws"), *answer);
        // A component that does not exist is not searched for among what may have changed.
        if !answer.starts_with("hold") {
            assert_eq!(question.ask("aws#nope"), *answer);
        }
    }
    assert_eq!(
        Question::new().ask("openai"),
        "unknown: not watched: add it with `statuswatch add openai`"
    );
}

#[test]
fn names_are_found_or_refused_with_candidates() {
    let mut question = Question::new();
    question.rows.push(row("two", "Acme Cloud", Impact::None));
    for (need, answer) in [
        ("amazon-web-services#billing", "unknown: the page does not state the status of Billing"),
        ("GitHub#API requests", "pass: operational"),
        (
            "acme-cloud",
            "error: \"acme-cloud\" is the name of several providers; candidates: one, two",
        ),
        ("gihtub", "error: no provider \"gihtub\"; candidate: github"),
        ("qqqqqqqqqq", "error: no provider \"qqqqqqqqqq\"; candidates: github, aws, one, npm, two"),
        (
            "aws#ec2",
            "error: aws has several components \"ec2\"; candidates: aws#eu-west-1-ec2, aws#us-east-1-ec2",
        ),
        ("github#action", "error: github has no component \"action\"; candidate: github#actions"),
        (
            "github#zzz",
            "error: github has no component \"zzz\"; candidates: github#actions, github#api-requests, github#git-operations",
        ),
        (
            "npm#registry",
            "error: npm lists no components, so \"registry\" cannot be found: use the need npm",
        ),
        ("", "error: no need is given: name at least one provider, such as github#actions"),
        ("#actions", "error: \"#actions\" is not a need: write PROVIDER or PROVIDER#COMPONENT"),
        ("github#", "error: \"github#\" is not a need: write PROVIDER or PROVIDER#COMPONENT"),
        ("-\u{1b}[2J#x", "error: no provider \"-[2j\"; candidates: github, aws, one, npm, two"),
    ] {
        assert_eq!(question.ask(need), answer, "{need}");
    }
    let many: Vec<String> = (0..=MAX_NEEDS).map(|number| format!("p{number}")).collect();
    assert!(matches!(parse_needs([many.join(",").as_str()]), Err(NeedError::TooMany(_))));
    assert!(matches!(parse_needs(["x".repeat(10_000).as_str()]), Err(NeedError::Malformed(_))));
    let same = parse_needs(["npm, npm", "npm\ngithub#actions"]).unwrap();
    assert_eq!(same.len(), 2);
}

/// Nothing tells two components of the same name apart: both are needed.
#[test]
fn components_that_look_the_same_are_one_need() {
    let mut question = Question::new();
    let twice = [ComponentStatus::Operational, ComponentStatus::PartialOutage];
    let twice = twice.map(|status| listed("API", None, status)).to_vec();
    question.components.insert("npm".to_owned(), twice);
    assert_eq!(question.ask("npm#api"), "hold: API: partial outage");
}

#[test]
fn a_hold_comes_before_an_unknown_and_unknown_counts_as_asked() {
    let mut question = Question::new();
    let mut overall = |needs: &str, on_unknown| {
        question.gate.on_unknown = on_unknown;
        let answer = question.answer(needs).unwrap();
        format!("{}: {}", answer.verdict.as_str(), answer.reason)
    };
    let (pass, hold) = (Some(OnUnknown::Pass), Some(OnUnknown::Hold));
    let openai = "openai: not watched: add it with `statuswatch add openai`";
    let aws = "aws: eu-west-1/EC2: major outage";
    assert_eq!(overall("npm,github", None), "pass: 2 needs passed");
    assert_eq!(overall("npm,openai", None), format!("unknown: {openai}"));
    assert_eq!(overall("npm,openai,aws", None), format!("hold: {aws}"));
    assert_eq!(overall("openai,npm", pass), "pass: 2 needs passed, 1 of them unknown");
    assert_eq!(overall("openai,aws", pass), format!("hold: {aws}"));
    assert_eq!(overall("openai,aws", hold), format!("hold: {openai} (and 1 more)"));
}

/// Programs read these names.
#[test]
fn the_answer_as_json() {
    let mut question = Question::new();
    let actions = listed("Actions", None, ComponentStatus::Operational);
    question.open = vec![item("github", Impact::Major, IncidentStatus::Identified, vec![actions])];
    question.gate.max_age = Some(Duration::from_mins(5));
    let answer = question.answer("github#actions").unwrap();
    let text = serde_json::to_string_pretty(&answer).unwrap();
    insta::assert_snapshot!(text, @r#"
    {
      "verdict": "hold",
      "reason": "github#actions: major incident \"Runs are delayed\", identified, since 41m",
      "at": "2026-02-23T12:00:00Z",
      "min_impact": "major",
      "max_age": 300.0,
      "needs": [
        {
          "need": "github#actions",
          "verdict": "hold",
          "reason": "major incident \"Runs are delayed\", identified, since 41m",
          "provider": "github",
          "provider_name": "GitHub",
          "components": [
            "Actions"
          ],
          "impact": "major",
          "url": "https://status.example/i1",
          "last_success": "2026-02-23T11:59:00Z",
          "items": [
            {
              "kind": "incident",
              "id": "i1",
              "title": "Runs are delayed",
              "status": "identified",
              "impact": "major",
              "url": "https://status.example/i1"
            }
          ]
        }
      ]
    }
    "#);
}

proptest::proptest! {
    /// Whatever is needed: an answer or an error, and only what is current and fine passes.
    #[test]
    fn only_what_is_known_to_be_fine_passes(
        need in "[a-zA-Z#, -]{0,40}",
        impact in proptest::sample::select(Impact::ALL),
        least in proptest::sample::select(&[Impact::Maintenance, Impact::Minor, Impact::Major, Impact::Critical][..]),
        age in 0_i64..1_200,
    ) {
        let mut question = Question::new();
        question.gate.min_impact = least;
        let npm = question.row("npm");
        npm.impact = Some(impact);
        npm.last_success_at = Some(time("2026-02-23T12:00:00Z") - chrono::Duration::seconds(age));
        let _answered_or_refused = question.answer(&need);
        let verdict = question.answer("npm").unwrap().verdict;
        let fine = age <= 600 && impact != Impact::Unknown && impact.rank() < least.rank();
        proptest::prop_assert_eq!(verdict == Verdict::Pass, fine);
    }
}
