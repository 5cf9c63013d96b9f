use super::table::{self, Rule};
use super::*;
use crate::catalog;

const TABLES: &[&[Rule]] = &[
    table::PIPELINES,
    table::ACTIONS,
    table::ORBS,
    table::FILES,
    table::TERRAFORM,
    table::NPM,
    table::PYPI,
    table::CRATES,
    table::GO,
    table::GEMS,
    table::MAVEN,
    table::REGISTRIES,
    table::IMAGES,
    table::VARIABLES,
    table::HOSTS,
    &[table::WORKFLOW, table::TERRAFORM_CLOUD],
];

#[test]
fn the_table_names_providers_of_the_catalog() {
    let mut rules = 0;
    for table in TABLES {
        for (index, rule) in table.iter().enumerate() {
            assert!(catalog::find(rule.slug).is_some(), "{rule:?}: no such slug");
            assert_eq!(rule.key, rule.key.to_lowercase());
            assert!(!table[..index].iter().any(|other| other.key == rule.key), "{rule:?} twice");
            rules += 1;
        }
    }
    assert!(rules > 300, "{rules}");
}

#[test]
fn the_longest_key_decides() {
    let slug = |host: &str| table::find_host(table::HOSTS, host).map(|rule| rule.slug);
    assert_eq!(slug("my.openai.azure.com"), Some("azure"));
    assert_eq!(slug("browser-intake-datadoghq.com"), None);
    assert_eq!(slug("app.datadoghq.com"), Some("datadog"));
    assert_eq!(slug("notdatadoghq.com.example"), None);
    let sure = |name: &str| table::find(table::VARIABLES, name).map(|rule| rule.sure);
    assert_eq!(
        [sure("aws_access_key_id"), sure("aws_region"), sure("aws")],
        [Some(true), Some(false), None]
    );
}

#[test]
fn regions_are_those_of_two_clouds() {
    for region in ["us-east-1", "eu-central-2", "us-gov-west-1", "europe-west4", "asia-northeast1"]
    {
        assert!(finding::is_region(region), "{region}");
    }
    for other in
        ["", "eu", "var.region", "west europe", "eu-west-", "eu-west-1a", "us-x\"]-1", "-1"]
    {
        assert!(!finding::is_region(other), "{other}");
    }
}

fn slugs(path: &str, text: &str) -> Vec<&'static str> {
    scan(path, text).into_iter().map(|finding| finding.slug).collect()
}

#[test]
fn a_dependency_has_the_components_of_its_evidence() {
    let workflow = "jobs:\n  a:\n    runs-on: x\n";
    let of = |files: &[(&'static str, &str)]| {
        collect(files.iter().map(|(path, text)| (*path, scan(path, text))))
            .iter()
            .map(Dependency::entry)
            .collect::<Vec<_>>()
    };
    let path = ".github/workflows/a.yml";
    assert_eq!(
        of(&[(path, workflow)]),
        ["github: {components: [\"Actions\"]} # because .github/workflows/a.yml:3"]
    );
    // The API as a whole is used as well.
    assert_eq!(
        of(&[(path, workflow), ("package.json", r#"{"dependencies": {"octokit": "4"}}"#)]),
        [
            "github # because .github/workflows/a.yml:3 and 1 more place",
            "npm # because package.json:1"
        ]
    );
}

#[test]
fn a_path_cannot_leave_its_comment() {
    let hostile = "a\n- evil: {url: \"http://x\"}\u{1b}[2J/.gitlab-ci.yml";
    let found = collect([(hostile, scan(hostile, "a: 1\n"))]);
    assert_eq!(
        found[0].entry(),
        "gitlab # because a - evil: {url: \"http://x\"}[2J/.gitlab-ci.yml:1"
    );
}

#[test]
fn what_only_looks_like_evidence_is_none() {
    for (path, text) in [
        ("package.json", r#"{"name": "stripe", "scripts": {"openai": "x"}}"#),
        ("package.json", r#"{"dependencies": "stripe""#),
        ("README.md", "https://api.stripe.com"),
        (
            "Dockerfile",
            "FROM scratch\nFROM ${BASE}\nFROM localhost/x\nFROM registry.acme.example/x",
        ),
        ("notes.yml", "# https://api.stripe.com"),
        (".env", "STRIPE\nopenai key=x\n=\nPATH=/bin\n-----OPENAI_=\n"),
        ("main.tf", "module \"x\" {\n  source = \"../aws\"\n}\n"),
        ("Cargo.toml", "[features]\nsentry = []\n"),
    ] {
        assert_eq!(slugs(path, text), [""; 0], "{path}: {text}");
    }
}

proptest::proptest! {
    /// Whatever a file contains: no panic, and nothing of it in the result but a region.
    #[test]
    fn only_keys_of_the_table_come_out(
        path in proptest::sample::select(&[
            ".env", "package.json", "Cargo.toml", "go.mod", "Gemfile", "pom.xml", "main.tf",
            ".github/workflows/a.yml", "Dockerfile", "compose.yaml", "pyproject.toml", "cdk.json",
            "build.gradle", ".circleci/config.yml", "requirements.txt", "setup.cfg", "wrangler.jsonc",
        ][..]),
        text in "(\\PC|\n|\"|\\{|\\[|: |=|OPENAI_|from |image: |uses: |region = |us-|stripe){0,200}",
    ) {
        for finding in scan(path, &text) {
            let known = TABLES.iter().any(|rules| rules.iter().any(|rule| rule.key == finding.what));
            proptest::prop_assert!(known || finding.what == "aws-region");
            proptest::prop_assert!(finding.region.is_none_or(|region| finding::is_region(&region)));
            proptest::prop_assert!(finding.line >= 1 && finding.line <= text.lines().count().max(1));
        }
    }
}
