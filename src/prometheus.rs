//! Asks a Prometheus server for the share of our own requests to each provider that fail, so that
//! "them or us" is one line. Its address was written by the user, so it may be private.
//!
//! Formats as in the documentation of Prometheus, "HTTP API", "Instant queries".

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use url::form_urlencoded;

use crate::config::{Login, Prometheus};
use crate::fetch::{Outgoing, Sender};
use crate::text::one_line;

/// One query.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer.
const MAX_BODY: usize = 8 << 20;
/// Values of an answer.
const MAX_SAMPLES: usize = 20_000;
/// A longer file holds no secret.
const MAX_SECRET: u64 = 4096;

/// What an answer says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples {
    /// Values of the label, each with a share from 0 to 1.
    pub shares: Vec<(String, f64)>,
    /// How many values are not from 0 to 1, or have no such label.
    pub invalid: usize,
}

/// Why there is no answer. Names no address and no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A file with a secret cannot be used.
    #[error("cannot read {key}: {reason}")]
    Secret {
        /// The key of the configuration.
        key: &'static str,
        /// Why.
        reason: String,
    },
    /// The server cannot be reached.
    #[error("{0}")]
    Unreachable(String),
    /// It refuses the query.
    #[error("status {status}: {reason}")]
    Refused {
        /// Its status.
        status: u16,
        /// What it says, or what the status means.
        reason: String,
    },
    /// It answers something else.
    #[error("{0}")]
    Answer(&'static str),
}

#[derive(Deserialize)]
struct Answer {
    status: String,
    error: Option<String>,
    data: Option<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    #[serde(default)]
    result: serde_json::Value,
}

#[derive(Deserialize)]
struct Sample {
    metric: std::collections::HashMap<String, String>,
    /// Seconds, and the value as text.
    value: (f64, String),
}

/// Asks the server once.
///
/// # Errors
/// There is no answer within 10 s, or none that can be used.
pub async fn ask(sender: &Sender, config: &Prometheus) -> Result<Samples, QueryError> {
    let authorization = match &config.login {
        None => None,
        Some(Login::Token(file)) => Some(format!("Bearer {}", secret("token_file", file)?)),
        Some(Login::Password(user, file)) => {
            let pair = format!("{user}:{}", secret("password_file", file)?);
            Some(format!("Basic {}", BASE64.encode(pair)))
        }
    };
    let mut url = config.url.clone();
    url.set_path(&format!("{}/api/v1/query", config.url.path().trim_end_matches('/')));
    let mut headers = vec![("accept", "application/json")];
    headers.extend(authorization.as_deref().map(|value| ("authorization", value)));
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("query", &config.query)
        .append_pair("timeout", "9s")
        .finish();
    let outgoing = Outgoing {
        method: "POST",
        url: &url,
        headers,
        content_type: "application/x-www-form-urlencoded",
        body,
    };
    let received = sender.send_bounded(outgoing, TIMEOUT, MAX_BODY).await;
    let received = received.map_err(|error| QueryError::Unreachable(error.failure.message))?;
    read(received.status, &received.body, &config.label)
}

/// Reads an answer.
fn read(status: u16, body: &str, label: &str) -> Result<Samples, QueryError> {
    let answer: Option<Answer> = serde_json::from_str(body).ok();
    if status != 200 {
        let said = answer.and_then(|answer| answer.error);
        let reason = match (status, said) {
            (_, Some(said)) => one_line(&said, 200),
            (401 | 403, None) => "the credentials are refused".to_owned(),
            (300..=399, None) => "the server leads elsewhere".to_owned(),
            (500..=599, None) => "the server cannot answer at present".to_owned(),
            (404, None) => "this is no Prometheus: see the path of the url".to_owned(),
            _ => "the query is refused".to_owned(),
        };
        return Err(QueryError::Refused { status, reason });
    }
    let answer = answer.filter(|answer| answer.status == "success");
    let data = answer.and_then(|answer| answer.data);
    let data = data.ok_or(QueryError::Answer("the answer is not one of Prometheus"))?;
    if data.result_type != "vector" {
        return Err(QueryError::Answer("the result of the query is not an instant vector"));
    }
    let samples: Vec<Sample> = serde_json::from_value(data.result)
        .map_err(|_| QueryError::Answer("the result of the query cannot be read"))?;
    if samples.len() > MAX_SAMPLES {
        return Err(QueryError::Answer("the result of the query has more than 20,000 values"));
    }
    let mut found = Samples::default();
    for sample in samples {
        let share = sample.value.1.parse::<f64>().ok();
        match (sample.metric.get(label), share) {
            // 0 of 0 requests: nothing was observed.
            (Some(_), Some(share)) if share.is_nan() => {}
            (Some(id), Some(share)) if (0.0..=1.0).contains(&share) => {
                found.shares.push((one_line(id, 128), share));
            }
            _ => found.invalid += 1,
        }
    }
    Ok(found)
}

/// Reads a secret: a line of text.
fn secret(key: &'static str, file: &Path) -> Result<String, QueryError> {
    let failed = |reason: &str| QueryError::Secret { key, reason: reason.to_owned() };
    let found = std::fs::metadata(file).map_err(|error| failed(&error.kind().to_string()))?;
    if !found.is_file() {
        return Err(failed("it is not a regular file"));
    }
    let mut text = String::new();
    std::fs::File::open(file)
        .and_then(|file| file.take(MAX_SECRET).read_to_string(&mut text))
        .map_err(|error| failed(&error.kind().to_string()))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() || secret.chars().any(char::is_control) {
        return Err(failed("it is not one line of text"));
    }
    Ok(secret.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(samples: &str) -> String {
        format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{samples}]}}}}"#)
    }

    #[test]
    fn shares_are_read_and_others_are_counted() {
        let sample = |labels: &str, value: &str| {
            format!(r#"{{"metric":{{{labels}}},"value":[1700000000.123,"{value}"]}}"#)
        };
        let all = [
            sample(r#""provider":"github","job":"x""#, "0.25"),
            sample(r#""provider":"openai""#, "0"),
            sample(r#""provider":"quiet""#, "NaN"),
            sample(r#""provider":"wrong""#, "17"),
            sample(r#""provider":"wrong""#, "+Inf"),
            sample(r#""provider":"wrong""#, "-0.1"),
            sample(r#""service":"github""#, "0.5"),
        ];
        let found = read(200, &vector(&all.join(",")), "provider").unwrap();
        let shares = vec![("github".to_owned(), 0.25), ("openai".to_owned(), 0.0)];
        assert_eq!(found, Samples { shares, invalid: 4 });
        assert_eq!(read(200, &vector(""), "provider").unwrap(), Samples::default());
    }

    #[test]
    fn what_is_no_answer_says_why() {
        let parse_error = r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:3: parse error\u001b[2J"}"#;
        let scalar = r#"{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}"#;
        let broken =
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{}}]}}"#;
        let many = vector(&vec![r#"{"metric":{},"value":[1,"1"]}"#; MAX_SAMPLES + 1].join(","));
        let all = [
            (400, parse_error),
            (401, "Unauthorized"),
            (404, "<html>"),
            (302, ""),
            (503, "{}"),
            (200, "<html>"),
            (200, "{}"),
            (200, parse_error),
            (200, scalar),
            (200, broken),
            (200, &many),
        ];
        let all: Vec<String> = all
            .iter()
            .map(|(status, body)| read(*status, body, "provider").unwrap_err().to_string())
            .collect();
        insta::assert_snapshot!(all.join("\n"), @r#"
        status 400: invalid parameter "query": 1:3: parse error[2J
        status 401: the credentials are refused
        status 404: this is no Prometheus: see the path of the url
        status 302: the server leads elsewhere
        status 503: the server cannot answer at present
        the answer is not one of Prometheus
        the answer is not one of Prometheus
        the answer is not one of Prometheus
        the result of the query is not an instant vector
        the result of the query cannot be read
        the result of the query has more than 20,000 values
        "#);
    }

    #[test]
    fn a_secret_is_one_line_of_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        let error = |file: &Path| secret("token_file", file).unwrap_err().to_string();
        assert_eq!(error(&file), "cannot read token_file: entity not found");
        assert_eq!(error(dir.path()), "cannot read token_file: it is not a regular file");
        std::fs::write(&file, "a\nb").unwrap();
        assert_eq!(error(&file), "cannot read token_file: it is not one line of text");
        std::fs::write(&file, "abc\n").unwrap();
        assert_eq!(secret("token_file", &file).unwrap(), "abc");
    }
}
