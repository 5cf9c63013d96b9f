//! One file: selects the scanners by its path and cleans up what they find.

use super::finding::{Finding, Place};
use super::{ci, environment, hosts, images, packages, platforms, terraform};

/// The maximum number of findings of one file.
const MAX_FINDINGS: usize = 1_000;

/// Directories of tests, samples and documentation: what they name may never be used.
const SAMPLES: &[&str] = &[
    "test",
    "tests",
    "__tests__",
    "testdata",
    "spec",
    "specs",
    "e2e",
    "fixture",
    "fixtures",
    "__fixtures__",
    "mocks",
    "__mocks__",
    "example",
    "examples",
    "sample",
    "samples",
    "docs",
    "doc",
    "benchmarks",
];

/// Whether the text of this file may say something; `path` is relative, with `/` between names.
#[must_use]
pub fn is_evidence(path: &str) -> bool {
    let lower = path.to_lowercase();
    let name = lower.rsplit('/').next().unwrap_or_default();
    let place = Place { path: lower.clone(), name };
    scanners().iter().any(|(takes, _)| takes(&place))
}

/// What the file at `path` says. Pure; linear in the length of the text.
#[must_use]
pub fn scan(path: &str, text: &str) -> Vec<Finding> {
    let lower = path.to_lowercase();
    let name = lower.rsplit('/').next().unwrap_or_default();
    let place = Place { path: lower.clone(), name };
    let mut found: Vec<Finding> = Vec::new();
    for (takes, scan) in scanners() {
        if takes(&place) {
            scan(&place, text, &mut |finding| add(&mut found, finding));
        }
    }
    if lower.split('/').any(|name| SAMPLES.contains(&name)) {
        for finding in &mut found {
            finding.sure = false;
        }
    }
    found
}

/// Whether a scanner takes the file at a place.
type Takes = fn(&Place<'_>) -> bool;
/// Reports what a file says.
type Scan = fn(&Place<'_>, &str, &mut dyn FnMut(Finding));

/// Every scanner, with the files it takes.
fn scanners() -> [(Takes, Scan); 7] {
    [
        (ci::takes, ci::scan),
        (terraform::takes, terraform::scan),
        (packages::takes, packages::scan),
        (images::takes, images::scan),
        (platforms::takes, platforms::scan),
        (environment::takes, environment::scan),
        (hosts::takes, hosts::scan),
    ]
}

/// Keeps the first of findings that differ in their line alone.
fn add(found: &mut Vec<Finding>, finding: Finding) {
    let same = |other: &Finding| Finding { line: other.line, ..finding.clone() } == *other;
    if found.len() < MAX_FINDINGS && !found.iter().any(same) {
        found.push(finding);
    }
}
