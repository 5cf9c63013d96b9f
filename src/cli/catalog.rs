//! `catalog [QUERY]`.

use super::args::CatalogArgs;
use super::exit::Exit;
use super::output;
use super::table::{Table, one_line};
use crate::catalog::{self, Entry};

/// Shows the providers known by name.
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
            "statuswatch: no provider is known as \"{}\". Any page can be watched by its address: `statuswatch add ADDRESS`",
            one_line(&query)
        ));
    } else {
        output::print(&render(&found, output::colour()))?;
    }
    Ok(Exit::Done)
}

fn render(found: &[Entry<'_>], colour: bool) -> String {
    let mut table = Table::new(&["SLUG", "NAME", "CATEGORY", "TIER", "PLATFORM", "PAGE"]);
    for entry in found {
        let tier = entry.tier.map_or_else(|| "-".to_owned(), |tier| tier.to_string());
        let cells =
            [entry.slug, entry.name, entry.category, &tier, entry.platform, entry.status_page];
        table.row(cells.map(Into::into));
    }
    table.render(colour)
}
