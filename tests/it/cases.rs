//! The table of reliability cases: what it names is there, and it leaves no case out.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const TABLE: &str = "docs/src/reliability.md";

/// How a row may say what came of it.
const RESULTS: &[&str] = &["pass", "in part: ", "differs: ", "not covered"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A row of the tables of cases: the cases it is about, the tests it names, what it says.
struct Row {
    cases: Vec<String>,
    tests: Vec<String>,
    result: String,
}

/// `D-07` as group and number.
fn case(word: &str) -> Option<(char, u32)> {
    let (group, number) = word.trim_end_matches([',', ':']).split_once('-')?;
    let group = Some(group)
        .filter(|group| group.len() == 1)?
        .chars()
        .next()
        .filter(char::is_ascii_uppercase)?;
    (number.len() == 2).then(|| number.parse().ok()).flatten().map(|number| (group, number))
}

fn name((group, number): (char, u32)) -> String {
    format!("{group}-{number:02}")
}

/// The cases at the beginning of a cell: `H-04, H-05 slow` or `S-01 to S-07, S-09 webhooks`.
fn cases(cell: &str) -> Vec<String> {
    let (mut found, mut words) = (Vec::new(), cell.split_whitespace().peekable());
    while let Some(first) = words.next().and_then(case) {
        let last =
            if words.peek() == Some(&"to") { words.nth(1).and_then(case).unwrap() } else { first };
        assert_eq!(first.0, last.0, "{cell}");
        found.extend((first.1..=last.1).map(|number| name((first.0, number))));
    }
    found
}

fn rows() -> Vec<Row> {
    let text = fs::read_to_string(root().join(TABLE)).unwrap();
    let tables = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let rows = tables.filter_map(|line| {
        let cells: Vec<&str> = line.split(" | ").collect();
        let cases = cases(cells[0]);
        if cases.is_empty() {
            return None;
        }
        // An empty cell between two others.
        let [_, tests, result] = cells[..] else { panic!("three columns: {line}") };
        let named = tests.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        Some(Row { cases, tests: named, result: result.to_owned() })
    });
    rows.collect()
}

/// Whether there is a test of this name, as `cargo test` shows it, where the name says.
fn exists(test: &str) -> bool {
    let Some((module, name)) = test.rsplit_once("::") else {
        return false;
    };
    let units = ["src", "crates/model/src", "crates/sources/src", "crates/fake/src"];
    let (places, module) = match module.strip_suffix("::tests") {
        Some(module) => (&units[..], module),
        None => (&["tests/it"][..], module),
    };
    // A module within the file may stand in between.
    let modules = [module, module.rsplit_once("::").map_or(module, |(outer, _)| outer)];
    let files = places
        .iter()
        .flat_map(|place| modules.map(|module| root().join(place).join(module.replace("::", "/"))))
        .flat_map(|path| [path.with_extension("rs"), path.join("mod.rs"), path.join("tests.rs")]);
    files.into_iter().filter(|file| file.is_file()).any(|file| has_test(&file, name))
}

fn has_test(file: &Path, name: &str) -> bool {
    let text = fs::read_to_string(file).unwrap();
    let function = format!("fn {name}(");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_test = |place: usize| {
        let mut above = lines[..place]
            .iter()
            .rev()
            .take_while(|line| line.starts_with('#') || line.starts_with("//"));
        above.any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    };
    (0..lines.len()).any(|place| {
        (lines[place].starts_with(&function)
            || lines[place].starts_with(&format!("async {function}")))
            && is_test(place)
    })
}

#[test]
fn every_test_named_exists_and_every_case_has_a_row() {
    let rows = rows();
    let mut seen = BTreeSet::new();
    for row in &rows {
        for case in &row.cases {
            assert!(seen.insert(case.clone()), "{case} has two rows in {TABLE}");
        }
        for test in &row.tests {
            assert!(
                !test.contains("::") || exists(test),
                "{:?} in {TABLE} names the test {test}, which is not there",
                row.cases
            );
        }
        let says = RESULTS.iter().find(|result| row.result.starts_with(**result));
        let says =
            says.unwrap_or_else(|| panic!("{:?}: \"{}\" is no result", row.cases, row.result));
        let shown = row.tests.iter().any(|test| test.contains("::"));
        match *says {
            "pass" | "in part: " => {
                assert!(shown, "{:?}: \"{}\" names no test", row.cases, row.result);
            }
            "not covered" => assert!(
                !shown,
                "{:?}: a test is named, and it is said to be not covered",
                row.cases
            ),
            _ => {}
        }
    }
}

#[test]
#[ignore = "needs captures of real pages, in STATUSWATCH_CAPTURES: see .ci/run"]
fn every_case_of_the_catalog_has_a_row() {
    let seen: BTreeSet<String> = rows().into_iter().flat_map(|row| row.cases).collect();
    let captures = std::env::var("STATUSWATCH_CAPTURES").expect("it names the captures' folder");
    let catalog = Path::new(&captures).join("../reliability-cases.md");
    let catalog = fs::read_to_string(catalog).expect("the catalog of cases, beside the captures");
    let wanted: Vec<String> = catalog
        .lines()
        .filter_map(|line| case(line.strip_prefix("| ")?.split(' ').next()?))
        .map(name)
        .collect();
    assert!(wanted.len() > 200, "{}", wanted.len());
    let missing: Vec<&String> = wanted.iter().filter(|case| !seen.contains(*case)).collect();
    assert!(missing.is_empty(), "no row in {TABLE}: {missing:?}");
    let invented: Vec<&String> = seen.iter().filter(|case| !wanted.contains(case)).collect();
    assert!(invented.is_empty(), "not in the catalog: {invented:?}");
}
