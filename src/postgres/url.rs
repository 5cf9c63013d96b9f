//! Where a database is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

/// Maximum length of an address, in bytes.
const LENGTH: usize = 4096;

/// Maximum number of servers in an address: one that can write is looked for among them.
pub(super) const HOSTS: usize = 8;

/// The parameters that an address may have, in addition to `sslmode` and `sslrootcert`.
const PARAMETERS: [&str; 9] = [
    "application_name",
    "channel_binding",
    "dbname",
    "host",
    "options",
    "password",
    "port",
    "target_session_attrs",
    "user",
];

/// The address of a PostgreSQL database, as libpq writes it:
/// `postgres://user:password@host:5432,other/database?sslmode=verify-full`.
///
/// Neither [`fmt::Display`] nor [`fmt::Debug`] shows the password. Source of the format:
/// <https://www.postgresql.org/docs/15/libpq-connect.html#LIBPQ-CONNSTRING>
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    pub(super) config: Box<Config>,
    pub(super) tls: Tls,
}

/// How a connection is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tls {
    /// Not at all.
    Disable,
    /// Encrypted; who answers is not checked.
    Require,
    /// The certificate must be for the host: from the authorities of the system, or from those in
    /// this file (PEM).
    VerifyFull(Option<PathBuf>),
}

/// Why an address is not usable. It quotes nothing of the address but names of parameters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is longer than 4,096 bytes.
    #[error("the address of the database is longer than {LENGTH} bytes")]
    Long,
    /// It is not one of a PostgreSQL database.
    #[error("the address of a database begins with postgres://")]
    Scheme,
    /// It cannot be parsed.
    #[error("the address of the database is not valid: {0}")]
    Invalid(&'static str),
    /// It has a parameter that is not supported.
    #[error("the address of the database has an unknown parameter \"{0}\"")]
    Parameter(String),
}

impl FromStr for DatabaseUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        if text.len() > LENGTH {
            return Err(UrlError::Long);
        }
        if !["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
            return Err(UrlError::Scheme);
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(UrlError::Invalid(
                "write blanks and control characters as %20 and the like",
            ));
        }
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let (mut kept, mut mode, mut root) = (Vec::new(), None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) =
                pair.split_once('=').ok_or(UrlError::Invalid("a parameter has no value"))?;
            match key {
                "sslmode" => mode = Some(value),
                "sslrootcert" => root = Some(PathBuf::from(decoded(value))),
                key if PARAMETERS.contains(&key) => kept.push(pair),
                key => {
                    return Err(UrlError::Parameter(crate::text::one_line(&decoded(key), 40)));
                }
            }
        }
        let plain = format!("{base}?{}", kept.join("&"));
        let mut config: Config =
            plain.parse().map_err(|_| UrlError::Invalid("see the manual of PostgreSQL"))?;
        check(&config)?;
        let tls = Tls::of(mode, root, &config)?;
        config.ssl_mode(if tls == Tls::Disable { SslMode::Disable } else { SslMode::Require });
        // A server that was demoted, or is a standby, is of no use.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        Ok(Self { config: Box::new(config), tls })
    }
}

/// Decodes percent signs.
fn decoded(value: &str) -> String {
    // A plus is a plus in these addresses.
    let pair = format!("{}=", value.replace('+', "%2B"));
    let decoded = url::form_urlencoded::parse(pair.as_bytes()).next();
    decoded.map(|(value, _)| value.into_owned()).unwrap_or_default()
}

/// Refuses what would be taken for something else, such as a password with an `@`.
fn check(config: &Config) -> Result<(), UrlError> {
    let hosts = config.get_hosts();
    if hosts.is_empty() {
        return Err(UrlError::Invalid("it names no host"));
    }
    if hosts.len() > HOSTS {
        return Err(UrlError::Invalid("it names more than 8 hosts"));
    }
    let ports = config.get_ports().len();
    if ports > 1 && ports != hosts.len() {
        return Err(UrlError::Invalid("it has another number of ports than of hosts"));
    }
    let odd = |text: &str| text.contains(['@', '/', '?', '#']);
    let hosts = hosts.iter().any(|host| match host {
        Host::Tcp(name) => name.is_empty() || odd(name),
        Host::Unix(_) => false,
    });
    if hosts || config.get_dbname().is_some_and(odd) {
        return Err(UrlError::Invalid("write @ / ? # in user and password as %40 %2F %3F %23"));
    }
    if config.get_target_session_attrs() == TargetSessionAttrs::ReadOnly {
        return Err(UrlError::Invalid("target_session_attrs must be read-write"));
    }
    Ok(())
}

impl Tls {
    /// Returns how connections are protected: by default fully, but within this machine not.
    fn of(mode: Option<&str>, root: Option<PathBuf>, config: &Config) -> Result<Self, UrlError> {
        let hosts = config.get_hosts();
        let sockets = hosts.iter().filter(|host| matches!(host, Host::Unix(_))).count();
        let tls = match mode {
            None if root.is_none() && hosts.iter().all(is_local) => Self::Disable,
            Some("disable") => Self::Disable,
            Some("require") if root.is_none() => Self::Require,
            None | Some("verify-full") => {
                // What libpq calls the system's authorities.
                Self::VerifyFull(root.filter(|root| root != Path::new("system")))
            }
            Some("require") => {
                return Err(UrlError::Invalid("sslrootcert needs sslmode=verify-full"));
            }
            Some(_) => {
                return Err(UrlError::Invalid("sslmode is disable, require or verify-full"));
            }
        };
        if sockets > 0 && tls != Self::Disable {
            return Err(UrlError::Invalid("a Unix socket needs sslmode=disable"));
        }
        Ok(tls)
    }
}

/// Whether a host is this machine.
fn is_local(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost"
                || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    }
}

impl DatabaseUrl {
    /// Returns whether connections are encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.tls != Tls::Disable
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = &self.config;
        f.write_str("postgres://")?;
        if let Some(user) = config.get_user() {
            write!(f, "{}@", crate::text::one_line(user, 100))?;
        }
        let ports = config.get_ports();
        let mut socket = None;
        let mut first = true;
        for (place, host) in config.get_hosts().iter().enumerate() {
            let name = match host {
                Host::Tcp(name) if name.contains(':') => format!("[{name}]"),
                Host::Tcp(name) => name.clone(),
                Host::Unix(path) => {
                    socket.get_or_insert(path);
                    continue;
                }
            };
            let port = ports.get(place).or(ports.first()).copied().unwrap_or(5432);
            let comma = if std::mem::take(&mut first) { "" } else { "," };
            write!(f, "{comma}{}:{port}", crate::text::one_line(&name, 260))?;
        }
        write!(f, "/{}", crate::text::one_line(config.get_dbname().unwrap_or_default(), 100))?;
        socket.map_or(Ok(()), |path| {
            write!(f, "?host={}", crate::text::one_line(&path.to_string_lossy(), 200))
        })
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<DatabaseUrl, UrlError> {
        text.parse()
    }

    #[test]
    fn addresses_are_shown_without_their_password() {
        for (text, shown) in [
            ("postgres://u:s3cr3t@db.example/status", "postgres://u@db.example:5432/status"),
            (
                "postgresql://u:s3cr3t%40@a.example:1,[::1]:2/status?sslmode=require",
                "postgres://u@a.example:1,[::1]:2/status",
            ),
            (
                "postgres://u@/status?host=/run/postgresql&password=s3cr3t",
                "postgres://u@/status?host=/run/postgresql",
            ),
        ] {
            let url = parsed(text).unwrap();
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{url:?} {url:#?}").contains("s3cr3t"));
        }
    }

    #[test]
    fn tls_is_full_except_within_this_machine() {
        let mode = |text: &str| parsed(text).unwrap().tls;
        assert_eq!(mode("postgres://u@db.example/d"), Tls::VerifyFull(None));
        assert_eq!(mode("postgres://u@127.0.0.1,db.example/d"), Tls::VerifyFull(None));
        for local in ["localhost", "127.0.0.3", "[::1]"] {
            assert_eq!(mode(&format!("postgres://u@{local}/d")), Tls::Disable);
            assert_eq!(
                mode(&format!("postgres://u@{local}/d?sslmode=verify-full")),
                Tls::VerifyFull(None)
            );
        }
        assert_eq!(mode("postgres:///d?host=/run/postgresql"), Tls::Disable);
        assert_eq!(mode("postgres://u@db.example/d?sslmode=disable"), Tls::Disable);
        assert_eq!(
            mode("postgres://u@db.example/d?sslrootcert=%2Fetc/a+b.pem"),
            Tls::VerifyFull(Some("/etc/a+b.pem".into()))
        );
        assert_eq!(mode("postgres://u@db.example/d?sslrootcert=system"), Tls::VerifyFull(None));
    }

    #[test]
    fn what_is_refused_is_not_quoted() {
        let mut said = String::new();
        for text in [
            "mysql://u:s3cr3t@h/d",
            "postgres://u:s3cr3t@/d",
            "postgres://u:s3@cr3t@h/d",
            "postgres://u:s3cr3t @h/d",
            "postgres://u:s3cr3t@h:x/d",
            "postgres://u:s3cr3t@h/d?sslmode=prefer",
            "postgres://u:s3cr3t@h/d?sslmode=require&sslrootcert=x",
            "postgres://u:s3cr3t@h/d?nonsense=1",
            "postgres://u:s3cr3t@h/d?sslmode",
            "postgres://u:s3cr3t@/d?host=/run&sslmode=require",
            "postgres://u:s3cr3t@h/d?target_session_attrs=read-only",
            "postgres://u:s3cr3t@a,b,c,d,e,f,g,h,i/d",
        ] {
            let error = parsed(text).unwrap_err().to_string();
            assert!(!error.contains("cr3t"), "{text}: {error}");
            said.push_str(&error);
            said.push('\n');
        }
        assert_eq!(parsed(&format!("postgres://u@h/{}", "d".repeat(LENGTH))), Err(UrlError::Long));
        insta::assert_snapshot!(said, @r#"
        the address of a database begins with postgres://
        the address of the database is not valid: it names no host
        the address of the database is not valid: write @ / ? # in user and password as %40 %2F %3F %23
        the address of the database is not valid: write blanks and control characters as %20 and the like
        the address of the database is not valid: see the manual of PostgreSQL
        the address of the database is not valid: sslmode is disable, require or verify-full
        the address of the database is not valid: sslrootcert needs sslmode=verify-full
        the address of the database has an unknown parameter "nonsense"
        the address of the database is not valid: a parameter has no value
        the address of the database is not valid: a Unix socket needs sslmode=disable
        the address of the database is not valid: target_session_attrs must be read-write
        the address of the database is not valid: it names more than 8 hosts
        "#);
    }
}
