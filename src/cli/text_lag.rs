//! The table of `status --lag`. Pure.

use std::time::Duration;

use super::table::{Cell, Table};
use crate::config::render_duration;
use crate::view::lag::{DAYS, ProviderLag, Spread};

/// Renders a line for each provider, and what the columns are.
pub(super) fn render(providers: &[ProviderLag], color: bool) -> String {
    let headings = [
        "PROVIDER",
        "UPDATES",
        "SEEN P50",
        "SEEN P99",
        "INCIDENTS",
        "PUBLISHED P50",
        "PUBLISHED P99",
    ];
    let mut table = Table::new(&headings);
    for provider in providers {
        let (updates, incidents) = (&provider.lag.updates, &provider.lag.incidents);
        let [p50, p99] = percentiles(updates);
        let [habit50, habit99] = percentiles(incidents);
        table.row([
            Cell::from(&provider.id),
            Cell::from(updates.count.to_string()),
            Cell::from(p50),
            Cell::from(p99),
            Cell::from(incidents.count.to_string()),
            Cell::from(habit50),
            Cell::from(habit99),
        ]);
    }
    format!(
        "{}\nSEEN: from the provider's own time of an update to its observation.\n\
         PUBLISHED: from the begin of an incident to its first update, as the provider says.\n\
         Both over {DAYS} days.\n",
        table.render(color)
    )
}

fn percentiles(spread: &Spread) -> [String; 2] {
    [spread.p50, spread.p99].map(|seconds| seconds.map_or_else(|| "-".to_owned(), shown))
}

/// Seconds in two units at most: hours need no seconds.
fn shown(seconds: f64) -> String {
    let unit = match seconds {
        0.0..10.0 => 0.1,
        10.0..600.0 => 1.0,
        600.0..172_800.0 => 60.0,
        _ => 3600.0,
    };
    let millis = (seconds / unit).round() * unit * 1000.0;
    render_duration(Duration::from_millis(millis.round() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::lag::Lag;

    #[test]
    fn durations_have_as_many_digits_as_matter() {
        let table = [
            (0.0, "0s"),
            (7.04, "7s"),
            (7.26, "7s300ms"),
            (42.4, "42s"),
            (125.0, "2m5s"),
            (3671.0, "1h1m"),
            (360_000.0, "100h"),
        ];
        for (seconds, text) in table {
            assert_eq!(shown(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn a_line_per_provider() {
        let spread = |count, p50, p99| Spread { count, p50: Some(p50), p99: Some(p99) };
        let of = |id: &str, lag| ProviderLag { id: id.to_owned(), name: id.to_owned(), lag };
        let updates = spread(212, 21.0, 95.2);
        let busy = Lag { updates, incidents: spread(17, 540.0, 5400.0), implausible: 0 };
        let providers = [of("github", busy), of("quiet", Lag::default())];
        insta::assert_snapshot!(render(&providers, false), @r"
        PROVIDER  UPDATES  SEEN P50  SEEN P99  INCIDENTS  PUBLISHED P50  PUBLISHED P99
        github    212      21s       1m35s     17         9m             1h30m
        quiet     0        -         -         0          -              -

        SEEN: from the provider's own time of an update to its observation.
        PUBLISHED: from the begin of an incident to its first update, as the provider says.
        Both over 30 days.
        ");
    }
}
