//! A real PostgreSQL server on loopback. Tests that need it are ignored unless asked for: `cargo
//! test --test it -- --ignored postgres`. A server that is not there fails them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use statuswatch::ledger::Shared;
use statuswatch::postgres::{Client, DatabaseUrl, Fence, Life, connect, prepare};

use super::receivers::{Certificates, free_port};

/// Nobody: the server refuses to run as root.
const NOBODY: u32 = 65_534;

/// The server that most tests share: each has a database of its own in it.
static SHARED: LazyLock<Postgres> = LazyLock::new(|| Postgres::start(None));

/// A server in a directory of its own. It ends with the process of the tests, however that ends.
pub(crate) struct Postgres {
    dir: PathBuf,
    /// Where it listens on 127.0.0.1.
    pub(crate) port: u16,
    /// Ends the server and removes the directory when its standard input does.
    keeper: Child,
    databases: AtomicU32,
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        self.keeper.wait().ok();
    }
}

/// Finds a program of the server in `STATUSWATCH_RECEIVERS`, in `PATH`, and where Debian has it.
fn find(name: &str) -> PathBuf {
    let own = std::env::var_os("STATUSWATCH_RECEIVERS").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut dirs: Vec<PathBuf> = own.into_iter().chain(std::env::split_paths(&path)).collect();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    versions.sort();
    dirs.extend(versions.into_iter().rev());
    let found = dirs.into_iter().map(|dir| dir.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{name} is neither in PATH nor in /usr/lib/postgresql"))
}

/// A program of the server, as another user where we are root.
fn program(name: &str) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(find(name));
    }
    let mut command = Command::new("setpriv");
    let id = NOBODY.to_string();
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "--"]).arg(find(name));
    command
}

/// Runs a command that must succeed.
fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

impl Postgres {
    /// Starts a server, with TLS if there are certificates.
    pub(crate) fn start(tls: Option<&Certificates>) -> Self {
        let dir = tempfile::tempdir().unwrap().keep();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&dir, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let data = dir.join("data");
        run(program("initdb").arg("-D").arg(&data).args([
            "--no-sync",
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C",
        ]));
        // What is tested is the order of commits, not that disks keep what they sync.
        let mut config = "fsync = off\nmax_connections = 200\nlog_min_messages = log\n".to_owned();
        if let Some(tls) = tls {
            for name in ["cert.pem", "key.pem"] {
                let copy = dir.join(name);
                fs::copy(tls.path(name), &copy).unwrap();
                if rustix::process::geteuid().is_root() {
                    std::os::unix::fs::chown(&copy, Some(NOBODY), Some(NOBODY)).unwrap();
                }
                use std::os::unix::fs::PermissionsExt as _;
                fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).unwrap();
            }
            config = format!(
                "{config}ssl = on\nssl_cert_file = '{0}/cert.pem'\nssl_key_file = '{0}/key.pem'\n",
                dir.display()
            );
        }
        let mut file = fs::OpenOptions::new().append(true).open(data.join("postgresql.conf"));
        std::io::Write::write_all(file.as_mut().unwrap(), config.as_bytes()).unwrap();
        let mut stop = program("pg_ctl");
        stop.arg("stop").arg("-D").arg(&data).args(["-m", "immediate", "-w"]);
        let stop: Vec<String> = std::iter::once(stop.get_program())
            .chain(stop.get_args())
            .map(|part| format!("'{}'", part.to_str().unwrap()))
            .collect();
        let script = format!(
            "cat >/dev/null; {} >/dev/null 2>&1; rm -rf '{}'",
            stop.join(" "),
            dir.display()
        );
        let keeper =
            Command::new("sh").arg("-c").arg(script).stdin(Stdio::piped()).spawn().unwrap();
        let mut server = Self { dir, port: 0, keeper, databases: AtomicU32::new(0) };
        for _ in 0..5 {
            // Another program may take the port first.
            server.port = free_port();
            if server.resume() {
                return server;
            }
        }
        let log = fs::read_to_string(server.dir.join("log")).unwrap_or_default();
        panic!("the server does not start: {log}");
    }

    /// Starts the server again where it was. Returns whether it accepts connections.
    pub(crate) fn resume(&self) -> bool {
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={} -c unix_socket_directories={}",
            self.port,
            self.dir.display()
        );
        let mut command = program("pg_ctl");
        command.arg("start").arg("-D").arg(self.dir.join("data"));
        command.arg("-l").arg(self.dir.join("log")).args(["-w", "-t", "120", "-o", &options]);
        // The server would hold a pipe open.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().unwrap().success()
    }

    /// Stops the server as a crash does.
    pub(crate) fn crash(&self) {
        let mut command = program("pg_ctl");
        command.arg("stop").arg("-D").arg(self.dir.join("data")).args(["-m", "immediate", "-w"]);
        run(&mut command);
    }

    /// Returns the directory of its Unix socket.
    pub(crate) fn socket(&self) -> &Path {
        &self.dir
    }

    /// Creates an empty database and returns its name.
    pub(crate) fn create(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        run(program("psql").args(["-X", "-q", "-h"]).arg(&self.dir).args([
            "-p",
            &self.port.to_string(),
            "-U",
            "postgres",
            "-c",
            &format!("CREATE DATABASE {name}"),
        ]));
        name
    }

    /// Creates an empty database and returns its address.
    pub(crate) fn database(&self) -> DatabaseUrl {
        self.url(&self.create())
    }

    /// Returns the address of a database.
    pub(crate) fn url(&self, name: &str) -> DatabaseUrl {
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port).parse().unwrap()
    }
}

/// Creates an empty database in the server that all tests of this process share.
pub(crate) fn database() -> DatabaseUrl {
    SHARED.database()
}

/// Connects to a database, to look into it.
pub(crate) async fn look(url: &DatabaseUrl) -> Client {
    connect(url, "test").await.unwrap()
}

/// Begins the life of a node, to which all shards and duties go, and returns the ledger that it
/// shares.
pub(crate) async fn begin_life(url: &DatabaseUrl, name: &str) -> Shared {
    let client = look(url).await;
    prepare(&client).await.unwrap();
    let sql = "INSERT INTO statuswatch.node(name, expires_at) VALUES ($1, now() + '1 day') RETURNING life";
    let life: Life = client.query_one(sql, &[&name]).await.unwrap().get(0);
    take_over(&client, life).await;
    let fence = Fence::default();
    fence.set(life);
    Shared { url: url.clone(), fence }
}

/// Gives all shards and duties to a life.
pub(crate) async fn take_over(client: &Client, life: Life) {
    let sql = "UPDATE statuswatch.shard SET life = L, generation = generation + 1;
               UPDATE statuswatch.duty SET life = L, generation = generation + 1";
    client.batch_execute(&sql.replace(" L", &format!(" {life}"))).await.unwrap();
}
