//! `catalog [QUERY]`.

use super::args::CatalogArgs;
use super::exit::Exit;
use super::output;
use super::table::Table;
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
            "statuswatch: no provider is known as \"{query}\". Any page can be watched by its address: `id` and `url` in providers.yaml"
        ));
    } else {
        output::print(&render(&found, output::colour()))?;
    }
    Ok(Exit::Done)
}

fn render(found: &[Entry<'_>], colour: bool) -> String {
    let mut table = Table::new(&["SLUG", "NAME", "CATEGORY", "PLATFORM", "PAGE"]);
    for entry in found {
        table.row([entry.slug.into(), entry.name.into(), entry.category.into(), entry.platform.into(), entry.status_page.into()]);
    }
    table.render(colour)
}
