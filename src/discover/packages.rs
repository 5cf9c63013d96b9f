//! Manifests and lock files: the registry that packages come from, and SDKs of vendors.
//!
//! SDKs are taken from manifests alone: what a lock file lists besides is needed by a dependency,
//! which may never call the vendor.

use super::finding::{Finding, Kind, Place, lines};
use super::json_keys;
use super::table::{CRATES, GEMS, GO, MAVEN, NPM, PYPI, REGISTRIES, Rule, find};

pub(super) fn takes(place: &Place<'_>) -> bool {
    place.name == "go.mod" || registry(place).is_some()
}

/// The registry of a manifest or lock file. Of the files that begin like `requirements`, texts.
fn registry(place: &Place<'_>) -> Option<&'static Rule> {
    let rule = find(REGISTRIES, place.name)?;
    let is_text = matches!(place.extension(), "txt" | "in");
    (!rule.key.ends_with('*') || is_text).then_some(rule)
}

pub(super) fn scan(place: &Place<'_>, text: &str, found: &mut dyn FnMut(Finding)) {
    let mut report = |rules: &'static [Rule], name: &str, number: usize, is_for_use: bool| {
        if let Some(rule) = find(rules, name) {
            let finding = Finding::new(rule, Kind::Package, number);
            found(Finding { sure: rule.sure && is_for_use, ..finding });
        }
    };
    let mut dependencies = 0_usize;
    let mut sdk = |rules, name: &str, number, is_for_use| {
        dependencies += 1;
        report(rules, name, number, is_for_use);
    };
    let is_lock = match place.name {
        "package.json" => {
            json_keys::members(text, |parent, key, number| match parent {
                "dependencies" | "optionalDependencies" | "peerDependencies" => {
                    sdk(NPM, &key.to_lowercase(), number, true);
                }
                "devDependencies" => sdk(NPM, &key.to_lowercase(), number, false),
                _ => {}
            });
            false
        }
        "pyproject.toml" | "pipfile" => python(text, &mut sdk),
        name if name.starts_with("requirements") => {
            for (number, line) in lines(text) {
                if let Some(name) = requirement(line) {
                    sdk(PYPI, &name, number, true);
                }
            }
            false
        }
        "setup.cfg" => python(text, &mut sdk),
        "cargo.toml" => cargo(text, &mut sdk),
        "go.mod" => go(text, &mut sdk),
        "gemfile" => gems(text, &mut sdk),
        "pom.xml" => maven(text, &mut sdk),
        "build.gradle" | "build.gradle.kts" => gradle(text, &mut sdk),
        _ => true,
    };
    // A manifest without dependencies fetches nothing.
    if let Some(rule) = registry(place)
        && (dependencies > 0 || is_lock)
    {
        let first = lines(text).find(|(_, line)| !line.trim().is_empty());
        found(Finding::new(rule, Kind::Package, first.map_or(1, |(number, _)| number)));
    }
}

/// Reports a dependency: the rules, its name, its line, and whether it is needed at run time.
type Sdk<'s> = &'s mut dyn FnMut(&'static [Rule], &str, usize, bool);

/// The name of a Python requirement: `Google_Cloud-storage[x]>=1` is `google-cloud-storage`.
fn requirement(text: &str) -> Option<String> {
    let text = text.trim().trim_matches(['"', '\'', ',']).trim();
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !"._-".contains(c));
    let name = end.map_or(text, |end| text.get(..end).unwrap_or_default());
    let is_name = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    is_name.then(|| name.to_lowercase().replace('_', "-"))
}

/// Tables of dependencies, and lists of requirements as strings.
fn python(text: &str, sdk: Sdk<'_>) -> bool {
    let (mut table, mut in_list, mut is_dev) = (String::new(), false, false);
    for (number, line) in lines(text) {
        let trimmed = line.trim();
        if trimmed.starts_with('[') && trimmed.ends_with(']') && !in_list {
            table = trimmed.trim_matches(['[', ']']).to_lowercase();
            is_dev = table.contains("dev") || table.contains("test") || table.contains("docs");
            continue;
        }
        let (key, value) = trimmed.split_once('=').unwrap_or((trimmed, ""));
        let key = key.trim();
        let begins = !in_list && value.trim_start().starts_with('[');
        let is_requirements = matches!(key, "dependencies" | "install_requires" | "requires")
            || table.contains("optional-dependencies")
            || table == "dependency-groups";
        if begins && is_requirements {
            in_list =
                !value.contains(']') || value.matches('[').count() > value.matches(']').count();
            for part in value.trim_start().trim_start_matches('[').split(',') {
                if part.contains(['"', '\''])
                    && let Some(name) = requirement(part)
                {
                    sdk(PYPI, &name, number, !is_dev);
                }
            }
        } else if in_list {
            if trimmed.starts_with(['"', '\''])
                && let Some(name) = requirement(trimmed)
            {
                sdk(PYPI, &name, number, !is_dev);
            }
            in_list = !trimmed.starts_with(']');
        } else if (table.ends_with("dependencies") || table.ends_with("packages"))
            && !value.is_empty()
            && key != "python"
        {
            sdk(
                PYPI,
                &key.trim_matches(['"', '\'']).to_lowercase().replace('_', "-"),
                number,
                !is_dev,
            );
        } else if table.starts_with("options")
            && line.starts_with([' ', '\t'])
            && let Some(name) = requirement(trimmed)
        {
            sdk(PYPI, &name, number, true);
        }
    }
    false
}

/// `[dependencies]`, `[target.….dependencies]`, `[dependencies.stripe]`.
fn cargo(text: &str, sdk: Sdk<'_>) -> bool {
    let mut table = "";
    for (number, line) in lines(text) {
        let line = line.trim();
        if line.starts_with('[') {
            table = line.trim_matches(['[', ']']);
            if let Some((_, name)) = table.rsplit_once("dependencies.") {
                sdk(CRATES, &name.replace('_', "-"), number, !table.contains("dev-"));
            }
        } else if table.ends_with("dependencies")
            && let Some((name, value)) = line.split_once('=')
            && !value.contains("path =")
        {
            let name = name.trim().trim_matches('"');
            let name = name.split('.').next().unwrap_or_default().replace('_', "-");
            sdk(CRATES, &name, number, !table.contains("dev-"));
        }
    }
    false
}

/// `require` lines; what is `// indirect` is needed by a dependency.
fn go(text: &str, sdk: Sdk<'_>) -> bool {
    for (number, line) in lines(text) {
        let line = line.trim();
        let line = line.strip_prefix("require ").unwrap_or(line);
        if line.contains(" v") && !line.contains("// indirect") && !line.contains("=>") {
            let module = line.split_whitespace().next().unwrap_or_default();
            sdk(GO, &module.to_lowercase(), number, true);
        }
    }
    false
}

/// `gem "stripe"`.
fn gems(text: &str, sdk: Sdk<'_>) -> bool {
    for (number, line) in lines(text) {
        let name = line.trim().strip_prefix("gem ").and_then(|rest| rest.split(['"', '\'']).nth(1));
        if let Some(name) = name {
            sdk(GEMS, &name.to_lowercase(), number, true);
        }
    }
    false
}

/// `<groupId>` of dependencies.
fn maven(text: &str, sdk: Sdk<'_>) -> bool {
    let mut depth = 0_usize;
    for (number, line) in text.lines().enumerate() {
        depth += line.matches("<dependency>").count();
        let group = line.split_once("<groupId>").and_then(|(_, rest)| rest.split('<').next());
        if let Some(group) = group.filter(|_| depth > 0) {
            sdk(MAVEN, &group.trim().to_lowercase(), number + 1, true);
        }
        depth = depth.saturating_sub(line.matches("</dependency>").count());
    }
    false
}

/// `implementation "group:artifact:version"`.
fn gradle(text: &str, sdk: Sdk<'_>) -> bool {
    for (number, line) in lines(text) {
        let is_test = line.trim_start().starts_with("test");
        for name in line.split(['"', '\'']).skip(1).step_by(2).filter(|text| text.contains(':')) {
            let group = name.split(':').next().unwrap_or_default();
            sdk(MAVEN, &group.to_lowercase(), number, !is_test);
        }
    }
    false
}
