//! Starts real receivers on loopback.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::wait::PATIENCE;

/// A certificate for `localhost` in files, and the authority that signed it.
pub(crate) struct Certificates {
    dir: tempfile::TempDir,
    /// The authority's certificate in DER.
    pub(crate) root: Vec<u8>,
}

impl Certificates {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // With the default name of both, OpenSSL takes the certificate for its own issuer.
        params.distinguished_name.push(DnType::CommonName, "authority of a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("root.pem", issuer.pem()),
            ("cert.pem", certificate.pem()),
            ("key.pem", key.serialize_pem()),
        ] {
            fs::write(dir.path().join(name), text).unwrap();
        }
        // A server that gives up its rights reads them as well.
        readable(dir.path());
        Self { root: issuer.der().to_vec(), dir }
    }

    /// Returns the path of `root.pem`, `cert.pem` or `key.pem`.
    pub(crate) fn path(&self, name: &str) -> &str {
        Box::leak(self.dir.path().join(name).into_boxed_path()).to_str().unwrap()
    }
}

/// Lets everybody read and write a directory and what is in it.
fn readable(dir: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o777)).unwrap();
}

/// A program that ends with its test.
pub(crate) struct Program {
    child: Child,
    output: Mutex<BufReader<ChildStdout>>,
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Looks for a program in `STATUSWATCH_RECEIVERS`, in `PATH`, and where Debian puts servers.
pub(crate) fn find(name: &str) -> PathBuf {
    let own = std::env::var_os("STATUSWATCH_RECEIVERS").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut dirs: Vec<PathBuf> = own.into_iter().chain(std::env::split_paths(&path)).collect();
    dirs.push("/usr/sbin".into());
    let found = dirs.into_iter().map(|dir| dir.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!("{name} is neither in STATUSWATCH_RECEIVERS nor in PATH: see just receivers")
    })
}

/// A port that was free a moment ago: some servers cannot choose one.
pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

impl Program {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let output = Mutex::new(BufReader::new(child.stdout.take().unwrap()));
        Self { child, output }
    }

    /// Starts a program on a free port and waits until it accepts connections; another program may
    /// take the port first.
    fn listening(make: impl Fn(u16) -> Command) -> (Self, u16) {
        for _ in 0..5 {
            let port = free_port();
            let mut program = Self::start(&mut make(port));
            let begun = Instant::now();
            while program.child.try_wait().unwrap().is_none() {
                if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                    return (program, port);
                }
                assert!(begun.elapsed() < PATIENCE, "it does not listen");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        panic!("it ends at once");
    }

    /// Starts a script of `tests/it/receivers` with the Python that has its packages.
    pub(crate) fn python(script: &str, arguments: &[&str]) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/receivers").join(script);
        Self::start(Command::new(find("python3")).arg(file).args(arguments))
    }

    /// Reads the next line it prints.
    pub(crate) fn line(&self) -> String {
        let mut line = String::new();
        self.output.lock().unwrap().read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the receiver has ended");
        line
    }

    /// Starts NATS with JetStream and the token `s3cr3t`.
    pub(crate) fn nats(dir: &Path, tls: Option<&Certificates>) -> (Self, u16) {
        let tls = tls.map_or_else(String::new, |tls| {
            let (cert, key) = (tls.path("cert.pem"), tls.path("key.pem"));
            format!("tls {{cert_file: \"{cert}\", key_file: \"{key}\"}}\n")
        });
        let config = format!(
            "authorization {{token: s3cr3t}}\njetstream {{store_dir: \"{}\"}}\n{tls}",
            dir.display()
        );
        let file = dir.join("nats.conf");
        fs::write(&file, config).unwrap();
        Self::listening(|port| {
            let mut command = Command::new(find("nats-server"));
            command.arg("-c").arg(&file).args(["-a", "127.0.0.1", "-p", &port.to_string()]);
            command.stderr(Stdio::null());
            command
        })
    }

    /// Starts Mosquitto, which knows `user` with the password `s3cr3t` and lets it publish under
    /// `statuswatch/` alone.
    pub(crate) fn mosquitto(dir: &Path, tls: Option<&Certificates>) -> (Self, u16) {
        readable(dir);
        let users = dir.join("users");
        let made = Command::new(find("mosquitto_passwd"))
            .args(["-b", "-c"])
            .arg(&users)
            .args(["user", "s3cr3t"])
            .status();
        assert!(made.unwrap().success());
        let rules = dir.join("rules");
        fs::write(&rules, "user user\ntopic readwrite statuswatch/#\n").unwrap();
        for file in [&users, &rules] {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
        }
        let tls = tls.map_or_else(String::new, |tls| {
            format!("certfile {}\nkeyfile {}\n", tls.path("cert.pem"), tls.path("key.pem"))
        });
        Self::listening(|port| {
            let file = dir.join("mosquitto.conf");
            let config = format!(
                "listener {port} 127.0.0.1\n{tls}allow_anonymous false\npassword_file {}\n\
                 acl_file {}\n",
                users.display(),
                rules.display()
            );
            fs::write(&file, config).unwrap();
            let mut command = Command::new(find("mosquitto"));
            command.arg("-c").arg(&file).stderr(Stdio::null());
            command
        })
    }

    /// Subscribes to everything at Mosquitto with `mosquitto_sub` and returns what it prints.
    pub(crate) fn subscribe(
        id: &str,
        tls: Option<&Certificates>,
        port: u16,
        options: &[&str],
    ) -> String {
        let mut command = Command::new(find("mosquitto_sub"));
        command.args(["-h", "localhost", "-p", &port.to_string(), "-u", "user", "-P", "s3cr3t"]);
        command.args(["-i", id, "-v", "-t", "statuswatch/#"]).args(options);
        if let Some(tls) = tls {
            command.args(["--cafile", tls.path("root.pem")]);
        }
        let output = command.output().unwrap();
        let (said, errors) = (&output.stdout, String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{id}: {errors}");
        String::from_utf8(said.clone()).unwrap()
    }

    /// Starts Alertmanager, which notifies nobody, and waits until it is ready.
    pub(crate) async fn alertmanager(dir: &Path) -> (Self, u16) {
        let config = dir.join("alertmanager.yml");
        fs::write(&config, "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n").unwrap();
        let started = Self::listening(|port| {
            let mut command = Command::new(find("prometheus-alertmanager"));
            command
                .arg(format!("--config.file={}", config.display()))
                .arg(format!("--storage.path={}", dir.display()))
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                .arg("--cluster.listen-address=")
                .stderr(Stdio::null());
            command
        });
        let url = format!("http://127.0.0.1:{}/-/ready", started.1);
        let options = statuswatch::fetch::ClientOptions {
            proxy_from_environment: false,
            ..Default::default()
        };
        let client = statuswatch::fetch::Client::new(options).unwrap();
        let url = url::Url::parse(&url).unwrap();
        let begun = Instant::now();
        while client.call(&url, Duration::from_secs(5)).await.is_err() {
            assert!(begun.elapsed() < PATIENCE, "Alertmanager is not ready");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        started
    }

    /// Starts Prometheus with this configuration.
    pub(crate) fn prometheus(dir: &Path, config: &str) -> (Self, u16) {
        let file = dir.join("prometheus.yml");
        fs::write(&file, config).unwrap();
        Self::listening(|port| {
            let mut command = Command::new(find("prometheus"));
            command
                .arg(format!("--config.file={}", file.display()))
                .arg(format!("--storage.tsdb.path={}", dir.join("data").display()))
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                .stderr(Stdio::null());
            command
        })
    }

    /// Runs `promtool` and returns what it prints; it must succeed.
    pub(crate) fn promtool(arguments: &[&str]) -> String {
        let output = Command::new(find("promtool")).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        said
    }
}
