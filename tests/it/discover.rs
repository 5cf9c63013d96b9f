//! `discover` on repositories of ten kinds, and on hostile ones.
//!
//! A fixture is one text: `-- path --` begins a file.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use statuswatch::discover::{Limits, collect, scan, walk};

use crate::commands::run;

fn fixture(name: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/discover").join(name);
    let text = fs::read_to_string(path.with_extension("txt")).unwrap();
    let mut files: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        let header = line.strip_prefix("-- ").and_then(|rest| rest.strip_suffix(" --"));
        if let Some(path) = header {
            files.push((path.to_owned(), String::new()));
        } else {
            let (_, text) = files.last_mut().unwrap();
            text.push_str(line);
            text.push('\n');
        }
    }
    assert!(files.len() > 1, "{name}");
    files
}

/// The fixture as a directory.
fn unpacked(name: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in fixture(name) {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

/// The entries for a fixture, doubtful ones behind `?`. The walk finds what the scanner finds.
fn entries(name: &str) -> String {
    let dir = unpacked(name);
    let scanned = walk(dir.path(), &Limits::default()).unwrap();
    assert_eq!((scanned.incomplete, scanned.skipped.len()), (None, 0));
    let of_walk = collect(scanned.files.iter().map(|(path, found)| (path.as_str(), found.clone())));
    let files = fixture(name);
    let scanned = files.iter().filter(|(path, _)| !path.starts_with("node_modules/"));
    let found = collect(scanned.map(|(path, text)| (path.as_str(), scan(path, text))));
    assert_eq!(of_walk, found);
    let lines = found.iter().map(|one| {
        let mark = if one.sure { "" } else { "? " };
        format!("{mark}{}\n", one.entry())
    });
    let text: String = lines.collect();
    assert!(!text.contains("hunter2"), "{text}");
    text
}

#[test]
fn a_node_project_on_vercel() {
    insta::assert_snapshot!(entries("node-vercel"), @r#"
    clerk # because .env.example:4
    codecov # because .github/workflows/ci.yml:8 and 1 more place
    github: {components: ["Actions", "Git Operations"]} # because .github/workflows/ci.yml:5 and 1 more place
    npm # because package-lock.json:1 and 1 more place
    openai # because package.json:7
    resend # because .env.example:3
    stripe # because package.json:6 and 1 more place
    vercel # because vercel.json:1 and 1 more place
    ? mongodb-atlas # because package.json:9
    ? sentry # because package.json:8
    "#);
}

#[test]
fn a_python_service_on_aws() {
    insta::assert_snapshot!(entries("python-aws"), @r#"
    anthropic # because pyproject.toml:5
    aws: {regions: ["eu-central-1", "eu-west-1", "global"]} # because .github/workflows/deploy.yml:8 and 4 more places
    github: {components: ["Actions", "Git Operations"]} # because .github/workflows/deploy.yml:4 and 1 more place
    google-cloud # because requirements-dev.txt:3
    pypi # because pyproject.toml:1 and 1 more place
    ? sentry # because pyproject.toml:6
    "#);
}

#[test]
fn a_rust_tool() {
    insta::assert_snapshot!(entries("rust"), @r#"
    aws # because Cargo.toml:6
    crates-io # because Cargo.lock:1 and 1 more place
    github # because .github/workflows/release.yml:3 and 1 more place
    ? mongodb-atlas # because Cargo.toml:9
    ? stripe # because Cargo.toml:8
    "#);
}

#[test]
fn a_go_service_on_kubernetes() {
    insta::assert_snapshot!(entries("go-kubernetes"), @r#"
    aws: {regions: ["global", "us-east-2"]} # because go.mod:6 and 2 more places
    docker # because Dockerfile:1
    github: {components: ["Packages"]} # because k8s/deployment.yaml:9
    google-cloud # because Dockerfile:4
    quay-io # because Dockerfile:6
    slack # because go.mod:8
    "#);
}

#[test]
fn terraform_for_several_clouds() {
    insta::assert_snapshot!(entries("terraform"), @r#"
    aws: {regions: ["eu-west-3", "global", "us-east-1"]} # because main.tf:1 and 3 more places
    azure # because main.tf:12
    cloudflare # because versions.tf:7
    datadog # because main.tf:19
    github # because main.tf:22
    google-cloud: {regions: ["europe-west4", "global"]} # because main.tf:8 and 1 more place
    hashicorp # because versions.tf:9
    "#);
}

#[test]
fn a_rails_application() {
    insta::assert_snapshot!(entries("rails"), @r#"
    aws # because Gemfile:4 and 1 more place
    new-relic # because Gemfile:7
    postmark # because config/environments/mail.yml:1
    rubygems # because Gemfile:1 and 1 more place
    stripe # because Gemfile:3
    ? heroku # because Procfile:1
    ? twilio # because spec/fixtures/hosts.yml:1
    "#);
}

#[test]
fn a_monorepo_with_compose() {
    insta::assert_snapshot!(entries("monorepo-compose"), @r#"
    aws # because apps/worker/package.json:1
    clerk # because apps/web/package.json:1
    docker # because docker-compose.yml:6
    fly-io # because apps/web/fly.toml:1
    npm # because apps/web/package.json:1 and 1 more place
    twilio # because apps/worker/package.json:1
    ? posthog # because apps/web/package.json:1
    "#);
}

#[test]
fn pipelines_of_gitlab_and_circleci() {
    insta::assert_snapshot!(entries("gitlab"), @r#"
    aws: {regions: ["ap-southeast-2", "global"]} # because .circleci/config.yml:3 and 1 more place
    circleci # because .circleci/config.yml:1
    docker # because .circleci/config.yml:8
    gitlab # because .gitlab-ci.yml:2 and 1 more place
    quay-io # because .gitlab-ci.yml:11
    slack # because .gitlab-ci.yml:8
    "#);
}

#[test]
fn a_cloudflare_worker() {
    insta::assert_snapshot!(entries("cloudflare-worker"), @r#"
    anthropic # because .dev.vars:1
    cloudflare # because wrangler.jsonc:1 and 1 more place
    npm # because package.json:1
    openai # because wrangler.jsonc:4
    upstash # because package.json:2
    "#);
}

#[test]
fn a_java_service() {
    insta::assert_snapshot!(entries("java-maven"), @r#"
    aws # because pom.xml:5
    azure-devops # because azure-pipelines.yml:1
    maven-central # because build.gradle.kts:1 and 1 more place
    mongodb-atlas # because src/main/resources/application.properties:1
    okta # because src/main/resources/application.properties:2
    twilio # because build.gradle.kts:2
    ? google-cloud # because build.gradle.kts:3
    ? sentry # because pom.xml:8
    "#);
}

#[test]
fn what_is_printed_is_a_configuration() {
    for name in ["node-vercel", "python-aws", "terraform", "java-maven"] {
        let dir = unpacked(name);
        let (output, out, err) = run(dir.path(), &["discover"]);
        assert_eq!(output.status.code(), Some(0), "{err}");
        let loaded = statuswatch::config::parse(Path::new("providers.yaml"), &out, &|_| None)
            .unwrap_or_else(|error| panic!("{error}\n{out}"));
        assert!(loaded.config.providers.len() > 3, "{out}");
        assert!(err.contains(" possible in "), "{err}");
    }
}

#[test]
fn what_is_written_is_watched() {
    let dir = unpacked("node-vercel");
    let check = || run(dir.path(), &["discover", "--check"]);
    let (output, out, err) = check();
    assert_eq!((output.status.code(), out.as_str()), (Some(2), ""), "{err}");

    let before = "# ours\nproviders:\n  - openai # first\n  - {id: payments, url: \"https://www.stripestatus.com\"}\n\nstate_dir: s\n";
    fs::write(dir.path().join("providers.yaml"), before).unwrap();
    let (output, out, _) = check();
    assert_eq!(output.status.code(), Some(1));
    let named: Vec<&str> = out.lines().map(|line| line.split(' ').nth(2).unwrap()).collect();
    assert_eq!(named, ["clerk", "codecov", "github", "npm", "resend", "vercel"]);
    assert!(
        out.contains("not watched: vercel (because vercel.json:1 and 1 more place)\n"),
        "{out}"
    );

    let (output, out, err) = run(dir.path(), &["discover", "--write"]);
    assert_eq!(
        (output.status.code(), out.as_str(), err.as_str()),
        (Some(0), "providers.yaml: 8 providers\n", "")
    );
    let text = fs::read_to_string(dir.path().join("providers.yaml")).unwrap();
    assert!(text.starts_with("# ours\nproviders:\n  - openai # first\n"), "{text}");
    assert!(text.contains("\n  - npm # because package-lock.json:1 and 1 more place\n"), "{text}");
    assert!(text.ends_with("\n\nstate_dir: s\n"), "{text}");

    let (output, out, _) = check();
    assert_eq!((output.status.code(), out.as_str()), (Some(0), "8 providers found, all watched\n"));
    let (output, out, err) = run(dir.path(), &["discover", "--write"]);
    assert_eq!((output.status.code(), out.as_str()), (Some(0), ""));
    assert_eq!(err, "statuswatch: nothing to add\n");
    assert_eq!(fs::read_to_string(dir.path().join("providers.yaml")).unwrap(), text);

    // An invalid file is not made worse.
    fs::write(dir.path().join("providers.yaml"), "providers:\n  - githb\n").unwrap();
    assert_eq!(run(dir.path(), &["discover", "--write"]).0.status.code(), Some(2));
    let after = fs::read_to_string(dir.path().join("providers.yaml")).unwrap();
    assert_eq!(after, "providers:\n  - githb\n");
}

#[test]
fn a_new_file_is_written_and_programs_read_json() {
    let dir = unpacked("terraform");
    let (output, out, _) = run(dir.path(), &["discover", "--json"]);
    assert_eq!(output.status.code(), Some(0));
    let json: Value = serde_json::from_str(&out).unwrap();
    let aws = json["dependencies"].as_array().unwrap().iter().find(|one| one["slug"] == "aws");
    let aws = aws.unwrap();
    assert_eq!(aws["regions"], serde_json::json!(["eu-west-3", "global", "us-east-1"]));
    assert_eq!((&aws["watched"], &aws["sure"]), (&Value::Null, &true.into()));
    assert_eq!(
        aws["evidence"][0],
        serde_json::json!({"path": "main.tf", "line": 1, "kind": "terraform", "what": "aws", "sure": true})
    );
    let (output, out, _) = run(dir.path(), &["discover", "--write", "-c", "new.yaml"]);
    assert_eq!((output.status.code(), out.as_str()), (Some(0), "new.yaml: 7 providers\n"));
    assert_eq!(run(dir.path(), &["check", "-c", "new.yaml"]).0.status.code(), Some(0));
    let missing = run(dir.path(), &["discover", "nowhere"]);
    assert_eq!(missing.0.status.code(), Some(1));
    assert!(missing.2.contains("cannot read the directory nowhere"), "{}", missing.2);
}

/// Neither the values of variables nor other text of a file can be printed.
#[test]
fn secrets_stay_in_their_files() {
    let dir = tempfile::tempdir().unwrap();
    let secret = "s3cr3tv4lue";
    let env = format!(
        "OPENAI_API_KEY={secret}\nexport STRIPE_KEY='{secret}\nSENDGRID_{secret}=={secret}'\nAWS_REGION={secret}\n{secret}\n"
    );
    for name in [".env", ".env.local", "prod.env", ".envrc", ".dev.vars"] {
        fs::write(dir.path().join(name), &env).unwrap();
    }
    let yaml = format!(
        "image: {secret}.azurecr.io/x\nurl: https://{secret}:{secret}@api.stripe.com/{secret}\nregion: {secret}\nuses: aws-actions/{secret}@v1\n"
    );
    fs::create_dir_all(dir.path().join(".github/workflows")).unwrap();
    for name in [".github/workflows/a.yml", "compose.yml", "cdk.json", "main.tf", ".npmrc"] {
        fs::write(dir.path().join(name), &yaml).unwrap();
    }
    for args in [&["discover"][..], &["discover", "--json"], &["discover", "--write"]] {
        let (output, out, err) = run(dir.path(), args);
        assert_eq!(output.status.code(), Some(0), "{err}");
        assert!(!out.contains(secret) && !err.contains(secret), "{out}{err}");
    }
    let written = fs::read_to_string(dir.path().join("providers.yaml")).unwrap();
    assert!(written.contains("- openai # because .dev.vars:1"), "{written}");
    assert!(written.contains("- sendgrid") && !written.contains(secret), "{written}");
}

#[cfg(unix)]
#[test]
fn links_pipes_and_large_files_are_not_read() {
    use std::os::unix::fs::symlink;

    let dir = unpacked("rust");
    let outside = unpacked("node-vercel");
    let root = dir.path();
    symlink(root, root.join("loop")).unwrap();
    symlink(outside.path(), root.join("outside")).unwrap();
    symlink(outside.path().join("package.json"), root.join("package.json")).unwrap();
    symlink("/dev/zero", root.join("Gemfile")).unwrap();
    let pipe = root.join("wrangler.toml");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let huge = fs::File::create(root.join("pom.xml")).unwrap();
    huge.set_len(1 << 40).unwrap();
    fs::write(root.join("fly.toml"), b"\xff\xfe\x00 app = \"\xc3\x28\"\n").unwrap();
    fs::write(root.join("Dockerfile.\u{1b}[2J"), "FROM quay.io/x\n").unwrap();
    let deep = root.join(vec!["d"; 40].join("/"));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("vercel.json"), "{}").unwrap();

    let (output, out, err) = run(root, &["discover"]);
    assert_eq!(output.status.code(), Some(0));
    let slugs: Vec<&str> = out
        .lines()
        .filter_map(|line| line.strip_prefix("  - ")?.split([' ', ':']).next())
        .collect();
    assert_eq!(slugs, ["aws", "crates-io", "fly-io", "github", "quay-io"], "{out}");
    assert!(!out.contains('\u{1b}'), "{out}");
    assert!(err.contains("pom.xml was skipped: it is too large"), "{err}");
    assert!(err.contains("was skipped: it is nested too deeply"), "{err}");
}

#[test]
fn a_walk_has_bounds() {
    let dir = tempfile::tempdir().unwrap();
    for number in 0..50 {
        fs::write(dir.path().join(format!("{number}.env")), "OPENAI_KEY=x\n").unwrap();
    }
    let with = |limits: Limits| walk(dir.path(), &limits).unwrap();
    let all = with(Limits::default());
    assert_eq!((all.read, all.files.len(), all.incomplete), (50, 50, None));
    let entries = with(Limits { entries: 10, ..Limits::default() });
    assert_eq!((entries.read, entries.incomplete), (0, Some("it has too many files")));
    let bytes = with(Limits { bytes: 30, ..Limits::default() });
    assert_eq!((bytes.read, bytes.incomplete), (3, Some("it has too many bytes")));
    let time = with(Limits { time: Duration::ZERO, ..Limits::default() });
    assert_eq!((time.read, time.incomplete), (0, Some("it takes too long")));
    let file = with(Limits { file: 12, ..Limits::default() });
    assert_eq!((file.read, file.skipped.len()), (0, 50));
}

/// The time of a scan grows with the size of the file, whatever it contains.
#[test]
fn a_large_file_is_scanned_in_linear_time() {
    let began = std::time::Instant::now();
    for (path, piece) in [
        ("a.yaml", "image: build: a\n"),
        ("b.yaml", "a.b-c.d "),
        ("package.json", "{\"dependencies\":"),
        ("main.tf", "region = \"\n"),
        (".env", "OPENAI_"),
        ("requirements.txt", "a==\n"),
    ] {
        let found = scan(path, &piece.repeat((1 << 19) / piece.len()));
        assert!(found.len() <= 1_000, "{path}");
    }
    assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
}
