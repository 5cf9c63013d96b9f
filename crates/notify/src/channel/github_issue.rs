//! GitHub issues: one issue per incident, component or provider, with a comment per update, closed
//! when it ends. The reference is the number of the issue.
//!
//! Limits: title 256 characters, body 65,536 (answer 422 "body is too long (maximum is 65536
//! characters)"); some 80 requests a minute that create content, after which the answer is 403 or
//! 429 with `retry-after` or `x-ratelimit-remaining: 0`, "secondary rate limit"
//! (<https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>). 410 says that
//! the issue was deleted, or, when one is created, that the repository has no issues. Creating has
//! no idempotency key: if the answer is lost, a second issue is created.
//!
//! Bodies are GitHub's Markdown. Provider text is escaped, and what GitHub makes a mention, a
//! reference to an issue or a link of without any markup is broken by a zero-width space: `@name`,
//! `#1`, `GH-1`, `http:` and `www.`.

use std::time::Duration;

use serde_json::json;
use url::Url;

use super::{Audience, Channel, Form, Limits, Pace, Spec, levels};
use crate::exchange::{
    Answer, HttpAnswer, HttpRequest, Method, Request, Sending, Step, Verdict, describe, judge_http,
    retry_after,
};
use crate::notification::{Notification, Phase};
use crate::text::{Layout, Unit, fit, markdown};
use crate::values::{Key, Secret, Shape, ValueError, Values};

/// Describes the kind.
pub(super) const SPEC: Spec = Spec {
    kind: "github_issue",
    name: "GitHub issue",
    audience: Audience::Machine,
    keys: &[
        Key::required(
            "token",
            Shape::Secret,
            "A fine-grained token with the permission \"Issues: read and write\".",
        ),
        Key::required("repository", Shape::Text, "OWNER/NAME."),
        Key::optional("labels", Shape::List, "Labels of every issue."),
        Key::optional(
            "api_url",
            Shape::Url,
            "In place of https://api.github.com/; https://HOST/api/v3/ for an own server.",
        ),
    ],
    build,
};

/// In characters.
const TITLE: usize = 256;
/// In characters before escaping, which makes five of one at most.
const TEXT: usize = 12_000;
/// In bytes.
const LINK: usize = 2_000;
/// After a rate limit that does not say; what the documentation asks for.
const THROTTLED: Duration = Duration::from_mins(1);

#[derive(Debug)]
struct GitHubIssue {
    /// `.../repos/OWNER/NAME/issues`
    issues: Url,
    token: Secret<String>,
    labels: Vec<String>,
}

fn build(values: &Values) -> Result<Box<dyn Channel>, ValueError> {
    let part = |part: &str| {
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !part.is_empty() && !part.bytes().all(|byte| byte == b'.') && part.bytes().all(valid)
    };
    let (owner, name) = match values.need_text("repository")?.split_once('/') {
        Some((owner, name)) if part(owner) && part(name) => (owner, name),
        _ => return Err(ValueError::at("repository", "it must be OWNER/NAME")),
    };
    let api = levels::address(values, "api_url", "https://api.github.com/")?;
    Ok(Box::new(GitHubIssue {
        issues: levels::join(&api, &["repos", owner, name, "issues"]),
        token: values.need_secret("token")?.clone(),
        labels: values.list("labels").to_vec(),
    }))
}

/// Returns an issue's number if it is one: it becomes part of an address.
fn number(reference: &str) -> Option<&str> {
    let digits = !reference.is_empty() && reference.bytes().all(|byte| byte.is_ascii_digit());
    (digits && reference.len() <= 18).then_some(reference)
}

impl Channel for GitHubIssue {
    fn render(&self, notification: &Notification<'_>, form: Form) -> Vec<Step> {
        let layout = Layout::new(notification);
        let body = body(&layout, form);
        let issue = notification.reference.and_then(|reference| number(&reference.root));
        match issue.filter(|_| notification.phase != Phase::Open) {
            Some(issue) if notification.is_over() => vec![
                // Closing can be repeated, a comment cannot: it comes last.
                Step::json(
                    format!("close:{issue}"),
                    &json!({ "state": "closed", "state_reason": "completed" }),
                ),
                Step::json(format!("comment:{issue}"), &json!({ "body": body })),
            ],
            Some(issue) => {
                vec![Step::json(format!("comment:{issue}"), &json!({ "body": body }))]
            }
            // No issue was opened, so there is none to close, and a new one would stay open.
            None if notification.is_over() => Vec::new(),
            None => {
                let title = fit(&layout.title, TITLE, Unit::Chars);
                let title = if title.is_empty() { "statuswatch" } else { &title };
                let mut issue = json!({ "title": title, "body": body });
                if !self.labels.is_empty() && form == Form::Rich {
                    levels::set(&mut issue, "labels", json!(self.labels));
                }
                vec![Step::json("create", &issue)]
            }
        }
    }

    fn request(&self, step: &Step, _: &Sending<'_>) -> Request {
        let (op, issue) = step.op.split_once(':').unwrap_or((&step.op, ""));
        let issue = number(issue).unwrap_or("0");
        let (method, url) = match op {
            "close" => (Method::Patch, levels::join(&self.issues, &[issue])),
            "comment" => (Method::Post, levels::join(&self.issues, &[issue, "comments"])),
            _ => (Method::Post, self.issues.clone()),
        };
        let mut request = HttpRequest::post_json(url, &step.body)
            .header("accept", "application/vnd.github+json")
            .header("x-github-api-version", "2022-11-28")
            // GitHub answers 403 to requests without one.
            .header("user-agent", "statuswatch");
        request.method = method;
        Request::Http(request.authorization("Bearer", &self.token))
    }

    fn judge(&self, step: &Step, answer: &Answer) -> Verdict {
        let Answer::Http(answer) = answer else {
            return Verdict::unexpected();
        };
        if step.op != "create" {
            return match answer.status {
                403 | 429 if throttled(answer) => later(answer),
                // Only maintainers can comment on a locked issue.
                403 if answer.body.contains("locked") => Verdict::Gone,
                410 => Verdict::Gone,
                _ => judge_http(answer),
            };
        }
        match answer.status {
            201 => match answer.text("/number").as_deref().and_then(number) {
                Some(issue) => Verdict::Delivered { reference: Some(issue.to_owned()) },
                None => Verdict::Refused { reason: describe(answer) },
            },
            403 | 429 if throttled(answer) => later(answer),
            // Anything else did not create an issue, even if it says so.
            200..=299 => Verdict::Refused { reason: describe(answer) },
            _ => judge_http(answer),
        }
    }

    fn limits(&self) -> Limits {
        // One a second is what the documentation asks for; 80 a minute create content at most.
        let pace = Pace { every: Duration::from_secs(1), burst: 5 };
        Limits { pace: Some(pace), in_flight: 1 }
    }
}

/// Returns whether a 403 or 429 is a rate limit.
fn throttled(answer: &HttpAnswer) -> bool {
    answer.status == 429
        || answer.header("retry-after").is_some()
        || answer.header("x-ratelimit-remaining") == Some("0")
        || answer.body.to_ascii_lowercase().contains("rate limit")
}

fn later(answer: &HttpAnswer) -> Verdict {
    Verdict::Retry {
        after: Some(retry_after(answer).unwrap_or(THROTTLED)),
        reason: describe(answer),
    }
}

fn body(layout: &Layout, form: Form) -> String {
    let text = match form {
        Form::Rich => layout.text(),
        Form::Plain => layout.status.clone(),
    };
    let mut body = escape(&fit(&text, TEXT, Unit::Chars));
    if body.is_empty() {
        body.push_str(&escape(&fit(&layout.title, TITLE, Unit::Chars)));
    }
    if let Some(url) = layout.url.as_deref().filter(|url| url.len() <= LINK && form == Form::Rich) {
        // Nothing of the address can end the target of the link.
        let target = url.replace('<', "%3C").replace('>', "%3E").replace('\\', "%5C");
        body.push_str("\n\n[Status page](<");
        body.push_str(&target);
        body.push_str(">)");
    }
    if body.is_empty() { "statuswatch".to_owned() } else { body }
}

/// Escapes text for GitHub's Markdown.
fn escape(text: &str) -> String {
    markdown(text)
        .replace('#', "#\u{200b}")
        .replace("GH-", "GH\u{200b}-")
        .replace("gh-", "gh\u{200b}-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    use crate::channel::corpus::{self, complete, judged, walk};
    use crate::notification::Reference;
    use crate::text::length;

    fn values() -> Values {
        Values::default().with_secret("token", "SECRET").with_text("repository", "acme/ops.status")
    }

    fn channel() -> Box<dyn Channel> {
        build(&values()).unwrap()
    }

    fn issue() -> Reference {
        Reference { root: "42".into(), last: None }
    }

    fn address(step: &Step) -> String {
        let Request::Http(request) = complete(&*channel(), step) else { panic!() };
        format!("{} {}", request.method.as_str(), request.url.expose())
    }

    #[test]
    fn fits_whatever_the_text() {
        walk(&*channel(), &issue(), |step, request| {
            assert!(!format!("{step:?} {request:?}").contains("SECRET"));
            let body: Value = serde_json::from_str(&step.body).unwrap();
            if step.op == "create" {
                let title = length(body["title"].as_str().unwrap(), Unit::Chars);
                assert!((1..=256).contains(&title));
            }
            if step.op.starts_with("close") {
                return;
            }
            let text = body["body"].as_str().unwrap();
            assert!((1..=65_536).contains(&length(text, Unit::Chars)), "{}", text.len());
            let (text, _) = text.rsplit_once("[Status page](<").unwrap_or((text, ""));
            for markup in ["](", "<", "@everyone", "@here", "**", "http://", "![", "<!--"] {
                assert!(!text.contains(markup), "{markup} in {text}");
            }
        });
    }

    #[test]
    fn nothing_becomes_a_mention_a_reference_or_a_link() {
        let escaped =
            escape("@octocat fixes #1, acme/ops#2, GH-3, see www.evil.example\nhttps://x");
        let parts = escaped.split(['@', '#', ':']).skip(1);
        assert!(parts.clone().all(|rest| rest.starts_with('\u{200b}')), "{escaped}");
        assert_eq!(parts.count(), 4);
        assert!(!escaped.contains("GH-") && !escaped.contains("www."), "{escaped}");
    }

    #[test]
    fn an_issue_is_opened_commented_and_closed() {
        let channel = channel();
        let event = corpus::incident();
        let reference = issue();
        let render = |phase, reference| {
            channel.render(&corpus::notification(&event, phase, reference), Form::Rich)
        };
        let base = "https://api.github.com/repos/acme/ops.status/issues";
        let steps = render(Phase::Open, None);
        assert_eq!(address(&steps[0]), format!("POST {base}"));
        let steps = render(Phase::Update, Some(&reference));
        assert_eq!(address(&steps[0]), format!("POST {base}/42/comments"));
        let steps = render(Phase::End, Some(&reference));
        let addresses: Vec<String> = steps.iter().map(address).collect();
        assert_eq!(addresses, [format!("PATCH {base}/42"), format!("POST {base}/42/comments")]);
        // The issue is gone, or there never was one.
        assert_eq!(render(Phase::Update, None)[0].op, "create");
        assert!(render(Phase::End, None).is_empty());
    }

    #[test]
    fn a_reference_is_a_number_or_nothing() {
        for hostile in ["", "1/../../x", "-1", "1?x", "１", "9999999999999999999999"] {
            let reference = Reference { root: hostile.into(), last: None };
            let event = corpus::incident();
            let notification = corpus::notification(&event, Phase::Update, Some(&reference));
            assert_eq!(channel().render(&notification, Form::Rich)[0].op, "create", "{hostile}");
            let body = json!({ "number": hostile }).to_string();
            assert!(matches!(judged(&*channel(), "create", 201, &body), Verdict::Refused { .. }));
        }
    }

    #[test]
    fn the_repository_is_checked() {
        for repository in ["acme", "acme/", "/x", "a/b/c", "a/..", "../a", "a b/c", "a/b?c"] {
            let error = build(&values().with_text("repository", repository)).unwrap_err();
            assert_eq!(error.key, Some("repository"), "{repository}");
        }
    }

    #[test]
    fn answers() {
        let judge = |op: &str, status, body: &str| judged(&*channel(), op, status, body);
        let created = Verdict::Delivered { reference: Some("7".into()) };
        assert_eq!(judge("create", 201, r#"{"number":7}"#), created);
        assert!(matches!(judge("create", 200, "<html>"), Verdict::Refused { .. }));
        assert!(matches!(judge("create", 410, "Issues are disabled"), Verdict::Broken { .. }));
        assert!(matches!(judge("create", 404, "Not Found"), Verdict::Broken { .. }));
        assert!(matches!(judge("create", 422, "body is too long"), Verdict::Refused { .. }));
        assert!(matches!(judge("create", 401, "Bad credentials"), Verdict::Broken { .. }));
        assert!(matches!(judge("create", 403, "Resource not accessible"), Verdict::Broken { .. }));
        let secondary = "You have exceeded a secondary rate limit.";
        let after = Some(Duration::from_mins(1));
        for op in ["create", "comment:7", "close:7"] {
            let verdict = judge(op, 403, secondary);
            assert!(matches!(verdict, Verdict::Retry { after: found, .. } if found == after));
            assert!(matches!(judge(op, 502, ""), Verdict::Retry { .. }));
        }
        assert_eq!(judge("comment:7", 201, "{}"), Verdict::delivered());
        assert_eq!(judge("close:7", 200, "{}"), Verdict::delivered());
        assert_eq!(judge("comment:7", 410, ""), Verdict::Gone);
        assert_eq!(judge("comment:7", 403, "issue is locked"), Verdict::Gone);
    }

    #[test]
    fn what_it_looks_like() {
        insta::assert_snapshot!(corpus::shown(&*channel(), Some(&issue())), @r#"
        Open create
        {
          "body": "Identified \\(major\\)\nWe have found the cause.\n\nA fix is being rolled out.\nComponents:<ZWSP> Labels, Label Printing\nStatus:<ZWSP> Investigating → Identified\n\n[Status page](<https://status.acme.example/incidents/01ABC>)",
          "title": "Acme Cloud: High errors with parcel labels"
        }

        End close:42
        {
          "state": "closed",
          "state_reason": "completed"
        }

        End comment:42
        {
          "body": "Identified \\(major\\)\nWe have found the cause.\n\nA fix is being rolled out.\nComponents:<ZWSP> Labels, Label Printing\nStatus:<ZWSP> Investigating → Identified\n\n[Status page](<https://status.acme.example/incidents/01ABC>)"
        }
        "#);
    }
}
