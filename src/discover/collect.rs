//! Merges the findings of all files into one list of providers, and writes their entries.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::finding::{Finding, Kind};
use crate::catalog;
use crate::text::one_line;

/// Places kept for each provider; all are counted.
const KEPT: usize = 20;
/// The maximum length of a path in a comment, in characters.
const MAX_PATH: usize = 200;
/// What is in no region has this group at AWS and Google Cloud.
const NO_REGION: &str = "global";

/// A provider that the files need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dependency {
    /// Its slug in the catalog.
    pub slug: &'static str,
    /// Its display name.
    pub name: &'static str,
    /// False if every evidence is of something that is used without the provider as well.
    pub sure: bool,
    /// The components that are needed; empty: unknown, or all.
    pub components: BTreeSet<&'static str>,
    /// The regions that are used; empty: unknown.
    pub regions: BTreeSet<String>,
    /// The evidence, strongest first, at most 20 places.
    pub evidence: Vec<Evidence>,
    /// The number of places.
    pub places: usize,
}

/// A place that says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Relative to the directory scanned, on one line.
    pub path: String,
    /// From 1.
    pub line: usize,
    /// What kind of evidence it is.
    pub kind: Kind,
    /// The key of the table that matched.
    pub what: &'static str,
    /// Whether it is enough.
    pub sure: bool,
}

/// Merges findings, each with the path of its file, by provider. In the order of the slugs, those
/// that are sure first.
#[must_use]
pub fn collect<'f>(files: impl IntoIterator<Item = (&'f str, Vec<Finding>)>) -> Vec<Dependency> {
    let mut by_slug: BTreeMap<&'static str, Vec<(&str, Finding)>> = BTreeMap::new();
    for (path, findings) in files {
        for finding in findings {
            by_slug.entry(finding.slug).or_default().push((path, finding));
        }
    }
    let mut all: Vec<Dependency> =
        by_slug.into_iter().filter_map(|(slug, found)| dependency(slug, found)).collect();
    all.sort_by_key(|dependency| (!dependency.sure, dependency.slug));
    all
}

fn dependency(slug: &'static str, mut found: Vec<(&str, Finding)>) -> Option<Dependency> {
    let entry = catalog::find(slug)?;
    found.sort_by(|(path, one), (other_path, other)| {
        (!one.sure, one.kind, path, one.line).cmp(&(
            !other.sure,
            other.kind,
            other_path,
            other.line,
        ))
    });
    let sure = found.iter().any(|(_, finding)| finding.sure);
    let counted =
        || found.iter().map(|(_, finding)| finding).filter(|finding| finding.sure == sure);
    // One use of the provider as a whole makes its components irrelevant.
    let components = if counted().all(|finding| finding.component.is_some()) {
        counted().filter_map(|finding| finding.component).collect()
    } else {
        BTreeSet::new()
    };
    let mut regions: BTreeSet<String> =
        counted().filter_map(|finding| finding.region.clone()).collect();
    if !regions.is_empty() {
        regions.insert(NO_REGION.to_owned());
    }
    let evidence = found.iter().take(KEPT).map(|(path, finding)| Evidence {
        path: one_line(path, MAX_PATH),
        line: finding.line,
        kind: finding.kind,
        what: finding.what,
        sure: finding.sure,
    });
    let evidence = evidence.collect();
    let places = found.len();
    Some(Dependency { slug, name: entry.name, sure, components, regions, evidence, places })
}

impl Dependency {
    /// The entry for `providers.yaml` as it stands behind `- `, without a line feed: the slug, or
    /// the slug with filters, and a comment that names the strongest evidence.
    #[must_use]
    pub fn entry(&self) -> String {
        let list = |values: Vec<&str>| {
            let quoted: Vec<String> = values.iter().map(|value| format!("\"{value}\"")).collect();
            format!("[{}]", quoted.join(", "))
        };
        let mut filters = Vec::new();
        if !self.components.is_empty() {
            filters
                .push(format!("components: {}", list(self.components.iter().copied().collect())));
        }
        if !self.regions.is_empty() {
            let regions = self.regions.iter().map(String::as_str).collect();
            filters.push(format!("regions: {}", list(regions)));
        }
        let filters = match filters.len() {
            0 => String::new(),
            _ => format!(": {{{}}}", filters.join(", ")),
        };
        format!("{}{filters} # because {}", self.slug, self.because())
    }

    /// `.github/workflows/ci.yml:12 and 3 more places`.
    #[must_use]
    pub fn because(&self) -> String {
        let first = self
            .evidence
            .first()
            .map_or_else(String::new, |first| format!("{}:{}", first.path, first.line));
        match self.places.saturating_sub(1) {
            0 => first,
            1 => format!("{first} and 1 more place"),
            more => format!("{first} and {more} more places"),
        }
    }
}
