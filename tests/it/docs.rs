//! Checks the documentation against the code: commands, sources, keys, modules, files, links.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::CommandFactory as _;
use statuswatch::cli::args::Cli;
use statuswatch::config;
use statuswatch_notify::values::Shape;
use statuswatch_notify::{Audience, CHANNELS};

const BOOK: &str = "docs/src";
const CONFIGURATION: &str = "docs/src/configuration.md";
const COMMANDS: &str = "docs/src/commands.md";
const CHANNELS_PAGE: &str = "docs/src/channels.md";
const SOURCES_PAGE: &str = "docs/src/sources.md";
const EVENTS: &str = "docs/src/events.md";
const SUMMARY: &str = "docs/src/SUMMARY.md";
/// How a page of the book refers to files outside it, so that links work in the built book too.
const REPOSITORY: &str = "https://github.com/statuswatch/statuswatch/";
const MAX_README: usize = 9_000;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the names of the pages in `docs/src` and in its folder of channels, without `SUMMARY.md`.
fn pages() -> BTreeSet<String> {
    let names = |below: &str| {
        fs::read_dir(root().join(BOOK).join(below)).unwrap().map(|entry| {
            entry.unwrap().file_name().into_string().expect("pages have names in UTF-8")
        })
    };
    let channels = names("channels").map(|name| format!("channels/{name}"));
    let pages: BTreeSet<String> = names("")
        .chain(channels)
        .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "md"))
        .filter(|name| name != "SUMMARY.md")
        .collect();
    assert!(pages.len() > 10, "{pages:?}");
    pages
}

/// Returns the paths of all checked documents: those at the top and every page of the book.
fn documents() -> Vec<String> {
    let top = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "SECURITY.md",
        "deploy/README.md",
        SUMMARY,
    ];
    let pages = pages().into_iter().map(|page| format!("{BOOK}/{page}"));
    top.map(str::to_owned).into_iter().chain(pages).collect()
}

/// Returns the fenced blocks of a document: language and content.
fn blocks(document: &str) -> Vec<(String, String)> {
    let (mut blocks, mut open): (Vec<(String, String)>, bool) = (Vec::new(), false);
    for line in document.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            if !open {
                blocks.push((language.to_owned(), String::new()));
            }
            open = !open;
        } else if open {
            let (_, block) = blocks.last_mut().unwrap();
            block.push_str(line);
            block.push('\n');
        }
    }
    blocks
}

/// Returns a document without its fenced blocks.
fn prose(document: &str) -> String {
    let mut open = false;
    let keep = |line: &&str| {
        let fence = line.trim_start().starts_with("```");
        open ^= fence;
        !fence && !open
    };
    document.lines().filter(keep).collect::<Vec<_>>().join("\n")
}

/// Returns the words between back quotes.
fn code(document: &str) -> BTreeSet<String> {
    let spans = document.split('`').skip(1).step_by(2);
    spans
        .flat_map(|span| span.split([' ', '|', '\\']).map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

#[test]
fn the_readme_begins_with_the_two_commands() {
    let readme = text("README.md");
    let head: Vec<&str> = readme.lines().take(20).collect();
    let (_, first) = blocks(&head.join("\n"))
        .into_iter()
        .next()
        .expect("a code block within the first 20 lines of README.md");
    let commands: Vec<&str> =
        first.lines().map(|line| line.split('#').next().unwrap().trim()).collect();
    assert_eq!(
        commands,
        ["cargo run --release", "cargo test"],
        "the first code block of README.md"
    );
}

#[test]
fn the_readme_is_short() {
    let size = text("README.md").len();
    assert!(size < MAX_README, "README.md has {size} bytes; details belong in {BOOK}");
}

#[test]
fn the_summary_lists_every_page() {
    let summary = text(SUMMARY);
    let listed: Vec<String> = summary
        .split("](")
        .skip(1)
        .map(|rest| rest.split(')').next().unwrap().to_owned())
        .collect();
    let unique: BTreeSet<String> = listed.iter().cloned().collect();
    assert_eq!(unique.len(), listed.len(), "{SUMMARY} lists a page twice: {listed:?}");
    assert_eq!(unique, pages(), "{SUMMARY} and the pages in {BOOK}");
}

#[test]
fn includes_exist() {
    let mut count = 0;
    for page in pages() {
        for rest in text(&format!("{BOOK}/{page}")).split("{{#include ").skip(1) {
            let path = rest.split("}}").next().unwrap();
            assert!(root().join(BOOK).join(path).is_file(), "{page} includes {path}");
            count += 1;
        }
    }
    assert!(count > 0);
}

#[test]
fn every_source_is_listed() {
    let page = text(SOURCES_PAGE);
    let rows: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    for name in statuswatch::source::names() {
        let count = rows.iter().filter(|row| **row == name).count();
        assert_eq!(
            count, 1,
            "the table in {SOURCES_PAGE} needs one row \"| `{name}` | what it reads |\""
        );
    }
    for row in rows.iter().filter(|row| **row != "source") {
        assert!(
            statuswatch::source::names().any(|name| name == *row),
            "{SOURCES_PAGE} lists the source `{row}`, which does not exist"
        );
    }
}

#[test]
fn every_command_and_flag_is_named() {
    let named = code(&prose(&text(COMMANDS)));
    let cli = Cli::command();
    for command in cli.get_subcommands() {
        let name = command.get_name();
        assert!(named.contains(name), "{COMMANDS} does not name the command `{name}`");
        for below in command.get_subcommands() {
            let name = below.get_name();
            assert!(named.contains(name), "{COMMANDS} does not name `{name}`");
            let shown = below.get_arguments().filter(|argument| !argument.is_hide_set());
            for flag in shown.filter_map(|argument| argument.get_long()) {
                assert!(
                    named.contains(&format!("--{flag}")),
                    "{COMMANDS} does not name `--{flag}`"
                );
            }
        }
        let shown = command.get_arguments().filter(|argument| !argument.is_hide_set());
        for flag in shown.filter_map(|argument| argument.get_long()) {
            assert!(
                named.contains(&format!("--{flag}")),
                "{COMMANDS} does not name `--{flag}` of `{name}`"
            );
        }
    }
}

/// Collects the names of all properties in a JSON Schema.
fn properties(schema: &serde_json::Value, into: &mut BTreeSet<String>) {
    match schema {
        serde_json::Value::Object(map) => {
            if let Some(serde_json::Value::Object(properties)) = map.get("properties") {
                into.extend(properties.keys().cloned());
            }
            map.values().for_each(|value| properties(value, into));
        }
        serde_json::Value::Array(list) => list.iter().for_each(|value| properties(value, into)),
        _ => {}
    }
}

/// Returns the tables of all kinds of channels.
fn kinds_of_channels() -> String {
    let mut page = String::new();
    for spec in CHANNELS {
        let audience = match spec.audience {
            Audience::Chat => "read by people",
            Audience::Pager => "a pager",
            Audience::Machine => "read by a program",
        };
        let (name, kind) = (spec.name, spec.kind);
        writeln!(page, "\n### {name}\n\n`kind: {kind}`, {audience}.\n").unwrap();
        page.push_str("| key | value | meaning |\n|---|---|---|\n");
        for key in spec.keys {
            let required = if key.required { ", required" } else { "" };
            let value = match key.shape {
                Shape::Text => "text".to_owned(),
                Shape::Secret => format!("secret, or `{}_file`", key.name),
                Shape::Url => "URL".to_owned(),
                Shape::SecretUrl => format!("secret URL, or `{}_file`", key.name),
                Shape::List => "list".to_owned(),
                Shape::Flag => "`true` or `false`".to_owned(),
                Shape::Integer { min, max } => format!("{min} to {max}"),
                Shape::Duration { min, max } => {
                    let render = |secs| config::render_duration(Duration::from_secs(secs));
                    format!("{} to {}", render(min), render(max))
                }
                Shape::Word(words) => {
                    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
                }
                Shape::Map => "mapping".to_owned(),
            };
            let doc = key.doc.replace('|', "\\|");
            writeln!(page, "| `{}` | {value}{required} | {doc} |", key.name).unwrap();
        }
    }
    page
}

/// `STATUSWATCH_DOCS=update` writes the tables.
#[test]
fn every_kind_of_channel_is_described() {
    let page = text(CHANNELS_PAGE);
    let (before, rest) = page.split_once("<!-- kinds -->\n").expect("the begin of the tables");
    let (tables, after) =
        rest.split_once("\n<!-- end of kinds -->").expect("the end of the tables");
    let wanted = kinds_of_channels();
    if std::env::var("STATUSWATCH_DOCS").is_ok_and(|value| value == "update") {
        let page = format!("{before}<!-- kinds -->\n{wanted}\n<!-- end of kinds -->{after}");
        fs::write(root().join(CHANNELS_PAGE), page).unwrap();
    } else {
        assert_eq!(
            tables, wanted,
            "the tables in {CHANNELS_PAGE}: STATUSWATCH_DOCS=update cargo test --test it -- docs"
        );
    }
}

#[test]
fn every_key_of_the_configuration_is_shown() {
    let mut keys = BTreeSet::new();
    let mut schema = config::schema();
    // The keys of each kind have a page of their own.
    let kinds = schema["$defs"]["Channel"].as_object_mut().unwrap().remove("oneOf").unwrap();
    assert_eq!(kinds.as_array().unwrap().len(), CHANNELS.len());
    properties(&schema, &mut keys);
    assert!(keys.len() > 30, "{keys:?}");
    let yaml: String = blocks(&text(CONFIGURATION))
        .into_iter()
        .filter(|(lang, _)| lang == "yaml")
        .map(|(_, block)| block)
        .collect();
    for key in keys {
        let found = yaml
            .match_indices(&format!("{key}:"))
            .any(|(at, _)| !yaml[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
        assert!(found, "no example in {CONFIGURATION} has the key \"{key}\"");
    }
}

#[test]
fn examples_of_configuration_are_valid() {
    let sources: Vec<&str> = statuswatch::source::names().collect();
    let environment = |name: &str| match name {
        "STATUS_SLACK_HOOK" | "STATUS_HOOK" => Some("https://hook.example/x".to_owned()),
        name => (name.starts_with("STATUS_") || name == "SLACK_TOKEN").then(|| "x".to_owned()),
    };
    // What the pages of channels name: addresses, a secret of Standard Webhooks, and keys.
    let any = |name: &str| {
        let value = match name {
            name if name.ends_with("URL") => "https://hook.example/x?key=x&token=x",
            "TELEGRAM_TOKEN" => "123456:ABCDEFGHIJKLMNOPQRSTUVWXYZ012345678",
            name if name.contains("WEBHOOK_SECRET") => "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz",
            _ => "0123456789abcdef0123456789abcdef",
        };
        Some(value.to_owned())
    };
    let mut count = 0;
    for document in documents() {
        let found = blocks(&text(&document));
        for (_, block) in found.iter().filter(|(language, _)| language == "yaml") {
            // A page of a channel shows only what is its own.
            let is_part = document.contains("/channels/") && !block.contains("providers:");
            // A secret in a file is not there when documents are tested.
            if is_part && block.contains("_file: /") {
                continue;
            }
            let block =
                if is_part { format!("providers: [github]\n{block}") } else { block.clone() };
            let environment: &dyn Fn(&str) -> Option<String> =
                if is_part { &any } else { &environment };
            let loaded = config::parse_with(Path::new(&document), &block, environment, &sources)
                .unwrap_or_else(|error| panic!("an example in {document} is invalid:\n{error}"));
            // `webhook.md` shows an address that is no secret.
            assert!(is_part || loaded.warnings.is_empty(), "{document}: {:?}", loaded.warnings);
            count += 1;
        }
    }
    assert!(count >= 5, "{count}");
}

#[test]
fn the_sample_of_errors_is_what_the_program_prints() {
    let yaml = "defaults:\n  intervall: 30s\nproviders:\n  - githb\n";
    let error = config::parse(Path::new("providers.yaml"), yaml, &|_| None).unwrap_err();
    let sample = blocks(&text(CONFIGURATION))
        .into_iter()
        .find(|(language, block)| language == "text" && block.starts_with("providers.yaml:"))
        .expect("a sample of errors");
    let printed = error.to_string();
    assert!(
        printed.starts_with(sample.1.trim()),
        "the sample in {CONFIGURATION} differs from what is printed:\n{printed}"
    );
}

#[test]
fn every_field_of_an_event_is_named() {
    let named = code(&prose(&text(EVENTS)));
    let code = text("crates/model/src/event/status_event.rs");
    let (_, body) = code.split_once("pub struct StatusEvent {").unwrap();
    let fields: Vec<&str> = body
        .split("\n}")
        .next()
        .unwrap()
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(':').map(|(name, _)| name))
        .collect();
    assert!(fields.len() > 20, "{fields:?}");
    for field in fields {
        assert!(named.contains(field), "{EVENTS} does not name the field `{field}` of an event");
    }
}

#[test]
fn the_architecture_names_every_module() {
    let architecture = text("ARCHITECTURE.md");
    for entry in fs::read_dir(root().join("src")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let written =
            if path.is_dir() { format!("`src/{name}/`") } else { format!("`src/{name}`") };
        assert!(architecture.contains(&written), "ARCHITECTURE.md does not describe {written}");
    }
}

#[test]
fn files_named_in_the_documents_exist() {
    let mut count = 0;
    for document in documents() {
        for word in code(&prose(&text(&document))) {
            let is_code = Path::new(&word).extension().is_some_and(|extension| extension == "rs");
            let is_path = word.contains('/')
                && (is_code || word.starts_with("src/") || word.starts_with("tests/it"));
            if !is_path || word.contains(['*', '<', '{']) || word.contains("acmestatus") {
                continue;
            }
            let below = ["", "src", "crates/model/src", "crates/sources/src", "crates/fake/src"];
            let places = below.map(|place| root().join(place).join(&word));
            assert!(
                places.iter().any(|place| place.exists()),
                "{document} names `{word}`, which does not exist"
            );
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}

/// Returns the anchor of a heading, as GitHub and mdBook generate it.
fn anchor(heading: &str) -> String {
    let kept =
        heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Returns the file that a link of `document` leads to and the fragment, or nothing for other
/// sites.
fn target<'a>(document: &Path, link: &'a str) -> Option<(PathBuf, &'a str)> {
    let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
    let file = if let Some(rest) = path.strip_prefix(REPOSITORY) {
        let inside = rest.strip_prefix("blob/main/").or_else(|| rest.strip_prefix("tree/main/"))?;
        root().join(inside)
    } else if path.contains("://") {
        return None;
    } else if path.is_empty() {
        document.to_owned()
    } else {
        document.parent().unwrap().join(path)
    };
    Some((file, fragment))
}

/// Returns whether a file that exists is a page of the book.
fn is_in_book(target: &Path) -> bool {
    target.canonicalize().unwrap().starts_with(root().join(BOOK).canonicalize().unwrap())
}

#[test]
fn links_lead_somewhere() {
    let mut count = 0;
    for document in documents() {
        let here = root().join(&document);
        let own = prose(&text(&document));
        for (_, rest) in own.match_indices("](").map(|(at, _)| own.split_at(at + 2)) {
            let link = rest.split(')').next().unwrap();
            let Some((target, fragment)) = target(&here, link) else { continue };
            assert!(target.exists(), "{document} links to {link}, which does not exist");
            // A page of the book must not link relatively to what the book does not contain.
            let is_outside = !link.contains("://") && target != here;
            let is_page = document.starts_with(BOOK);
            assert!(
                !is_outside
                    || (is_page && is_in_book(&target))
                    || !(is_page || document == "ARCHITECTURE.md"),
                "{document} links to {link}, outside the book: use {REPOSITORY}blob/main/"
            );
            if !fragment.is_empty() {
                let led = prose(&fs::read_to_string(&target).unwrap());
                let mut anchors = led
                    .lines()
                    .filter(|line| line.starts_with('#'))
                    .map(|line| anchor(line.trim_start_matches('#')));
                assert!(
                    anchors.any(|anchor| anchor == fragment),
                    "{document} links to {link}: there is no such heading"
                );
            }
            count += 1;
        }
    }
    assert!(count > 40, "{count}");
}

#[test]
fn contributing_lists_the_commands_of_ci() {
    let contributing = text("CONTRIBUTING.md");
    for line in text(".ci/run").lines().map(str::trim) {
        if line.contains("cargo ")
            && !line.starts_with(['#', '"'])
            && !line.starts_with("step")
            && !line.contains('=')
        {
            if line.ends_with("--version") {
                continue;
            }
            assert!(
                contributing.contains(line),
                "CONTRIBUTING.md does not have the command of .ci/run: {line}"
            );
        }
    }
    assert!(
        contributing.contains("RUSTDOCFLAGS='-D warnings' cargo doc")
            && contributing.contains("\ncargo test\n")
    );
}

#[test]
fn the_changelog_has_this_version() {
    let heading = format!("\n## {}", env!("CARGO_PKG_VERSION"));
    assert!(
        text("CHANGELOG.md").contains(&heading),
        "CHANGELOG.md has no section for {}",
        env!("CARGO_PKG_VERSION")
    );
}
