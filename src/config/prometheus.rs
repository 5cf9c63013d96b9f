//! `prometheus` of the section `http`: where the share of our own requests that fail is asked for.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use url::Url;

use super::address::read_url;
use super::document::Place;
use super::reader::{DiagnosticBuilder, Reader, Section, short};

pub(super) const KEYS: &[&str] =
    &["url", "query", "label", "every", "token_file", "username", "password_file"];

/// The default of `label`.
const LABEL: &str = "provider";
/// The default of `every`.
const EVERY: Duration = Duration::from_mins(1);
/// An observation counts for 15 min: what is asked less often would be missing in between.
const BOUNDS: std::ops::RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_mins(10);
/// Bytes of a query.
const MAX_QUERY: usize = 8 << 10;

/// A Prometheus server to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prometheus {
    /// Its address, which `/api/v1/query` is appended to.
    pub url: Url,
    /// What is asked: an instant vector of shares from 0 to 1.
    pub query: String,
    /// The label whose value is the id of a provider.
    pub label: String,
    /// How often.
    pub every: Duration,
    /// What is sent as credentials.
    pub login: Option<Login>,
}

/// Credentials. Files are read for each query, so that they can be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// The file with a bearer token.
    Token(PathBuf),
    /// A user, and the file with the password.
    Password(String, PathBuf),
}

/// Reads the section, whose key is at `at`.
pub(super) fn prometheus(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    at: Place,
) -> Option<Prometheus> {
    for key in ["url", "query"].into_iter().filter(|key| !section.has(key)) {
        let complaint = DiagnosticBuilder::new(format!("\"prometheus\" has no \"{key}\""));
        reader.error(
            at,
            None,
            complaint.help(match key {
                "url" => "add \"url: http://127.0.0.1:9090\"",
                _ => "add a query whose result has a value for each provider",
            }),
        );
    }
    let url = reader.value(section, "url", "an address", address);
    let query = reader.value(section, "query", "a query", query);
    let label = reader.value(section, "label", "the name of a label", label);
    let every = reader.duration(section, "every", &BOUNDS);
    let login = login(reader, section);
    Some(Prometheus {
        url: url?,
        query: query?,
        label: label.unwrap_or_else(|| LABEL.to_owned()),
        every: every.unwrap_or(EVERY),
        login,
    })
}

fn address(text: &str) -> Result<Url, DiagnosticBuilder> {
    let url = read_url(text)?;
    if url.query().is_some() || url.fragment().is_some() {
        let complaint = DiagnosticBuilder::new("the url must have no \"?\" and no \"#\"");
        return Err(complaint.help("write the address of the server alone"));
    }
    Ok(url)
}

fn query(text: &str) -> Result<String, DiagnosticBuilder> {
    match text.trim() {
        "" => Err(DiagnosticBuilder::new("\"query\" is empty")),
        text if text.len() > MAX_QUERY => {
            Err(DiagnosticBuilder::new(format!("\"query\" is longer than {MAX_QUERY} bytes")))
        }
        text => Ok(text.to_owned()),
    }
}

/// `[a-zA-Z_][a-zA-Z0-9_]*`, as Prometheus names labels.
fn label(text: &str) -> Result<String, DiagnosticBuilder> {
    let is_name = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && text.starts_with(|c: char| !c.is_ascii_digit())
        && text.len() <= 128;
    if is_name {
        return Ok(text.to_owned());
    }
    let message = format!("\"{}\" is not the name of a label", short(text));
    Err(DiagnosticBuilder::new(message).help("write letters, digits and \"_\""))
}

fn login(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Login> {
    let token = reader.text(section, "token_file").map(PathBuf::from);
    let user = reader.text(section, "username");
    let password = reader.text(section, "password_file").map(PathBuf::from);
    let written = |key: &str| section.get(key).map(|node| node.at);
    match (token, user, password) {
        (Some(token), None, None) => Some(Login::Token(token)),
        (None, Some(user), Some(password)) => Some(Login::Password(user, password)),
        (None, None, None) => None,
        (Some(_), ..) => {
            let at = written("username").or_else(|| written("password_file"))?;
            let message = "give \"token_file\", or \"username\" and \"password_file\", not both";
            reader.error(at, None, DiagnosticBuilder::new(message).help("remove one of them"));
            None
        }
        (None, user, _) => {
            let (has, lacks) = match user {
                Some(_) => ("username", "password_file"),
                None => ("password_file", "username"),
            };
            let message = format!("\"{has}\" needs \"{lacks}\"");
            reader.error(written(has)?, None, DiagnosticBuilder::new(message));
            None
        }
    }
}

/// A Prometheus server that is asked for the share of your own requests to each provider that fail.
#[derive(JsonSchema)]
#[schemars(rename = "Prometheus", deny_unknown_fields)]
#[expect(dead_code, reason = "the shape alone is used")]
pub(super) struct PrometheusShape {
    /// Its address, such as `http://127.0.0.1:9090`; it may have a path.
    url: String,
    /// A `PromQL` query whose result has a value from 0 to 1 for each provider.
    query: String,
    /// The label whose value is the id of a provider. Default provider.
    label: Option<String>,
    /// How often it is asked, 5s to 10m. Default 1m.
    every: Option<super::shape::Duration>,
    /// File with a bearer token. Default: none is sent.
    token_file: Option<String>,
    /// User of HTTP basic authentication, with `password_file`.
    username: Option<String>,
    /// File with the password of `username`.
    password_file: Option<String>,
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Config, ConfigError, parse};
    use super::*;

    fn read(prometheus: &str) -> Result<Config, String> {
        let text = format!(
            "http: {{prometheus: {{{prometheus}}}}}\nproviders:\n  - {{id: acme, url: \"https://status.acme.example\"}}\n"
        );
        match parse(Path::new("providers.yaml"), &text, &|_| None) {
            Ok(loaded) => Ok(loaded.config),
            Err(ConfigError::Invalid(found)) => {
                Err(found.into_iter().map(|found| found.message).collect::<Vec<_>>().join("; "))
            }
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn a_server_and_a_query_are_enough() {
        let config = read("url: \"http://127.0.0.1:9090\", query: errors").unwrap();
        let found = config.http.unwrap().prometheus.unwrap();
        assert_eq!(
            (found.label.as_str(), found.every, found.login),
            ("provider", Duration::from_mins(1), None)
        );
        let whole = "url: \"https://prometheus.example/prom\", query: errors, label: upstream, every: 15s, username: me, password_file: secret";
        let found = read(whole).unwrap().http.unwrap().prometheus.unwrap();
        assert_eq!(found.login, Some(Login::Password("me".to_owned(), "secret".into())));
    }

    #[test]
    fn mistakes_are_named() {
        let with = |more: &str| format!("url: \"http://127.0.0.1:9090\", query: x, {more}");
        for (prometheus, part) in [
            ("query: x".to_owned(), "\"prometheus\" has no \"url\""),
            ("url: \"http://127.0.0.1:9090\"".to_owned(), "\"prometheus\" has no \"query\""),
            ("url: \"http://a:b@127.0.0.1\", query: x".to_owned(), "user name or password"),
            ("url: \"http://127.0.0.1/?x\", query: x".to_owned(), "no \"?\""),
            ("url: \"http://127.0.0.1\", query: \" \"".to_owned(), "\"query\" is empty"),
            (with("label: a-b"), "is not the name of a label"),
            (with("every: 1s"), "\"every\""),
            (with("token_file: a, username: b, password_file: c"), "not both"),
            (with("username: b"), "\"username\" needs \"password_file\""),
            (with("password_file: b"), "\"password_file\" needs \"username\""),
            (with("token: b"), "unknown key \"token\""),
        ] {
            let found = read(&prometheus).unwrap_err();
            assert!(found.contains(part), "{prometheus}: {found}");
        }
    }
}
