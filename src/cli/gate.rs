//! `gate`: prints the answer of [`crate::gate`], once or when all needs pass.

use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use super::args::{GateArgs, GateImpact, GateUnknown};
use super::exit::Exit;
use super::output::{self, Paint};
use super::table::{Cell, Table, one_line};
use crate::clock;
use crate::event::Impact;
use crate::gate::{Answer, Gate, NeedError, OnUnknown, Verdict, ask, parse_needs};
use crate::ledger::Reader;

/// How often the state directory is read with `--wait`.
const AGAIN: Duration = Duration::from_secs(2);

/// Answers whether the needs pass.
///
/// # Errors
/// The ledger cannot be read.
pub fn run(state_dir: &Path, args: &GateArgs) -> anyhow::Result<Exit> {
    let gate = match gate(args) {
        Ok(gate) => gate,
        Err(error) => return Ok(wrong(&error)),
    };
    let started = Instant::now();
    // Opened anew each time: the database may be replaced meanwhile.
    let read = || Ok(ask(&Reader::open(state_dir)?, &gate, clock::now())?);
    let progress = args.wait.map(|_| ProgressBar::new_spinner());
    let pause = |last: &Answer, left: Duration| {
        if let Some(progress) = &progress {
            let left = crate::config::render_duration(Duration::from_secs(left.as_secs()));
            progress.set_message(format!("{} ({left} left)", one_line(&last.reason)));
            progress.enable_steady_tick(Duration::from_millis(120));
        }
        pause(AGAIN.min(left));
    };
    let wait = args.wait.unwrap_or_default();
    let answered = answer(read, || wait.saturating_sub(started.elapsed()), pause);
    if let Some(progress) = progress {
        progress.finish_and_clear();
    }
    let answer = match answered? {
        Ok(answer) => answer,
        Err(error) => return Ok(wrong(&error)),
    };
    if args.json {
        output::print_json(&answer)?;
    } else {
        output::print(&text(&answer, output::color()))?;
    }
    Ok(match answer.verdict {
        Verdict::Pass => Exit::Done,
        Verdict::Hold => Exit::Hold,
        Verdict::Unknown => Exit::Unknown,
    })
}

fn gate(args: &GateArgs) -> Result<Gate, NeedError> {
    Ok(Gate {
        needs: parse_needs(args.needs.iter().map(String::as_str))?,
        min_impact: match args.min_impact {
            GateImpact::Maintenance => Impact::Maintenance,
            GateImpact::Minor => Impact::Minor,
            GateImpact::Major => Impact::Major,
            GateImpact::Critical => Impact::Critical,
        },
        max_age: args.max_age,
        on_unknown: args.on_unknown.map(|unknown| match unknown {
            GateUnknown::Pass => OnUnknown::Pass,
            GateUnknown::Hold => OnUnknown::Hold,
        }),
    })
}

/// Reads until the answer is pass or no time is left. A wrong need ends it at once.
fn answer(
    mut read: impl FnMut() -> anyhow::Result<Result<Answer, NeedError>>,
    left: impl Fn() -> Duration,
    mut pause: impl FnMut(&Answer, Duration),
) -> anyhow::Result<Result<Answer, NeedError>> {
    loop {
        let answer = match read()? {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(error)),
        };
        let left = left();
        if answer.verdict == Verdict::Pass || left.is_zero() {
            return Ok(Ok(answer));
        }
        pause(&answer, left);
    }
}

/// Waits for `time`, without waking early as parked threads may.
fn pause(time: Duration) {
    let (_silent, never) = mpsc::channel::<()>();
    let _timed_out = never.recv_timeout(time);
}

fn wrong(error: &NeedError) -> Exit {
    output::note(&format!("statuswatch: {error}"));
    Exit::Usage
}

/// The answer as people read it: a line for each need, and the verdict.
fn text(answer: &Answer, color: bool) -> String {
    let mut table = Table::new(&["VERDICT", "NEED", "REASON", "LINK"]);
    for need in &answer.needs {
        table.row([
            Cell::painted(need.verdict.as_str(), paint(need.verdict)),
            need.need.as_str().into(),
            need.reason.as_str().into(),
            need.url.as_deref().unwrap_or_default().into(),
        ]);
    }
    let verdict = paint(answer.verdict).apply(answer.verdict.as_str(), color);
    format!("{}\n{verdict}: {}\n", table.render(color), one_line(&answer.reason))
}

const fn paint(verdict: Verdict) -> Paint {
    match verdict {
        Verdict::Pass => Paint::Green,
        Verdict::Hold => Paint::Red,
        Verdict::Unknown => Paint::Yellow,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell as Shared;

    use super::*;

    fn reported(verdict: Verdict) -> Answer {
        Answer {
            verdict,
            reason: format!("it is {}", verdict.as_str()),
            at: "2026-02-23T12:00:00Z".to_owned(),
            min_impact: Impact::Major,
            max_age: None,
            needs: Vec::new(),
        }
    }

    #[test]
    fn waiting_ends_with_a_pass_or_with_the_time() {
        // One reading takes a second of the time that is left.
        let ask = |verdicts: &[Verdict], seconds: u64| {
            let (read, paused) = (Shared::new(0), Shared::new(0));
            let answer = answer(
                || {
                    let number = read.get();
                    read.set(number + 1);
                    Ok(Ok(reported(verdicts[number.min(verdicts.len() - 1)])))
                },
                || Duration::from_secs(seconds.saturating_sub(paused.get())),
                |_, left| {
                    assert!(!left.is_zero());
                    paused.set(paused.get() + 1);
                },
            );
            (answer.unwrap().unwrap().verdict, read.get())
        };
        let (hold, unknown, pass) = (Verdict::Hold, Verdict::Unknown, Verdict::Pass);
        assert_eq!(ask(&[hold, unknown, pass], 10), (pass, 3));
        assert_eq!(ask(&[hold, unknown, pass], 0), (hold, 1));
        assert_eq!(ask(&[hold, unknown], 1), (unknown, 2));
        assert_eq!(ask(&[hold], 5), (hold, 6));
    }

    #[test]
    fn a_wrong_need_is_not_waited_for() {
        let read = || Ok(Err(NeedError::None));
        let never = |_: &Answer, _| panic!("waited");
        assert_eq!(answer(read, || Duration::MAX, never).unwrap(), Err(NeedError::None));
    }
}
