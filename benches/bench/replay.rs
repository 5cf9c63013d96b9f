//! Replays a recording of 10,000 responses from pages of 50 KB, as many as a hundred providers send
//! in some days.

use std::io::Write as _;

use chrono::{Duration, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use crate::documents::Story;
use crate::measure::timed;

const PROVIDERS: usize = 20;
const VERSIONS: usize = 500;
const BYTES: usize = 50_000;

/// Prints the table.
pub(crate) fn run() {
    let dir = tempfile::tempdir().unwrap();
    let mut index = std::fs::File::create(dir.path().join("index.jsonl")).unwrap();
    let mut line = |line: serde_json::Value| writeln!(index, "{line}").unwrap();
    let begin = Utc::now();
    let page = |n: usize| format!("https://status-{n}.bench.example/api/v2/");
    line(json!({"recording": 1, "begin": true, "at": begin}));
    for n in 0..PROVIDERS {
        let url = format!("{}summary.json", page(n));
        line(json!({"at": begin, "entry": {"id": format!("p{n}"), "url": url}}));
    }
    let mut story = Story::new(BYTES);
    let mut answers = 0;
    for version in 0..VERSIONS {
        let shown = story.at(version).clone();
        let mut documents = vec![("summary.json", shown.summary)];
        // When something has ended, the lists say how.
        if version % 4 == 0 {
            documents.push(("incidents.json", shown.incidents));
            documents.push(("scheduled-maintenances.json", shown.maintenances));
        }
        let at = begin + Duration::minutes(version as i64);
        for (name, body) in &documents {
            let file = std::fs::File::create(dir.path().join(format!("{version}-{name}.gz")));
            let mut encoder = GzEncoder::new(file.unwrap(), Compression::new(5));
            encoder.write_all(body).unwrap();
            encoder.finish().unwrap();
        }
        for n in 0..PROVIDERS {
            let at = at + Duration::milliseconds(n as i64);
            for (name, _) in &documents {
                let (url, body) = (format!("{}{name}", page(n)), format!("{version}-{name}.gz"));
                line(json!({"at": at, "provider": format!("p{n}"), "url": url, "body": body}));
                answers += 1;
            }
        }
    }
    let (played, wall, cpu) =
        timed(|| statuswatch::replay::play(dir.path(), None, &mut |_| {}).unwrap());
    assert_eq!((played.summary.answers, played.summary.failed), (answers, 0));
    println!(
        "\n| answers of 50 KB pages | polls | events | time | CPU | answers/s |\n|---|---|---|---|---|---|"
    );
    println!(
        "| {answers} | {} | {} | {:.1} s | {:.1} s | {:.0} |",
        played.summary.polls,
        played.events.newest_seq().unwrap(),
        wall.as_secs_f64(),
        cpu.as_secs_f64(),
        answers as f64 / wall.as_secs_f64()
    );
}
