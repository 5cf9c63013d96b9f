//! The entries of `providers:`, resolved with the defaults and the catalog.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use url::Url;

use super::address::read_url;
use super::document::{Node, Place, Value};
use super::id::{ID_RULE, is_id};
use super::model::{Filter, Provider};
use super::reader::{DiagnosticBuilder, Reader, Section, nearest, short};
use super::settings::Resolved;
use super::{json_map, keys};
use crate::catalog::{self, Entry};

/// Characters of a name.
const MAX_NAME: usize = 200;

/// A provider and where it was named.
struct Found {
    provider: Provider,
    at: Place,
    enabled: bool,
}

/// Ids seen so far, with their lines.
#[derive(Default)]
struct Seen {
    ids: HashMap<String, Place>,
    urls: HashMap<Url, (String, Place)>,
}

/// Everything to be watched, in the order of the file.
pub(super) fn read(
    reader: &mut Reader<'_>,
    node: Option<&Node>,
    defaults: &Resolved,
) -> Vec<Arc<Provider>> {
    let hint =
        "add a slug from the catalog, such as \"- openai\"; \"statuswatch catalog\" lists them";
    let Some(node) = node.filter(|node| !node.is_null()) else {
        let at = node.map_or(Place { line: 1, column: 1 }, |node| node.at);
        reader.error(at, None, DiagnosticBuilder::new("no providers to watch").help(hint));
        return Vec::new();
    };
    let Value::List(items) = &node.value else {
        let message = format!("\"providers\" must be a list, not {}", node.kind());
        reader.error(
            node.at,
            None,
            DiagnosticBuilder::new(message).help("start each entry with \"- \""),
        );
        return Vec::new();
    };
    if items.is_empty() {
        reader.error(node.at, None, DiagnosticBuilder::new("no providers to watch").help(hint));
        return Vec::new();
    }
    let explicit: HashSet<&str> = items.iter().filter_map(named_slug).collect();
    let mut seen = Seen::default();
    let mut providers = Vec::new();
    let before = reader.diagnostics.len();
    for item in items {
        for found in entry(reader, item, defaults, &explicit, &seen) {
            if seen.admit(reader, &found) && found.enabled {
                providers.push(Arc::new(found.provider));
            }
        }
    }
    if providers.is_empty() && reader.diagnostics.len() == before {
        let message = "no providers to watch: all entries are disabled";
        reader.error(
            node.at,
            None,
            DiagnosticBuilder::new(message).help("remove an \"enabled: false\""),
        );
    }
    providers
}

impl Seen {
    /// Whether the id is new; an address that is not is worth a warning.
    fn admit(&mut self, reader: &mut Reader<'_>, found: &Found) -> bool {
        let Provider { id, url, .. } = &found.provider;
        if let Some(first) = self.ids.get(id) {
            let message = format!(
                "duplicate id \"{id}\" in line {}: already used in line {}",
                found.at.line, first.line
            );
            reader.error(
                found.at,
                Some(id),
                DiagnosticBuilder::new(message).help("change one of the ids"),
            );
            return false;
        }
        self.ids.insert(id.clone(), found.at);
        if found.enabled {
            if let Some((other, first)) = self.urls.get(url) {
                let message =
                    format!("\"{id}\" has the same URL as \"{other}\" in line {}", first.line);
                reader.warn(
                    found.at,
                    Some(id),
                    DiagnosticBuilder::new(message).help("every update will be reported twice"),
                );
            } else {
                self.urls.insert(url.clone(), (id.clone(), found.at));
            }
        }
        true
    }
}

/// The id under which an item names a provider of its own, wherever in the file it stands.
fn named_slug(item: &Node) -> Option<&str> {
    match &item.value {
        Value::Scalar(scalar) => scalar.text(),
        Value::Map(pairs) => match pairs.iter().find(|(key, _)| key.name == "id") {
            Some((_, Node { value: Value::Scalar(id), .. })) => id.text(),
            Some(_) => None,
            None => pairs.first().map(|(key, _)| key.name.as_str()),
        },
        Value::List(_) => None,
    }
}

fn entry(
    reader: &mut Reader<'_>,
    item: &Node,
    defaults: &Resolved,
    explicit: &HashSet<&str>,
    seen: &Seen,
) -> Vec<Found> {
    match &item.value {
        Value::Scalar(scalar) if scalar.is_null() => {
            let complaint = DiagnosticBuilder::new("an entry of \"providers\" is empty");
            reader.error(
                item.at,
                None,
                complaint.help("write a slug behind the \"-\", or remove it"),
            );
            Vec::new()
        }
        Value::Scalar(_) => reader
            .scalar(item, "providers", "a slug or a mapping in each entry", |slug| {
                known_slug(slug.trim())
            })
            .and_then(|known| from_catalog(reader, known, item.at, None, defaults))
            .into_iter()
            .collect(),
        Value::List(_) => {
            let complaint =
                DiagnosticBuilder::new("a provider must be a slug or a mapping, not a list");
            reader.error(item.at, None, complaint.help("remove the extra \"- \""));
            Vec::new()
        }
        Value::Map(pairs) => {
            if pairs.iter().any(|(key, _)| key.name == "catalog") {
                return group(reader, item, defaults, explicit, seen);
            }
            match pairs.as_slice() {
                [(key, inner)] if !keys::PROVIDER.contains(&key.name.as_str()) => {
                    let known = match known_slug(&key.name) {
                        Ok(known) => known,
                        Err(complaint) => {
                            reader.error(key.at, Some(&key.name), complaint);
                            return Vec::new();
                        }
                    };
                    let section = reader.section(
                        inner,
                        &format!("\"{}\"", short(&key.name)),
                        keys::OVERRIDES,
                    );
                    if section.is_none() && !inner.is_null() {
                        return Vec::new();
                    }
                    from_catalog(reader, known, key.at, section.as_ref(), defaults)
                        .into_iter()
                        .collect()
                }
                [(key, inner), rest @ ..]
                    if inner.is_null()
                        && !rest.is_empty()
                        && catalog::find(&key.name).is_some() =>
                {
                    let at = rest.first().map_or(key.at, |(second, _)| second.at);
                    let message = format!(
                        "the keys of \"{}\" must be indented further than its name",
                        short(&key.name)
                    );
                    let hint = format!(
                        "indent them by two more spaces, or write \"- {}: {{interval: 30s}}\"",
                        short(&key.name)
                    );
                    reader.error(at, None, DiagnosticBuilder::new(message).help(hint));
                    Vec::new()
                }
                _ => whole(reader, item, defaults).into_iter().collect(),
            }
        }
    }
}

fn known_slug(slug: &str) -> Result<Entry<'static>, DiagnosticBuilder> {
    if let Some(entry) = catalog::find(slug) {
        return Ok(entry);
    }
    if slug.contains("://") {
        let hint = "write \"- id: NAME\" and below it \"url: ADDRESS\"";
        return Err(DiagnosticBuilder::new("a provider needs an id besides its URL").help(hint));
    }
    let complaint =
        DiagnosticBuilder::new(format!("unknown provider \"{}\": not in the catalog", short(slug)));
    Err(match catalog::nearest(slug) {
        Some(meant) => {
            complaint.help(format!("did you mean \"{meant}\"? Other pages need an id and a url"))
        }
        None => complaint
            .help("to watch another page, write \"- id: ...\" and below it \"url: https://...\""),
    })
}

/// `- catalog: ai`: those of the group that can be read and are not named elsewhere in the file.
fn group(
    reader: &mut Reader<'_>,
    item: &Node,
    defaults: &Resolved,
    explicit: &HashSet<&str>,
    seen: &Seen,
) -> Vec<Found> {
    let Some(section) = reader.section(item, "a catalog entry", keys::GROUP) else {
        return Vec::new();
    };
    let group = reader.value(&section, "catalog", "a tier or a category", |name| {
        catalog::group(name).ok_or_else(|| {
            let names: Vec<String> = catalog::tiers()
                .into_iter()
                .map(|tier| format!("tier{tier}"))
                .chain(catalog::categories().into_iter().map(|(category, _)| category.to_owned()))
                .collect();
            let complaint =
                DiagnosticBuilder::new(format!("unknown tier or category \"{}\"", short(name)));
            match nearest(name, names.iter().map(String::as_str)) {
                Some(meant) => complaint.help(format!("did you mean \"{meant}\"?")),
                None => complaint.help(format!("expected one of: {}", names.join(", "))),
            }
        })
    });
    let resolved = defaults.with(reader, &section);
    let enabled = reader.flag(&section, "enabled").unwrap_or(true);
    let Some(group) = group else {
        return Vec::new();
    };
    let sources = reader.sources;
    let found: Vec<Found> = catalog::entries()
        .filter(|entry| {
            group.contains(entry)
                && !explicit.contains(entry.slug)
                && !seen.ids.contains_key(entry.slug)
        })
        .filter_map(|entry| {
            let target = entry.target(&|name| sources.contains(&name));
            let provider = Provider {
                id: entry.slug.to_owned(),
                name: entry.name.to_owned(),
                url: Url::parse(target.url).ok()?,
                source: Some(target.source?.to_owned()),
                url_written: false,
                settings: resolved.settings(),
                filter: own_component(resolved.filter.clone(), &entry),
                json: None,
            };
            Some(Found { provider, at: item.at, enabled })
        })
        .collect();
    let ids = found
        .iter()
        .filter(|found| found.enabled)
        .filter_map(|found| catalog::find(&found.provider.id));
    let doubtful: Vec<&str> = ids.filter(Entry::is_doubtful).map(|entry| entry.slug).collect();
    if !doubtful.is_empty() {
        let message = format!("the catalog is not sure of the URLs of {}", doubtful.join(", "));
        reader.doubt(item.at, None, DiagnosticBuilder::new(message).help(TRY_IT));
    }
    found
}

/// What to do about an address that may be wrong.
const TRY_IT: &str =
    "\"statuswatch check --online\" tries it; name another page with \"id\" and \"url\"";

/// A provider written in full: `id`, and `url` unless the catalog knows the id.
fn whole(reader: &mut Reader<'_>, item: &Node, defaults: &Resolved) -> Option<Found> {
    let section = reader.section(item, "a provider", keys::PROVIDER)?;
    let Some(id_node) = section.get("id") else {
        let hint = "add \"id: NAME\": lower-case letters, digits, \"-\" and \"_\"";
        reader.error(
            item.at,
            None,
            DiagnosticBuilder::new("provider without an \"id\"").help(hint),
        );
        custom(reader, &section, String::new(), item.at, defaults);
        return None;
    };
    let id = reader.value(&section, "id", "a text", |id| {
        if is_id(id) {
            Ok(id.to_owned())
        } else {
            Err(DiagnosticBuilder::new(format!("\"{}\" is not a valid id", short(id)))
                .help(ID_RULE))
        }
    });
    let Some(id) = id else {
        custom(reader, &section, String::new(), item.at, defaults);
        return None;
    };
    match catalog::find(&id) {
        Some(known) if !section.has("url") => {
            from_catalog(reader, known, id_node.at, Some(&section), defaults)
        }
        _ if section.has("url") => custom(reader, &section, id, id_node.at, defaults),
        _ => {
            let complaint = DiagnosticBuilder::new(format!(
                "\"{id}\" has no \"url\" and is not in the catalog"
            ));
            let complaint = match catalog::nearest(&id) {
                Some(meant) => complaint
                    .help(format!("did you mean \"{meant}\"? Otherwise add \"url: https://...\"")),
                None => complaint.help("add \"url: https://...\""),
            };
            reader.error(id_node.at, Some(&id), complaint);
            custom(reader, &section, id, id_node.at, defaults);
            None
        }
    }
}

/// A provider with an address of its own.
fn custom(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    id: String,
    at: Place,
    defaults: &Resolved,
) -> Option<Found> {
    let name = shown_name(reader, section).unwrap_or_else(|| id.clone());
    let url = reader.value(section, "url", "an address", read_url);
    let source = source(reader, section);
    let json = json_map::read(reader, section, source.as_deref());
    // Who describes a document names its source by that.
    let source = source.or_else(|| json.as_ref().map(|_| crate::source::JSON.to_owned()));
    let resolved = defaults.with(reader, section);
    let enabled = reader.flag(section, "enabled").unwrap_or(true);
    let (settings, filter) = (resolved.settings(), resolved.filter);
    Some(Found {
        provider: Provider {
            id,
            name,
            url: url?,
            source,
            url_written: true,
            settings,
            filter,
            json,
        },
        at,
        enabled,
    })
}

/// A provider of the catalog, with what `section` says over it.
fn from_catalog(
    reader: &mut Reader<'_>,
    known: Entry<'static>,
    at: Place,
    section: Option<&Section<'_>>,
    defaults: &Resolved,
) -> Option<Found> {
    if let Some(section) = section.filter(|section| section.has("url")) {
        let mut found = custom(reader, section, known.slug.to_owned(), at, defaults)?;
        if !section.has("name") {
            known.name.clone_into(&mut found.provider.name);
        }
        return Some(found);
    }
    let sources = reader.sources;
    let mut target = known.target(&|name| sources.contains(&name));
    let mut name = known.name.to_owned();
    let (mut resolved, mut enabled) = (defaults.clone(), true);
    let wanted;
    let mut of_another = false;
    if let Some(section) = section {
        if let Some(written) = shown_name(reader, section) {
            name = written;
        }
        wanted = source(reader, section);
        resolved = defaults.with(reader, section);
        enabled = reader.flag(section, "enabled").unwrap_or(true);
        if let Some(wanted) = wanted.as_deref().filter(|wanted| target.source != Some(*wanted)) {
            of_another = true;
            target.source = Some(wanted);
            target.url = if wanted == "feed" {
                known.feed.unwrap_or(known.status_page)
            } else {
                known.status_page
            };
        }
    }
    if let Some(doubt) = known.doubt().filter(|_| enabled) {
        let message = format!("\"{}\": {doubt}: {}", known.slug, known.status_page);
        reader.doubt(at, Some(known.slug), DiagnosticBuilder::new(message).help(TRY_IT));
    }
    let provider = Provider {
        id: known.slug.to_owned(),
        name,
        url: Url::parse(target.url).ok()?,
        source: target.source.map(str::to_owned),
        url_written: false,
        settings: resolved.settings(),
        filter: if of_another { resolved.filter } else { own_component(resolved.filter, &known) },
        json: None,
    };
    Some(Found { provider, at, enabled })
}

/// Of a page that is another provider's, what is reported is the component that is this one's, unless
/// the user names components.
fn own_component(mut filter: Filter, known: &Entry<'_>) -> Filter {
    if filter.components.is_empty() {
        filter.components.extend(known.component.map(str::to_owned));
    }
    filter
}

fn source(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<String> {
    let sources = reader.sources;
    reader.value(section, "source", "the name of a source", |name| {
        if sources.contains(&name) {
            return Ok(name.to_owned());
        }
        let complaint = DiagnosticBuilder::new(format!("unknown source \"{}\"", short(name)));
        Err(match nearest(name, sources.iter().copied()) {
            Some(meant) => complaint.help(format!("did you mean \"{meant}\"?")),
            None => complaint.help(format!(
                "expected one of: {}; omit \"source\" to detect the platform",
                sources.join(", ")
            )),
        })
    })
}

/// A name for people, as it can be shown anywhere; one of which nothing is left is none.
fn shown_name(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<String> {
    let name = reader.text(section, "name")?;
    Some(crate::text::one_line(&name, MAX_NAME)).filter(|name| !name.is_empty())
}
