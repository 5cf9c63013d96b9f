//! Reads and validates the whole file and builds the [`Config`].

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::address::read_url;
use super::channels;
use super::diagnostic::{ConfigError, Diagnostic, Severity, visible};
use super::document::{self, Filled, Node, Scalar};
use super::hidden::Hidden;
use super::http;
use super::interpolate::{Problem, interpolate};
use super::keys;
use super::model::{
    Config, Console, ConsoleFormat, Diagnostics, EventLog, Heartbeat, Intensity, LogFormat,
    Recording, Rotation, Supervision,
};
use super::providers;
use super::quiet_hours;
use super::reader::{DiagnosticBuilder, Reader, Section, set, short};
use super::routes;
use super::sections::SECTIONS;
use super::settings::{Resolved, backoff};
use super::values::read_size;
use crate::postgres::{DatabaseUrl, UrlError};
use crate::source;

/// Larger files are refused: two hundred thousand providers of a line each take less.
pub const MAX_FILE: u64 = 32 << 20;

const LOG_FORMATS: &[(&str, LogFormat)] =
    &[("json", LogFormat::Json), ("text", LogFormat::Text), ("both", LogFormat::Both)];
const CONSOLE_FORMATS: &[(&str, ConsoleFormat)] =
    &[("text", ConsoleFormat::Text), ("json", ConsoleFormat::Json), ("off", ConsoleFormat::Off)];
const LEVELS: &[(&str, tracing::Level)] = &[
    ("error", tracing::Level::ERROR),
    ("warn", tracing::Level::WARN),
    ("info", tracing::Level::INFO),
    ("debug", tracing::Level::DEBUG),
    ("trace", tracing::Level::TRACE),
];

/// A valid configuration and its warnings.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Warnings only.
    pub warnings: Vec<Diagnostic>,
    /// Doubtful addresses in the catalog, which are no errors of the user.
    pub doubts: Vec<Diagnostic>,
}

/// Loads the configuration at `path`; `env` resolves its variables.
pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, ConfigError> {
    let text = read_text(path)
        .map_err(|reason| ConfigError::Unreadable { path: path.to_owned(), reason })?;
    parse(path, &text, env)
}

/// Validates `text`, the content of `path`, against the built-in sources.
pub fn parse(
    path: &Path,
    text: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded, ConfigError> {
    let sources: Vec<&str> = source::names().collect();
    parse_with(path, text, env, &sources)
}

/// Validates `text` against the given names of sources.
pub fn parse_with(
    path: &Path,
    text: &str,
    env: &dyn Fn(&str) -> Option<String>,
    sources: &[&str],
) -> Result<Loaded, ConfigError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader::new(path.display().to_string(), text, SECTIONS, sources);
    let config = config(&mut reader, path, text, env);
    let Reader { mut diagnostics, doubts, .. } = reader;
    diagnostics.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
    match config {
        Some(config)
            if diagnostics.iter().all(|diagnostic| diagnostic.severity == Severity::Warning) =>
        {
            Ok(Loaded { config, warnings: diagnostics, doubts })
        }
        _ => Err(ConfigError::Invalid(diagnostics)),
    }
}

fn read_text(path: &Path) -> Result<String, String> {
    let plain = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => visible(&error.to_string()),
    };
    if std::fs::metadata(path).map_err(plain)?.is_dir() {
        return Err("it is a directory".to_owned());
    }
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too large, whatever its metadata say.
    File::open(path).map_err(plain)?.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(plain)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err("it is larger than 32 MiB".to_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(valid).filter(|byte| **byte == b'\n').count() + 1;
        format!("it is not UTF-8 text (line {line})")
    })
}

fn config(
    reader: &mut Reader<'_>,
    path: &Path,
    text: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Option<Config> {
    let checked = document::read_with(text, |root| checked(reader, path, root, env));
    checked.unwrap_or_else(|flaws| {
        // What else was found in it may not be what the user wrote.
        reader.diagnostics.clear();
        reader.doubts.clear();
        reader.hidden = Hidden::of_text(text);
        for flaw in flaws {
            reader.flaw(flaw);
        }
        None
    })
}

fn checked(
    reader: &mut Reader<'_>,
    path: &Path,
    mut root: Node,
    env: &dyn Fn(&str) -> Option<String>,
) -> Option<Config> {
    reader.hidden = Hidden::of_document(&root);
    root.each_scalar(&mut |scalar, at| fill_in(reader, scalar, at, env));
    if root.is_null() {
        providers::read(reader, None, &Resolved::default());
        return None;
    }
    if !matches!(root.value, document::Value::Map(_)) {
        let complaint =
            DiagnosticBuilder::new(format!("the file must be a mapping, not {}", root.kind()));
        reader.error(
            root.at,
            None,
            complaint.help("start with \"providers:\" followed by the list"),
        );
        return None;
    }
    let top = reader.section(&root, "the file", keys::TOP)?;
    let sub = |reader: &mut Reader<'_>, key: &str, known: &[&str]| {
        top.get(key).and_then(|node| reader.section(node, &format!("\"{key}\""), known))
    };
    let defaults = match sub(reader, "defaults", keys::DEFAULTS) {
        Some(section) => Resolved::default().with(reader, &section),
        None => Resolved::default(),
    };
    let mut console = Console { format: ConsoleFormat::Text };
    if let Some(section) = sub(reader, "console", keys::CONSOLE) {
        set(&mut console.format, reader.word(&section, "format", CONSOLE_FORMATS));
    }
    let event_log_section = sub(reader, "event_log", keys::EVENT_LOG);
    let diagnostics_section = sub(reader, "diagnostics", keys::DIAGNOSTICS);
    let mut shutdown_timeout = Duration::from_secs(4);
    set(&mut shutdown_timeout, reader.duration(&top, "shutdown_timeout", &keys::SHUTDOWN));
    let providers = providers::read(reader, top.get("providers"), &defaults);
    let channels = channels::read(reader, top.get("channels"), env);
    let watched = providers.iter().map(AsRef::as_ref);
    Some(Config {
        path: path.to_owned(),
        state_dir: directory(reader, &top, "state_dir", keys::STATE_DIR),
        state: reader.value(&top, "state", "the address of a PostgreSQL database", state),
        node: reader.value(&top, "node", "a name", node),
        supervision: sub(reader, "supervision", keys::SUPERVISION)
            .map(|section| supervision(reader, &section))
            .unwrap_or_default(),
        shutdown_timeout,
        console,
        event_log: event_log(reader, event_log_section.as_ref()),
        diagnostics: diagnostics(reader, diagnostics_section.as_ref()),
        beat: sub(reader, "beat", keys::BEAT)
            .and_then(|section| beat(reader, &section, top.get("beat").map(|node| node.at))),
        record: sub(reader, "record", keys::RECORD).map(|section| record(reader, &section)),
        routes: routes::read(reader, top.get("routes"), &channels, watched),
        quiet_hours: quiet_hours::read(reader, top.get("quiet_hours"), &channels),
        channels: channels.into_enabled(),
        http: sub(reader, "http", http::HTTP).and_then(|section| {
            let at = top.get("http")?.at;
            Some(http::http(reader, &section, at, &providers.iter().map(|one| one.id.as_str())))
        }),
        providers,
    })
}

fn fill_in(
    reader: &mut Reader<'_>,
    scalar: &mut Scalar,
    at: document::Place,
    env: &dyn Fn(&str) -> Option<String>,
) {
    if !scalar.written.contains('$') {
        return;
    }
    match interpolate(&scalar.written, env) {
        Ok(text) => scalar.filled = Filled::With(text),
        Err(problem) => {
            let is_hidden = reader.hidden.contains(at);
            let hint = match &problem {
                Problem::Unset(_) if is_hidden => "set it to the secret".to_owned(),
                Problem::Unset(name) => {
                    format!("set it, or give a default: \"${{{name}:-value}}\"")
                }
                Problem::Unclosed | Problem::BadName(_) => {
                    "write \"$$\" for a literal dollar sign".to_owned()
                }
            };
            let message = match &problem {
                // It is a part of the secret.
                Problem::BadName(_) if is_hidden => {
                    "what stands between \"${\" and \"}\" is not the name of an environment variable"
                        .to_owned()
                }
                _ => problem.to_string(),
            };
            reader.error(at, Some(&scalar.written), DiagnosticBuilder::new(message).help(hint));
            scalar.filled = Filled::Failed;
        }
    }
}

fn directory(reader: &mut Reader<'_>, section: &Section<'_>, key: &str, default: &str) -> PathBuf {
    PathBuf::from(reader.text(section, key).unwrap_or_else(|| default.to_owned()))
}

/// The address quotes nothing of itself in an error: it holds a password.
fn state(text: &str) -> Result<DatabaseUrl, DiagnosticBuilder> {
    text.parse().map_err(|error: UrlError| {
        DiagnosticBuilder::new(format!("\"state\": {error}")).help(
            "it is the address of a database that several nodes share; a directory is named by \"state_dir\"",
        )
    })
}

/// `[A-Za-z0-9._-]{1,64}`: it is shown to people and stored for other nodes.
fn node(text: &str) -> Result<String, DiagnosticBuilder> {
    if is_node_name(text) {
        return Ok(text.to_owned());
    }
    let message = format!("\"{}\" is not a valid name of a node", short(text));
    let hint = "a name has 1 to 64 letters, digits, \".\", \"_\" and \"-\"";
    Err(DiagnosticBuilder::new(message).help(hint))
}

/// Returns whether a node may have this name.
#[must_use]
pub fn is_node_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

fn supervision(reader: &mut Reader<'_>, section: &Section<'_>) -> Supervision {
    let mut value = Supervision::default();
    value.restart_backoff = backoff(reader, section, "restart_backoff", value.restart_backoff);
    if let Some(node) = section.get("intensity")
        && let Some(inner) = reader.section(node, "\"intensity\"", keys::INTENSITY)
    {
        let Intensity { restarts, within } = &mut value.intensity;
        set(restarts, reader.number(&inner, "restarts", &keys::RESTARTS).map(|count| count as u32));
        set(within, reader.duration(&inner, "within", &keys::WITHIN));
    }
    set(&mut value.stall_after, reader.duration(section, "stall_after", &keys::STALL_AFTER));
    value
}

fn beat(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    at: Option<document::Place>,
) -> Option<Heartbeat> {
    let mut every = Duration::from_mins(1);
    set(&mut every, reader.duration(section, "every", &keys::EVERY));
    if let Some(at) = at.filter(|_| !section.has("url")) {
        let complaint = DiagnosticBuilder::new("\"beat\" has no \"url\"");
        reader.error(at, None, complaint.help("add the URL to call: \"url: https://...\""));
    }
    let url = reader.value(section, "url", "an address", read_url)?;
    Some(Heartbeat { url, every })
}

fn record(reader: &mut Reader<'_>, section: &Section<'_>) -> Recording {
    let mut value = Recording::default();
    set(&mut value.dir, reader.text(section, "dir").map(PathBuf::from));
    set(&mut value.keep, reader.duration(section, "keep", &keys::RECORD_KEEP));
    set(&mut value.max, reader.size(section, "max", &keys::RECORD_MAX));
    value
}

fn event_log(reader: &mut Reader<'_>, section: Option<&Section<'_>>) -> EventLog {
    let mut value = EventLog {
        dir: PathBuf::from("logs"),
        format: LogFormat::Json,
        rotation: Rotation::Daily,
        keep: 14,
    };
    if let Some(section) = section {
        value.dir = directory(reader, section, "dir", "logs");
        set(&mut value.format, reader.word(section, "format", LOG_FORMATS));
        set(&mut value.rotation, rotation(reader, section));
        set(
            &mut value.keep,
            reader.number(section, "keep", &keys::KEEP).map(|count| count as usize),
        );
    }
    value
}

fn diagnostics(reader: &mut Reader<'_>, section: Option<&Section<'_>>) -> Diagnostics {
    let mut value = Diagnostics {
        dir: PathBuf::from("logs"),
        level: tracing::Level::INFO,
        rotation: Rotation::Daily,
        keep: 7,
    };
    if let Some(section) = section {
        value.dir = directory(reader, section, "dir", "logs");
        set(&mut value.level, reader.word(section, "level", LEVELS));
        match rotation(reader, section) {
            Some(Rotation::Size(_)) => {
                if let Some(node) = section.get("rotation") {
                    let complaint = DiagnosticBuilder::new(
                        "the diagnostics log cannot be rotated by size, only by time",
                    );
                    reader.error(
                        node.at,
                        None,
                        complaint.help(
                            "write never, hourly or daily; \"keep\" limits the number of files",
                        ),
                    );
                }
            }
            time => set(&mut value.rotation, time),
        }
        set(
            &mut value.keep,
            reader.number(section, "keep", &keys::KEEP).map(|count| count as usize),
        );
    }
    value
}

fn rotation(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Rotation> {
    reader.value(section, "rotation", "never, hourly, daily or a size such as 64MiB", |text| {
        match text {
            "never" => Ok(Rotation::Never),
            "hourly" => Ok(Rotation::Hourly),
            "daily" => Ok(Rotation::Daily),
            _ if text.starts_with(|c: char| c.is_ascii_digit()) => {
                read_size("rotation", text, &keys::ROTATION_SIZE).map(Rotation::Size)
            }
            _ => Err(DiagnosticBuilder::new(
                "\"rotation\" must be never, hourly, daily or a size such as 64MiB",
            )),
        }
    })
}
