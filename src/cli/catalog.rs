//! `catalog`: searches the known providers.

use super::args::CatalogArgs;
use super::exit::Exit;
use super::output;
use super::table::{Table, one_line};
use crate::catalog::{self, Entry};

/// Lists the matching providers.
///
/// # Errors
/// Standard output could not be written.
pub fn run(args: &CatalogArgs) -> anyhow::Result<Exit> {
    let query = args.query.join(" ");
    let found = catalog::search(&query);
    if args.json {
        output::print_json(&found)?;
    } else if found.is_empty() {
        output::note(&format!(
            "statuswatch: no provider matches \"{}\". Any status page can be added by its URL: `statuswatch add URL`",
            one_line(&query)
        ));
    } else {
        output::print(&render(&found, output::color()))?;
        if let Some(entry) = catalog::find(&query.trim().to_lowercase()) {
            output::print(&format!("\n{}\n", evidence(&entry)))?;
        }
    }
    Ok(Exit::Done)
}

/// How sure an entry is, since when, and who says so.
fn evidence(entry: &Entry<'_>) -> String {
    let day = entry.confirmed.map(|day| match day.len() {
        10 => format!("on {day}"),
        _ => format!("in {day}"),
    });
    let sure = match (entry.doubt(), day) {
        (Some(doubt), Some(day)) => format!("{doubt}; last seen {day}"),
        (Some(doubt), None) => doubt,
        (None, Some(day)) => format!("confirmed {day}"),
        (None, None) => "confirmed by its form, on no known day".to_owned(),
    };
    let found: Vec<&str> = entry.witnesses().collect();
    let found =
        if found.is_empty() { String::new() } else { format!(". Found in {}", found.join(", ")) };
    let part = entry.component.map_or_else(String::new, |component| {
        format!(". The page is another provider's: only its component \"{component}\" is reported")
    });
    format!("{}: {sure}{found}{part}", entry.slug)
}

fn render(found: &[Entry<'_>], color: bool) -> String {
    let mut table = Table::new(&["SLUG", "NAME", "CATEGORY", "TIER", "PLATFORM", "PAGE"]);
    for entry in found {
        let tier = entry.tier.map_or_else(|| "-".to_owned(), |tier| tier.to_string());
        let cells =
            [entry.slug, entry.name, entry.category, &tier, entry.platform, entry.status_page];
        table.row(cells.map(Into::into));
    }
    table.render(color)
}
