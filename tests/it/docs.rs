//! What the documents say is there, is there: commands, sources, keys, modules, files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use statuswatch::cli::args::Cli;
use statuswatch::config;
use statuswatch::source::SOURCES;

const DOCUMENTS: &[&str] =
    &["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "deploy/README.md"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The fenced blocks of a document: language and content.
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

/// A document without its fenced blocks.
fn prose(document: &str) -> String {
    let mut open = false;
    let keep = |line: &&str| {
        let fence = line.trim_start().starts_with("```");
        open ^= fence;
        !fence && !open
    };
    document.lines().filter(keep).collect::<Vec<_>>().join("\n")
}

/// What stands between back quotes, words of code each by itself.
fn code(document: &str) -> BTreeSet<String> {
    let spans = document.split('`').skip(1).step_by(2);
    spans
        .flat_map(|span| span.split([' ', '|', '\\']).map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

#[test]
fn the_readme_begins_with_the_two_commands() {
    let readme = text("README.md");
    let head: Vec<&str> = readme.lines().take(40).collect();
    let (_, first) = blocks(&head.join("\n"))
        .into_iter()
        .next()
        .expect("a code block within the first 40 lines of README.md");
    let commands: Vec<&str> =
        first.lines().map(|line| line.split('#').next().unwrap().trim()).collect();
    assert_eq!(
        commands,
        ["cargo run --release", "cargo test"],
        "the first code block of README.md"
    );
}

#[test]
fn the_readme_lists_every_source() {
    let readme = text("README.md");
    let section = readme
        .split("\n## Sources\n")
        .nth(1)
        .expect("README.md has a section Sources")
        .split("\n## ")
        .next()
        .unwrap();
    let rows: Vec<&str> =
        section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    for name in SOURCES.iter().map(|source| source.name()) {
        let count = rows.iter().filter(|row| **row == name).count();
        assert_eq!(
            count, 1,
            "the table of sources in README.md needs one row \"| `{name}` | what it reads |\""
        );
    }
    for row in rows.iter().filter(|row| **row != "source") {
        assert!(
            statuswatch::source::by_name(row).is_some(),
            "README.md lists the source `{row}`, which is not there"
        );
    }
}

#[test]
fn the_readme_names_every_command_and_flag() {
    let named = code(&prose(&text("README.md")));
    let cli = Cli::command();
    for command in cli.get_subcommands() {
        let name = command.get_name();
        assert!(named.contains(name), "README.md does not name the command `{name}`");
        for flag in command.get_arguments().filter_map(|argument| argument.get_long()) {
            assert!(
                named.contains(&format!("--{flag}")),
                "README.md does not name `--{flag}` of `{name}`"
            );
        }
    }
}

/// The names of all properties in a JSON Schema.
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

#[test]
fn the_readme_shows_every_key_of_the_configuration() {
    let mut keys = BTreeSet::new();
    properties(&config::schema(), &mut keys);
    assert!(keys.len() > 30, "{keys:?}");
    let yaml: String = blocks(&text("README.md"))
        .into_iter()
        .filter(|(lang, _)| lang == "yaml")
        .map(|(_, block)| block)
        .collect();
    for key in keys {
        let found = yaml
            .match_indices(&format!("{key}:"))
            .any(|(at, _)| !yaml[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
        assert!(found, "no example in README.md has the key \"{key}\"");
    }
}

#[test]
fn the_examples_of_configuration_are_valid() {
    let sources: Vec<&str> = statuswatch::source::names().collect();
    let environment = |name: &str| name.starts_with("STATUS_").then(|| "x".to_owned());
    let mut count = 0;
    for (_, block) in blocks(&text("README.md")).iter().filter(|(lang, _)| lang == "yaml") {
        let loaded = config::parse_with(Path::new("README.md"), block, &environment, &sources);
        let loaded =
            loaded.unwrap_or_else(|error| panic!("an example in README.md is not valid:\n{error}"));
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        count += 1;
    }
    assert_eq!(count, 2);
}

#[test]
fn the_readme_names_every_field_of_an_event() {
    let named = code(&prose(&text("README.md")));
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
        assert!(named.contains(field), "README.md does not name the field `{field}` of an event");
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
        assert!(
            architecture.contains(&written),
            "ARCHITECTURE.md does not say what {written} is for"
        );
    }
}

#[test]
fn files_named_in_the_documents_exist() {
    let mut count = 0;
    for document in DOCUMENTS {
        for word in code(&prose(&text(document))) {
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
                "{document} names `{word}`, which is not there"
            );
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}

/// The anchor of a heading, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept =
        heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn links_lead_somewhere() {
    let mut count = 0;
    for document in DOCUMENTS {
        let here = root().join(document);
        let own = prose(&text(document));
        for (_, rest) in own.match_indices("](").map(|(at, _)| own.split_at(at + 2)) {
            let link = rest.split(')').next().unwrap();
            if link.contains("://") {
                continue;
            }
            let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target =
                if path.is_empty() { here.clone() } else { here.parent().unwrap().join(path) };
            assert!(target.exists(), "{document} links to {link}, which is not there");
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
    assert!(count > 15, "{count}");
}

#[test]
fn the_commands_of_the_checks_stand_in_contributing() {
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
