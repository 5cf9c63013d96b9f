//! The configuration files of platforms: that they exist says it.

use super::finding::{Finding, Kind, Place, lines};
use super::table::{FILES, Rule};

fn rule(place: &Place<'_>) -> Option<&'static Rule> {
    FILES.iter().find(|rule| place.is_at(rule.key))
}

pub(super) fn takes(place: &Place<'_>) -> bool {
    rule(place).is_some()
}

pub(super) fn scan(place: &Place<'_>, text: &str, found: &mut dyn FnMut(Finding)) {
    let Some(rule) = rule(place) else { return };
    let first = lines(text).find(|(_, line)| !line.trim().is_empty());
    found(Finding::new(rule, Kind::Platform, first.map_or(1, |(number, _)| number)));
    if !matches!(rule.slug, "aws" | "google-cloud") {
        // Other platforms do not group the components of their status page by region.
        return;
    }
    for (number, line) in lines(text) {
        let (key, value) = line.split_once(['=', ':']).unwrap_or_default();
        if matches!(key.trim(), "region" | "default_region") {
            let finding = Finding::new(rule, Kind::Platform, number).in_region(value);
            if finding.region.is_some() {
                found(finding);
            }
        }
    }
}
