//! Loads fixtures.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use statuswatch::document::Document;
use statuswatch::event::Kind;
use statuswatch::source::{Documents, PriorItems, SOURCES, Source};
use url::Url;

/// Roles of first documents, with the URL each was polled at.
pub(crate) const FIRST: &[(&str, &str)] = &[
    ("summary", "https://status.acme.example/api/v2/summary.json"),
    ("widget", "https://status.acme.example/api/v1/summary"),
    ("current-status", "https://status.heroku.com/api/v4/current-status"),
    ("active", "https://api.status.salesforce.com/v1/incidents/active"),
    ("state", "https://status.acme.example/status.json"),
    ("home", "https://status.acme.example/"),
    ("posts", "https://status.acme.example/api/posts"),
    ("rss", "https://status.acme.example/rss"),
    ("ssp", "https://status.acme.example/api/ssp/incidents.json"),
    ("index", "https://status.acme.example/index.json"),
    ("statusio", "https://api.status.io/1.0/status/5a0000000000000000000001"),
    ("status", "https://status.acme.example/api/v1/status"),
    ("pages", "https://api.sorryapp.com/v1/pages/2200/components"),
    ("cachet", "https://status.acme.example/api/v1/incidents"),
    ("cachet3", "https://status.acme.example/api/incidents"),
    ("rootly", "https://status.acme.example/api/v1/status.json"),
    ("hyperping", "https://status.acme.example/status.json"),
    ("hyperpingapi", "https://api.hyperping.io/v1/acme.hyperping.app/status.json"),
    ("onlineornot", "https://status.acme.example/v1/status_pages/acmeport/summary"),
    ("statuspal", "https://statuspal.io/api/v2/status_pages/acme/summary"),
    ("payload", "https://status.acme.example/data/payload.json"),
    ("config", "https://status.acme.example/config.json"),
    ("v3", "https://status.acme.example/api/v3/summary"),
    ("checkly", "https://status.acme.example/summary.json"),
    ("kuma", "https://status.acme.example/api/status-page/heartbeat/acme"),
    ("gatus", "https://status.acme.example/api/v1/endpoints/statuses"),
    // By itself, for a page polled through its history.
    ("incidents", "https://status.acme.example/api/v2/incidents.json"),
    ("list", "https://status.acme.example/incidents.json"),
    ("currentevents", "https://health.aws.amazon.com/public/currentevents"),
    ("data", "https://status.aws.amazon.com/data.json"),
    ("current", "https://slack-status.com/api/v2.0.0/current"),
];

/// Details on another host or path than the first document, by source and role, with the ids that
/// were open before.
const ELSEWHERE: &[(&str, &str, &str, &[&str])] = &[
    (
        "statusio",
        "feed",
        "https://status.io/pages/5a0000000000000000000001/rss",
        &["5a0000000000000000000b01", "5a0000000000000000000d01"],
    ),
    ("onlineornot", "feed", "https://status.acme.example/incidents.rss", &["Kq7Wn2LmPz04"]),
    (
        "aws",
        "history",
        "https://history-events-us-west-2-prod.s3.amazonaws.com/historyevents.json",
        &[
            "arn:aws:health:utopia-north-1::event/MULTIPLE_SERVICES/ACME_ISSUE/ACME_ISSUE_00007_0A1B2C3D4E5",
        ],
    ),
];

/// The documents of one poll in a fixture.
pub(crate) struct Step {
    /// Their source.
    pub(crate) source: &'static dyn Source,
    /// `statuspage/outage/07`.
    pub(crate) name: String,
    pub(crate) documents: Documents,
}

/// Returns every step of every case of every source, in order.
pub(crate) fn steps() -> Vec<Step> {
    SOURCES.iter().flat_map(|source| steps_of(*source)).collect()
}

/// Returns the steps of one case: `case("statuspage", "outage")`.
pub(crate) fn case(source: &str, case: &str) -> Vec<Step> {
    let prefix = format!("{source}/{case}/");
    let steps: Vec<Step> =
        steps().into_iter().filter(|step| step.name.starts_with(&prefix)).collect();
    assert!(!steps.is_empty(), "there is no fixture tests/fixtures/{prefix}");
    steps
}

/// Returns documents that their source must reject.
pub(crate) fn broken() -> Vec<(&'static dyn Source, String, Document)> {
    let mut out = Vec::new();
    for source in SOURCES {
        for path in entries(&root().join(source.name()).join("broken")) {
            // A role as prefix determines the URL: `posts-null.json`.
            let file = file_name(&path);
            let role = FIRST.iter().find(|(role, _)| file.starts_with(&format!("{role}-")));
            let url = role.unwrap_or(&FIRST[0]).1;
            let name = format!("{}/broken/{}", source.name(), file_name(&path));
            out.push((
                *source,
                name,
                Document::new(Url::parse(url).unwrap(), None, fs::read(&path).unwrap()),
            ));
        }
    }
    out
}

/// Returns the folder of the real captures, which are not in this repository.
pub(crate) fn captures() -> PathBuf {
    std::env::var_os("STATUSWATCH_CAPTURES")
        .expect("STATUSWATCH_CAPTURES names their folder")
        .into()
}

/// Returns the files of a folder, sorted; empty if there is no folder.
pub(crate) fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut out: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    out.sort();
    out
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn steps_of(source: &'static dyn Source) -> Vec<Step> {
    let mut out = Vec::new();
    for path in entries(&root().join(source.name())) {
        let name = format!("{}/{}", source.name(), file_name(&path));
        if name.contains(".md") {
            continue;
        }
        if path.is_file() {
            let url =
                Url::parse(&format!("https://status.acme.example/{}", file_name(&path))).unwrap();
            out.push(Step {
                source,
                name,
                documents: Documents::only(Document::new(url, None, fs::read(&path).unwrap())),
            });
        } else if !name.ends_with("/broken") {
            out.extend(steps_in(source, &name, &path));
        }
    }
    out
}

fn steps_in(source: &'static dyn Source, name: &str, folder: &Path) -> Vec<Step> {
    let mut by_number: BTreeMap<String, Vec<(String, PathBuf)>> = BTreeMap::new();
    for path in entries(folder) {
        let file = file_name(&path);
        let (number, rest) = file
            .split_once('-')
            .unwrap_or_else(|| panic!("{name}/{file} is not named NN-role.ext"));
        let role = rest.split('.').next().unwrap().to_owned();
        by_number.entry(number.to_owned()).or_default().push((role, path));
    }
    by_number
        .into_iter()
        .map(|(number, files)| step(source, format!("{name}/{number}"), files))
        .collect()
}

fn step(source: &'static dyn Source, name: String, mut files: Vec<(String, PathBuf)>) -> Step {
    let place = FIRST
        .iter()
        .find_map(|(first, _)| files.iter().position(|(role, _)| role == first))
        .unwrap_or(0);
    let (role, path) = files.remove(place);
    let url = FIRST.iter().find(|(first, _)| *first == role).map_or_else(
        || format!("https://status.acme.example/{}", file_name(&path)),
        |(_, url)| (*url).to_owned(),
    );
    let url = Url::parse(&url).unwrap();
    let mut known = PriorItems::default();
    let details = files
        .into_iter()
        .map(|(role, path)| {
            let role: &'static str = Box::leak(role.into_boxed_str());
            let elsewhere = ELSEWHERE.iter().find(|row| (row.0, row.1) == (source.name(), role));
            let ids = elsewhere.iter().flat_map(|row| row.3);
            known.open.extend(ids.map(|id| (Kind::Incident, (*id).to_owned())));
            let url = elsewhere.map_or_else(
                || url.join(&file_name(&path)).unwrap(),
                |row| Url::parse(row.2).unwrap(),
            );
            (role, Document::new(url, None, fs::read(&path).unwrap()))
        })
        .collect();
    Step {
        source,
        name,
        documents: Documents {
            details,
            known,
            ..Documents::only(Document::new(url, None, fs::read(&path).unwrap()))
        },
    }
}
