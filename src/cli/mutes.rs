//! `mute`, `unmute` and `mutes`.

use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;

use super::args::{MuteArgs, MutesArgs, UnmuteArgs};
use super::delivery::{self, MuteView};
use super::exit::Exit;
use super::output;
use super::table::{Table, one_line};
use crate::clock;
use crate::config::nearest;
use crate::event::{Time, format_time};
use crate::ledger::{Control, Reader};
use crate::postgres::DatabaseUrl;
use crate::view::when;

/// The longest mute: a longer one is a provider that should not be watched.
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// The longest reason and component, in bytes.
const MAX_TEXT: usize = 500;

/// Mutes a provider or one of its components.
///
/// # Errors
/// There is no ledger, or it cannot be written.
pub fn mute(
    state_dir: &Path,
    database: Option<&DatabaseUrl>,
    args: &MuteArgs,
) -> anyhow::Result<Exit> {
    let (provider, component) = match named(state_dir, &args.what)? {
        Ok(named) => named,
        Err(exit) => return Ok(exit),
    };
    let reason = args.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
    if reason.is_some_and(|reason| reason.len() > MAX_TEXT) {
        return Ok(delivery::usage(&format!("the reason is longer than {MAX_TEXT} bytes")));
    }
    let now = clock::now();
    let until = match args.time {
        None => None,
        Some(time) if time.is_zero() || time > LONGEST => {
            return Ok(delivery::usage("--for takes a time of up to 365d"));
        }
        Some(time) => Some(now + TimeDelta::from_std(time).unwrap_or_default()),
    };
    let reader = Reader::open(state_dir)?;
    if let Some(component) = &component {
        warn_of_unknown(&reader, &provider, component)?;
    }
    if until.is_none() && reader.open_items(Some(&provider))?.is_empty() {
        output::note(&format!(
            "warning: nothing of {provider} is open: the mute ends within seconds; use --for"
        ));
    }
    drop(reader);
    Control::open(state_dir, database)?.mute(
        &provider,
        component.as_deref(),
        until,
        reason,
        now,
    )?;
    let end = until.map_or_else(
        || "until nothing of it is open".to_owned(),
        |until| format!("until {}", format_time(seconds(until))),
    );
    output::print(&format!("Muted {} {end}.\n", name(&provider, component.as_deref())))?;
    Ok(Exit::Done)
}

/// Ends mutes.
///
/// # Errors
/// As [`mute`].
pub fn unmute(
    state_dir: &Path,
    database: Option<&DatabaseUrl>,
    args: &UnmuteArgs,
) -> anyhow::Result<Exit> {
    let (provider, component) = match named(state_dir, &args.what)? {
        Ok(named) => named,
        Err(exit) => return Ok(exit),
    };
    let count = Control::open(state_dir, database)?.unmute(
        &provider,
        component.as_deref(),
        clock::now(),
    )?;
    let name = name(&provider, component.as_deref());
    if count == 0 {
        output::note(&format!(
            "statuswatch: {name} is not muted; `statuswatch mutes` lists what is"
        ));
        return Ok(Exit::Failed);
    }
    let ended = if count == 1 { "one mute".to_owned() } else { format!("{count} mutes") };
    output::print(&format!("Ended {ended} of {name}.\n"))?;
    Ok(Exit::Done)
}

/// Shows mutes.
///
/// # Errors
/// The ledger cannot be read.
pub fn list(state_dir: &Path, args: &MutesArgs) -> anyhow::Result<Exit> {
    let (rows, now) = (Reader::open(state_dir)?.mutes(args.all)?, clock::now());
    if args.json {
        let mutes: Vec<MuteView> = rows.iter().map(MuteView::of).collect();
        output::print_json(&serde_json::json!({"at": format_time(now), "mutes": mutes}))?;
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        output::print("Nothing is muted.\n")?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["MUTED", "SINCE", "UNTIL", "REASON"]);
    for row in &rows {
        let until = match (row.ended_at, row.until) {
            (Some(ended), _) => format!("ended {}", when::relative(ended, now)),
            (None, Some(until)) => {
                format!("{} ({})", format_time(seconds(until)), when::relative(until, now))
            }
            (None, None) => "nothing is open".to_owned(),
        };
        table.row([
            name(&row.provider, row.component.as_deref()).into(),
            when::relative(row.created_at, now).into(),
            until.into(),
            row.reason.as_deref().unwrap_or_default().into(),
        ]);
    }
    output::print(&table.render(output::color()))?;
    Ok(Exit::Done)
}

/// A provider and a component of it.
type Named = (String, Option<String>);

/// Returns what `PROVIDER[#COMPONENT]` names, or reports that there is no such provider.
fn named(state_dir: &Path, what: &str) -> anyhow::Result<Result<Named, Exit>> {
    let (provider, component) = match what.split_once('#') {
        Some((provider, component)) => (provider.trim(), Some(component.trim())),
        None => (what.trim(), None),
    };
    if provider.is_empty() || component.is_some_and(|one| one.is_empty() || one.len() > MAX_TEXT) {
        let message = format!("\"{}\" is not PROVIDER or PROVIDER#COMPONENT", one_line(what));
        return Ok(Err(delivery::usage(&message)));
    }
    let rows = Reader::open(state_dir)?.providers()?;
    if rows.iter().any(|row| row.id == provider) {
        return Ok(Ok((provider.to_owned(), component.map(str::to_owned))));
    }
    let meant = nearest(provider, rows.iter().map(|row| row.id.as_str()));
    let hint = meant.map_or_else(
        || "`statuswatch status` lists all".to_owned(),
        |id| format!("did you mean \"{id}\"?"),
    );
    let message =
        format!("no provider \"{}\" in {}; {hint}", one_line(provider), output::shown(state_dir));
    Ok(Err(delivery::usage(&message)))
}

/// A component that is not listed now may be listed later: no error.
fn warn_of_unknown(reader: &Reader, provider: &str, component: &str) -> anyhow::Result<()> {
    let components = reader.components(provider)?;
    let globs = [component.to_owned()];
    if components.iter().any(|listed| listed.matches(&globs)) {
        return Ok(());
    }
    let meant = nearest(component, components.iter().map(|listed| listed.name.as_str()));
    let hint = meant.map(|name| format!("; did you mean \"{name}\"?")).unwrap_or_default();
    output::note(&format!(
        "warning: {provider} lists no component \"{}\" now{}",
        one_line(component),
        one_line(&hint)
    ));
    Ok(())
}

/// `github#Actions`
fn name(provider: &str, component: Option<&str>) -> String {
    match component {
        Some(component) => one_line(&format!("{provider}#{component}")),
        None => one_line(provider),
    }
}

/// Without the fraction.
fn seconds(time: Time) -> Time {
    Time::from_timestamp(time.timestamp(), 0).unwrap_or(time)
}
