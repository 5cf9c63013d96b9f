//! `PROVIDER[#COMPONENT]`: parses needs and finds what they name.

use std::fmt;

use crate::catalog;
use crate::config::nearest;
use crate::event::Component;
use crate::ledger::ProviderRow;
use crate::text::one_line;

/// The maximum number of needs in one question.
pub const MAX_NEEDS: usize = 100;
/// The maximum length of a need in bytes.
const MAX_NEED: usize = 256;
/// The maximum number of candidates in an error.
const CANDIDATES: usize = 12;

/// A provider, or one of its components, by id or by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// As written: `github#actions`.
    text: String,
    provider: String,
    component: Option<String>,
}

/// A need that cannot be answered as written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NeedError {
    /// No need at all.
    #[error("no need is given: name at least one provider, such as github#actions")]
    None,
    /// More than [`MAX_NEEDS`].
    #[error("{0} needs are given; the maximum is {MAX_NEEDS}")]
    TooMany(usize),
    /// `#actions`, `github#`, or longer than a name can be.
    #[error("\"{0}\" is not a need: write PROVIDER or PROVIDER#COMPONENT")]
    Malformed(String),
    /// Neither watched nor in the catalog.
    #[error("no provider \"{name}\"{}", among(candidates))]
    UnknownProvider {
        /// As written.
        name: String,
        /// Ids that resemble it.
        candidates: Vec<String>,
    },
    /// Several watched providers have this name.
    #[error("\"{name}\" is the name of several providers{}", among(candidates))]
    AmbiguousProvider {
        /// As written.
        name: String,
        /// Their ids.
        candidates: Vec<String>,
    },
    /// The page lists components, but not this one.
    #[error("{provider} has no component \"{name}\"{}", among(candidates))]
    UnknownComponent {
        /// The provider's id.
        provider: String,
        /// As written.
        name: String,
        /// Needs that name components of this provider.
        candidates: Vec<String>,
    },
    /// The page lists no component.
    #[error(
        "{provider} lists no components, so \"{name}\" cannot be found: use the need {provider}"
    )]
    NoComponents {
        /// The provider's id.
        provider: String,
        /// As written.
        name: String,
    },
    /// Several components have this name.
    #[error("{provider} has several components \"{name}\"{}", among(candidates))]
    AmbiguousComponent {
        /// The provider's id.
        provider: String,
        /// As written.
        name: String,
        /// Needs that name one of them each.
        candidates: Vec<String>,
    },
}

/// `; candidates: a, b`.
fn among(candidates: &[String]) -> String {
    match candidates.len() {
        0 => String::new(),
        few @ ..=CANDIDATES => format!("; candidate{}: {}", plural(few), candidates.join(", ")),
        many => {
            let shown: Vec<&str> = candidates.iter().take(CANDIDATES).map(String::as_str).collect();
            format!("; candidates: {} and {} more", shown.join(", "), many - CANDIDATES)
        }
    }
}

const fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// Parses needs separated by commas, in any number of texts; repeated ones count once.
pub fn parse_needs<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Vec<Need>, NeedError> {
    let mut needs: Vec<Need> = Vec::new();
    let parts = texts.into_iter().flat_map(|text| text.split([',', '\n']));
    for part in parts.map(str::trim).filter(|part| !part.is_empty()) {
        let need = Need::parse(part)?;
        if !needs.contains(&need) {
            needs.push(need);
        }
        if needs.len() > MAX_NEEDS {
            return Err(NeedError::TooMany(needs.len()));
        }
    }
    if needs.is_empty() { Err(NeedError::None) } else { Ok(needs) }
}

impl Need {
    fn parse(text: &str) -> Result<Self, NeedError> {
        let malformed = || NeedError::Malformed(one_line(text, 80));
        let (provider, component) = match text.split_once('#') {
            Some((provider, component)) => (provider, Some(slug(component))),
            None => (text, None),
        };
        let provider = provider.trim().to_lowercase();
        if text.len() > MAX_NEED || slug(&provider).is_empty() || component.as_deref() == Some("") {
            return Err(malformed());
        }
        Ok(Self { text: one_line(text, MAX_NEED), provider, component })
    }

    /// The component as written, in small letters with dashes.
    pub(super) fn component(&self) -> Option<&str> {
        self.component.as_deref()
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What the provider of a need is.
pub(super) enum Named<'r> {
    /// Watched, now or formerly.
    Row(&'r ProviderRow),
    /// A provider of the catalog that was never watched: its slug.
    Catalog(&'static str),
}

/// Finds the provider of a need: by id, else by the name of a watched one, else in the catalog.
pub(super) fn provider<'r>(need: &Need, rows: &'r [ProviderRow]) -> Result<Named<'r>, NeedError> {
    if let Some(row) = rows.iter().find(|row| row.id == need.provider) {
        return Ok(Named::Row(row));
    }
    let name = slug(&need.provider);
    let watched = || rows.iter().filter(|row| row.watched);
    let named: Vec<&ProviderRow> = watched().filter(|row| slug(&row.name) == name).collect();
    match named.as_slice() {
        [row] => return Ok(Named::Row(row)),
        [] => {}
        several => {
            return Err(NeedError::AmbiguousProvider {
                name: one_line(&need.provider, 80),
                candidates: several.iter().map(|row| row.id.clone()).collect(),
            });
        }
    }
    if let Some(entry) = catalog::find(&name) {
        return Ok(Named::Catalog(entry.slug));
    }
    let ids: Vec<&str> = watched().map(|row| row.id.as_str()).collect();
    let close = nearest(&name, ids.iter().copied()).or_else(|| catalog::nearest(&name));
    let candidates = match close {
        Some(id) => vec![id.to_owned()],
        None if ids.len() <= CANDIDATES => ids.into_iter().map(str::to_owned).collect(),
        None => Vec::new(),
    };
    Err(NeedError::UnknownProvider { name: one_line(&need.provider, 80), candidates })
}

/// Finds the components that `wanted` names among those of `provider`: by id or name, by group and
/// name, or all of a group.
pub(super) fn components<'c>(
    provider: &str,
    wanted: &str,
    listed: &'c [Component],
) -> Result<Vec<&'c Component>, NeedError> {
    let select = |is: &dyn Fn(&Component) -> bool| -> Vec<&'c Component> {
        listed.iter().filter(|component| is(component)).collect()
    };
    let by_name = select(&|component| {
        slug(&component.name) == wanted
            || component.id.as_deref().map(slug).as_deref() == Some(wanted)
    });
    match by_name.len() {
        0 => {}
        1 => return Ok(by_name),
        _ => {
            let candidates: Vec<String> =
                by_name.iter().map(|component| need_for(provider, component)).collect();
            let mut unique = candidates.clone();
            unique.sort();
            unique.dedup();
            if unique.len() == 1 {
                // Nothing tells them apart: all of them are meant.
                return Ok(by_name);
            }
            return Err(NeedError::AmbiguousComponent {
                provider: provider.to_owned(),
                name: one_line(wanted, 80),
                candidates: unique,
            });
        }
    }
    let qualified = select(&|component| qualified(component) == wanted);
    if !qualified.is_empty() {
        return Ok(qualified);
    }
    let group =
        select(&|component| component.group.as_deref().map(slug).as_deref() == Some(wanted));
    if !group.is_empty() {
        return Ok(group);
    }
    if listed.is_empty() {
        return Err(NeedError::NoComponents {
            provider: provider.to_owned(),
            name: one_line(wanted, 80),
        });
    }
    Err(NeedError::UnknownComponent {
        provider: provider.to_owned(),
        name: one_line(wanted, 80),
        candidates: resembling(provider, wanted, listed),
    })
}

/// The needs that name components resembling `wanted`, the most similar first; otherwise all.
fn resembling(provider: &str, wanted: &str, listed: &[Component]) -> Vec<String> {
    let names: Vec<String> = listed.iter().map(|component| slug(&component.name)).collect();
    let mut close: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| name.contains(wanted) || (name.len() > 2 && wanted.contains(*name)))
        .collect();
    if close.is_empty() {
        close.extend(nearest(wanted, names.iter().map(String::as_str)));
    }
    if close.is_empty() {
        close = names.iter().map(String::as_str).collect();
    }
    let mut needs: Vec<String> = close
        .into_iter()
        .filter(|name| !name.is_empty())
        .map(|name| format!("{provider}#{name}"))
        .collect();
    needs.sort();
    needs.dedup();
    needs
}

/// `group-name`, or the name where there is no group.
fn qualified(component: &Component) -> String {
    match &component.group {
        Some(group) => slug(&format!("{group} {}", component.name)),
        None => slug(&component.name),
    }
}

/// The need that names exactly this component.
fn need_for(provider: &str, component: &Component) -> String {
    format!("{provider}#{}", qualified(component))
}

/// A name in small letters, with a dash for whatever is neither a letter nor a digit.
pub(super) fn slug(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_alphanumeric() {
            out.extend(c.to_lowercase());
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.truncate(out.trim_end_matches('-').len());
    out
}
