//! `probe`: inspects a status page.

use std::fmt::Write;

use anyhow::Context;
use serde::Serialize;
use url::Url;

use super::args::ProbeArgs;
use super::exit::Exit;
use super::table::{Table, one_line};
use super::{examine, output};
use crate::catalog;
use crate::config::{NewEntry, entry_yaml};
use crate::event::{Component, Impact, Kind, Status};
use crate::poller::PollError;
use crate::poller::cycle::Examined;
use crate::redact::redact;
use crate::snapshot::UnreadTimes;

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    platform: &'a str,
    reason: &'a str,
    document: String,
    moved_to: Option<String>,
    page_name: Option<&'a str>,
    page_url: Option<&'a str>,
    impact: Impact,
    open: Vec<Open<'a>>,
    listed: usize,
    components: &'a [Component],
    rejected: &'a [String],
    unread_times: &'a UnreadTimes,
    entry: &'a str,
}

/// One open incident or maintenance.
#[derive(Serialize)]
struct Open<'a> {
    kind: Kind,
    id: &'a str,
    title: &'a str,
    status: Status,
    impact: Impact,
}

/// Reads the address once and shows what it found, and the entry for `providers.yaml`.
///
/// # Errors
/// The address is none, or the program's own output failed.
pub fn run(args: &ProbeArgs) -> anyhow::Result<Exit> {
    let address = catalog::find(&args.url).map_or(args.url.as_str(), |known| known.status_page);
    let url = match parse(address) {
        Ok(url) => url,
        Err(why) => {
            output::note(&format!("statuswatch: {why}"));
            return Ok(Exit::Usage);
        }
    };
    let found = match examine::one(&url)? {
        Ok(found) => found,
        Err(error) => {
            output::note(&format!("statuswatch: {}", in_short(&url, &error)));
            return Ok(Exit::Failed);
        }
    };
    let entry = match catalog::at(&url) {
        Some(known) => known.slug.to_owned(),
        None => entry(&url, &found, &|_| false)?,
    };
    let open: Vec<Open<'_>> = found
        .snapshot
        .open()
        .map(|item| Open {
            kind: item.kind,
            id: &item.id,
            title: &item.title,
            status: item.status.into(),
            impact: item.impact,
        })
        .collect();
    if args.json {
        output::print_json(&Report {
            platform: found.source,
            reason: &found.reason,
            document: redact(&found.document_url),
            moved_to: found.moved_to.as_ref().map(redact),
            page_name: found.snapshot.page.name.as_deref(),
            page_url: found.snapshot.page.url.as_deref(),
            impact: found.snapshot.impact(),
            open,
            listed: found.snapshot.incidents.len(),
            components: &found.snapshot.components,
            rejected: &found.snapshot.rejected,
            unread_times: &found.snapshot.unread_times,
            entry: &entry,
        })?;
    } else {
        output::print(&text(&found, &open, &entry))?;
    }
    Ok(Exit::Done)
}

fn text(found: &Examined, open: &[Open<'_>], entry: &str) -> String {
    let snapshot = &found.snapshot;
    let mut out = String::new();
    let mut fact = |name: &str, value: &str| {
        // Writing to a string cannot fail.
        let _infallible = writeln!(out, "{name:<12} {}", one_line(value));
    };
    fact("Platform", found.source);
    fact("Recognised", &found.reason);
    fact("Document", &redact(&found.document_url));
    if let Some(moved_to) = &found.moved_to {
        fact("Moved to", &redact(moved_to));
    }
    fact("Page", snapshot.page.name.as_deref().unwrap_or("-"));
    fact("State", &format!("impact {}", snapshot.impact()));
    fact(
        "Listed",
        &format!("{} incidents and maintenances, {} open", snapshot.incidents.len(), open.len()),
    );
    for item in open {
        fact(
            "",
            &format!(
                "{}: {} ({}, {})",
                item.kind,
                item.title,
                item.status.label().to_lowercase(),
                item.impact
            ),
        );
    }
    for rejected in snapshot.rejected.iter().take(5) {
        fact("Unusable", rejected);
    }
    if let Some(warning) = snapshot.unread_times.warning() {
        fact("Times", &warning);
    }
    if !snapshot.components.is_empty() {
        let mut table = Table::new(&["COMPONENT", "GROUP", "STATE", "ID"]);
        for component in &snapshot.components {
            table.row([
                component.name.as_str().into(),
                component.group.as_deref().unwrap_or("-").into(),
                component.status.label().as_str().into(),
                component.id.as_deref().unwrap_or("-").into(),
            ]);
        }
        let _infallible = write!(out, "\n{}", table.render(output::color()));
    }
    let _infallible = write!(out, "\nFor providers.yaml:\n\n");
    for (index, line) in entry.lines().enumerate() {
        let _infallible = writeln!(out, "  {} {line}", if index == 0 { "-" } else { " " });
    }
    out
}

/// The entry that watches this page, under an id that is not `taken`.
pub(super) fn entry(
    url: &Url,
    found: &Examined,
    taken: &dyn Fn(&str) -> bool,
) -> anyhow::Result<String> {
    let name = found
        .snapshot
        .page
        .name
        .clone()
        .map(|name| one_line(&name))
        .filter(|name| !name.is_empty());
    let id = free(id_of(name.as_deref().unwrap_or_default(), url), taken);
    let name = name.unwrap_or_else(|| url.host_str().unwrap_or("status page").to_owned());
    // The address itself is enough where the platform is recognised from it; a feed is named so
    // that it stays one.
    let source = (found.source == "feed").then_some("feed");
    let address = if found.source == "feed" { found.document_url.as_str() } else { url.as_str() };
    entry_yaml(&NewEntry { id: &id, name: Some(&name), url: address, source })
        .context("cannot write the entry")
}

/// Derives an id from the page's name or host.
fn id_of(name: &str, url: &Url) -> String {
    let host =
        url.host_str().unwrap_or_default().trim_start_matches("www.").trim_start_matches("status.");
    [name, host, "provider"]
        .into_iter()
        .map(slug)
        .find(|id| crate::config::is_id(id))
        .unwrap_or_else(|| "provider".to_owned())
}

/// The id, with a number behind it where others have it.
fn free(id: String, taken: &dyn Fn(&str) -> bool) -> String {
    if !taken(&id) {
        return id;
    }
    let stem: String = id.chars().take(60).collect();
    let stem = stem.trim_end_matches('-');
    (2..1000).map(|number| format!("{stem}-{number}")).find(|id| !taken(id)).unwrap_or(id)
}

fn slug(text: &str) -> String {
    let mut out = String::new();
    for c in text.trim_end_matches(" Status").chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.truncate(64);
    out.trim_end_matches('-').to_owned()
}

/// Parses a URL as typed by a user; the default scheme is https.
pub(super) fn parse(text: &str) -> Result<Url, String> {
    let given = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let shown = one_line(text);
    if !text.contains(['.', ':', '/']) && text != "localhost" {
        return Err(unknown(text));
    }
    let url = Url::parse(&given).map_err(|error| format!("\"{shown}\" is no address: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("only http and https URLs are supported, not {}", url.scheme()));
    }
    if url.host_str().is_none() {
        return Err(format!("\"{shown}\" names no host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "the URL must not contain a user name or password: it would appear in files and logs"
                .to_owned(),
        );
    }
    Ok(url)
}

/// Renders that a word is neither a URL nor a known slug.
pub(super) fn unknown(word: &str) -> String {
    let hint = catalog::nearest(word).map_or_else(
        || "search with `statuswatch catalog QUERY`".to_owned(),
        |near| format!("did you mean \"{near}\"?"),
    );
    format!("\"{}\" is not in the catalog; {hint}", one_line(word))
}

/// Why an address could not be read, without saying the same of each place: first what it came to,
/// then what the places answered that were looked at.
pub(super) fn in_short(url: &Url, error: &PollError) -> String {
    let first = one_line(&error.reason);
    let shown = redact(url);
    // What was not recognised, or led elsewhere, names its address itself.
    let mut out = if first.contains(&shown) { first } else { format!("{shown}: {first}") };
    let mut answers: Vec<(&str, &str, usize)> = Vec::new();
    for (place, answer) in &error.tried {
        match answers.iter_mut().find(|(_, known, _)| *known == answer.as_str()) {
            Some((.., count)) => *count += 1,
            None => answers.push((place, answer, 1)),
        }
    }
    for (place, answer, count) in &answers {
        let more = match count - 1 {
            0 => String::new(),
            1 => " (and one more place)".to_owned(),
            more => format!(" (and {more} more places)"),
        };
        let _infallible = write!(out, "\n  {}: {}{more}", one_line(place), one_line(answer));
    }
    if !answers.is_empty() {
        out.push_str(
            "\nhelp: name the status page itself, or its feed; `statuswatch catalog QUERY` knows more than a thousand pages",
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_answer_of_many_places_is_reported_once() {
        let url = parse("https://acme.example").unwrap();
        let html = "an HTML page, \"Acme\"";
        let tried = [("", html), ("rss", "404 Not Found"), ("feed", html), ("atom.xml", html)];
        let error = PollError {
            tried: tried
                .map(|(path, answer)| (format!("https://acme.example/{path}"), answer.to_owned()))
                .to_vec(),
            ..PollError::document(
                "unrecognised",
                "no status page was detected at https://acme.example/",
            )
        };
        let lines: Vec<String> = in_short(&url, &error).lines().map(str::to_owned).collect();
        assert_eq!(
            lines[..3],
            [
                "no status page was detected at https://acme.example/",
                "  https://acme.example/: an HTML page, \"Acme\" (and 2 more places)",
                "  https://acme.example/rss: 404 Not Found"
            ]
        );
        assert!(lines.len() == 4 && lines[3].starts_with("help: "), "{lines:?}");
        let error = PollError::document("not_found", "404 Not Found");
        assert_eq!(in_short(&url, &error), "https://acme.example/: 404 Not Found");
    }

    #[test]
    fn ids_are_made_of_names_and_hosts() {
        let url = parse("status.acme.example/x").unwrap();
        assert_eq!(url.as_str(), "https://status.acme.example/x");
        assert_eq!(id_of("Acme Cloud Status", &url), "acme-cloud");
        assert_eq!(id_of("", &url), "acme-example");
        assert_eq!(id_of("障害", &url), "acme-example");
        assert!(parse("ftp://x.example").is_err());
        assert_eq!(
            parse("gihtub").unwrap_err(),
            "\"gihtub\" is not in the catalog; did you mean \"github\"?"
        );
        assert_eq!(parse("localhost:8080").unwrap().as_str(), "https://localhost:8080/");
        assert_eq!(free("acme".to_owned(), &|id| id != "acme-4"), "acme-4");
        assert!(!parse("https://u:secret@x.example").unwrap_err().contains("secret"));
    }
}
