//! Pipelines: GitHub workflows and actions, GitLab, `CircleCI` and others.

use super::environment;
use super::finding::{Finding, Kind, Place, lines, yaml_value};
use super::table::{ACTIONS, ORBS, PIPELINES, Rule, WORKFLOW, find};

/// The pipeline whose definition this file is.
fn pipeline(place: &Place<'_>) -> Option<&'static Rule> {
    PIPELINES.iter().find(|rule| place.is_at(rule.key))
}

fn is_workflow(place: &Place<'_>) -> bool {
    place.is_yaml() && format!("/{}", place.path).contains("/.github/workflows/")
}

fn is_action(place: &Place<'_>) -> bool {
    matches!(place.name, "action.yml" | "action.yaml")
}

pub(super) fn takes(place: &Place<'_>) -> bool {
    is_workflow(place) || is_action(place) || pipeline(place).is_some()
}

pub(super) fn scan(place: &Place<'_>, text: &str, found: &mut dyn FnMut(Finding)) {
    if let Some(rule) = pipeline(place) {
        found(Finding::new(rule, Kind::Pipeline, first(text)));
    }
    let is_workflow = is_workflow(place);
    let mut has_job = false;
    let mut in_orbs = false;
    for (number, line) in lines(text) {
        if is_workflow && !has_job && yaml_value(line, "runs-on").is_some() {
            has_job = true;
            found(Finding::new(&WORKFLOW, Kind::Pipeline, number));
        }
        if let Some(used) = yaml_value(line, "uses") {
            let used = used.to_lowercase();
            // Paths of the repository and images are not actions.
            let name: String = used.split('@').next().unwrap_or_default().to_owned();
            let name: String = name.split('/').take(2).collect::<Vec<_>>().join("/");
            if let Some(rule) = find(ACTIONS, &name) {
                found(Finding::new(rule, Kind::Pipeline, number));
            }
        }
        for key in ["aws-region", "AWS_REGION", "AWS_DEFAULT_REGION"] {
            if let Some(region) = yaml_value(line, key) {
                let finding = Finding::new(&REGION, Kind::Pipeline, number).in_region(region);
                if finding.region.is_some() {
                    found(finding);
                }
            }
        }
        if !line.starts_with([' ', '\t']) && !line.trim().is_empty() {
            in_orbs = line.starts_with("orbs:");
        } else if in_orbs && let Some((_, orb)) = line.split_once(": ") {
            let name = orb.trim().split('@').next().unwrap_or_default();
            let name = name.rsplit('/').next().unwrap_or_default().to_lowercase();
            if let Some(rule) = find(ORBS, &name) {
                found(Finding::new(rule, Kind::Pipeline, number));
            }
        }
        secrets(line, number, found);
    }
}

/// `AWS_REGION: eu-west-1`.
const REGION: Rule = Rule { key: "aws-region", slug: "aws", component: None, sure: true };

/// The names behind `secrets.` and `vars.` of an expression.
fn secrets(line: &str, number: usize, found: &mut dyn FnMut(Finding)) {
    for context in ["secrets.", "vars."] {
        for rest in line.split(context).skip(1) {
            let name = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next();
            if let Some(rule) = name.and_then(environment::rule) {
                found(Finding::new(rule, Kind::Variable, number));
            }
        }
    }
}

/// The first line that is neither blank nor a comment.
fn first(text: &str) -> usize {
    lines(text).find(|(_, line)| !line.trim().is_empty()).map_or(1, |(number, _)| number)
}
