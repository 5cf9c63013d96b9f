//! The files of `deploy/`: they parse, and what they say agrees with the program.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Args, CommandFactory};
use serde_json::Value;
use statuswatch::cli::args::{CheckArgs, Cli, RunArgs, StatusArgs};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap_or_else(|error| panic!("deploy/{name}: {error}"))
}

/// Every document of a YAML file.
fn yaml(text: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(text)
        .map(|document| serde::Deserialize::deserialize(document).unwrap())
        .collect()
}

fn words(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// Whether the program takes `line`, its name left out.
fn takes(line: &[String]) -> Result<(), String> {
    let mut cli = Cli::command();
    // Commands are defined by their arguments, whether or not the program offers them yet.
    let named = [
        RunArgs::augment_args(clap::Command::new("run")),
        CheckArgs::augment_args(clap::Command::new("check")),
        StatusArgs::augment_args(clap::Command::new("status")),
    ];
    for command in named {
        if cli.find_subcommand(command.get_name()).is_none() {
            cli = cli.subcommand(command);
        }
    }
    let line = std::iter::once("statuswatch".to_owned()).chain(line.iter().cloned());
    cli.try_get_matches_from(line).map(drop).map_err(|error| error.to_string())
}

/// The values of a key of the unit, in order.
fn unit(key: &str) -> Vec<String> {
    read("statuswatch.service")
        .lines()
        .filter_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_unit_calls_the_program_as_it_is() {
    for line in unit("ExecStart").into_iter().chain(unit("ExecReload")) {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        match words.split_first() {
            Some((program, args)) if program.ends_with("/statuswatch") => takes(args).unwrap(),
            Some((program, args)) => assert_eq!(
                (program.as_str(), args.join(" ").as_str()),
                ("/bin/kill", "-HUP $MAINPID")
            ),
            None => panic!("an empty command"),
        }
    }
    let start = unit("ExecStart").remove(0);
    assert!(start.contains("run --hosted"), "{start}");
    assert!(start.contains(&format!("--state /var/lib/{}", unit("StateDirectory")[0])), "{start}");
    assert!(
        start.contains(&format!("--config /etc/{}/", unit("ConfigurationDirectory")[0])),
        "{start}"
    );
    assert_eq!(unit("Type"), ["notify"]);
    assert_eq!(unit("RestartPreventExitStatus"), ["2"]);
}

#[test]
#[ignore = "needs systemd-analyze: see .ci/run"]
fn systemd_understands_the_unit() {
    // The program named must exist: this test's stands in for the installed one.
    let dir = tempfile::tempdir().unwrap();
    let text = read("statuswatch.service")
        .replace("/usr/local/bin/statuswatch", env!("CARGO_BIN_EXE_statuswatch"));
    let path = dir.path().join("statuswatch.service");
    std::fs::write(&path, text).unwrap();
    let output = Command::new("systemd-analyze").arg("verify").arg(&path).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    // Units of the machine itself may be at fault too; only what names ours counts.
    let ours: Vec<&str> = err.lines().filter(|line| line.contains("statuswatch.service")).collect();
    assert!(ours.is_empty(), "{ours:#?}");
}

#[test]
fn the_image_starts_and_checks_what_exists() {
    let text = read("Dockerfile");
    let json = |key: &str| -> Value {
        let line = text
            .lines()
            .find_map(|line| line.trim().strip_prefix(key))
            .unwrap_or_else(|| panic!("no {key}"));
        serde_json::from_str(line.trim()).unwrap_or_else(|error| panic!("{key}: {error}"))
    };
    assert_eq!(words(&json("ENTRYPOINT")), ["statuswatch"]);
    takes(&words(&json("CMD"))).unwrap();
    let health = text
        .lines()
        .find_map(|line| line.split_once("HEALTHCHECK ")?.1.split_once("CMD "))
        .unwrap()
        .1;
    let health = words(&serde_json::from_str(health).unwrap());
    assert_eq!(health[0], "statuswatch");
    takes(&health[1..]).unwrap();
    let last_user = text.lines().filter_map(|line| line.strip_prefix("USER ")).next_back().unwrap();
    assert!(last_user.split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)), "{last_user}");
    for copied in text.lines().filter_map(|line| line.strip_prefix("COPY deploy/")) {
        assert!(file(copied.split(' ').next().unwrap()).is_file(), "{copied}");
    }
    let known: Vec<String> = Cli::command()
        .get_arguments()
        .filter_map(|arg| Some(arg.get_env()?.to_str()?.to_owned()))
        .collect();
    for name in ["STATUSWATCH_CONFIG", "STATUSWATCH_STATE"] {
        assert!(
            text.contains(&format!("{name}=")) && known.iter().any(|env| env == name),
            "{name}"
        );
    }
}

#[test]
fn compose_gives_time_to_stop_and_a_volume() {
    let all = yaml(&read("compose.yaml"));
    let service = &all[0]["services"]["statuswatch"];
    takes(&words(&service["command"])).unwrap();
    takes(&words(&service["healthcheck"]["test"])[2..]).unwrap();
    assert_eq!(service["stop_grace_period"], "15s");
    assert!(words(&service["volumes"]).iter().any(|volume| volume == "data:/data"));
    assert_eq!(service["read_only"], true);
}

#[test]
fn kubernetes_runs_one_at_a_time() {
    let all = yaml(&read("kubernetes.yaml"));
    let kind = |name: &str| {
        all.iter().find(|document| document["kind"] == name).unwrap_or_else(|| panic!("no {name}"))
    };
    let deployment = &kind("Deployment")["spec"];
    assert_eq!(
        (&deployment["replicas"], &deployment["strategy"]["type"]),
        (&Value::from(1), &Value::from("Recreate"))
    );
    let container = &deployment["template"]["spec"]["containers"][0];
    takes(&words(&container["args"])).unwrap();
    for probe in ["readinessProbe", "livenessProbe"] {
        takes(&words(&container[probe]["exec"]["command"])[1..]).unwrap();
    }
    assert_eq!(container["volumeMounts"][0]["mountPath"], "/data");
    assert_eq!(
        deployment["template"]["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"],
        kind("PersistentVolumeClaim")["metadata"]["name"]
    );
    let config = kind("ConfigMap")["data"]["providers.yaml"].as_str().unwrap();
    assert!(yaml(config)[0]["providers"].is_array());
}

#[test]
fn nodes_have_names_of_their_own_and_one_configuration() {
    let compose = yaml(&read("compose-nodes.yaml"));
    let services = &compose[0]["services"];
    assert_ne!(services["first"]["environment"]["NODE"], services["second"]["environment"]["NODE"]);
    takes(&words(&compose[0]["x-node"]["command"])).unwrap();
    let kubernetes = yaml(&read("kubernetes-nodes.yaml"));
    let kind = |name: &str| {
        let found = kubernetes.iter().find(|document| document["kind"] == name);
        found.unwrap_or_else(|| panic!("no {name}"))
    };
    let set = &kind("StatefulSet")["spec"];
    assert_eq!(set["replicas"], 2);
    let container = &set["template"]["spec"]["containers"][0];
    takes(&words(&container["args"])).unwrap();
    for probe in ["readinessProbe", "livenessProbe"] {
        takes(&words(&container[probe]["exec"]["command"])[1..]).unwrap();
    }
    let budget = &kind("PodDisruptionBudget")["spec"];
    assert_eq!(budget["minAvailable"], 1);
    assert_eq!(budget["selector"], set["selector"]);
    let mounted = kind("ConfigMap")["data"]["providers.yaml"].as_str().unwrap();
    let environment = |name: &str| match name {
        "DATABASE_URL" => Some("postgres://sw:secret@db.example/sw".to_owned()),
        "NODE" | "DATABASE_PASSWORD" => Some("x".to_owned()),
        _ => None,
    };
    for text in [read("nodes.yaml"), mounted.to_owned()] {
        let loaded = statuswatch::config::parse(Path::new("providers.yaml"), &text, &environment)
            .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(loaded.warnings, []);
        assert!(loaded.config.state.is_some() && loaded.config.node.is_some());
        assert!(loaded.config.state_dir.starts_with("/data"));
    }
}

#[test]
fn the_platforms_keep_data_and_give_time() {
    let railway: Value = serde_json::from_str(&read("railway.json")).unwrap();
    assert_eq!(railway["deploy"]["drainingSeconds"], 15);
    assert_eq!(railway["deploy"]["requiredMountPath"], "/data");
    let render = yaml(&read("render.yaml"));
    assert_eq!(render[0]["services"][0]["disk"]["mountPath"], "/data");
    assert_eq!(render[0]["services"][0]["maxShutdownDelaySeconds"], 30);
    let fly = flat_toml(&read("fly.toml"));
    let value = |key: &str| {
        fly.iter()
            .find(|(name, _)| name == key)
            .map_or_else(|| panic!("no {key}"), |(_, value)| value.clone())
    };
    assert_eq!(value("kill_timeout"), "15s");
    assert_eq!(value("mounts.destination"), "/data");
    assert_eq!(value("env.HOSTED_MODE"), "true");
    for dockerfile in [
        &railway["build"]["dockerfilePath"],
        &render[0]["services"][0]["dockerfilePath"],
        &value("build.dockerfile"),
    ] {
        assert!(dockerfile.as_str().unwrap().ends_with("deploy/Dockerfile"), "{dockerfile}");
    }
}

/// `table.key` and value of a TOML file of tables and one-line values, which is all that a
/// platform's file needs.
fn flat_toml(text: &str) -> Vec<(String, Value)> {
    let mut table = String::new();
    let mut pairs = Vec::new();
    for line in
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        if let Some(name) = line.strip_prefix('[') {
            let name = name.trim_start_matches('[').trim_end_matches(']');
            assert!(
                !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'),
                "{line}"
            );
            table = format!("{name}.");
            continue;
        }
        let (key, value) =
            line.split_once(" = ").unwrap_or_else(|| panic!("neither a table nor a value: {line}"));
        // Strings, numbers, truths and lists of them are written as in JSON.
        pairs.push((
            format!("{table}{key}"),
            serde_json::from_str(value).unwrap_or_else(|error| panic!("{line}: {error}")),
        ));
    }
    pairs
}

/// Both files the images may start with are valid, and everything they write lies on the volume.
#[test]
fn the_configurations_are_valid_and_write_to_the_volume() {
    let kubernetes = yaml(&read("kubernetes.yaml"));
    let mounted =
        kubernetes.iter().find_map(|document| document["data"]["providers.yaml"].as_str()).unwrap();
    for text in [read("providers.yaml"), mounted.to_owned()] {
        let loaded = statuswatch::config::parse(Path::new("providers.yaml"), &text, &|_| None)
            .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(loaded.warnings, []);
        for dir in
            [&loaded.config.state_dir, &loaded.config.event_log.dir, &loaded.config.diagnostics.dir]
        {
            assert!(dir.starts_with("/data"), "{}", dir.display());
        }
    }
}

#[test]
fn the_readme_names_every_file() {
    let readme = read("README.md");
    for entry in std::fs::read_dir(file("")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == "README.md" || readme.contains(&format!("`{name}`")), "{name}");
    }
}
