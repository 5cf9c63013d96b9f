//! Channels, routes and quiet hours.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use chrono::{NaiveTime, Weekday};
use statuswatch::config::{Config, ConfigError, Loaded, parse_with};
use statuswatch::event::{Impact, IncidentStatus, Kind};
use statuswatch::zone::Zone;
use statuswatch_notify::{Audience, Digest};

use super::{fixtures, good, read, sources};

/// A chat, with a secret that is no literal.
const OPS: &str = "kind: slack, token: \"${T:-hunter2}\", channel: C1";
/// A program.
const HOOK: &str = "kind: webhook, url: \"${T:-https://hooks.example/hunter2}\"";

fn with_env(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, ConfigError> {
    parse_with(Path::new("providers.yaml"), text, env, &sources())
}

/// A file with one channel.
fn channel(keys: &str) -> String {
    format!("channels:\n  ops: {{{keys}}}\nproviders: [github]\n")
}

fn warnings(text: &str) -> String {
    let loaded = read(text).unwrap_or_else(|error| panic!("{error}"));
    let shown: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    shown.join("\n\n")
}

#[test]
fn a_channel_has_defaults_and_settings() {
    let config = good(&channel(OPS));
    let [ops] = config.channels.as_slice() else { panic!("{:?}", config.channels) };
    assert_eq!((ops.id.as_str(), ops.kind, ops.policy.audience), ("ops", "slack", Audience::Chat));
    assert_eq!(ops.policy, statuswatch_notify::Policy::new(Audience::Chat));
    assert!(ops.templates.is_none());
    let text = format!(
        "channels:\n  ops:\n    {}\n    digest: {{every: 15m, immediate: major}}\n    settle: 2m\n    \
         storm: off\n    cap: 20\n    edits: 1m\n    fallback: hook\n    retry_for: 2h\n    \
         template:\n      title: Hello\n      body: |\n        One\n        two\n  hook: {{{HOOK}}}\n  \
         off: {{{HOOK}, enabled: false}}\nproviders: [github]\n",
        OPS.replace(", ", "\n    ")
    );
    let config = good(&text);
    let ids: Vec<&str> = config.channels.iter().map(|channel| channel.id.as_str()).collect();
    assert_eq!(ids, ["ops", "hook"]);
    let policy = &config.channels[0].policy;
    let every = Duration::from_mins(15);
    assert_eq!(policy.digest, Some(Digest { every, immediate: Some(Impact::Major) }));
    assert_eq!((policy.settle, policy.storm), (Duration::from_mins(2), None));
    assert_eq!((policy.cap, policy.edits), (Some(20), Duration::from_mins(1)));
    assert_eq!(policy.fallback.as_deref(), Some("hook"));
    assert_eq!(policy.retry_for, Duration::from_hours(2));
    let templates = config.channels[0].templates.as_ref().unwrap();
    assert_eq!(format!("{templates:?}"), "Templates { slots: [Title, Body], .. }");
}

#[test]
fn a_secret_comes_from_a_variable_or_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("slack");
    std::fs::write(&path, "hunter2\r\n").unwrap();
    let env = |name: &str| match name {
        "TOKEN" => Some("hunter2\n".to_owned()),
        "CREDENTIALS_DIRECTORY" => Some(dir.path().to_str().unwrap().to_owned()),
        _ => None,
    };
    let of = |key: &str| {
        let text = channel(&format!("kind: slack, channel: C1, {key}"));
        let loaded = with_env(&text, &env).unwrap_or_else(|error| panic!("{error}"));
        (loaded.config.channels[0].fingerprint, loaded.warnings.len())
    };
    let (literal, warned) = of("token: hunter2");
    assert_eq!(warned, 1);
    assert_eq!(of("token: \"${TOKEN}\""), (literal, 0));
    assert_eq!(of(&format!("token_file: '{}'", path.display())), (literal, 0));
    assert_eq!(of("token_file: slack"), (literal, 0));
    // `$$` is a dollar sign and no variable.
    assert_eq!(of("token: \"hunter2$$\"").1, 1);
    std::fs::write(&path, "another").unwrap();
    assert_ne!(of("token_file: slack").0, literal);
}

#[test]
fn a_file_of_a_secret_is_read_with_care() {
    let dir = tempfile::tempdir().unwrap();
    let env = |name: &str| {
        (name == "CREDENTIALS_DIRECTORY").then(|| dir.path().to_str().unwrap().to_owned())
    };
    for (content, why) in [
        (vec![b'x'; (64 << 10) + 1], "it is larger than 64 KiB"),
        (b"\n\n".to_vec(), "it is empty"),
        (b"hunter2\nhunter2\n".to_vec(), "it has a line break"),
        (b"hunter2\xff".to_vec(), "it is not UTF-8 text"),
    ] {
        std::fs::write(dir.path().join("slack"), content).unwrap();
        let text = channel("kind: slack, channel: C1, token_file: slack");
        let shown = with_env(&text, &env).unwrap_err().to_string();
        assert!(shown.contains(&format!("\"token_file\": cannot read slack: {why}")), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    std::fs::write(dir.path().join("slack"), vec![b'x'; 64 << 10]).unwrap();
    let text = channel("kind: slack, channel: C1, token_file: slack");
    assert_eq!(with_env(&text, &env).unwrap().config.channels.len(), 1);
}

/// An empty variable, and a message of a kind about a value.
#[test]
fn no_secret_of_the_environment_is_shown() {
    let env = |name: &str| match name {
        "EMPTY" => Some(String::new()),
        "SECRET" => Some("hunter2".to_owned()),
        "LINES" => Some("hunter2\nhunter2".to_owned()),
        _ => None,
    };
    for (keys, message) in [
        ("kind: slack, channel: C1, token: \"${EMPTY}\"", "\"token\": it is empty"),
        ("kind: slack, channel: C1, token: \"${LINES}\"", "\"token\": it has a line break"),
        ("kind: slack, webhook_url: \"${SECRET}\"", "\"webhook_url\" is not an address"),
        ("kind: slack, webhook_url: \"ftp://${SECRET}\"", "it must start with http://"),
        ("kind: webhook, url: \"http://a.example/\", secret: \"${SECRET}\"", "\"secret\": it must"),
        ("kind: \"${SECRET}\", token: x", "\"kind\" is not the kind of a channel"),
        ("kind: slack, thread: \"${SECRET}\", token: x", "after variable substitution"),
    ] {
        let shown = with_env(&channel(keys), &env).unwrap_err().to_string();
        assert!(shown.contains(message), "{keys}: {shown}");
        assert!(!shown.contains("hunter2"), "{keys}: {shown}");
    }
}

#[test]
fn no_secret_is_in_a_debug_text() {
    let text = format!(
        "channels:\n  ops: {{{OPS}, template: {{title: hunter2}}}}\n  hook: {{{HOOK}, secret: \
         \"${{S:-whsec_aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMg==}}\", headers: {{a: hunter2}}}}\n\
         providers: [github]\n"
    );
    let config = good(&text);
    assert_eq!(config.channels.len(), 2);
    for shown in [format!("{config:?}"), format!("{config:#?}")] {
        assert!(!shown.contains("hunter2") && !shown.contains("aHVud"), "{shown}");
        assert!(shown.contains("slack"), "{shown}");
    }
}

#[test]
fn a_configuration_differs_if_a_channel_does() {
    let fallback = format!("hook: {{{HOOK}}}\n  ");
    let file =
        |keys: &str| format!("channels:\n  {fallback}ops: {{{keys}}}\nproviders: [github]\n");
    let config = good(&file(OPS));
    assert_eq!(config, good(&file(OPS)));
    // What does not change the channel does not count.
    assert_eq!(config, good(&file("channel: C1, kind: slack, token: \"${X:-hunter2}\"")));
    let changed = [
        OPS.replace("hunter2", "hunter3"),
        OPS.replace("C1", "C2"),
        format!("{OPS}, thread: none"),
        format!("{OPS}, api_url: 'https://slack.example/'"),
        format!("{OPS}, cap: 5"),
        format!("{OPS}, fallback: hook"),
        format!("{OPS}, template: {{title: x}}"),
        format!("{OPS}, template: {{body: x}}"),
        HOOK.to_owned(),
        format!("{HOOK}, headers: {{a: b, c: d}}"),
        format!("{HOOK}, headers: {{a: 'b, c: d'}}"),
        format!("{OPS}, enabled: false"),
    ];
    let all: Vec<Config> = changed.iter().map(|keys| good(&file(keys))).chain([config]).collect();
    for (index, one) in all.iter().enumerate() {
        let equal = all.iter().filter(|other| one == *other).count();
        assert_eq!(equal, 1, "{:?}", changed.get(index));
    }
    // Where it stands does not count either.
    let moved = good(&format!("# a comment\n{}", file(&format!("{OPS}, template: {{title: x}}"))));
    assert!(all.contains(&moved));
}

#[test]
fn routes_are_rules_in_order() {
    let config = good(&format!(
        "channels:\n  ops: {{{OPS}}}\n  off: {{{OPS}, enabled: false}}\nroutes:\n  - match:\n      \
         providers: [github, \"aws-*\"]\n      tags: [dev]\n      kinds: [incident, component]\n      \
         status: [resolved, in_progress]\n      min_impact: major\n      components: [\"API*\"]\n      \
         regions: [\"eu-*\"]\n      text: Log in\n    to: [ops, ops, off]\n    continue: true\n  \
         - match: {{kinds: [provider, notice]}}\n    to: []\n  - to: [off]\n\
         providers: [github: {{tags: [dev, dev]}}]\n"
    ));
    let [first, second, third] = config.routes.rules.as_slice() else {
        panic!("{:?}", config.routes)
    };
    let matcher = &first.matcher;
    assert_eq!(matcher.providers, ["github", "aws-*"]);
    assert_eq!(matcher.tags, ["dev"]);
    assert_eq!(matcher.kinds, [Kind::Incident, Kind::Component]);
    assert_eq!(matcher.statuses, [IncidentStatus::Resolved, IncidentStatus::InProgress]);
    assert_eq!(matcher.min_impact, Some(Impact::Major));
    assert_eq!((&matcher.components[0], &matcher.regions[0]), (&"API*".into(), &"eu-*".into()));
    assert_eq!(matcher.text.as_deref(), Some("Log in"));
    assert_eq!((first.to.as_slice(), first.continues), (&["ops".to_owned()][..], true));
    assert_eq!((second.to.len(), second.continues, second.line), (0, false, 16));
    assert!(second.matcher.notices && !matcher.notices);
    assert_eq!(second.matcher.kinds, [Kind::Provider]);
    // A channel that is not enabled gets nothing.
    assert_eq!((third.to.len(), &third.matcher), (0, &statuswatch_notify::Matcher::default()));
    assert_eq!(config.providers[0].settings.tags, ["dev"]);
}

#[test]
fn tags_of_a_provider_replace_the_defaults() {
    let config = good(
        "defaults: {tags: [prod]}\nproviders:\n  - github\n  - openai: {tags: [dev, a_1]}\n  - stripe: {tags: []}\n",
    );
    let tags: Vec<String> =
        config.providers.iter().map(|provider| provider.settings.tags.join(" ")).collect();
    assert_eq!(tags, ["prod", "dev a_1", ""]);
}

#[test]
fn quiet_hours_are_read() {
    let config = good(&format!(
        "channels:\n  ops: {{{OPS}}}\n  off: {{{OPS}, enabled: false}}\nquiet_hours:\n  - {{from: 22:00, \
         to: 7:30}}\n  - {{channels: [ops, off], from: '22:00', to: '07:00', days: [Sun, mon-wed, \
         tue], zone: europe/berlin, pass: critical}}\n  - {{channels: [off], from: '1:00', to: \
         '2:00'}}\nproviders: [github]\n"
    ));
    // What is about a channel that is not enabled is about nothing, not about everything.
    let [first, second] = config.quiet_hours.as_slice() else { panic!("{:?}", config.quiet_hours) };
    let time = |hour, minute| NaiveTime::from_hms_opt(hour, minute, 0).unwrap();
    assert_eq!((first.from, first.to), (time(22, 0), time(7, 30)));
    assert_eq!((first.channels.len(), first.days.len()), (0, 0));
    assert_eq!((first.zone, first.pass), (Zone::UTC, None));
    assert_eq!(second.channels, ["ops"]);
    assert_eq!(second.days, [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Sun]);
    assert_eq!(Some(second.zone), Zone::named("Europe/Berlin"));
    assert_eq!(second.pass, Some(Impact::Critical));
}

#[test]
fn what_has_no_effect_is_a_warning() {
    let text = std::fs::read_to_string(fixtures().join("warnings_channels.yaml")).unwrap();
    let shown = warnings(&text);
    assert!(!shown.contains("hunter2"), "{shown}");
    insta::assert_snapshot!(shown, @r#"
    providers.yaml:4:12: warning: "token" is a secret in the file
      4 |     token: ***************
        |            ^
      help: write token: "${VAR}" for an environment variable, or token_file: PATH

    providers.yaml:6:15: warning: "fallback" has no effect: "off-duty" is not enabled
      6 |     fallback: off-duty
        |               ^

    providers.yaml:7:3: warning: no route leads to the channel "hook"
      7 |   hook: {kind: webhook, url: "*****************************"}
        |   ^^^^
      help: add a rule with its id in "to", or set "enabled: false"

    providers.yaml:7:30: warning: "url" is a secret in the file
      7 |   hook: {kind: webhook, url: "*****************************"}
        |                              ^
      help: write url: "${VAR}" for an environment variable, or url_file: PATH

    providers.yaml:10:33: warning: no enabled provider has the id "gitlba"
      10 |   - match: {providers: [github, gitlba, "aws*", statuswatch], tags: [dev, prod]}
         |                                 ^^^^^^
      help: did you mean "gitlab"?

    providers.yaml:10:70: warning: no enabled provider has the tag "dev"
      10 |   - match: {providers: [github, gitlba, "aws*", statuswatch], tags: [dev, prod]}
         |                                                                      ^^^

    providers.yaml:12:5: warning: this rule is never reached: line 10 matches first
      12 |   - match: {providers: [github, gitlba, "aws*", statuswatch], tags: [dev, prod]}
         |     ^
      help: move it up, or add "continue: true" to the other rule

    providers.yaml:12:33: warning: no enabled provider has the id "gitlba"
      12 |   - match: {providers: [github, gitlba, "aws*", statuswatch], tags: [dev, prod]}
         |                                 ^^^^^^
      help: did you mean "gitlab"?

    providers.yaml:12:70: warning: no enabled provider has the tag "dev"
      12 |   - match: {providers: [github, gitlba, "aws*", statuswatch], tags: [dev, prod]}
         |                                                                      ^^^

    providers.yaml:15:5: warning: this rule is never reached: line 14 matches first
      15 |   - match: {kinds: [maintenance]}
         |     ^
      help: move it up, or add "continue: true" to the other rule
    "#);
}

#[test]
fn a_channel_without_a_route_is_fine_as_a_fallback_or_without_routes() {
    let channels = format!("channels:\n  ops: {{{OPS}, fallback: hook}}\n  hook: {{{HOOK}}}\n");
    for routes in ["", "routes: []\n", "routes:\n  - to: [ops]\n"] {
        assert_eq!(warnings(&format!("{channels}{routes}providers: [github]\n")), "", "{routes}");
    }
}

#[test]
fn many_channels_are_refused_and_not_compared_with_each_other() {
    let mut text = "channels:\n".to_owned();
    for number in 0..50_000 {
        writeln!(text, "  c{number}: {{kind: webhook}}").unwrap();
    }
    text.push_str("providers: [github]\n");
    let shown = read(&text).unwrap_err().to_string();
    assert!(shown.contains("more than 1000 channels"), "{shown}");
    let rules = "  - to: []\n".repeat(100_000);
    let shown = read(&format!("routes:\n{rules}providers: [github]\n")).unwrap_err().to_string();
    assert!(shown.contains("more than 1000 routes"), "{shown}");
}

proptest::proptest! {
    /// Whatever is written in a channel, and whether or not the file is YAML after that.
    #[test]
    fn no_secret_is_quoted(
        // Behind the name of the section.
        cut in 10_usize..400,
        // Without `?`, which makes a key of a secret: names of keys are quoted.
        put in "[-:,\\[\\]{}#&*!|>'\"%@` \n\t~$a\u{e9}\r]{0,5}",
        kind in "slack|webhook|slak|",
        key in "token|secret|tokn|webhook_url|token_file_|headers",
        secret in "[A-Z0-9!,;#:/@ ]{0,8}QQQ",
    ) {
        let text = format!(
            "channels:\n  ops:\n    kind: {kind}\n    {key}: \"{secret}\"\n    digest: {{every: 1x}}\n  \
             b: {{kind: {kind}, {key}: \"{secret}\", cap: many}}\n  c:\n    {key}: >-\n      {secret}\n    \
             kind: {kind}\nroutes: [{{to: [x]}}]\nproviders: [githb]\n"
        );
        let head: String = text.chars().take(cut).collect();
        let tail: String = text.chars().skip(cut).collect();
        // Cutting a name of a key or the secret in two makes another text of it.
        let cut_secret = head.ends_with('Q') || tail.starts_with('Q');
        if let Err(error) = read(&format!("{head}{put}{tail}")) && !cut_secret {
            let shown = error.to_string();
            proptest::prop_assert!(!shown.contains("QQQ"), "{}\n{}{}{}", shown, head, put, tail);
        }
    }
}
