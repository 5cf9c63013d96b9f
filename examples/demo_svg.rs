//! Records `statuswatch demo` as an animated SVG, for the README.
//!
//! ```sh
//! cargo build --release && cargo run --release --example demo_svg > docs/src/demo.svg
//! ```
//!
//! The example runs the program next to it and draws each line at the time it was printed.

use std::io::{BufRead, BufReader, Error, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The length of the recording, and how long its last frame stays.
const RECORDED: Duration = Duration::from_secs(14);
const PAUSE: Duration = Duration::from_secs(4);
/// The size of the terminal in characters.
const COLUMNS: usize = 88;
const ROWS: usize = 26;
/// The size of a character in pixels.
const WIDTH: f64 = 8.0;
const HEIGHT: usize = 19;
/// Lines printed within this time are drawn together.
const TOGETHER: Duration = Duration::from_millis(80);

struct Line {
    at: Duration,
    text: String,
}

fn main() -> Result<(), Error> {
    let svg = draw(&record()?);
    std::io::stdout().write_all(svg.as_bytes())
}

/// Runs the demo and records the time of each line.
fn record() -> Result<Vec<Line>, Error> {
    let mut demo = Command::new(program()?)
        .args(["demo", "--seed", "7", "--duration"])
        .arg(format!("{}s", RECORDED.as_secs()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let output = demo.stdout.take().ok_or_else(|| Error::other("the demo has no output"))?;
    let (began, mut lines) = (Instant::now(), Vec::new());
    for line in BufReader::new(output).lines() {
        lines.push(Line { at: began.elapsed(), text: line? });
    }
    let status = demo.wait()?;
    if !status.success() || lines.is_empty() {
        return Err(Error::other(format!("the demo ended with {status}, {} lines", lines.len())));
    }
    Ok(lines)
}

/// Returns the path of the program of the same profile: `target/release/statuswatch` for
/// `target/release/examples/demo_svg`.
fn program() -> Result<PathBuf, Error> {
    let example = std::env::current_exe()?;
    let dir = example.ancestors().nth(2).ok_or_else(|| Error::other("no directory above"))?;
    Ok(dir.join("statuswatch"))
}

fn draw(lines: &[Line]) -> String {
    let total = (RECORDED + PAUSE).as_secs_f64();
    let prompt = [Line { at: Duration::ZERO, text: "$ statuswatch demo".to_owned() }];
    let mut body = Vec::new();
    // The number of rows over time.
    let mut rows: Vec<(Duration, usize)> = Vec::new();
    for (row, line) in prompt.iter().chain(lines).enumerate() {
        let (y, class) = ((row + 1) * HEIGHT, class(&line.text));
        let text = escape(&line.text.chars().take(COLUMNS).collect::<String>());
        body.push(format!("<text y=\"{y}\" class=\"{class}\">{text}</text>\n"));
        match rows.last_mut() {
            Some((at, count)) if line.at <= *at + TOGETHER => *count = row + 1,
            _ => rows.push((line.at, row + 1)),
        }
    }
    // Rows are uncovered one after the other; once the window is full, they move up.
    let (mut up, mut cover) = (Vec::new(), Vec::new());
    for (at, count) in &rows {
        let percent = at.as_secs_f64() / total * 100.0;
        let lifted = count.saturating_sub(ROWS) * HEIGHT;
        let uncovered = (*count).min(ROWS) * HEIGHT + 5;
        up.push(format!("{percent:.2}%{{transform:translateY(-{lifted}px)}}\n"));
        cover.push(format!("{percent:.2}%{{transform:translateY({uncovered}px)}}\n"));
    }
    let (body, up, cover) = (body.concat(), up.concat(), cover.concat());
    let last = (lines.len() + 1).saturating_sub(ROWS) * HEIGHT;
    let full = ROWS * HEIGHT + 6;
    let (width, height) = ((COLUMNS as f64 * WIDTH) as usize + 32, ROWS * HEIGHT + 56);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
viewBox=\"0 0 {width} {height}\" role=\"img\">
<title>statuswatch demo: updates of fake providers as they are reported</title>
<style>
text{{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#c9d1d9;white-space:pre}}
.head{{fill:#fff;font-weight:bold}} .rule{{fill:#484f58}} .link{{fill:#58a6ff}} .bad{{fill:#ff7b72}}
.good{{fill:#7ee787}} .warn{{fill:#e3b341}}
@keyframes up{{{up}100%{{transform:translateY(-{last}px)}}}}
@keyframes cover{{{cover}100%{{transform:translateY({full}px)}}}}
.screen{{animation:up {total}s step-end infinite}}
.cover{{fill:#0d1117;animation:cover {total}s step-end infinite}}
@media (prefers-reduced-motion:reduce){{
.screen{{animation:none;transform:translateY(-{last}px)}} .cover{{display:none}}}}
</style>
<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#0d1117\"/>
<circle cx=\"20\" cy=\"18\" r=\"6\" fill=\"#ff5f56\"/><circle cx=\"40\" cy=\"18\" r=\"6\" \
fill=\"#ffbd2e\"/><circle cx=\"60\" cy=\"18\" r=\"6\" fill=\"#27c93f\"/>
<svg x=\"16\" y=\"36\" width=\"{}\" height=\"{}\" overflow=\"hidden\"><g class=\"screen\">
{body}</g><rect class=\"cover\" width=\"100%\" height=\"{full}\"/></svg>
</svg>
",
        width - 32,
        full,
    )
}

/// Returns the CSS class of a line. The first line of a block has the color of its status, as on a
/// terminal.
fn class(line: &str) -> &'static str {
    let good = ["- Resolved", "- Completed", "- Operational", "- Monitoring"];
    let bad = ["(critical)", "(major)"];
    if line.starts_with('$') {
        "head"
    } else if line.starts_with("----") {
        "rule"
    } else if line.starts_with("http") {
        "link"
    } else if !line.starts_with('[') {
        ""
    } else if good.iter().any(|word| line.contains(word)) {
        "good"
    } else if bad.iter().any(|word| line.contains(word)) {
        "bad"
    } else {
        "warn"
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
