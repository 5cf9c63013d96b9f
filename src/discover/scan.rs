//! One file: selects the scanners by its path and cleans up what they find.

use super::table::Rule;
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

/// What says that there is a dependency, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A pipeline: a workflow, an action, an orb.
    Pipeline,
    /// A Terraform provider, resource or backend.
    Terraform,
    /// A package, or the registry it comes from.
    Package,
    /// The registry of a container image.
    Image,
    /// The configuration of a platform.
    Platform,
    /// The name of an environment variable.
    Variable,
    /// The name of a host.
    Host,
}

/// One reason to believe that a provider is needed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Finding {
    /// The provider's slug in the catalog.
    pub slug: &'static str,
    /// What kind of evidence it is.
    pub kind: Kind,
    /// The line, from 1.
    pub line: usize,
    /// The key of the table that matched: `stripe`, `aws-actions/*`.
    pub what: &'static str,
    /// False if it is used without the provider as well.
    pub sure: bool,
    /// The component that is needed, if it is one.
    pub component: Option<&'static str>,
    /// The provider's region, if stated; of the characters of region names only.
    pub region: Option<String>,
}

impl Finding {
    /// A finding by a rule of the table.
    pub(super) const fn new(rule: &Rule, kind: Kind, line: usize) -> Self {
        Self {
            slug: rule.slug,
            kind,
            line,
            what: rule.key,
            sure: rule.sure,
            component: rule.component,
            region: None,
        }
    }

    /// The same in a region, or as it is if `region` is not the name of one.
    pub(super) fn in_region(self, region: &str) -> Self {
        let region = region.trim().trim_matches(['"', '\'']);
        Self { region: is_region(region).then(|| region.to_owned()), ..self }
    }
}

/// `eu-west-1`, `us-gov-east-1`, `europe-west4`: what AWS and Google Cloud call their regions.
pub(super) fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let continent = [
        "us",
        "eu",
        "ap",
        "sa",
        "ca",
        "me",
        "af",
        "il",
        "cn",
        "mx",
        "europe",
        "asia",
        "northamerica",
        "southamerica",
        "australia",
        "africa",
    ];
    let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    let ends = parts.last().is_some_and(|last| {
        let digits = last.trim_start_matches(|c: char| c.is_ascii_lowercase());
        digits.len() == 1 && digits.bytes().all(|b| b.is_ascii_digit())
    });
    (2..=4).contains(&parts.len())
        && parts.first().is_some_and(|first| continent.contains(first))
        && parts.iter().take(parts.len() - 1).all(is_word)
        && ends
        && text.len() < 32
}

/// The file name and the directories of a path whose separator is `/`.
pub(super) struct Place<'p> {
    /// In lower case.
    pub(super) path: String,
    /// In lower case.
    pub(super) name: &'p str,
}

impl Place<'_> {
    /// Whether the file is at `end`: has this name, or these directories and this name last.
    pub(super) fn is_at(&self, end: &str) -> bool {
        self.path.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
    }

    /// What follows the last dot of the name.
    pub(super) fn extension(&self) -> &str {
        self.name.rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    pub(super) fn is_yaml(&self) -> bool {
        matches!(self.extension(), "yml" | "yaml")
    }
}

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

/// The lines of a text with their numbers, without those that are comments.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    lines.filter(|(_, line)| {
        let line = line.trim_start();
        !line.starts_with('#') && !line.starts_with("//")
    })
}

/// The value of `key: value` or `- key: value`, without quotes and a comment.
pub(super) fn yaml_value<'t>(line: &'t str, key: &str) -> Option<&'t str> {
    let line = line.trim_start();
    let line = line.strip_prefix("- ").unwrap_or(line).trim_start();
    let value = line.strip_prefix(key)?.trim_start().strip_prefix(':')?;
    let value = value.split(" #").next().unwrap_or_default().trim();
    Some(value.trim_matches(['"', '\'']))
}
