//! The registries of container images: Dockerfiles, Compose files, Kubernetes manifests, pipelines.

use std::collections::BTreeSet;

use super::finding::{Finding, Kind, Place, is_region, lines, yaml_value};
use super::table::{IMAGES, find_host};

/// How many lines around an `image:` are searched for a `build:` of the same service.
const NEAR: usize = 40;

fn is_dockerfile(place: &Place<'_>) -> bool {
    let name = place.name;
    ["dockerfile", "containerfile"].iter().any(|kind| {
        name == *kind
            || name.strip_prefix(kind).is_some_and(|rest| rest.starts_with(['.', '-']))
            || name.strip_suffix(kind).is_some_and(|rest| rest.ends_with('.'))
    })
}

pub(super) fn takes(place: &Place<'_>) -> bool {
    is_dockerfile(place) || (place.is_yaml() && !place.name.ends_with("-lock.yaml"))
}

pub(super) fn scan(place: &Place<'_>, text: &str, found: &mut dyn FnMut(Finding)) {
    if is_dockerfile(place) { dockerfile(text, found) } else { manifest(text, found) }
}

fn dockerfile(text: &str, found: &mut dyn FnMut(Finding)) {
    let mut stages = BTreeSet::new();
    for (number, line) in lines(text) {
        let words: Vec<&str> = line.split_whitespace().take(16).collect();
        let Some((instruction, rest)) = words.split_first() else { continue };
        if instruction.eq_ignore_ascii_case("from") {
            let rest: Vec<&&str> = rest.iter().filter(|word| !word.starts_with("--")).collect();
            if let Some(image) =
                rest.first().filter(|image| !stages.contains(&image.to_lowercase()))
            {
                report(image, number, found);
            }
            if let [_, keyword, stage, ..] = rest.as_slice()
                && keyword.eq_ignore_ascii_case("as")
            {
                stages.insert(stage.to_lowercase());
            }
        } else if instruction.eq_ignore_ascii_case("copy") {
            let from = rest.iter().find_map(|word| word.strip_prefix("--from="));
            // The number or name of a stage has neither.
            if let Some(image) = from.filter(|from| from.contains(['/', ':'])) {
                report(image, number, found);
            }
        }
    }
}

fn manifest(text: &str, found: &mut dyn FnMut(Finding)) {
    let all: Vec<&str> = text.lines().collect();
    // The line before was `image:` alone, as GitLab has it before `name: …`.
    let mut is_named = false;
    for (number, line) in lines(text) {
        let image = yaml_value(line, "image");
        let name = yaml_value(line, "name").filter(|_| is_named);
        let action = yaml_value(line, "uses").and_then(|uses| uses.strip_prefix("docker://"));
        is_named = image == Some("");
        if let Some(image) = image.or(name).or(action)
            && !image.is_empty()
            && !is_built(&all, number - 1)
        {
            report(image, number, found);
        }
    }
}

/// Whether the mapping around the line at `index` has a `build` as well: the image is only its
/// name then.
fn is_built(all: &[&str], index: usize) -> bool {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let Some(own) = all.get(index).map(|line| indent(line)) else { return false };
    let is_build = |line: &&&str| indent(line) == own && line.trim_start().starts_with("build:");
    let inside = |line: &&&str| line.trim().is_empty() || indent(line) >= own;
    let before = all.iter().take(index).rev().take(NEAR).take_while(inside);
    let after = all.iter().skip(index + 1).take(NEAR).take_while(inside);
    before.chain(after).any(|line| is_build(&line))
}

/// Reports the registry of an image. A registry given by a variable is unknown.
fn report(image: &str, number: usize, found: &mut dyn FnMut(Finding)) {
    let image = image.trim_matches(['"', '\'']).to_lowercase();
    let is_image = |c: char| c.is_ascii_alphanumeric() || "./:@_-${}".contains(c);
    if image == "scratch" || image.starts_with(['$', '{', '.', '/']) || !image.chars().all(is_image)
    {
        return;
    }
    // `registry/name`, where the registry is a host; else `name` or `owner/name` on Docker Hub.
    let registry = image
        .split_once('/')
        .map(|(first, _)| first)
        .filter(|first| first.contains(['.', ':', '$']) || *first == "localhost")
        .unwrap_or("docker.io");
    let host = registry.split(':').next().unwrap_or_default();
    if let Some(rule) = find_host(IMAGES, host) {
        let finding = Finding::new(rule, Kind::Image, number);
        // `1234.dkr.ecr.eu-west-1.amazonaws.com`
        found(match host.split('.').find(|label| rule.slug == "aws" && is_region(label)) {
            Some(region) => finding.in_region(region),
            None => finding,
        });
    }
}
