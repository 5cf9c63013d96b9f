//! `providers.yaml` as people write it, and the errors that slips cause.

mod channels;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use statuswatch::config::{
    Backoff, Config, ConfigError, ConsoleFormat, FirstRun, Loaded, LogFormat, MaintenanceFilter,
    NewEntry, Rotation, Severity, add_provider, entry_yaml, load, parse_with,
};
use statuswatch::event::{Impact, IncidentStatus, Kind};
use statuswatch::source::Word;

fn sources() -> Vec<&'static str> {
    statuswatch::source::names().collect()
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config")
}

fn no_env(_: &str) -> Option<String> {
    None
}

fn read(text: &str) -> Result<Loaded, ConfigError> {
    parse_with(Path::new("providers.yaml"), text, &no_env, &sources())
}

fn good(text: &str) -> Config {
    read(text).unwrap_or_else(|error| panic!("{error}")).config
}

fn mistakes(text: &str) -> Vec<statuswatch::config::Diagnostic> {
    match read(text) {
        Err(ConfigError::Invalid(mistakes)) => mistakes,
        other => panic!("accepted or unreadable: {other:?}"),
    }
}

#[test]
fn every_mistake_is_explained() {
    let mut count = 0;
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Some(case) = name.strip_suffix(".bad.yaml") else {
            continue;
        };
        let text = std::fs::read_to_string(&path).unwrap();
        let Err(error) = parse_with(Path::new(&name), &text, &no_env, &sources()) else {
            panic!("{name} was accepted")
        };
        let shown = error.to_string();
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
        insta::assert_snapshot!(format!("config_{case}"), shown);
        count += 1;
    }
    assert!(count >= 35, "{count}");
}

#[test]
fn the_contract_example_loads_as_written() {
    let text = std::fs::read_to_string(fixtures().join("contract.yaml")).unwrap();
    let Loaded { config, warnings, doubts } = read(&text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((warnings, doubts), (vec![], vec![]));
    let secs = Duration::from_secs;
    assert_eq!(config.state_dir, Path::new("state"));
    assert_eq!(
        config.supervision.restart_backoff,
        Backoff { initial: Duration::from_millis(500), max: secs(300) }
    );
    assert_eq!(
        (config.supervision.intensity.restarts, config.supervision.intensity.within),
        (5, secs(60))
    );
    assert_eq!(config.supervision.stall_after, secs(120));
    assert_eq!(config.shutdown_timeout, secs(4));
    assert_eq!(config.console.format, ConsoleFormat::Text);
    assert_eq!(config.event_log.dir, Path::new("logs"));
    assert_eq!(
        (config.event_log.format, config.event_log.rotation, config.event_log.keep),
        (LogFormat::Json, Rotation::Daily, 14)
    );
    assert_eq!(config.diagnostics.dir, Path::new("logs"));
    assert_eq!(
        (config.diagnostics.level, config.diagnostics.rotation, config.diagnostics.keep),
        (tracing::Level::INFO, Rotation::Daily, 7)
    );
    let ids: Vec<&str> = config.providers.iter().map(|provider| provider.id.as_str()).collect();
    assert_eq!(ids, ["openai", "github", "acme", "other"]);
    let [openai, github, acme, other] = config.providers.as_slice() else { panic!() };
    let settings = &openai.settings;
    assert_eq!((settings.interval, settings.incident_interval), (secs(60), secs(15)));
    assert_eq!((settings.timeout, settings.connect_timeout), (secs(10), secs(5)));
    assert!((settings.jitter - 0.1).abs() < 1e-12);
    assert_eq!(settings.backoff, Backoff { initial: secs(5), max: secs(600) });
    assert_eq!((settings.max_body, settings.max_items), (8 << 20, 5000));
    assert_eq!((settings.first_run, settings.stale_after), (FirstRun::Active, secs(600)));
    assert!(!settings.allow_private_addresses);
    assert_eq!((openai.name.as_str(), openai.url_written), ("OpenAI", false));
    assert_eq!(github.settings.interval, secs(30));
    assert_eq!(github.filter.components, ["Actions", "API*"]);
    assert_eq!(
        (acme.name.as_str(), acme.url.as_str()),
        ("Acme Cloud", "https://status.acme.example/")
    );
    assert_eq!((acme.source.as_deref(), acme.url_written), (None, true));
    assert_eq!((other.name.as_str(), other.source.as_deref()), ("other", Some("feed")));
}

#[test]
fn nothing_but_providers_is_needed() {
    let config = good("providers: [github]");
    let same = good(
        "state_dir: state\ndefaults:\nconsole:\nevent_log:\ndiagnostics:\nsupervision:\nproviders:\n- github\n",
    );
    assert_eq!(config, same);
}

#[test]
fn other_values_are_read_too() {
    let config = good(
        "console: {format: off}\nevent_log: {format: both, rotation: 64MiB, keep: 0}\ndiagnostics: {level: debug, rotation: hourly}\n\
         defaults: {min_impact: major, kinds: [incident], maintenance: starts_only, regions: ['eu-*']}\n\
         providers:\n  - github: {maintenance: off, jitter: 0.25, kinds: [], interval: 500ms, first_run: all}\n  - openai\n",
    );
    assert_eq!(config.console.format, ConsoleFormat::Off);
    assert_eq!(
        (config.event_log.format, config.event_log.rotation),
        (LogFormat::Both, Rotation::Size(64 << 20))
    );
    assert_eq!(
        (config.diagnostics.level, config.diagnostics.rotation),
        (tracing::Level::DEBUG, Rotation::Hourly)
    );
    let (github, openai) = (&config.providers[0], &config.providers[1]);
    assert_eq!(github.filter.maintenance, MaintenanceFilter::Off);
    assert_eq!((github.filter.min_impact, github.filter.kinds.len()), (Some(Impact::Major), 0));
    assert_eq!(openai.filter.maintenance, MaintenanceFilter::StartsOnly);
    assert_eq!(
        (openai.filter.kinds.as_slice(), openai.filter.regions.as_slice()),
        (&[Kind::Incident][..], &["eu-*".to_owned()][..])
    );
    // Not written, so it follows: incidents are never watched less closely than calm.
    assert_eq!(github.settings.incident_interval, Duration::from_millis(500));
    assert_eq!(github.settings.first_run, FirstRun::All);
}

#[test]
fn a_slow_provider_is_not_stale_between_two_polls() {
    let config = good("providers: [{github: {interval: 1h}}]");
    assert_eq!(config.providers[0].settings.stale_after, Duration::from_hours(3));
}

#[test]
fn words_that_look_like_other_types_stay_text() {
    let config = good(
        "providers:\n  - {id: no, name: 1.10, url: 'https://a.example'}\n  - {id: 0123, name: null-ish, url: 'https://b.example'}\n",
    );
    let named: Vec<(&str, &str)> = config
        .providers
        .iter()
        .map(|provider| (provider.id.as_str(), provider.name.as_str()))
        .collect();
    assert_eq!(named, [("no", "1.10"), ("0123", "null-ish")]);
}

#[test]
fn warnings_do_not_stop_the_start() {
    let text = std::fs::read_to_string(fixtures().join("warnings.yaml")).unwrap();
    let loaded = read(&text).unwrap_or_else(|error| panic!("{error}"));
    assert!(loaded.warnings.iter().all(|warning| warning.severity == Severity::Warning));
    let shown: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!("config_warnings", shown.join("\n\n"));
}

#[test]
fn groups_leave_out_what_is_named_elsewhere() {
    let config = good(
        "providers:\n  - catalog: ai\n    interval: 2m\n  - openai: {interval: 5s}\n  - catalog: tier1\n  - anthropic: {enabled: false}\n",
    );
    let of =
        |id: &str| config.providers.iter().filter(|provider| provider.id == id).collect::<Vec<_>>();
    assert_eq!(of("openai").len(), 1);
    assert_eq!(of("openai")[0].settings.interval, Duration::from_secs(5));
    assert_eq!(of("cohere").len(), 1);
    assert_eq!(of("cohere")[0].settings.interval, Duration::from_mins(2));
    assert_eq!(of("github").len(), 1);
    assert!(of("anthropic").is_empty());
    assert!(config.providers.iter().all(|provider| provider.source.is_some()));
}

#[test]
fn variables_are_filled_in_and_their_values_never_shown() {
    let env = |name: &str| match name {
        "STATUS_HOST" => Some("https://status.acme.example".to_owned()),
        "EVERY" => Some("30s".to_owned()),
        "SECRET" => Some("https://me:hunter2@status.acme.example".to_owned()),
        "WORD" => Some("hunter2".to_owned()),
        _ => None,
    };
    let read = |text: &str| parse_with(Path::new("providers.yaml"), text, &env, &sources());
    let config = read(
        "defaults: {interval: \"${EVERY}\", timeout: \"${NONE:-3s}\"}\nproviders: [{id: a, name: A$$B, url: \"${STATUS_HOST}/x\"}]",
    )
    .unwrap()
    .config;
    let provider = &config.providers[0];
    assert_eq!(
        (provider.url.as_str(), provider.name.as_str()),
        ("https://status.acme.example/x", "A$B")
    );
    assert_eq!(
        (provider.settings.interval, provider.settings.timeout),
        (Duration::from_secs(30), Duration::from_secs(3))
    );
    for field in [
        "url: '${SECRET}'",
        "url: '${WORD}'",
        "interval: '${WORD}'",
        "source: '${WORD}'",
        "first_run: '${WORD}'",
        "id: '${SECRET}'",
    ] {
        let shown = read(&format!("providers: [{{{field}}}]")).unwrap_err().to_string();
        assert!(!shown.contains("hunter2") && shown.contains("${"), "{field}: {shown}");
    }
}

#[test]
fn every_error_is_reported_at_once() {
    let found = mistakes(
        "defaults:\n  intervall: 1s\n  timeout: never\nconsole: {format: loud}\nproviders:\n  - nosuchthingatall\n  - id: A\n    url: x\n",
    );
    let places: Vec<usize> = found.iter().map(|mistake| mistake.line).collect();
    assert_eq!(places, [2, 3, 4, 6, 7, 8]);
}

#[test]
fn bombs_are_refused_at_once() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        let before = level - 1;
        writeln!(laughs, "a{level}: &a{level} [{}]", vec![format!("*a{before}"); 10].join(", "))
            .unwrap();
    }
    let string =
        format!("a: &a \"{}\"\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; 20_000].join(", "));
    let bombs = [
        "[".repeat(100_000),
        "{".repeat(100_000),
        "- ".repeat(100_000),
        "? ".repeat(100_000),
        "providers: ".to_owned() + &"[{a: ".repeat(50_000),
        format!("\"\n{}", "[".repeat(100_000)),
        format!("]\n{}", "[".repeat(100_000)),
        format!("a: b: c\n{}", "- ".repeat(100_000)),
        (0..2000).map(|depth| " ".repeat(depth) + "a:\n").collect(),
        laughs,
        string,
    ];
    for bomb in bombs {
        let begun = Instant::now();
        let found = mistakes(&bomb);
        assert!(!found.is_empty());
        println!("{:?} {:.20}", begun.elapsed(), bomb);
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{:?} for {:.20}",
            begun.elapsed(),
            bomb
        );
        let shown = ConfigError::Invalid(found).to_string();
        assert!(shown.len() < 100_000, "{}", shown.len());
    }
}

#[test]
fn ten_thousand_providers_load_at_once() {
    let mut text = "providers:\n".to_owned();
    for number in 0..10_000 {
        writeln!(text, "  - {{id: p{number}, url: 'https://p{number}.example/', interval: 30s}}")
            .unwrap();
    }
    let begun = Instant::now();
    assert_eq!(good(&text).providers.len(), 10_000);
    assert!(begun.elapsed() < Duration::from_mins(1), "{:?}", begun.elapsed());
}

/// Only the second parser refuses this one; of a long file, it does so while the rest is checked.
#[test]
fn what_is_no_yaml_has_no_other_mistake_however_long_it_is() {
    for count in [1, 5_000] {
        let mut text = "unknown: 1\nproviders:\n".to_owned();
        for number in 0..count {
            writeln!(text, "  - {{id: p{number}, url: 'https://p{number}.example/'}}").unwrap();
        }
        text.push_str("# \u{1}\n");
        let found = mistakes(&text);
        assert_eq!(found.len(), 1, "{count}: {found:?}");
        assert!(found[0].message.starts_with("not valid YAML: control characters"), "{found:?}");
    }
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let large = dir.path().join("large.yaml");
    std::fs::write(&large, vec![b'#'; (32 << 20) + 1]).unwrap();
    let binary = dir.path().join("binary.yaml");
    std::fs::write(&binary, b"a: b\nc: \xff\n").unwrap();
    for (path, why) in [
        (dir.path().join("missing.yaml"), "no such file"),
        (dir.path().to_owned(), "it is a directory"),
        (large, "larger than 32 MiB"),
        (binary, "not UTF-8 text (line 2)"),
    ] {
        let error = load(&path, &no_env).unwrap_err();
        assert!(matches!(error, ConfigError::Unreadable { .. }));
        let shown = error.to_string();
        assert!(shown.contains(path.to_str().unwrap()) && shown.contains(why), "{shown}");
    }
}

#[test]
fn the_projects_own_file_has_no_mistakes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("providers.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let loaded = read(&text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((loaded.warnings, loaded.doubts), (vec![], vec![]));
    assert!(loaded.config.providers.len() >= 100);
    assert!(loaded.config.providers.iter().all(|provider| provider.source.is_some()));
    let known = |name: &str| sources().contains(&name);
    for entry in statuswatch::catalog::entries()
        .filter(|entry| entry.tier == Some(1) && entry.target(&known).source.is_some())
        .filter(|entry| !entry.is_doubtful())
    {
        assert!(
            loaded.config.providers.iter().any(|provider| provider.id == entry.slug),
            "{} is missing",
            entry.slug
        );
    }
}

/// Replicate's page is Cloudflare's: the other components there are other people's.
#[test]
fn of_a_page_that_is_another_providers_the_own_component_is_reported() {
    let components = |entry: &str| {
        let text = format!("providers:\n  - {entry}\n");
        good(&text).providers[0].filter.components.clone()
    };
    assert_eq!(components("replicate"), ["Replicate"]);
    assert_eq!(components("replicate: {interval: 30s}"), ["Replicate"]);
    assert_eq!(components("replicate: {components: [\"*\"]}"), ["*"]);
    assert_eq!(components("replicate: {source: statuspage}"), [""; 0]);
    assert_eq!(components("cloudflare"), [""; 0]);
    let all = good("providers:\n  - catalog: ai\n").providers;
    let replicate = all.iter().find(|provider| provider.id == "replicate").unwrap();
    assert_eq!(replicate.filter.components, ["Replicate"]);
}

#[test]
fn what_the_projects_own_file_shows_in_comments_is_the_default() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("providers.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let (head, list) = text.split_once("# An entry is a slug").unwrap();
    // The commented keys alone; filters have no default that could be written, but are keys all the
    // same.
    let shown: String = head
        .lines()
        .skip_while(|line| !line.starts_with("# state_dir"))
        .map(|line| {
            line.strip_prefix("# ").map_or_else(
                || {
                    line.strip_prefix("  # ")
                        .map_or_else(|| line.to_owned(), |key| format!("  {key}"))
                },
                str::to_owned,
            )
        })
        .map(|line| line + "\n")
        .collect();
    let filters = ["components:", "regions:", "min_impact:", "kinds:"];
    let plain: String = shown
        .lines()
        .filter(|line| !filters.iter().any(|key| line.trim_start().starts_with(key)))
        .map(|line| line.to_owned() + "\n")
        .collect();
    let list = &list[list.find("providers:").unwrap()..];
    good(&format!("{shown}{list}"));
    assert_eq!(good(&format!("{plain}{list}")), good(list));
}

#[test]
fn an_entry_is_added_and_the_rest_stays() {
    let entry = entry_yaml(&NewEntry {
        id: "acme",
        name: Some("1.10: \"no\" $5"),
        url: "https://status.acme.example/",
        source: Some("feed"),
    })
    .unwrap();
    for text in [
        "# top\nproviders: # these\n  - github   # code\n\n  # the rest\n  - openai: {interval: 30s}   # ai\n# end\nconsole: {format: text}\n",
        "providers:\n- github\n- openai:\n    interval: 30s\n    components:\n      - API\n\n\nconsole:\n  format: text\n",
        "providers:\n      -   github\n      -   id: x\n          url: https://x.example\n          components: [\n            a,\n          ]\n",
        "providers:\n  - github\n  - openai",
        "providers:\r\n  - github\r\n  - openai\r\n",
        "providers:\n  -\n    id: x\n    name: >\n      Long\n      name\n    url: https://x.example\n\n# end\n",
    ] {
        let edited =
            add_provider(text, &entry).unwrap_or_else(|error| panic!("{error} in\n{text}"));
        let (before, after) = (good(text), good(&edited));
        assert_eq!(after.providers.len(), before.providers.len() + 1, "{edited}");
        assert_eq!(after.providers[..before.providers.len()], before.providers[..], "{edited}");
        let added = after.providers.last().unwrap();
        assert_eq!(
            (added.id.as_str(), added.name.as_str(), added.source.as_deref()),
            ("acme", "1.10: \"no\" $5", Some("feed"))
        );
        let mut rest = edited.lines();
        assert!(text.lines().all(|line| rest.any(|kept| kept == line)), "{edited}");
        assert_eq!(edited.contains('\r'), text.contains('\r'));
    }
    assert_eq!(
        add_provider("# mine\nproviders:\n  - github # code\n# end\n", "openai").unwrap(),
        "# mine\nproviders:\n  - github # code\n  - openai\n# end\n"
    );
    assert_eq!(add_provider("", "openai").unwrap(), "providers:\n  - openai\n");
    assert_eq!(add_provider("providers:\n", "openai").unwrap(), "providers:\n  - openai\n");
    assert_eq!(
        add_provider("state_dir: s", "openai").unwrap(),
        "state_dir: s\nproviders:\n  - openai\n"
    );
    let refused = add_provider("state_dir: s\nproviders: [github]\n", "openai").unwrap_err();
    assert!(refused.to_string().contains("line 2"), "{refused}");
    assert!(add_provider("providers: 5\n", "openai").is_err());
    assert!(add_provider("a: [\n", "openai").is_err());
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(cut in 0_usize..2200, at in 0_usize..2200, put in "[-?:,\\[\\]{}#&*!|>'\"%@` \n\t~$a\u{e9}\u{0}\r]{0,6}") {
        let text = std::fs::read_to_string(fixtures().join("contract.yaml")).unwrap();
        let before: String = text.chars().take(at.min(cut)).collect();
        let after: String = text.chars().skip(at.max(cut).min(at.min(cut) + 40)).collect();
        let text = format!("{before}{put}{after}");
        match read(&text) {
            Ok(loaded) => proptest::prop_assert!(!loaded.config.providers.is_empty()),
            Err(error) => proptest::prop_assert!(error.to_string().contains("error")),
        }
        if let Ok(edited) = add_provider(&text, "openai") {
            proptest::prop_assert!(edited.len() > text.len());
        }
    }
}

#[test]
fn a_document_is_described_by_its_user() {
    let config = good(
        "providers:\n  - id: acme\n    url: https://status.acme.example/x.json\n    source: json\n    json:\n      list: /data/reports\n      \
         id: /no\n      title: /a~1b\n      status: /state\n      impact: /severity\n      words: {\"2\": resolved, Ongoing: investigating, sev1: critical}\n  \
         - id: other\n    url: https://status.other.example/x.json\n    json: {list: '', id: /id, title: /name, absent: over}\n",
    );
    let acme = config.providers[0].json.as_deref().unwrap();
    assert_eq!(
        (acme.list.as_str(), acme.id.as_str(), acme.title.as_str()),
        ("/data/reports", "/no", "/a~1b")
    );
    assert_eq!((acme.status.as_deref(), acme.text.as_deref()), (Some("/state"), None));
    assert_eq!(acme.words[0], ("2".to_owned(), Word::Status(IncidentStatus::Resolved)));
    assert_eq!(acme.words[2], ("sev1".to_owned(), Word::Impact(Impact::Critical)));
    assert_eq!(
        (config.providers[1].source.as_deref(), config.providers[1].json.is_some()),
        (Some("json"), true)
    );
    assert!(!acme.absent_is_over && config.providers[1].json.as_deref().unwrap().absent_is_over);
}

#[test]
fn the_examples_are_valid() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let env = |name: &str| {
        let fake = match name {
            "SLACK_TOKEN" => "xoxb-fake",
            "SLACK_DIGEST_URL" => "https://hooks.example/services/T0/B0/fake",
            "TICKETS_URL" => "https://tickets.example/hooks/fake",
            "TICKETS_SECRET" => "whsec_ZmFrZWZha2VmYWtlZmFrZWZha2VmYWtl",
            "TICKETS_TOKEN" => "fake",
            _ => return None,
        };
        Some(fake.to_owned())
    };
    let mut count = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let config = parse_with(&path, &text, &env, &sources())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(config.warnings, [], "{}", path.display());
        assert!(!config.config.providers.is_empty(), "{}", path.display());
        count += 1;
    }
    assert!(count >= 3, "the examples were not found");
}
