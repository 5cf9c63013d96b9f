//! Tests that need something which not every machine has are ignored, with the reason: none passes
//! without having run, and `.ci/run` runs all of them.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            files(&entry, found);
        } else if entry.extension().is_some_and(|end| end == "rs") {
            found.push(entry);
        }
    }
}

/// An ignored test: its path without the module within its file, and the attribute's reason.
struct Ignored {
    name: String,
    reason: String,
}

fn ignored() -> Vec<Ignored> {
    let mut paths = Vec::new();
    for part in ["src", "tests/it", "crates"] {
        files(&root().join(part), &mut paths);
    }
    let mut found = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (place, line) in lines.iter().enumerate() {
            let Some(attribute) = line.strip_prefix("#[ignore") else { continue };
            let reason =
                attribute.strip_prefix(" = \"needs ").and_then(|it| it.strip_suffix("\"]"));
            let at = format!("{}:{}", path.display(), place + 1);
            let reason = reason.unwrap_or_else(|| panic!("{at}: no reason \"needs …\""));
            let (_, after) = lines[place + 1].split_once("fn ").unwrap_or_else(|| {
                panic!("{at}: .ci/run looks for the function in the line after the attribute")
            });
            let name = after.split('(').next().unwrap();
            let module = path.strip_prefix(root()).unwrap().with_extension("");
            let name = format!("{}::{name}", module.display().to_string().replace('/', "::"));
            found.push(Ignored { name, reason: reason.to_owned() });
        }
    }
    found
}

#[test]
fn every_ignored_test_is_run_by_ci() {
    let script = fs::read_to_string(root().join(".ci/run")).unwrap();
    // A row of the system's tools names a reason; other lines name a part of the tests' names.
    let reasons: Vec<&str> = script
        .lines()
        .filter_map(|line| line.strip_prefix("needs '")?.split('\'').next())
        .collect();
    let filters: Vec<&str> = script
        .lines()
        .filter_map(|line| line.split_once("-- --ignored "))
        .flat_map(|(_, filters)| filters.split_whitespace())
        .filter(|filter| filter.bytes().all(|byte| byte.is_ascii_lowercase()))
        .collect();
    let all = ignored();
    for test in &all {
        let by_reason = reasons.iter().any(|reason| test.reason.starts_with(reason));
        let by_name = filters.iter().any(|filter| test.name.contains(filter));
        assert!(by_reason || by_name, "{} needs {}: not in .ci/run", test.name, test.reason);
    }
    for reason in reasons {
        let used = all.iter().any(|test| test.reason.starts_with(reason));
        assert!(used, ".ci/run provides what no test needs: {reason}");
    }
}
