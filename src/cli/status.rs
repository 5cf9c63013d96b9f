//! `status [PROVIDER...]`.

use std::path::Path;

use serde::Serialize;

use super::args::{Common, StatusArgs};
use super::delivery::{ChannelView, MuteView};
use super::exit::Exit;
use super::{delivery, nodes_view, output, table, text_lag, text_status};
use crate::clock;
use crate::config::nearest;
use crate::ledger::outbox::ChannelHealth;
use crate::ledger::{ProviderRow, Reader, StateLock};
use crate::view::lag::{self as view_lag, ProviderLag};
use crate::view::nodes::NodesView;
use crate::view::status as view_status;

/// What `--json` prints.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    view: &'a view_status::StatusView,
    /// Channels that notifications are sent to.
    channels: Vec<ChannelView>,
    /// Mutes in effect.
    mutes: Vec<MuteView>,
    /// The nodes that share the database, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    nodes: Option<NodesView>,
}

/// Shows the present state of the providers watched, or of those named.
///
/// # Errors
/// The ledger cannot be read.
pub fn run(common: &Common, state_dir: &Path, args: &StatusArgs) -> anyhow::Result<Exit> {
    let reader = Reader::open(state_dir)?;
    let rows = reader.providers()?;
    if let Some(unknown) = args.providers.iter().find(|id| !rows.iter().any(|row| row.id == **id)) {
        let known: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        output::note(&format!(
            "statuswatch: no provider \"{}\" in {}; {}",
            table::one_line(unknown),
            output::shown(state_dir),
            hint(unknown, &known)
        ));
        return Ok(Exit::Usage);
    }
    // One that is no longer in the configuration is shown when it is asked for by name.
    let wanted = |row: &ProviderRow| {
        if args.providers.is_empty() { row.watched } else { args.providers.contains(&row.id) }
    };
    let rows: Vec<ProviderRow> = rows.into_iter().filter(wanted).collect();
    if args.lag {
        lag(&reader, &rows, args.json)?;
        return Ok(Exit::Done);
    }
    let (open, sinks, now) = (reader.open_items(None)?, reader.sinks()?, clock::now());
    let own = reader.network()?;
    let (channels, mutes) = (reader.channels(now)?, reader.mutes(false)?);
    let nodes = nodes_view::nodes(common).filter(|_| args.providers.is_empty());
    let view = view_status::view(&rows, &open, &sinks, now).with_network(&own);
    if args.json {
        let shown = Shown {
            view: &view,
            channels: channels.iter().map(ChannelView::of).collect(),
            mutes: mutes.iter().map(MuteView::of).collect(),
            nodes,
        };
        output::print_json(&shown)?;
    } else {
        if !StateLock::is_held(state_dir) {
            output::note("No run is watching this state directory: this is what was known last.\n");
        }
        if let Some(offline) = view_status::offline_in_one_line(&own) {
            output::print(&format!("statuswatch is {offline}\n\n"))?;
        }
        let text = text_status::render(
            &rows,
            &open,
            &sinks,
            now,
            output::color(),
            text_status::Shown::All,
        );
        output::print(&text)?;
        let lines = delivery::in_short(&channels, &mutes, now);
        if !lines.is_empty() {
            output::print(&format!("\n{}\n", lines.join("\n")))?;
        }
        if let Some(nodes) = &nodes {
            output::print(&format!("\n{}", nodes_view::text(nodes, output::color())))?;
        }
    }
    let broken = channels.iter().any(|row| row.state.health == ChannelHealth::Broken);
    Ok(if args.check && (!view.healthy || broken) { Exit::Failed } else { Exit::Done })
}

/// Shows how late the updates of these providers were seen and published.
fn lag(reader: &Reader, rows: &[ProviderRow], json: bool) -> anyhow::Result<()> {
    let now = clock::now();
    let (since, most) = (view_lag::since(now), view_lag::most(rows.len()));
    let mut providers = Vec::with_capacity(rows.len());
    for row in rows {
        let times = reader.update_times(&row.id, since, most)?;
        let lag = view_lag::lag(&times, row.first_watched_at);
        providers.push(ProviderLag { id: row.id.clone(), name: row.name.clone(), lag });
    }
    if json {
        output::print_json(&view_lag::view(providers, now))?;
    } else {
        output::print(&text_lag::render(&providers, output::color()))?;
    }
    Ok(())
}

/// Suggests what to type instead of `unknown`: a short list as it is, of a long one the nearest id.
fn hint(unknown: &str, known: &[&str]) -> String {
    const LISTED: usize = 10;
    if known.len() <= LISTED {
        return format!("there are: {}", known.join(", "));
    }
    let nearest = nearest(unknown, known.iter().copied())
        .map(|id| format!("did you mean \"{id}\"? "))
        .unwrap_or_default();
    format!("{nearest}`statuswatch status` lists all {}", known.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_not_printed_for_a_typo() {
        let ids: Vec<String> = (0..200).map(|n| format!("provider-{n}")).collect();
        let many: Vec<&str> = ids.iter().map(String::as_str).chain(["github"]).collect();
        let found = hint("githb", &many);
        assert_eq!(found, "did you mean \"github\"? `statuswatch status` lists all 201");
        assert_eq!(hint("zzzzzzzz", &many), "`statuswatch status` lists all 201");
        assert_eq!(hint("x", &["acme", "other"]), "there are: acme, other");
    }
}
