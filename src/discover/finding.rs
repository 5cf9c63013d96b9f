//! What the scanners share: a finding, the place of a file, and lines of text.

use super::table::Rule;

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
