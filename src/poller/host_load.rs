//! Checks whether each host can take all the polls configured for it. Pure.
//!
//! Polls of one host and port start at least `host_pace` apart. If its providers need more time
//! than their intervals allow, each interval is stretched by the same factor: a hundred providers
//! every 2 s, 250 ms apart, are polled every 25 s.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::config::{Provider, Settings};
use crate::fetch::is_local;

/// Default time between the starts of two requests to a host.
pub const DEFAULT_PACE: Duration = Duration::from_millis(250);

/// Returns the minimum time between the starts of two polls of `url`'s host: `host_pace`, which
/// defaults to zero for loopback and private addresses, as these belong to the user.
#[must_use]
pub fn pace(settings: &Settings, url: &Url) -> Duration {
    let default = || if is_local(url) { Duration::ZERO } else { DEFAULT_PACE };
    settings.host_pace.unwrap_or_else(default)
}

/// A host that cannot be polled as often as configured.
#[derive(Debug, Clone, PartialEq)]
pub struct OverloadedHost {
    /// The host, with the port if the URL names one.
    pub host: String,
    /// The factor by which each interval is stretched; more than 1.
    pub factor: f64,
    /// Its providers, in the order given.
    pub providers: Vec<Stretched>,
}

/// A provider that is polled less often than configured.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretched {
    /// The provider's id.
    pub id: String,
    /// The configured interval.
    pub asked: Duration,
    /// The shortest interval that can be kept.
    pub real: Duration,
}

impl OverloadedHost {
    /// Returns one sentence for people: the problem, its effect and the remedy.
    #[must_use]
    pub fn sentence(&self) -> String {
        let range = |of: fn(&Stretched) -> Duration| {
            let least = self.providers.iter().map(of).min().unwrap_or_default();
            let most = self.providers.iter().map(of).max().unwrap_or_default();
            match (shown(least), shown(most)) {
                (least, most) if least == most => least,
                (least, most) => format!("{least} to {most}"),
            }
        };
        let count = self.providers.len();
        let them = if count == 1 { "it is" } else { "they are" };
        format!(
            "{}: host_pace does not allow polling {count} provider{} every {}; {them} polled every {} \
             instead (raise interval or lower host_pace)",
            self.host,
            if count == 1 { "" } else { "s" },
            range(|provider| provider.asked),
            range(|provider| provider.real),
        )
    }
}

/// Formats an interval for people, rounded to a useful precision.
#[must_use]
pub fn shown(interval: Duration) -> String {
    let step = match interval.as_secs() {
        0 => 1,
        1..10 => 100,
        _ => 1000,
    };
    let millis = interval.as_millis().div_ceil(step) * step;
    crate::config::render_duration(Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)))
}

/// Returns the overloaded hosts of these providers, by name.
#[must_use]
pub fn overloaded(providers: &[Arc<Provider>]) -> Vec<OverloadedHost> {
    let mut hosts: BTreeMap<(String, u16), Vec<&Provider>> = BTreeMap::new();
    for provider in providers {
        let host = provider.url.host_str().unwrap_or_default().to_owned();
        let port = provider.url.port_or_known_default().unwrap_or_default();
        hosts.entry((host, port)).or_default().push(provider);
    }
    hosts.into_values().filter_map(|providers| overload(&providers)).collect()
}

fn overload(providers: &[&Provider]) -> Option<OverloadedHost> {
    let needed = |provider: &&Provider| {
        let settings = &provider.settings;
        pace(settings, &provider.url).as_secs_f64() / settings.interval.as_secs_f64()
    };
    let factor: f64 = providers.iter().map(needed).sum();
    // Ignores rounding errors.
    if factor <= 1.001 {
        return None;
    }
    let url = &providers.first()?.url;
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let stretched = |provider: &&Provider| {
        let asked = provider.settings.interval;
        Stretched { id: provider.id.clone(), asked, real: asked.mul_f64(factor) }
    };
    Some(OverloadedHost {
        host: format!("{}{port}", url.host_str()?),
        factor,
        providers: providers.iter().map(stretched).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Filter;

    fn provider(id: &str, url: &str, interval: u64, pace: Option<u64>) -> Arc<Provider> {
        Arc::new(Provider {
            id: id.to_owned(),
            name: id.to_owned(),
            url: url.parse().unwrap(),
            source: None,
            url_written: true,
            settings: Settings {
                interval: Duration::from_millis(interval),
                host_pace: pace.map(Duration::from_millis),
                ..Settings::default()
            },
            filter: Filter::default(),
            json: None,
        })
    }

    fn many(count: usize, url: &str, interval: u64, pace: Option<u64>) -> Vec<Arc<Provider>> {
        (0..count)
            .map(|n| provider(&format!("p{n}"), &format!("{url}{n}"), interval, pace))
            .collect()
    }

    #[test]
    fn a_hundred_every_two_seconds_are_polled_every_twenty_five() {
        let found = overloaded(&many(100, "https://status.acme.example/", 2000, None));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].host, "status.acme.example");
        assert_eq!(found[0].providers.len(), 100);
        assert_eq!(found[0].providers[7].asked, Duration::from_secs(2));
        assert_eq!(found[0].providers[7].real.as_millis().div_ceil(1000), 25);
        assert_eq!(
            found[0].sentence(),
            "status.acme.example: host_pace does not allow polling 100 providers every 2s; they are \
             polled every 25s instead (raise interval or lower host_pace)"
        );
    }

    #[test]
    fn what_fits_is_no_overload() {
        assert_eq!(overloaded(&many(8, "https://a.example/", 2000, None)), []);
        assert_eq!(overloaded(&many(9, "https://a.example/", 2000, None)).len(), 1);
        assert_eq!(overloaded(&many(100, "https://a.example/", 2000, Some(20))), []);
        assert_eq!(overloaded(&many(100, "https://a.example/", 2000, Some(0))), []);
        assert_eq!(overloaded(&many(200, "https://a.example/", 60_000, None)), []);
    }

    #[test]
    fn hosts_and_ports_are_counted_apart_and_their_own_providers_together() {
        let mut providers = many(8, "https://a.example/", 2000, None);
        providers.extend(many(8, "https://a.example:8443/", 2000, None));
        providers.extend(many(8, "https://b.example/", 2000, None));
        assert_eq!(overloaded(&providers), []);
        providers.push(provider("slow", "https://a.example:8443/slow", 60_000, Some(10_000)));
        let found = overloaded(&providers);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].host, "a.example:8443");
        let real: Vec<String> = found[0].providers.iter().map(|one| shown(one.real)).collect();
        assert_eq!((real[0].as_str(), real[8].as_str()), ("2s400ms", "1m10s"));
    }

    #[test]
    fn what_is_local_is_not_paced_unless_configured() {
        for local in
            ["http://127.0.0.1:8080/", "http://[::1]/", "http://10.1.2.3/", "http://localhost/"]
        {
            assert_eq!(overloaded(&many(1000, local, 100, None)), [], "{local}");
            assert_eq!(overloaded(&many(1000, local, 100, Some(250))).len(), 1, "{local}");
        }
    }
}
