//! Templates of the configuration: the title and body of a message, and the JSON body of a webhook.
//!
//! The language is that of [minijinja](https://docs.rs/minijinja), without files and macros.
//! Undefined names are errors. Each run has a budget of work and memory and a largest output.
//! Templates are tried when they are compiled, with an event of every kind, a summary and a notice,
//! so that a mistake shows at the start and not in the first incident; a template that fails all
//! the same is replaced by the built-in text, and the error is returned to be reported.
//!
//! In `json` every expression is written as a JSON value: `{"text": {{ title }}}`. The others are
//! plain text, which a channel escapes for its service.

mod context;
mod examples;

use std::fmt;

use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior};
use statuswatch_model::text::one_line;

use crate::notification::{Custom, Notification};
use context::Context;

/// What a template is for; also its name in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// The title of a message: one line of plain text.
    Title,
    /// Its body: plain text.
    Body,
    /// The body of a webhook: a JSON document.
    Json,
}

impl Slot {
    /// Every slot.
    pub const ALL: &'static [Self] = &[Self::Title, Self::Body, Self::Json];

    /// Returns its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Body => "body",
            Self::Json => "json",
        }
    }

    /// Returns the largest output, in bytes.
    const fn most(self) -> usize {
        match self {
            Self::Title => 2_000,
            Self::Body => 64 * 1024,
            Self::Json => 256 * 1024,
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is wrong with a template. Shows names and positions, not its text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is longer than [`Templates::MOST_SOURCE`].
    #[error("the template \"{slot}\" is longer than {most} bytes")]
    Source {
        /// Which template.
        slot: Slot,
        /// The limit.
        most: usize,
    },
    /// It cannot be parsed.
    #[error("the template \"{slot}\" is not valid in line {line}: {message}")]
    Syntax {
        /// Which template.
        slot: Slot,
        /// From 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// It uses a name that nothing defines.
    #[error("the template \"{slot}\" uses the unknown name \"{name}\"{}", did_you_mean(.meant.as_deref()))]
    Unknown {
        /// Which template.
        slot: Slot,
        /// As written, with the names before it: `event.titel`.
        name: String,
        /// The nearest known one.
        meant: Option<String>,
    },
    /// It fails when it runs.
    #[error("the template \"{slot}\" fails for {what} in line {line}: {message}")]
    Run {
        /// Which template.
        slot: Slot,
        /// `an incident`, `a summary`.
        what: &'static str,
        /// From 1.
        line: usize,
        /// What the engine says.
        message: String,
    },
    /// It takes too much work or memory.
    #[error("the template \"{slot}\" does too much for {what}")]
    Budget {
        /// Which template.
        slot: Slot,
        /// `an incident`, `a summary`.
        what: &'static str,
    },
    /// Its output is too long.
    #[error("the template \"{slot}\" writes more than {most} bytes for {what}")]
    Output {
        /// Which template.
        slot: Slot,
        /// `an incident`, `a summary`.
        what: &'static str,
        /// The limit.
        most: usize,
    },
    /// Its output is not JSON.
    #[error("the template \"json\" writes no valid JSON for {what}: {message}{hint}")]
    Json {
        /// `an incident`, `a summary`.
        what: &'static str,
        /// What is wrong, with line and column of the output.
        message: String,
        /// What to do about it; may be empty.
        hint: &'static str,
    },
}

fn did_you_mean(name: Option<&str>) -> String {
    name.map(|name| format!("; did you mean \"{name}\"?")).unwrap_or_default()
}

impl TemplateError {
    /// Returns the template at fault.
    #[must_use]
    pub const fn slot(&self) -> Slot {
        match self {
            Self::Source { slot, .. }
            | Self::Syntax { slot, .. }
            | Self::Unknown { slot, .. }
            | Self::Run { slot, .. }
            | Self::Budget { slot, .. }
            | Self::Output { slot, .. } => *slot,
            Self::Json { .. } => Slot::Json,
        }
    }
}

/// The texts of the templates of a channel.
#[derive(Clone, Copy, Default)]
pub struct Sources<'a> {
    /// In place of the built-in title.
    pub title: Option<&'a str>,
    /// In place of the built-in body.
    pub body: Option<&'a str>,
    /// The JSON body of a webhook.
    pub json: Option<&'a str>,
}

impl<'a> Sources<'a> {
    fn get(&self, slot: Slot) -> Option<&'a str> {
        match slot {
            Slot::Title => self.title,
            Slot::Body => self.body,
            Slot::Json => self.json,
        }
    }
}

/// The compiled templates of a channel. Its `Debug` shows which there are, not their texts.
pub struct Templates {
    environment: Environment<'static>,
    slots: Vec<Slot>,
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Templates").field("slots", &self.slots).finish_non_exhaustive()
    }
}

/// What became of the templates for one notification.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rendered {
    /// The texts; what failed is absent, so that the built-in text is sent.
    pub custom: Custom,
    /// What failed, to be reported.
    pub errors: Vec<TemplateError>,
}

impl Templates {
    /// The longest template, in bytes.
    pub const MOST_SOURCE: usize = 16 * 1024;

    /// The budget of one run: some instructions, or 64 bytes of data each.
    const FUEL: u64 = 100_000;

    /// Compiles and tries the templates of a channel.
    ///
    /// # Errors
    ///
    /// Returns the first mistake found: one of syntax, an unknown name, also where it would not be
    /// reached, or whatever fails with an example.
    pub fn compile(sources: Sources<'_>) -> Result<Self, TemplateError> {
        let mut environment = environment();
        let mut slots = Vec::new();
        for slot in Slot::ALL.iter().copied() {
            let Some(source) = sources.get(slot) else {
                continue;
            };
            if source.len() > Self::MOST_SOURCE {
                return Err(TemplateError::Source { slot, most: Self::MOST_SOURCE });
            }
            environment
                .add_template_owned(slot.as_str(), source.to_owned())
                .map_err(|error| syntax(slot, &error))?;
            slots.push(slot);
        }
        let templates = Self { environment, slots };
        for slot in templates.slots.iter().copied() {
            templates.check_names(slot)?;
        }
        examples::each(|notification| {
            match templates.render(notification).errors.into_iter().next() {
                Some(error) => Err(error),
                None => Ok(()),
            }
        })?;
        Ok(templates)
    }

    /// Renders the templates for a notification, whose own `custom` is not looked at.
    #[must_use]
    pub fn render(&self, notification: &Notification<'_>) -> Rendered {
        let mut rendered = Rendered::default();
        if self.slots.is_empty() {
            return rendered;
        }
        let context = Context::new(notification);
        let what = context.what();
        let context = Value::from(Serde(&context));
        for slot in self.slots.iter().copied() {
            match self.run(slot, what, &context) {
                Ok(text) => *place(&mut rendered.custom, slot) = Some(text),
                Err(error) => rendered.errors.push(error),
            }
        }
        rendered
    }

    fn run(
        &self,
        slot: Slot,
        what: &'static str,
        context: &Value,
    ) -> Result<String, TemplateError> {
        let text = self
            .environment
            .get_template(slot.as_str())
            .and_then(|template| template.render(context))
            .map_err(|error| failed(slot, what, &error))?;
        if text.len() > slot.most() {
            return Err(TemplateError::Output { slot, what, most: slot.most() });
        }
        if slot == Slot::Json {
            serde_json::from_str::<serde_json::Value>(&text).map_err(|error| TemplateError::Json {
                what,
                message: error.to_string(),
                // As in the template languages of other tools.
                hint: if text.contains("\"\"") {
                    "; an expression brings its own quotes: write {{ title }}, not \"{{ title }}\""
                } else {
                    ""
                },
            })?;
        }
        Ok(text)
    }

    /// Checks the names a template uses, wherever they stand.
    fn check_names(&self, slot: Slot) -> Result<(), TemplateError> {
        let Ok(template) = self.environment.get_template(slot.as_str()) else {
            return Ok(());
        };
        let mut used: Vec<String> = template.undeclared_variables(true).into_iter().collect();
        used.sort();
        let known = examples::names();
        for name in used {
            let root = name.split('.').next().unwrap_or_default();
            if self.environment.globals().any(|(global, _)| global == root) {
                continue;
            }
            resolve(&known, &name).map_err(|meant| {
                let name = one_line(&name, 100);
                TemplateError::Unknown { slot, name, meant }
            })?;
        }
        Ok(())
    }
}

/// Follows a path through the known names. If it leads nowhere, returns the nearest one that does,
/// if one is near.
fn resolve(known: &serde_json::Value, path: &str) -> Result<(), Option<String>> {
    let mut at = known;
    let mut before = String::new();
    for part in path.split('.') {
        // What has no names is not looked into: an item of a list.
        let Some(names) = at.as_object() else {
            return Ok(());
        };
        at = names.get(part).ok_or_else(|| {
            let near = names
                .keys()
                .map(|name| (strsim::damerau_levenshtein(part, name), name))
                .min()
                .filter(|(distance, name)| *distance <= (name.len() / 3).max(1));
            near.map(|(_, name)| format!("{before}{name}"))
        })?;
        before.push_str(part);
        before.push('.');
    }
    Ok(())
}

fn place(custom: &mut Custom, slot: Slot) -> &mut Option<String> {
    match slot {
        Slot::Title => &mut custom.title,
        Slot::Body => &mut custom.body,
        Slot::Json => &mut custom.json,
    }
}

/// Names the way values are written in a template for JSON.
const JSON: &str = "json";

/// How deep a loop may call itself.
const RECURSION: usize = 30;

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(Templates::FUEL));
    // Values are written and dropped recursively. Without a place that outlives a round of a loop
    // they cannot be nested deeper than a template is long.
    environment.remove_global("namespace");
    environment.set_recursion_limit(RECURSION);
    environment.set_auto_escape_callback(|name| {
        if name == Slot::Json.as_str() { AutoEscape::Custom(JSON.into()) } else { AutoEscape::None }
    });
    environment.set_formatter(write);
    environment.add_filter("tojson", tojson);
    environment
}

/// Writes a value: as JSON in a template for JSON, otherwise as text, where none is nothing.
fn write(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    match state.auto_escape() {
        AutoEscape::Custom(name) if name == JSON && !value.is_safe() => {
            Ok(out.write_str(&json(value)?)?)
        }
        AutoEscape::None if value.is_none() => Ok(()),
        _ => Ok(write!(out, "{value}")?),
    }
}

fn json(value: &Value) -> Result<String, Error> {
    serde_json::to_string(value)
        .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
}

/// The filter `tojson`: a value as JSON, which is not escaped again.
fn tojson(value: &Value) -> Result<Value, Error> {
    json(value).map(Value::from_safe_string)
}

fn syntax(slot: Slot, error: &Error) -> TemplateError {
    let line = error.line().unwrap_or(1);
    TemplateError::Syntax { slot, line, message: message(error) }
}

fn failed(slot: Slot, what: &'static str, error: &Error) -> TemplateError {
    match error.kind() {
        ErrorKind::OutOfFuel => TemplateError::Budget { slot, what },
        _ => TemplateError::Run {
            slot,
            what,
            line: error.line().unwrap_or(1),
            message: message(error),
        },
    }
}

fn message(error: &Error) -> String {
    let kind = match error.kind() {
        ErrorKind::UndefinedError => {
            "a name that is not defined here; test for \"event\", \"summary\" or \"notice\" first"
                .to_owned()
        }
        kind => kind.to_string(),
    };
    let message = match error.detail() {
        Some(detail) => format!("{kind}: {detail}"),
        None => kind,
    };
    one_line(&message, 200)
}

#[cfg(test)]
mod tests;
