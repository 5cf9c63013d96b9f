//! What the tests of channels have in common.

use serde_json::Value;

use super::corpus::{complete, incident, judged, notification};
use super::{Channel, Form};
use crate::exchange::{HttpRequest, Request, Step, Verdict};
use crate::notification::{Phase, Reference};

/// Returns the body of a step.
pub(crate) fn json(step: &Step) -> Value {
    serde_json::from_str(&step.body).unwrap()
}

/// Returns the HTTP request.
pub(crate) fn http(request: &Request) -> &HttpRequest {
    match request {
        Request::Http(request) => request,
        _ => panic!("not an HTTP request"),
    }
}

/// Renders the ordinary incident in a thread that began with `root`.
pub(crate) fn steps(
    channel: &dyn Channel,
    phase: Phase,
    root: Option<&str>,
    form: Form,
) -> Vec<Step> {
    let reference = root.map(|root| Reference { root: root.to_owned(), last: None });
    channel.render(&notification(&incident(), phase, reference.as_ref()), form)
}

/// Shows steps with their requests as a person would read them.
pub(crate) fn show(channel: &dyn Channel, steps: &[Step]) -> String {
    let shown = steps.iter().map(|step| {
        let request = complete(channel, step);
        let request = http(&request);
        let body = serde_json::to_string_pretty(&json(step)).unwrap();
        let (method, url) = (request.method.as_str(), request.url.expose());
        format!("{}: {method} {url}\n{body}", step.op)
    });
    shown.collect::<Vec<_>>().join("\n").replace('\u{200b}', "\\u{200b}")
}

/// Judges answers and compares each verdict, in words, with what is expected of it.
pub(crate) fn judges(channel: &dyn Channel, rows: &[(&str, u16, &str, &str)]) {
    for (op, status, body, expected) in rows {
        let verdict = match judged(channel, op, *status, body) {
            Verdict::Delivered { reference: None } => "delivered".to_owned(),
            Verdict::Delivered { reference: Some(reference) } => format!("delivered {reference}"),
            Verdict::Retry { after: None, .. } => "retry".to_owned(),
            Verdict::Retry { after: Some(after), .. } => format!("retry after {after:?}"),
            Verdict::Refused { .. } => "refused".to_owned(),
            Verdict::Broken { .. } => "broken".to_owned(),
            Verdict::Gone => "gone".to_owned(),
            Verdict::Partly { .. } | Verdict::Later { .. } => "about recipients".to_owned(),
        };
        assert_eq!(verdict, *expected, "{op} {status} {body}");
    }
}

/// Asserts that neither the channel, nor a step, nor the `Debug` of a request shows a secret.
pub(crate) fn hides(channel: &dyn Channel, root: &str, secrets: &[&str]) {
    let mut shown = vec![format!("{channel:?}")];
    for phase in [Phase::Open, Phase::Update, Phase::End] {
        for form in [Form::Rich, Form::Plain] {
            for step in steps(channel, phase, Some(root), form) {
                shown.push(format!("{step:?} {:?}", complete(channel, &step)));
            }
        }
    }
    for secret in secrets {
        assert!(shown.iter().all(|shown| !shown.contains(secret)), "{secret} in {shown:#?}");
    }
}

/// Asserts that a text in Markdown holds no mention, link, image, tag or emphasis of a provider. It
/// may hold the emphasis and the link of the channel itself, whose markup begins with `strong` and
/// `link`.
pub(crate) fn is_inert(markdown: &str, strong: &str, link: &str) {
    let text = markdown.rsplit_once(link).map_or(markdown, |(text, _)| text);
    let text = if strong.is_empty() { text.to_owned() } else { text.replacen(strong, "", 2) };
    for live in ["](", "<", "@all", "@here", "@every", "@channel", "**", "``", "~~", "||"] {
        assert!(!text.contains(live), "{live} in {text}");
    }
}
