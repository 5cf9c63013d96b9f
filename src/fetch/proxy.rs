//! Proxies configured through the environment.

use std::collections::HashSet;

use reqwest::{NoProxy, Proxy};
use url::Url;

/// Hosts never reached through a proxy: this machine itself.
const NEVER: &str = "localhost,127.0.0.0/8,::1";

/// The proxies to use.
#[derive(Default)]
pub(super) struct Proxies {
    /// In the order in which they are tried.
    pub(super) proxies: Vec<Proxy>,
    /// Their host names.
    pub(super) hosts: HashSet<String>,
}

/// Reads `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, in lower or upper case.
pub(super) fn from_environment(
    variable: impl Fn(&str) -> Option<String>,
) -> reqwest::Result<Proxies> {
    let read = |name: &str| {
        variable(name)
            .or_else(|| variable(&name.to_ascii_uppercase()))
            .filter(|value| !value.trim().is_empty())
    };
    let never = read("no_proxy").map_or_else(|| NEVER.to_owned(), |own| format!("{own},{NEVER}"));
    let mut found = Proxies::default();
    for name in ["http_proxy", "https_proxy", "all_proxy"] {
        let Some(address) = read(name) else { continue };
        let address = if address.contains("://") { address } else { format!("http://{address}") };
        let proxy = match name {
            "http_proxy" => Proxy::http(&address),
            "https_proxy" => Proxy::https(&address),
            _ => Proxy::all(&address),
        };
        found.proxies.push(proxy?.no_proxy(NoProxy::from_string(&never)));
        found
            .hosts
            .extend(Url::parse(&address).ok().and_then(|url| url.host_str().map(str::to_owned)));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_environment_says() {
        let set = |pairs: &'static [(&str, &str)]| {
            from_environment(move |name| {
                pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert!(set(&[("no_proxy", "*")]).unwrap().proxies.is_empty());
        assert!(set(&[("http_proxy", " ")]).unwrap().proxies.is_empty());
        let both =
            set(&[("HTTPS_PROXY", "proxy.corp:3128"), ("all_proxy", "http://u:p@other.corp")])
                .unwrap();
        assert_eq!(both.proxies.len(), 2);
        assert!(both.hosts.contains("proxy.corp") && both.hosts.contains("other.corp"));
        assert!(set(&[("http_proxy", "http://")]).is_err());
    }
}
