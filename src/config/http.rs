//! The section `http`: where the HTTP server listens and who may read what.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use schemars::JsonSchema;

use super::document::{Node, Place, Value};
use super::prometheus::{self, Prometheus, PrometheusShape};
use super::reader::{DiagnosticBuilder, Reader, Section, nearest, set, short};

pub(super) const HTTP: &[&str] = &[
    "listen",
    "token_file",
    "write_token_file",
    "auth",
    "hosts",
    "public",
    "metrics",
    "hooks",
    "prometheus",
];
pub(super) const METRICS: &[&str] = &["providers"];

/// The default of `listen`.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9187);
/// Shorter hook tokens can be guessed; longer ones do not fit into what services store.
const HOOK_TOKEN: std::ops::RangeInclusive<usize> = 16..=128;
/// The longest host name of the domain name system.
const MAX_HOST: usize = 253;
const MAX_HOSTS: usize = 64;

const AUTH: &[(&str, Auth)] = &[("token", Auth::Token), ("none", Auth::None)];
const PUBLIC: &[(&str, PublicSurface)] = &[
    ("badges", PublicSurface::Badges),
    ("feeds", PublicSurface::Feeds),
    ("summary", PublicSurface::Summary),
    ("page", PublicSurface::Page),
];
const PROVIDER_METRICS: &[(&str, ProviderMetrics)] = &[
    ("all", ProviderMetrics::All),
    ("open", ProviderMetrics::Open),
    ("none", ProviderMetrics::None),
];

/// The HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// The address and port to listen at. Port 0: any free one.
    pub listen: SocketAddr,
    /// The file with the token that requests must carry; `None`: none is needed.
    pub token_file: Option<PathBuf>,
    /// The file with the token that requests which change something must carry; it is good for
    /// reading too. `None`: the one in `token_file`.
    pub write_token_file: Option<PathBuf>,
    /// Host names other than the loopback ones by which the server may be addressed, in lower case.
    pub hosts: Vec<String>,
    /// What can be read without a token.
    pub public: Vec<PublicSurface>,
    /// Which providers `/metrics/providers` lists.
    pub provider_metrics: ProviderMetrics,
    /// The token in the address of each provider's hook, by provider id.
    pub hooks: BTreeMap<String, HookToken>,
    /// The Prometheus server that is asked for error rates.
    pub prometheus: Option<Prometheus>,
}

/// Whether requests must carry a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Auth {
    /// The one in `token_file`.
    Token,
    /// No: every client that reaches the address can read everything.
    None,
}

/// What can be read without a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum PublicSurface {
    /// `/badge...`.
    Badges,
    /// `/feeds/...`.
    Feeds,
    /// `/api/v2/...`.
    Summary,
    /// `/public`.
    Page,
}

/// Which providers `/metrics/providers` lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum ProviderMetrics {
    /// All.
    All,
    /// Those that are not known to be operational or have an open incident.
    Open,
    /// None.
    None,
}

/// The secret part of a hook's address.
#[derive(Clone, PartialEq, Eq)]
pub struct HookToken(String);

impl HookToken {
    /// Returns the token itself, to compare it with.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for HookToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookToken(…)")
    }
}

/// Reads the section `http`, whose key is at `at`. `providers` are the ids of those a hook can be for.
pub(super) fn http<'p>(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    at: Place,
    providers: &(impl Iterator<Item = &'p str> + Clone),
) -> Http {
    let listen = reader
        .value(section, "listen", "an address and port such as 127.0.0.1:9187", listen)
        .unwrap_or(LISTEN);
    let token_file = reader.text(section, "token_file").map(PathBuf::from);
    let write_token_file = reader.text(section, "write_token_file").map(PathBuf::from);
    let auth = reader.word(section, "auth", AUTH);
    let hosts = hosts(reader, section);
    let at = section.get("listen").map_or(at, |node| node.at);
    let exposed = if !listen.ip().is_loopback() {
        Some(format!("{listen} can be reached from other machines"))
    } else if hosts.is_empty() {
        None
    } else {
        // A proxy on this machine: all its clients appear to be local.
        Some("\"hosts\" lets others reach the server through a proxy".to_owned())
    };
    match (&token_file, auth) {
        (Some(_), Some(Auth::None)) => {
            let place = section.get("auth").map_or(at, |node| node.at);
            let complaint = DiagnosticBuilder::new("\"auth: none\" contradicts \"token_file\"");
            reader.error(place, None, complaint.help("remove one of the two"));
        }
        (None, Some(Auth::Token)) => {
            let place = section.get("auth").map_or(at, |node| node.at);
            let complaint = DiagnosticBuilder::new("\"auth: token\" needs \"token_file\"");
            reader.error(place, None, complaint.help("add \"token_file: PATH\""));
        }
        (None, None) => {
            if let Some(exposed) = exposed {
                let complaint = DiagnosticBuilder::new(format!("{exposed}, and no token is set"));
                reader.error(
                    at,
                    None,
                    complaint
                        .help("add \"token_file: PATH\", or \"auth: none\" if everybody may read"),
                );
            }
        }
        _ => {}
    }
    let mut provider_metrics = ProviderMetrics::Open;
    if let Some(node) = section.get("metrics")
        && let Some(inner) = reader.section(node, "\"metrics\"", METRICS)
    {
        set(&mut provider_metrics, reader.word(&inner, "providers", PROVIDER_METRICS));
    }
    let prometheus = section.get("prometheus").and_then(|node| {
        let inner = reader.section(node, "\"prometheus\"", prometheus::KEYS)?;
        prometheus::prometheus(reader, &inner, node.at)
    });
    Http {
        prometheus,
        listen,
        token_file,
        write_token_file,
        hosts,
        public: reader.words(section, "public", PUBLIC).unwrap_or_default(),
        provider_metrics,
        hooks: section.get("hooks").map(|node| hooks(reader, node, providers)).unwrap_or_default(),
    }
}

fn listen(text: &str) -> Result<SocketAddr, DiagnosticBuilder> {
    let text = text.trim();
    let complaint = || {
        DiagnosticBuilder::new(format!("\"{}\" is not an address and a port", short(text)))
            .help("write 127.0.0.1:9187, 0.0.0.0:9187 or [::1]:9187")
    };
    match text.strip_prefix("localhost:") {
        Some(port) => {
            port.parse().map(|port| SocketAddr::new(LISTEN.ip(), port)).map_err(|_| complaint())
        }
        None => text.parse().map_err(|_| complaint()),
    }
}

/// Host names as they stand in the `Host` header, without ports.
fn hosts(reader: &mut Reader<'_>, section: &Section<'_>) -> Vec<String> {
    let hosts = reader.texts(section, "hosts").unwrap_or_default();
    let is_name = |host: &String| {
        host.len() <= MAX_HOST
            && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
    };
    let bad = hosts.iter().find(|host| !is_name(host) && host.parse::<IpAddr>().is_err());
    if let Some(node) = section.get("hosts") {
        if let Some(bad) = bad {
            let message = format!("\"{}\" is not a host name", short(bad));
            let complaint = DiagnosticBuilder::new(message);
            reader.error(
                node.at,
                None,
                complaint.help("write the name alone: status.acme.example"),
            );
        } else if hosts.len() > MAX_HOSTS {
            let message = format!("\"hosts\" has more than {MAX_HOSTS} entries");
            reader.error(node.at, None, DiagnosticBuilder::new(message));
        }
    }
    hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect()
}

/// `hooks`: provider ids and tokens.
fn hooks<'p>(
    reader: &mut Reader<'_>,
    node: &Node,
    providers: &(impl Iterator<Item = &'p str> + Clone),
) -> BTreeMap<String, HookToken> {
    let Value::Map(pairs) = &node.value else {
        if !node.is_null() {
            let message = format!("\"hooks\" must be a mapping, not {}", node.kind());
            let complaint = DiagnosticBuilder::new(message);
            reader.error(node.at, None, complaint.help("write a provider's id and a token"));
        }
        return BTreeMap::new();
    };
    let mut hooks = BTreeMap::new();
    for (key, value) in pairs {
        if !providers.clone().any(|id| id == key.name) {
            let message = format!("\"hooks\" names \"{}\", which is not watched", short(&key.name));
            let complaint = DiagnosticBuilder::new(message);
            let complaint = match nearest(&key.name, providers.clone()) {
                Some(meant) => complaint.help(format!("did you mean \"{meant}\"?")),
                None => complaint,
            };
            reader.warn(key.at, Some(&key.name), complaint);
        }
        // Neither the key nor the value is quoted: one may be the secret.
        let token = reader.scalar(value, "hooks", "a token", |token| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            if HOOK_TOKEN.contains(&token.len()) && token.chars().all(plain) {
                return Ok(HookToken(token.to_owned()));
            }
            let (least, most) = (HOOK_TOKEN.start(), HOOK_TOKEN.end());
            let message = format!(
                "a token of \"hooks\" must be {least} to {most} letters, digits, \"-\" and \"_\""
            );
            Err(DiagnosticBuilder::new(message).help("make one with: openssl rand -hex 16"))
        });
        if let Some(token) = token {
            hooks.insert(key.name.clone(), token);
        }
    }
    hooks
}

/// The HTTP server.
#[derive(JsonSchema)]
#[schemars(rename = "Http", deny_unknown_fields)]
#[expect(dead_code, reason = "the shape alone is used")]
pub(super) struct HttpShape {
    /// IP address and port to listen at; port 0 takes any free one. Default 127.0.0.1:9187.
    listen: Option<String>,
    /// File with the token that requests must carry. Default: no token.
    token_file: Option<String>,
    /// File with the token that requests which change something must carry. Default: the one in
    /// `token_file`.
    write_token_file: Option<String>,
    /// Whether requests must carry the token. `none` must be written out where others can reach the
    /// server and there is no token.
    auth: Option<Auth>,
    /// Host names other than localhost by which the server may be addressed. Default: none.
    hosts: Option<Vec<String>>,
    /// What can be read without a token. Default: nothing.
    public: Option<Vec<PublicSurface>>,
    /// What is exported as metrics.
    metrics: Option<MetricsShape>,
    /// For each provider id the secret part of the address of its hook, 16 to 128 characters.
    hooks: Option<BTreeMap<String, String>>,
    /// A Prometheus server that is asked for error rates. Default: none.
    prometheus: Option<PrometheusShape>,
}

/// What is exported as metrics.
#[derive(JsonSchema)]
#[schemars(rename = "HttpMetrics", deny_unknown_fields)]
#[expect(dead_code, reason = "the shape alone is used")]
pub(super) struct MetricsShape {
    /// Which providers `/metrics/providers` lists. Default open.
    providers: Option<ProviderMetrics>,
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Config, ConfigError, parse};
    use super::*;

    fn read(http: &str) -> Result<Config, Vec<String>> {
        let text = format!(
            "http: {{{http}}}\nproviders:\n  - {{id: acme, url: \"https://status.acme.example\"}}\n"
        );
        match parse(Path::new("providers.yaml"), &text, &|_| Some("0123456789abcdef".to_owned())) {
            Ok(loaded) if loaded.warnings.is_empty() => Ok(loaded.config),
            Ok(loaded) => Err(loaded.warnings.into_iter().map(|found| found.message).collect()),
            Err(ConfigError::Invalid(found)) => {
                Err(found.into_iter().map(|found| found.message).collect())
            }
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn it_is_off_unless_set_and_listens_on_loopback() {
        let text = "providers:\n  - {id: acme, url: \"https://status.acme.example\"}\n";
        let loaded = parse(Path::new("providers.yaml"), text, &|_| None).unwrap();
        assert_eq!(loaded.config.http, None);
        let http = read("public: [badges]").unwrap().http.unwrap();
        assert_eq!(http.listen.to_string(), "127.0.0.1:9187");
        assert_eq!(http.provider_metrics, ProviderMetrics::Open);
        assert_eq!(http.public, [PublicSurface::Badges]);
        assert_eq!(read("listen: \"localhost:0\"").unwrap().http.unwrap().listen.port(), 0);
    }

    #[test]
    fn what_others_can_reach_needs_a_token_or_a_word() {
        for (http, part) in [
            ("listen: \"0.0.0.0:9187\"", "0.0.0.0:9187 can be reached from other machines"),
            ("listen: \"[::]:9187\"", "[::]:9187 can be reached from other machines"),
            ("hosts: [status.acme.example]", "through a proxy"),
            ("auth: token", "needs \"token_file\""),
            ("auth: none, token_file: token", "contradicts"),
        ] {
            let found = read(http).unwrap_err();
            assert!(found.len() == 1 && found[0].contains(part), "{http}: {found:?}");
        }
        for http in [
            "listen: \"0.0.0.0:9187\", auth: none",
            "listen: \"0.0.0.0:9187\", token_file: token",
            "hosts: [Status.Acme.example], token_file: token, auth: token",
            "listen: \"127.0.0.2:9187\"",
            "listen: \"[::1]:9187\"",
        ] {
            read(http).unwrap_or_else(|found| panic!("{http}: {found:?}"));
        }
    }

    #[test]
    fn values_that_are_none_are_refused() {
        for (http, part) in [
            ("listen: 9187", "\"9187\" is not an address and a port"),
            ("listen: \"status.acme.example:80\"", "is not an address and a port"),
            ("hosts: [\"https://x/\"], auth: none", "is not a host name"),
            ("public: [all]", "\"public\" must be badges, feeds, summary or page"),
            ("metrics: {providers: some}", "\"providers\" must be all, open or none"),
            ("hooks: {acme: short}", "must be 16 to 128 letters"),
            ("hooks: {acmee: 0123456789abcdef}", "names \"acmee\", which is not watched"),
            ("hooks: [acme]", "\"hooks\" must be a mapping"),
            ("port: 80", "unknown key \"port\""),
        ] {
            let found = read(http).unwrap_err();
            assert!(found.iter().any(|found| found.contains(part)), "{http}: {found:?}");
        }
    }

    #[test]
    fn a_hook_token_is_not_shown() {
        let config = read("hooks: {acme: \"${HOOK}\"}").unwrap();
        assert_eq!(config.http.as_ref().unwrap().hooks["acme"].reveal(), "0123456789abcdef");
        assert!(!format!("{config:?}").contains("0123456789"), "{config:?}");
    }
}
