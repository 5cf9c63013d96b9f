//! Terraform and `OpenTofu`: required providers, provider blocks with their regions, resources,
//! backends and lock files.

use super::finding::{Finding, Kind, Place, lines};
use super::table::{Rule, TERRAFORM, TERRAFORM_CLOUD, find};

pub(super) fn takes(place: &Place<'_>) -> bool {
    matches!(place.extension(), "tf" | "tofu") || place.name == ".terraform.lock.hcl"
}

pub(super) fn scan(_: &Place<'_>, text: &str, found: &mut dyn FnMut(Finding)) {
    // The rule of the block at the outermost level, for its region.
    let mut block: Option<&'static Rule> = None;
    for (number, line) in lines(text) {
        let (head, rest) = line.trim().split_once([' ', '=']).unwrap_or((line.trim(), ""));
        let quoted = rest.split('"').nth(1).unwrap_or_default();
        if let Some(rule) = source(line) {
            found(Finding::new(rule, Kind::Terraform, number));
        }
        match head {
            "provider" | "resource" | "data" => block = named(head, quoted),
            "backend" => block = backend(quoted),
            "cloud" if rest.trim_start().starts_with('{') => block = Some(&TERRAFORM_CLOUD),
            "region" | "location" => {
                if let Some(rule) = block {
                    let finding = Finding::new(rule, Kind::Terraform, number).in_region(quoted);
                    if finding.region.is_some() {
                        found(finding);
                    }
                }
                continue;
            }
            _ => {
                if line.starts_with('}') {
                    block = None;
                }
                continue;
            }
        }
        if let Some(rule) = block {
            found(Finding::new(rule, Kind::Terraform, number));
        }
    }
}

/// The rule of `source = "hashicorp/aws"`, also within a line. The sources of modules are paths or
/// have more parts.
fn source(line: &str) -> Option<&'static Rule> {
    let (_, rest) = line.split_once("source")?;
    let value = rest.trim_start().strip_prefix('=')?.trim_start().strip_prefix('"')?;
    let (namespace, name) = value.split('"').next()?.split_once('/')?;
    (!namespace.starts_with('.')).then(|| provider(name)).flatten()
}

/// The rule of `provider "aws"`, of `resource "aws_s3_bucket"`, or of the
/// `provider "registry.terraform.io/hashicorp/aws"` of a lock file.
fn named(head: &str, quoted: &str) -> Option<&'static Rule> {
    let last = quoted.rsplit('/').next().unwrap_or_default();
    match head {
        "provider" => provider(last),
        _ => provider(last.split('_').next().unwrap_or_default()),
    }
}

fn provider(name: &str) -> Option<&'static Rule> {
    find(TERRAFORM, &name.to_lowercase())
}

/// Where the state is kept.
fn backend(name: &str) -> Option<&'static Rule> {
    match name {
        "s3" => provider("aws"),
        "gcs" => provider("google"),
        "azurerm" => provider("azurerm"),
        "remote" => Some(&TERRAFORM_CLOUD),
        _ => None,
    }
}
