//! A program: gets the event as JSON on its standard input.
//!
//! It is started without a shell and with a few variables that hold no text of a provider. Its exit
//! status decides: 0 is delivered, 75 (`EX_TEMPFAIL` of `sysexits.h`) and an end by a signal or
//! timeout are tried again, anything else refuses the message.

use std::time::Duration;

use serde_json::Value;
use statuswatch_model::text::one_line;

use super::event_json::event_json;
use super::{Audience, Channel, Form, Limits, Spec};
use crate::exchange::{Answer, ExecAnswer, ExecRequest, Request, Sending, Step, Verdict};
use crate::notification::Notification;
use crate::values::{Key, Shape, ValueError, Values};

/// Describes the kind.
pub(super) const SPEC: Spec = Spec {
    kind: "exec",
    name: "Program",
    audience: Audience::Machine,
    keys: &[
        Key::required(
            "command",
            Shape::List,
            "The program, with its absolute path, and its arguments. No shell interprets them.",
        ),
        Key::optional(
            "timeout",
            Shape::Duration { min: 1, max: 300 },
            "After this time the program and what it started is killed; 30 s by default.",
        ),
    ],
    build,
};

/// The exit status that asks for another attempt.
const RETRY: i32 = 75;
/// The default of `timeout`.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest quoted part of the output, in characters.
const QUOTED: usize = 200;

/// The variables besides `STATUSWATCH_DELIVERY_ID`, each with its place in the message.
const VARIABLES: &[(&str, &str)] = &[
    ("STATUSWATCH_TYPE", "/type"),
    ("STATUSWATCH_PHASE", "/phase"),
    ("STATUSWATCH_THREAD", "/thread"),
    ("STATUSWATCH_PROVIDER", "/data/provider"),
    ("STATUSWATCH_STATUS", "/data/status"),
    ("STATUSWATCH_IMPACT", "/data/impact"),
];

#[derive(Debug)]
struct Exec {
    argv: Vec<String>,
    timeout: Duration,
}

fn build(values: &Values) -> Result<Box<dyn Channel>, ValueError> {
    let argv = values.list("command").to_vec();
    match argv.first() {
        Some(program) if program.starts_with('/') => {}
        _ => {
            return Err(ValueError::at(
                "command",
                "it must begin with the absolute path of a program, such as \
                 [\"/usr/local/bin/notify\", \"--quiet\"]",
            ));
        }
    }
    if argv.iter().any(|argument| argument.contains('\0')) {
        return Err(ValueError::at("command", "an argument holds a NUL"));
    }
    Ok(Box::new(Exec { argv, timeout: values.duration("timeout").unwrap_or(TIMEOUT) }))
}

impl Channel for Exec {
    fn render(&self, notification: &Notification<'_>, form: Form) -> Vec<Step> {
        vec![Step::json("run", &event_json(notification, form))]
    }

    fn request(&self, step: &Step, sending: &Sending<'_>) -> Request {
        let message: Value = serde_json::from_str(&step.body).unwrap_or_default();
        let mut env = vec![("STATUSWATCH_DELIVERY_ID".to_owned(), sending.delivery_id.to_owned())];
        env.extend(VARIABLES.iter().filter_map(|(name, place)| {
            // A value with a NUL would keep the program from being started.
            let value = message.pointer(place)?.as_str()?.replace('\0', "");
            Some(((*name).to_owned(), value))
        }));
        Request::Exec(ExecRequest {
            argv: self.argv.clone(),
            env,
            stdin: step.body.clone(),
            timeout: self.timeout,
        })
    }

    fn judge(&self, _: &Step, answer: &Answer) -> Verdict {
        match answer {
            Answer::Exec(answer) => judge(answer, self.timeout),
            _ => Verdict::unexpected(),
        }
    }

    fn limits(&self) -> Limits {
        Limits::default()
    }
}

fn judge(answer: &ExecAnswer, timeout: Duration) -> Verdict {
    let how = match answer.code {
        Some(0) => return Verdict::delivered(),
        Some(code) => format!("exit status {code}"),
        None => format!("killed by a signal or after {} s", timeout.as_secs()),
    };
    // Programs say last why they fail.
    let said = answer.output.lines().rev().map(|line| one_line(line, QUOTED));
    let reason = match said.into_iter().find(|line| !line.is_empty()) {
        Some(line) => format!("{how}: {line}"),
        None => how,
    };
    match answer.code {
        None | Some(RETRY) => Verdict::Retry { after: None, reason },
        Some(_) => Verdict::Refused { reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::corpus::{HOSTILE, complete, rendered, walk};
    use crate::notification::{Phase, Reference};

    fn channel() -> Box<dyn Channel> {
        let command = ["/usr/bin/notify", "$(id)", "a b"].map(str::to_owned).to_vec();
        let values = Values::default().with("command", crate::values::Value::List(command));
        build(&values).unwrap()
    }

    #[test]
    fn text_of_a_provider_reaches_standard_input_alone() {
        walk(&*channel(), &Reference::default(), |step, request| {
            let Request::Exec(request) = request else { panic!() };
            assert_eq!(request.argv, ["/usr/bin/notify", "$(id)", "a b"]);
            assert_eq!(request.stdin, step.body);
            let message: Value = serde_json::from_str(&request.stdin).unwrap();
            assert_eq!(message["data"]["provider"], "acme");
            for (name, value) in &request.env {
                assert!(name.starts_with("STATUSWATCH_"), "{name}");
                assert!(value.len() <= 32 && !value.contains(char::is_control), "{value}");
                assert!(HOSTILE.iter().all(|hostile| hostile.is_empty() || value != hostile));
            }
        });
    }

    #[test]
    fn what_a_program_gets() {
        let step = rendered(&*channel(), Phase::End).remove(0);
        let Request::Exec(request) = complete(&*channel(), &step) else { panic!() };
        let env: Vec<String> =
            request.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        insta::assert_snapshot!(env.join("\n"), @r"
        STATUSWATCH_DELIVERY_ID=0123456789abcdef0123456789abcdef
        STATUSWATCH_TYPE=incident
        STATUSWATCH_PHASE=end
        STATUSWATCH_THREAD=fedcba9876543210fedcba9876543210
        STATUSWATCH_PROVIDER=acme
        STATUSWATCH_STATUS=identified
        STATUSWATCH_IMPACT=major
        ");
        let message: Value = serde_json::from_str(&request.stdin).unwrap();
        assert_eq!(message["data"]["title"], "High errors with parcel labels");
    }

    #[test]
    fn the_exit_status_decides() {
        let judge =
            |code, output: &str| judge(&ExecAnswer { code, output: output.to_owned() }, TIMEOUT);
        assert_eq!(judge(Some(0), "anything"), Verdict::delivered());
        let retry = |reason: &str| Verdict::Retry { after: None, reason: reason.to_owned() };
        assert_eq!(judge(Some(75), ""), retry("exit status 75"));
        assert_eq!(judge(None, ""), retry("killed by a signal or after 30 s"));
        assert_eq!(
            judge(Some(1), "Traceback:\n  \u{1b}[31mKeyError\n\n"),
            Verdict::Refused { reason: "exit status 1: [31mKeyError".to_owned() }
        );
    }

    #[test]
    fn a_program_has_an_absolute_path() {
        for command in [&[][..], &["notify"], &["sh -c"], &["/bin/sh", "a\0b"]] {
            let command = command.iter().map(|&word| word.to_owned()).collect();
            let values = Values::default().with("command", crate::values::Value::List(command));
            assert!(build(&values).is_err());
        }
    }
}
