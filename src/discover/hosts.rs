//! Host names in configuration files.

use super::finding::{Finding, Kind, Place, lines};
use super::table::{HOSTS, find_host};

/// Extensions of files that configure something.
const EXTENSIONS: &[&str] = &[
    "yml",
    "yaml",
    "toml",
    "json",
    "jsonc",
    "ini",
    "cfg",
    "conf",
    "properties",
    "xml",
    "tf",
    "hcl",
    "gradle",
    "kts",
];
/// Files that list hosts of packages, homepages or funding, and configure nothing.
const LISTS: &[&str] = &[
    "package.json",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "pnpm-lock.yaml",
    "composer.json",
    "composer.lock",
    "cargo.toml",
    "pyproject.toml",
    "pom.xml",
    "funding.yml",
];

pub(super) fn takes(place: &Place<'_>) -> bool {
    (EXTENSIONS.contains(&place.extension())
        || matches!(place.name, ".npmrc" | ".pypirc" | ".netrc"))
        && !LISTS.contains(&place.name)
        && !place.name.ends_with(".lock.json")
        && !place.name.ends_with(".schema.json")
}

pub(super) fn scan(place: &Place<'_>, text: &str, found: &mut dyn FnMut(Finding)) {
    // Many files in these formats are data, which may name any host.
    let may_be_data = matches!(place.extension(), "json" | "xml");
    let is_configuration = ["config", "settings", "wrangler", "vercel", "firebase"]
        .iter()
        .any(|word| place.name.contains(word));
    for (number, line) in lines(text) {
        for host in hosts(line) {
            if let Some(rule) = find_host(HOSTS, &host) {
                let finding = Finding::new(rule, Kind::Host, number);
                found(Finding { sure: rule.sure && (is_configuration || !may_be_data), ..finding });
            }
        }
    }
}

/// What looks like a host of at least two labels, in lower case.
fn hosts(line: &str) -> impl Iterator<Item = String> {
    let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '-');
    words
        .map(|word| word.trim_matches(['.', '-']))
        .filter(|word| word.len() <= 253 && word.contains('.'))
        .map(str::to_lowercase)
}
