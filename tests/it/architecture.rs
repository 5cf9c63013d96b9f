//! Which module may use which, read from the code.
//!
//! Tests within the files are left out. A rule that is broken names the file, what it uses and what
//! to do instead.

mod cycles;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// For each module of the crate those it may use, and what has to be said about it.
const MODULES: &[(&str, &[&str])] = &[
    // The ground: nothing below it.
    ("text", &[]),
    ("backoff", &[]),
    ("redact", &[]),
    ("document", &[]),
    ("zone", &[]),
    // Facts. The clock returns times in the type of events.
    ("event", &["text"]),
    ("clock", &["event"]),
    // Its count of documents is passed in.
    ("memory", &[]),
    ("heap", &[]),
    // Spans alone.
    ("trace", &[]),
    // Counters alone, and where spans go.
    ("metrics", &["trace"]),
    // Its own clock, which counts the time asleep.
    ("lease", &[]),
    ("snapshot", &["event"]),
    // Documents in, snapshots out.
    // Its errors name addresses, without their secrets.
    ("source", &["document", "event", "redact", "snapshot", "text", "zone"]),
    // The names of sources, the words of events.
    ("catalog", &["source"]),
    // A name from the file is shown on terminals.
    ("config", &["catalog", "event", "notify", "postgres", "source", "text", "zone"]),
    ("fetch", &["backoff", "clock", "document", "event", "lease", "redact"]),
    // Connections to the database that nodes share; TLS is set up where it is for all.
    ("postgres", &["fetch", "text"]),
    // Who polls what; whoever does it is above.
    ("nodes", &["clock", "event", "lease", "postgres", "text"]),
    // A checkpoint holds what fetch and source want back at the next poll. Types alone: see ITEMS.
    (
        "ledger",
        &[
            "backoff", "clock", "config", "event", "fetch", "lease", "metrics", "notify",
            "postgres", "redact", "snapshot", "source", "text",
        ],
    ),
    ("sink", &["backoff", "clock", "config", "event", "ledger", "text"]),
    // What pollers are answered, on its way to disk and back.
    ("record", &["clock", "config", "event", "fetch", "redact", "source", "text"]),
    (
        "poller",
        &[
            "backoff", "clock", "config", "document", "event", "fetch", "lease", "ledger",
            "metrics", "redact", "snapshot", "source",
        ],
    ),
    // Takes what the ledger recorded to channels; its mailbox takes the messages of sinks.
    (
        "dispatch",
        &[
            "backoff",
            "clock",
            "config",
            "event",
            "lease",
            "ledger",
            "metrics",
            "notify",
            "sink",
            "text",
            "transport",
        ],
    ),
    (
        "supervisor",
        &[
            "backoff",
            "clock",
            "config",
            "dispatch",
            "event",
            "ledger",
            "metrics",
            "nodes",
            "poller",
            "sink",
            "transport",
        ],
    ),
    // What is shown of the ledger, wherever it is shown.
    ("view", &["config", "event", "ledger", "nodes", "snapshot", "text"]),
    // Reads, and asks nobody: what it causes it is given as a function. It decides for the gate, and
    // shows what the dispatcher would do with an event.
    (
        "server",
        &[
            "clock",
            "config",
            "dispatch",
            "event",
            "gate",
            "ledger",
            "mcp",
            "metrics",
            "nodes",
            "notify",
            "postgres",
            "prometheus",
            "text",
            "view",
        ],
    ),
    ("telemetry", &["clock", "config", "text"]),
    // The fake providers know nothing of what watches them: they could not be an oracle otherwise.
    ("fake", &["event"]),
    // A poll without its actor and a ledger without its own, driven by a recording.
    (
        "replay",
        &[
            "clock", "config", "document", "event", "fetch", "ledger", "poller", "record",
            "source", "text",
        ],
    ),
    ("heartbeat", &["config", "fetch", "ledger"]),
    // Sends spans; whoever makes them is elsewhere.
    ("otlp", &["clock", "event", "fetch", "trace"]),
    // Asks for error rates; whoever keeps them is above.
    ("prometheus", &["config", "fetch", "text"]),
    // Sends what a channel has written: it needs an HTTP client and TLS, and knows no event.
    ("transport", &["fetch", "notify", "text"]),
    // What channels say of events; whoever sends it is above.
    ("notify", &["event", "text", "zone"]),
    (
        "pipeline",
        &[
            "heartbeat",
            "clock",
            "config",
            "dispatch",
            "event",
            "fetch",
            "lease",
            "ledger",
            "memory",
            "metrics",
            "nodes",
            "otlp",
            "poller",
            "postgres",
            "prometheus",
            "record",
            "server",
            "sink",
            "supervisor",
            "trace",
            "transport",
            "view",
        ],
    ),
    // The ledger's rows, names of the catalog, and suggestions for misspelt ones.
    ("gate", &["catalog", "config", "event", "ledger", "text"]),
    ("discover", &["catalog", "text"]),
    // Tools for agents: what they read, and the rules of the configuration.
    ("mcp", &["config", "event", "gate", "ledger", "notify", "text", "view"]),
    // A screen of the ledger.
    ("top", &["clock", "event", "fetch", "ledger", "text", "view"]),
    (
        "cli",
        &[
            "catalog",
            "clock",
            "config",
            "discover",
            "dispatch",
            "event",
            "fetch",
            "gate",
            "lease",
            "ledger",
            "mcp",
            "nodes",
            "notify",
            "otlp",
            "pipeline",
            "poller",
            "postgres",
            "redact",
            "replay",
            "server",
            "sink",
            "snapshot",
            "source",
            "supervisor",
            "telemetry",
            "text",
            "top",
            "transport",
            "view",
            "fake",
        ],
    ),
    ("main", &[]),
    // It shows the model as part of the library.
    ("lib", &["document", "event", "redact", "snapshot", "text", "zone"]),
];

/// Modules of which another may use these items alone: what they exchange, not what they do.
const ITEMS: &[(&str, &str, &[&str])] = &[
    ("ledger", "fetch", &["Validators"]),
    ("postgres", "fetch", &["tls"]),
    ("config", "postgres", &["DatabaseUrl", "UrlError"]),
    // A request, its answer, and why there is none.
    (
        "top",
        "fetch",
        &[
            "Outgoing",
            "Received",
            "Sender",
            "Failure",
            "FailureKind",
            "OTHER_NAME",
            "UNKNOWN_AUTHORITY",
        ],
    ),
    ("server", "prometheus", &["QueryError", "Samples", "ask"]),
    ("view", "nodes", &["report"]),
    ("ledger", "source", &["PriorItems"]),
    ("catalog", "source", &["by_name", "SOURCES"]),
    ("config", "source", &["self", "SOURCES", "JSON", "JsonMap", "Word"]),
];

/// The files in which an outside crate may be used. One owner: whoever replaces it changes one
/// place.
const CRATES: &[(&str, &[&str])] = &[
    // Unsafe code: nothing else needs it.
    ("statuswatch_heap", &["src/memory.rs"]),
    ("reqwest", &["src/fetch/"]),
    ("hyper", &["src/fetch/", "src/server/listen.rs"]),
    ("hyper_util", &["src/server/listen.rs"]),
    ("axum", &["src/server/"]),
    ("icalendar", &["src/server/feeds/calendar.rs"]),
    ("prometheus_client", &["src/metrics.rs", "src/server/metrics.rs"]),
    ("socket2", &["src/server/listen.rs"]),
    ("subtle", &["src/server/"]),
    ("tower_layer", &["src/fetch/dial.rs"]),
    ("tower_service", &["src/fetch/dial.rs", "src/server/listen.rs"]),
    ("rustls_native_certs", &["src/fetch/tls.rs"]),
    ("webpki_roots", &["src/fetch/tls.rs"]),
    ("tokio_postgres", &["src/postgres/"]),
    ("tokio_postgres_rustls", &["src/postgres/connect.rs"]),
    // The fake providers serve TLS.
    ("rustls", &["src/fetch/", "crates/fake/src/"]),
    ("tokio_rustls", &["src/fetch/", "crates/fake/src/"]),
    // The signature of a NATS user, the proof of a Kafka user; the other is the provider of rustls, by
    // the same name.
    ("ring", &["src/transport/nats.rs", "src/transport/kafka/scram.rs", "src/fetch/tls.rs"]),
    ("lettre", &["crates/notify/src/channel/email.rs", "crates/notify/src/channel/email/"]),
    (
        "base64",
        &[
            "src/transport/",
            "src/prometheus.rs",
            "src/server/guard.rs",
            "src/mcp/http.rs",
            "crates/notify/src/",
        ],
    ),
    ("maud", &["src/server/pages/"]),
    ("rcgen", &["crates/fake/src/authority.rs"]),
    ("flate2", &["src/fetch/coding.rs", "src/record/body.rs", "crates/fake/src/"]),
    ("feed_rs", &["crates/sources/src/feed/read.rs"]),
    // Deprecated upstream: it must stay replaceable.
    ("serde_yaml", &["src/config/document.rs"]),
    ("saphyr_parser", &["src/config/document.rs"]),
    // Decisions see a book: see `decisions_of_the_ledger_know_no_database`.
    ("rusqlite", &["src/ledger/sqlite/"]),
    ("tracing_appender", &["src/telemetry.rs"]),
    ("tracing_subscriber", &["src/telemetry.rs", "src/telemetry/"]),
    // Actors, their messages and addresses, and whoever starts a system.
    (
        "actix",
        &[
            "src/dispatch/actor.rs",
            "src/dispatch/channels.rs",
            "src/dispatch/deliver.rs",
            "src/ledger/actor.rs",
            "src/ledger/group.rs",
            "src/ledger/handle.rs",
            "src/ledger/handlers.rs",
            "src/ledger/messages.rs",
            "src/ledger/outbox.rs",
            "src/poller/actor.rs",
            "src/poller/settle.rs",
            "src/sink/actor.rs",
            "src/supervisor/",
            "src/pipeline.rs",
            "src/pipeline/",
            "src/cli/run/mod.rs",
            "src/cli/demo.rs",
            "src/cli/chaos/",
        ],
    ),
    // The library's errors are types.
    ("anyhow", &["src/cli/"]),
    ("clap", &["src/cli/", "crates/model/src/event/vocabulary.rs"]),
    ("clap_complete", &["src/cli/"]),
    ("clap_mangen", &["src/cli/man.rs"]),
    ("indicatif", &["src/cli/"]),
    ("ratatui", &["src/top/"]),
    ("sd_notify", &["src/cli/run/"]),
    ("encoding_rs", &["crates/model/src/document.rs", "crates/sources/src/feed/"]),
    ("html_escape", &["crates/model/src/text/", "crates/fake/src/"]),
    (
        "unicode_normalization",
        &["crates/model/src/event/identity.rs", "crates/sources/src/support/fold.rs"],
    ),
    ("sha2", &["crates/model/src/event/identity.rs", "crates/notify/src/", "crates/sources/src/"]),
    // The language of templates must stay replaceable.
    ("minijinja", &["crates/notify/src/template.rs"]),
    (
        "schemars",
        &[
            "src/config/",
            "src/gate/",
            // What readers are shown is what the API sends to `top`.
            "src/ledger/offline.rs",
            "src/ledger/outbox.rs",
            "src/ledger/rows.rs",
            "src/server/",
            "src/view/",
            "crates/model/src/",
        ],
    ),
];

/// What reads the clock. Times are passed in everywhere else, so that a test can hold them.
const WALL_CLOCK: &[&str] = &["SystemTime::now", "Utc::now", "Local::now"];

/// Where the environment is read. Nothing below may change what it does because a variable is set.
const ENVIRONMENT: &[&str] = &["src/cli/", "src/fetch/client.rs"];

/// What only pure modules must not touch.
const OUTSIDE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "tokio::",
    "actix::",
    "Instant::now",
    "SystemTime::now",
    "Utc::now",
    "crate::clock",
    "fastrand::f64",
    "Rng::new",
];

/// Files that depend on their arguments alone.
const PURE: &[&str] = &[
    "crates/model/src/text/",
    "crates/model/src/event/",
    "crates/notify/src/",
    "crates/sources/src/",
    "crates/model/src/snapshot.rs",
    "crates/model/src/document.rs",
    "crates/model/src/redact.rs",
    "src/ledger/abandoned.rs",
    "src/ledger/absence.rs",
    "src/ledger/anomalies.rs",
    "src/ledger/book.rs",
    "src/ledger/changed.rs",
    "src/ledger/commit.rs",
    "src/ledger/component_state.rs",
    "src/ledger/components.rs",
    "src/ledger/connectivity.rs",
    "src/ledger/declared.rs",
    "src/ledger/elsewhere.rs",
    "src/ledger/failures/",
    "src/ledger/filter.rs",
    "src/ledger/identify.rs",
    "src/ledger/known.rs",
    "src/ledger/min_duration.rs",
    "src/ledger/numbering.rs",
    "src/ledger/observation.rs",
    "src/ledger/offline.rs",
    "src/ledger/poll.rs",
    "src/ledger/post_commit.rs",
    "src/ledger/provider_events.rs",
    "src/ledger/provider_time.rs",
    "src/ledger/reconcile/",
    "src/ledger/rematch.rs",
    "src/ledger/retention.rs",
    "src/ledger/staleness.rs",
    "src/ledger/vanished.rs",
    "src/ledger/versions.rs",
    "src/ledger/windows.rs",
    "src/transport/kafka/hash.rs",
    "src/transport/kafka/wire.rs",
    "src/dispatch/lane.rs",
    "src/dispatch/notice.rs",
    "src/dispatch/outcome.rs",
    "src/dispatch/plan.rs",
    "src/dispatch/release.rs",
    "src/dispatch/simulate.rs",
    "src/dispatch/sinks.rs",
    "src/supervisor/reload.rs",
    "src/nodes/plan.rs",
    "src/nodes/sql.rs",
    "src/poller/schedule.rs",
    "src/cli/chaos/nodes/judge/",
    "src/cli/text_status.rs",
    "src/view/",
    "src/mcp/rpc.rs",
    "src/mcp/arguments.rs",
    "src/top/cells.rs",
    "src/top/detail.rs",
    "src/top/draw.rs",
    "src/top/entry.rs",
    "src/top/input.rs",
    "src/top/model.rs",
    "src/top/refusal.rs",
    "src/top/tab.rs",
    "src/top/table.rs",
    "src/server/feeds/atom.rs",
    "src/server/pages/days.rs",
    "src/server/pages/diff.rs",
    "src/server/pages/layout.rs",
    "src/server/pages/parts.rs",
    "src/server/feeds/calendar.rs",
    "src/server/feeds/json.rs",
    "src/cli/view_history.rs",
    "src/cli/replay_view.rs",
    "src/poller/start.rs",
    "src/replay/compare.rs",
    "src/gate/",
    "src/discover/finding.rs",
    "src/discover/scan.rs",
    "src/discover/collect.rs",
    "src/discover/ci.rs",
    "src/discover/terraform.rs",
    "src/discover/packages.rs",
    "src/discover/images.rs",
    "src/discover/platforms.rs",
    "src/discover/environment.rs",
    "src/discover/hosts.rs",
    "src/discover/json_keys.rs",
];

/// A file of the crate without comments, strings and tests.
struct Code {
    /// `src/fetch/body.rs`.
    path: String,
    /// `fetch`; of the crates `source` and `fake`, and `event` and the like of the model.
    module: String,
    /// With paths as within one crate.
    text: String,
    /// With paths as they are written.
    own: String,
}

/// The crates other than the program, and the module that each of them is to it. What they may use is
/// kept by Cargo; the rules within them are kept here.
const MEMBERS: &[(&str, Option<&str>)] = &[
    ("model", None),
    ("sources", Some("source")),
    ("notify", Some("notify")),
    ("fake", Some("fake")),
    ("heap", Some("heap")),
];

/// A file of one of [`MEMBERS`], or of the program.
fn of_member(path: &str, text: &str) -> (String, String) {
    let part = |place: usize| path.split(['/', '.']).nth(place).unwrap().to_owned();
    let member = MEMBERS.iter().find(|(name, _)| path.starts_with(&format!("crates/{name}/")));
    let (module, text) = match member {
        None => (part(1), text.to_owned()),
        Some((_, None)) => (part(3), text.to_owned()),
        Some((_, Some(module))) => {
            ((*module).to_owned(), text.replace("crate::", &format!("crate::{module}::")))
        }
    };
    let text = text.replace("statuswatch_model::", "crate::");
    let text = text.replace("statuswatch_notify::", "crate::notify::");
    (module, text.replace("statuswatch_sources::", "crate::source::"))
}

fn code() -> Vec<Code> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("src"), &mut files);
    for (member, _) in MEMBERS {
        collect(&root.join("crates").join(member).join("src"), &mut files);
    }
    let files: Vec<Code> = files
        .into_iter()
        .map(|file| {
            let path = file.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            let own = bare(&fs::read_to_string(&file).unwrap());
            let (module, text) = of_member(&path, &own);
            Code { path, module, text, own }
        })
        .collect();
    assert!(files.len() > 100, "the code was not found");
    files
}

fn collect(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !path.ends_with("tests.rs")
        {
            into.push(path);
        }
    }
}

/// Source text up to its tests, without comments and what stands in strings.
fn bare(text: &str) -> String {
    let begins = |visibility: &&str| text.find(&format!("\n#[cfg(test)]\n{visibility}mod "));
    let tests = ["", "pub(super) ", "pub(crate) "].iter().filter_map(begins).min();
    let text = &text[..tests.unwrap_or(text.len())];
    let mut out = String::new();
    for line in text.lines() {
        let line = line.trim_start();
        if line.starts_with("//") {
            continue;
        }
        let outside: String =
            line.replace("\\\"", "").split('"').step_by(2).collect::<Vec<_>>().join("\"\"");
        out.push_str(outside.split(" // ").next().unwrap());
        out.push('\n');
    }
    out
}

/// The names behind `prefix` wherever it begins a path: `crate::sink::{Cursor, Sink}` behind
/// `crate::sink::` are both.
fn behind(text: &str, prefix: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in text.match_indices(prefix) {
        if text[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':')) {
            continue;
        }
        let rest = &text[at + prefix.len()..];
        let name = |text: &str| {
            text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
        };
        match rest.strip_prefix('{') {
            Some(group) => names.extend(first_level(group).iter().map(|part| name(part))),
            None => {
                names.insert(name(rest));
            }
        }
    }
    names.remove("");
    names
}

/// The parts of a group of a `use` line up to its closing brace, nested groups left out.
fn first_level(group: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => parts.push(String::new()),
            c if depth == 0 => parts.last_mut().unwrap().push(c),
            _ => {}
        }
    }
    parts
}

fn is_in(path: &str, places: &[&str]) -> bool {
    places.iter().any(|place| path == *place || (place.ends_with('/') && path.starts_with(place)))
}

fn report(broken: &[String]) {
    assert!(
        broken.is_empty(),
        "\n{}\nThe rules stand in tests/it/architecture.rs; change them there only with a reason.",
        broken.join("\n")
    );
}

#[test]
fn modules_use_those_below_them() {
    let mut broken = Vec::new();
    for file in code() {
        let Some((_, allowed)) = MODULES.iter().find(|(module, _)| *module == file.module) else {
            broken.push(format!(
                "{}: the module \"{}\" has no row in MODULES",
                file.path, file.module
            ));
            continue;
        };
        for used in behind(&file.text, "crate::") {
            if MODULES.iter().any(|(module, _)| *module == used)
                && used != file.module
                && !allowed.contains(&used.as_str())
            {
                broken.push(format!(
                    "{}: \"{}\" may not use \"{used}\", only {allowed:?}",
                    file.path, file.module
                ));
            }
        }
    }
    report(&broken);
}

/// Providers' JSON is read as browsers read it, which one file sees to.
#[test]
fn sources_read_json_in_one_way() {
    let strict = ["from_str", "from_slice", "from_reader", "Deserializer"];
    let read = |file: &Code| {
        strict.iter().find(|name| file.text.contains(&format!("serde_json::{name}"))).copied()
    };
    let broken: Vec<String> = code()
        .iter()
        .filter(|file| {
            file.module == "source" && file.path != "crates/sources/src/support/lenient.rs"
        })
        .filter_map(|file| Some((file, read(file)?)))
        .map(|(file, name)| format!("{}: serde_json::{name} instead of lenient::read", file.path))
        .collect();
    report(&broken);
}

#[test]
fn some_are_used_for_their_types_alone() {
    let mut broken = Vec::new();
    for file in code() {
        for (module, used, items) in ITEMS.iter().filter(|(module, ..)| *module == file.module) {
            for item in behind(&file.text, &format!("crate::{used}::")) {
                if !items.contains(&item.as_str()) {
                    broken
                        .push(format!("{}: of \"{used}\" the module \"{module}\" may use {items:?} alone, not {item}", file.path));
                }
            }
        }
    }
    report(&broken);
}

#[test]
fn every_outside_crate_has_its_owner() {
    let mut broken = Vec::new();
    for file in code() {
        for (name, owners) in CRATES {
            if !behind(&file.text, &format!("{name}::")).is_empty() && !is_in(&file.path, owners) {
                broken.push(format!(
                    "{}: {name} belongs to {owners:?}: ask the owner for what is needed",
                    file.path
                ));
            }
        }
    }
    report(&broken);
}

#[test]
fn the_rules_are_about_what_is_there() {
    let files = code();
    for (module, _) in MODULES {
        assert!(
            files.iter().any(|file| file.module == *module),
            "MODULES names \"{module}\", which is not there"
        );
    }
    for (name, owners) in CRATES {
        let used = files.iter().any(|file| {
            is_in(&file.path, owners) && !behind(&file.text, &format!("{name}::")).is_empty()
        });
        assert!(used, "CRATES names {name}, which its owners {owners:?} do not use");
    }
    for place in PURE {
        assert!(
            files.iter().any(|file| is_in(&file.path, &[place])),
            "PURE names {place}, which is not there"
        );
    }
}

#[test]
fn what_is_pure_touches_nothing_outside() {
    let mut broken = Vec::new();
    for file in code().iter().filter(|file| is_in(&file.path, PURE)) {
        for what in OUTSIDE.iter().filter(|what| file.text.contains(**what)) {
            broken.push(format!(
                "{}: uses {what}, but depends on its arguments alone: pass the value in",
                file.path
            ));
        }
    }
    report(&broken);
}

/// A second database needs a second folder, and no change of a decision.
#[test]
fn decisions_of_the_ledger_know_no_database() {
    let (folder, choosing) = (
        "src/ledger/sqlite/",
        [
            "src/ledger/mod.rs",
            "src/ledger/actor.rs",
            "src/ledger/control.rs",
            "src/ledger/scratch.rs",
            "src/ledger/shared/mod.rs",
            "src/ledger/shared/moving.rs",
        ],
    );
    let files = code();
    let uses = |file: &&Code| {
        ["super::", "crate::ledger::", "self::"]
            .iter()
            .any(|prefix| behind(&file.text, prefix).contains("sqlite"))
    };
    let outside = files.iter().filter(|file| {
        file.module == "ledger" && !file.path.starts_with(folder) && file.path != choosing[0]
    });
    let (using, _): (Vec<&Code>, Vec<&Code>) = outside.partition(uses);
    let broken: Vec<String> = using
        .iter()
        .filter(|file| !choosing.contains(&file.path.as_str()))
        .map(|file| format!("{}: uses {folder}: ask the book or the store", file.path))
        .collect();
    report(&broken);
    let why = "the actor, a command, the scratch ledger and the shared one choose a database";
    assert_eq!(using.len(), choosing.len() - 1, "{why}");
}

#[test]
fn the_wall_clock_is_read_in_one_place() {
    let mut broken = Vec::new();
    for file in code() {
        if is_in(&file.path, &["src/clock.rs"]) {
            continue;
        }
        for what in WALL_CLOCK.iter().filter(|what| file.text.contains(**what)) {
            broken.push(format!("{}: reads the clock with {what}: use clock::now(), or take the time as an argument", file.path));
        }
    }
    report(&broken);
}

#[test]
fn the_environment_is_read_by_commands() {
    let mut broken = Vec::new();
    for file in code().iter().filter(|file| !is_in(&file.path, ENVIRONMENT)) {
        if file.text.contains("env::var") {
            broken.push(format!("{}: reads the environment: pass the value in", file.path));
        }
    }
    report(&broken);
}

/// A release build has no faults of tests, and nothing but them behind a feature.
#[test]
fn faults_of_tests_are_behind_a_feature_that_is_off() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let features = manifest.split("\n[features]\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let features: Vec<&str> = features.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(features, ["fault-injection = []"], "none is on by default");
    let clock = fs::read_to_string(root.join("src/clock.rs")).unwrap();
    assert!(clock.contains("#[cfg(feature = \"fault-injection\")]\npub mod faults;"));
    let users: Vec<String> = code()
        .into_iter()
        .filter(|file| file.text.contains("faults::"))
        .map(|file| file.path)
        .filter(|path| path.starts_with("src/"))
        .collect();
    assert_eq!(users, ["src/clock.rs"]);
}

#[test]
fn only_commands_print() {
    let mut broken = Vec::new();
    for file in code().iter().filter(|file| !file.path.starts_with("src/cli/")) {
        for what in ["println!", "print!(", "eprintln!", "eprint!(", "stdout()", "process::exit"] {
            if file.text.contains(what) {
                broken.push(format!(
                    "{}: {what} belongs to src/cli: return the text, or use tracing",
                    file.path
                ));
            }
        }
    }
    report(&broken);
}

#[test]
fn the_reading_of_code_works() {
    let text = bare(
        "use crate::sink::{Cursor, a::{B, C}, Sink};\n// crate::fetch\nlet x = crate::event::Time; // crate::world\nlet y = \"crate::cli\";\nother_crate::text::X\n#[cfg(test)]\nmod tests { crate::ledger::X }",
    );
    assert_eq!(behind(&text, "crate::").into_iter().collect::<Vec<_>>(), ["event", "sink"]);
    assert_eq!(
        behind(&text, "crate::sink::").into_iter().collect::<Vec<_>>(),
        ["Cursor", "Sink", "a"]
    );
}

/// The modules of the picture in ARCHITECTURE.md, each with its line.
fn layers() -> Vec<(String, usize)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let picture = text.split("\n## Layers\n").nth(1).and_then(|rest| rest.split("```").nth(1));
    let picture = picture.expect("ARCHITECTURE.md has a picture of the layers");
    let lines = picture.lines().enumerate();
    let layers = lines.filter_map(|(number, line)| Some((number, line.strip_prefix("  ")?)));
    layers
        .flat_map(|(number, line)| {
            let names = line.split("  ").next().unwrap().split(" · ");
            names.map(move |name| (name.trim().to_owned(), number)).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn the_picture_of_the_layers_is_true() {
    let layers = layers();
    let line = |module: &str| {
        let shown = match module {
            "source" => "sources",
            "text" | "redact" | "document" | "zone" | "event" | "snapshot" => "model",
            other => other,
        };
        let found = layers.iter().find(|(name, _)| name == shown);
        found.unwrap_or_else(|| panic!("ARCHITECTURE.md shows no {shown}")).1
    };
    for (module, uses) in MODULES.iter().filter(|(module, _)| !["main", "lib"].contains(module)) {
        for used in *uses {
            let is_model = line(module) == line("event") && line(used) == line("event");
            assert!(
                is_model || line(module) < line(used),
                "{module} uses {used}, which the picture in ARCHITECTURE.md does not show below it"
            );
        }
    }
}
