//! Damaged documents through the whole pipeline: no panic, no hang, no harmful or unbounded output.
//!
//! A few seconds by default; `STATUSWATCH_FUZZ_SECONDS=600` for more, `STATUSWATCH_FUZZ_SEED` to
//! repeat one. The coverage-guided targets are in `fuzz/`.

pub(crate) mod mutate;
mod whole;

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use fastrand::Rng;
use statuswatch::document::Document;
use statuswatch::source::{Documents, Limits, SOURCES};
use url::Url;

use self::whole::Before;
use rustix::time::{ClockId, clock_gettime};

use crate::sources::fixtures::{Step, broken, entries, file_name, steps};

/// Maximum processor time of one document. The slowest decompression bomb takes a thirtieth of it
/// in a debug build; anything nonlinear takes minutes at these sizes.
const LONGEST: Duration = Duration::from_secs(20);

fn seconds() -> f64 {
    std::env::var("STATUSWATCH_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(4.0)
}

fn seed() -> u64 {
    std::env::var("STATUSWATCH_FUZZ_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(20_261_121)
}

/// Runs the step through the pipeline, after the state left by an undamaged one.
fn walk(step: &Step, documents: &Documents, before: &Before) {
    whole::detect_document(&documents.first);
    whole::walk(step.source, documents, before);
    // A document that another source detects is parsed there.
    for source in SOURCES.iter().filter(|source| source.name() != step.source.name()) {
        whole::walk(*source, documents, before);
    }
    whole::texts(&documents.first.text());
}

/// Returns the processor time of this thread, which excludes other tests and a busy machine.
fn spent() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

/// Runs `check`; on failure, saves the document and prints how to repeat it.
fn guarded(name: &str, seed: u64, documents: &Documents, check: impl FnOnce()) {
    let began = spent();
    let outcome = catch_unwind(AssertUnwindSafe(check));
    let took = spent().saturating_sub(began);
    if outcome.is_ok() && took < LONGEST {
        return;
    }
    let kept = std::env::temp_dir().join(format!("statuswatch-fuzz-{seed}.bin"));
    std::fs::write(&kept, &documents.first.body).unwrap();
    panic!(
        "{name}, seed {seed}: failed or took {took:?}; the first document is kept in {}",
        kept.display()
    );
}

#[test]
fn undamaged_documents_pass() {
    for step in steps() {
        let before = whole::walk(step.source, &step.documents, &Before::default());
        let before = before.unwrap_or_else(|| panic!("{} is not read", step.name));
        walk(&step, &step.documents, &before);
    }
    for (source, name, document) in broken() {
        whole::detect_document(&document);
        assert!(
            whole::walk(source, &Documents::only(document), &Before::default()).is_none(),
            "{name}"
        );
    }
}

#[test]
fn damaged_documents_are_survived() {
    let steps = steps();
    let bodies: Vec<&[u8]> = steps.iter().map(|step| step.documents.first.body.as_ref()).collect();
    let befores: Vec<Before> = steps
        .iter()
        .map(|step| whole::walk(step.source, &step.documents, &Before::default()).unwrap())
        .collect();
    let (began, limit) = (Instant::now(), Duration::from_secs_f64(seconds()));
    let first = seed();
    let mut rounds = 0;
    // Every source is tested, however slow the machine.
    while began.elapsed() < limit || rounds < SOURCES.len() as u64 {
        let seed = first + rounds;
        let mut random = Rng::with_seed(seed);
        // Round-robin over sources, so that each has its share whatever the number of its fixtures.
        let source = SOURCES[rounds as usize % SOURCES.len()].name();
        let own: Vec<usize> =
            (0..steps.len()).filter(|place| steps[*place].source.name() == source).collect();
        let place = *random.choice(&own).unwrap_or_else(|| panic!("{source} has no fixture"));
        let step = &steps[place];
        let mut documents = step.documents.clone();
        let damage_first = documents.details.is_empty() || random.bool();
        if damage_first {
            documents.first.body =
                mutate::mutate(&mut random, &documents.first.body, &bodies).into();
        }
        for (_, detail) in &mut documents.details {
            if random.bool() {
                detail.body = mutate::mutate(&mut random, &detail.body, &bodies).into();
            }
        }
        if random.u8(..8) == 0 {
            let types = [
                "text/html; charset=utf-16le",
                "application/xml; charset=windows-1252",
                "x; charset=shift_jis",
                "\u{e9}",
            ];
            documents.first.content_type = Some(types[random.usize(..types.len())].to_owned());
        }
        guarded(&step.name, seed, &documents, || walk(step, &documents, &befores[place]));
        rounds += 1;
    }
    println!(
        "{rounds} damaged documents in {:?}, seeds {first}..{}",
        began.elapsed(),
        first + rounds
    );
}

/// Past failures, here or in a coverage-guided target.
#[test]
fn former_crashes_stay_mended() {
    for path in entries(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/crashes")) {
        let body = std::fs::read(&path).unwrap();
        for place in
            ["api/v2/summary.json", "api/v1/summary", "api/v2/incidents.json", "history.atom"]
        {
            let url = Url::parse("https://status.acme.example/").unwrap().join(place).unwrap();
            let documents = Documents::only(Document::new(url, None, body.clone()));
            guarded(&file_name(&path), 0, &documents, || {
                whole::detect_document(&documents.first);
                for source in SOURCES {
                    whole::walk(*source, &documents, &Before::default());
                }
                whole::texts(&documents.first.text());
            });
        }
    }
}

/// `a0=… a1=… a2=…`
fn numbered(count: usize, before: &str, after: &str) -> String {
    (0..count).fold(String::new(), |text, n| text + before + &n.to_string() + after)
}

#[test]
fn bombs_are_cheap() {
    let rows = |count: usize, row: &str| row.repeat(count);
    let entities = {
        let mut text = "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY a0 \"ha\">".to_owned();
        for depth in 1..40 {
            write!(text, "<!ENTITY a{depth} \"&a{0};&a{0};\">", depth - 1).unwrap();
        }
        text + "]><rss version=\"2.0\"><channel><title>&a39;</title></channel></rss>"
    };
    let bombs = [
        ("nested entities", entities),
        ("an external entity", "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><rss version=\"2.0\"><channel><title>&x;</title><item><title>&x;</title><guid>1</guid></item></channel></rss>".to_owned()),
        ("nested elements", rows(400_000, "<a>")),
        ("nested lists", rows(300_000, "[")),
        ("nested objects", rows(100_000, "{\"incidents\":")),
        ("attributes", format!("<rss version=\"2.0\" {}><channel/></rss>", numbered(100_000, "a", "=\"\" "))),
        ("namespaces", format!("<feed xmlns=\"http://www.w3.org/2005/Atom\" {}/>", numbered(60_000, "xmlns:a", "=\"b\" "))),
        ("items", format!("<rss version=\"2.0\"><channel>{}</channel></rss>", rows(100_000, "<item><guid>1</guid></item>"))),
        ("one long title", format!("<rss version=\"2.0\"><channel><item><guid>1</guid><title>{}</title></item></channel></rss>", rows(900_000, "x"))),
        ("open tags in HTML", format!("<html>{}", rows(300_000, "<p><b>"))),
        ("brackets", rows(300_000, "<")),
        ("ampersands", rows(300_000, "&")),
        ("a comment without end", format!("<rss version=\"2.0\"><!--{}", rows(500_000, "--"))),
    ];
    for (name, body) in bombs {
        let url = Url::parse("https://status.acme.example/history.atom").unwrap();
        let documents = Documents::only(Document::new(url, None, body.into_bytes()));
        // The time limit is per source: in the program they run one at a time, too.
        for source in SOURCES {
            guarded(name, 0, &documents, || {
                if let Ok(snapshot) = source.parse(&documents, Limits::default()) {
                    let texts = format!("{snapshot:?}");
                    assert!(
                        !texts.contains("root:") && texts.len() < 8 << 20,
                        "{name}: {} bytes",
                        texts.len()
                    );
                }
            });
        }
        guarded(name, 0, &documents, || whole::detect_document(&documents.first));
        guarded(name, 0, &documents, || whole::texts(&documents.first.text()));
    }
}
