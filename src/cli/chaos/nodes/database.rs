//! Scratch PostgreSQL servers on loopback: a primary, and standbys of it.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, bail};

use crate::postgres::DatabaseUrl;

/// Nobody: the server refuses to run as root.
const NOBODY: u32 = 65_534;

/// The database that the nodes share.
const NAME: &str = "statuswatch";

/// How many free ports are tried: another program may take one first.
const PORTS: usize = 5;

/// What differs from the settings that `initdb` writes. A process that crashes loses nothing that
/// was written, synced or not; nobody cuts the power here.
const SETTINGS: &str = "fsync = off\nmax_connections = 100\nlog_line_prefix = '%m [%p] %a '\n";

/// A server in a directory of its own. It ends with this process, however that ends.
pub(super) struct Database {
    dir: PathBuf,
    /// Where it listens on 127.0.0.1.
    pub(super) port: u16,
    /// Stops the server when its standard input ends.
    keeper: Child,
}

impl Drop for Database {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        drop(self.keeper.wait());
    }
}

impl Database {
    /// Creates a server in `dir` and starts it.
    pub(super) fn create(dir: PathBuf) -> anyhow::Result<Self> {
        make_dir(&dir)?;
        let data = dir.join("data");
        run(program("initdb")?.arg("-D").arg(&data).args([
            "--no-sync",
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C",
        ]))?;
        append(&data.join("postgresql.conf"), SETTINGS)?;
        let server = Self::begin(dir)?;
        let create = format!("CREATE DATABASE {NAME}");
        run(program("psql")?
            .args(["-X", "-q", "-h", "127.0.0.1", "-p", &server.port.to_string()])
            .args(["-U", "postgres", "-d", "postgres", "-c", &create]))?;
        Ok(server)
    }

    /// Creates a standby of `primary` in `dir` and starts it. It follows as long as both run.
    pub(super) fn follow(dir: PathBuf, primary: &Self) -> anyhow::Result<Self> {
        make_dir(&dir)?;
        let port = primary.port.to_string();
        run(program("pg_basebackup")?
            .args(["-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-R", "--checkpoint=fast"])
            .arg("--no-sync")
            .arg("-D")
            .arg(dir.join("data")))?;
        Self::begin(dir)
    }

    /// Starts the server of `dir` for the first time.
    fn begin(dir: PathBuf) -> anyhow::Result<Self> {
        let stop = words(pg_ctl("stop", &dir)?.args(["-m", "immediate", "-w"]));
        let script = format!("cat >/dev/null; {stop} >/dev/null 2>&1");
        let keeper = Command::new("sh")
            .arg("-c")
            .arg(script)
            .stdin(Stdio::piped())
            .spawn()
            .context("cannot start sh")?;
        let mut server = Self { dir, port: 0, keeper };
        for _ in 0..PORTS {
            server.port = free_port()?;
            if server.start().is_ok() {
                return Ok(server);
            }
        }
        let log = fs::read_to_string(server.dir.join("log")).unwrap_or_default();
        bail!("PostgreSQL does not start: {}", log.trim_end());
    }

    /// Starts the server where it was, and waits until it accepts connections.
    pub(super) fn start(&self) -> anyhow::Result<()> {
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={} -c unix_socket_directories={}",
            self.port,
            self.dir.display()
        );
        let mut command = pg_ctl("start", &self.dir)?;
        command.arg("-l").arg(self.dir.join("log")).args(["-w", "-t", "60", "-o", &options]);
        // The server would hold a pipe open.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let status = command.status().context("cannot start pg_ctl")?;
        if status.success() { Ok(()) } else { bail!("PostgreSQL does not start: {status}") }
    }

    /// Ends the server as a crash does.
    pub(super) fn crash(&self) -> anyhow::Result<()> {
        run(pg_ctl("stop", &self.dir)?.args(["-m", "immediate", "-w"]))
    }

    /// Makes a standby the primary, and waits until it accepts writes.
    pub(super) fn promote(&self) -> anyhow::Result<()> {
        run(pg_ctl("promote", &self.dir)?.args(["-w", "-t", "60"]))
    }

    /// Makes a standby stop following; what it has received it keeps.
    pub(super) fn unfollow(&self) -> anyhow::Result<()> {
        append(&self.dir.join("data/postgresql.auto.conf"), "primary_conninfo = ''\n")?;
        run(&mut pg_ctl("reload", &self.dir)?)
    }

    /// Returns the address of the database.
    pub(super) fn url(&self) -> anyhow::Result<DatabaseUrl> {
        Ok(address([self.port]).parse()?)
    }
}

/// Returns the address of the database on any of these ports.
pub(super) fn address(ports: impl IntoIterator<Item = u16>) -> String {
    let hosts: Vec<String> = ports.into_iter().map(|port| format!("127.0.0.1:{port}")).collect();
    format!("postgres://postgres@{}/{NAME}", hosts.join(","))
}

fn make_dir(dir: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(dir, Some(NOBODY), Some(NOBODY))?;
    }
    Ok(())
}

fn append(file: &Path, text: &str) -> anyhow::Result<()> {
    let mut open = fs::OpenOptions::new()
        .append(true)
        .open(file)
        .with_context(|| format!("cannot open {}", file.display()))?;
    Ok(std::io::Write::write_all(&mut open, text.as_bytes())?)
}

/// Finds a program of the server in `PATH` and where Debian has it.
fn find(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut dirs: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    versions.sort();
    dirs.extend(versions.into_iter().rev());
    let found = dirs.into_iter().map(|dir| dir.join(name)).find(|file| file.is_file());
    found.with_context(|| {
        format!("{name} is neither in PATH nor in /usr/lib/postgresql: install PostgreSQL")
    })
}

/// A program of the server, as another user where we are root.
fn program(name: &str) -> anyhow::Result<Command> {
    let file = find(name)?;
    let mut command = if rustix::process::geteuid().is_root() {
        let id = NOBODY.to_string();
        let mut command = Command::new("setpriv");
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "--"]).arg(file);
        command
    } else {
        Command::new(file)
    };
    command.current_dir("/").env_remove("PGOPTIONS").env_remove("PGSERVICE");
    Ok(command)
}

fn pg_ctl(what: &str, dir: &Path) -> anyhow::Result<Command> {
    let mut command = program("pg_ctl")?;
    command.arg(what).arg("-D").arg(dir.join("data"));
    Ok(command)
}

/// Runs a command that must succeed.
fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot start {}", words(command)))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    bail!("{} has failed: {said}", words(command));
}

/// A command as a shell reads it.
fn words(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let quoted = words.map(|word| format!("'{}'", word.to_string_lossy().replace('\'', "'\\''")));
    quoted.collect::<Vec<_>>().join(" ")
}

/// A port that was free a moment ago: the server cannot choose one.
fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}
