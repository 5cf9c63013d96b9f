//! `/api/posts`: incidents and maintenances as fetched by the newer layout of the page. It lists no
//! services, and an absence has no meaning: how far back it goes is up to the caller.

use serde::Deserialize;

use super::{NAME, severity, status};
use crate::support::fields::{Id, MaybeId, OrDefault, Text, When};
use crate::support::{
    Items, List, Order, RawUpdate, at, bases, json, name, order_updates, prose, sniff,
};
use crate::{Limits, ParseError};
use statuswatch_model::document::Document;
use statuswatch_model::event::{IncidentStatus, Kind};
use statuswatch_model::snapshot::{Incident, Page, Snapshot};

#[derive(Debug, Deserialize)]
struct Posts {
    posts: List,
}

#[derive(Debug, Deserialize)]
struct Post {
    id: Id,
    title: String,
    #[serde(rename = "post_type")]
    kind: String,
    first_update_at: When,
    #[serde(default)]
    current_post_severity_enum: Option<Named>,
    #[serde(default)]
    current_post_status_enum: Option<Named>,
    #[serde(default)]
    latest_update: Option<Update>,
    updates: OrDefault<List>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    name: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Update {
    id: MaybeId,
    message: Text,
    reported_at: When,
    #[serde(default)]
    post_status_enum: Option<Named>,
}

/// An empty list has no signature, so the address must have one.
pub(super) fn is_posts(document: &Document) -> bool {
    document.url.path().ends_with("/api/posts") && sniff::<Posts>(document).is_some()
}

pub(super) fn parse(document: &Document, limits: Limits) -> Result<Snapshot, ParseError> {
    let posts: Posts = json(document, NAME)?;
    let mut items = Items::new(limits);
    let read: Vec<Post> = items.read("posts", &posts.posts)?;
    let incidents = read
        .into_iter()
        .map(|post| incident(&mut items, document, post))
        .collect::<Result<_, _>>()?;
    let url = home(document).map(|url| url.to_string());
    Ok(Snapshot {
        page: Page { url, ..Page::default() },
        incidents,
        rejected: items.into_rejected(),
        ..Snapshot::default()
    })
}

fn home(document: &Document) -> Option<url::Url> {
    bases(&document.url).into_iter().next()
}

fn incident(items: &mut Items, document: &Document, post: Post) -> Result<Incident, ParseError> {
    let kind = if post.kind.eq_ignore_ascii_case("maintenance") {
        Kind::Maintenance
    } else {
        Kind::Incident
    };
    let mut updates: Vec<Update> = items.nested("updates of a post", &post.updates)?;
    if updates.is_empty() {
        updates.extend(post.latest_update);
    }
    let now = post.current_post_status_enum.map(|word| status(&word.name));
    let written = updates.into_iter().map(|update| {
        let status =
            update.post_status_enum.map_or(IncidentStatus::Update, |word| status(&word.name));
        RawUpdate {
            id: update.id.0.map(|id| id.0),
            ..RawUpdate::new(status, update.reported_at.0, prose(&update.message))
        }
    });
    let mut updates = order_updates(written, Order::NewestFirst);
    // The post has a status but not its history. An end came with the latest update; any other
    // status would move on to the next update, and the previous one would look edited.
    if let (Some(latest), Some(now)) = (updates.last_mut(), now.filter(|now| now.is_over()))
        && latest.status == IncidentStatus::Update
    {
        latest.status = now;
    }
    let new = Incident::new(kind, post.id.0, name(&post.title));
    Ok(Incident {
        status: now.or_else(|| updates.last().map(|update| update.status)).unwrap_or(new.status),
        impact: post.current_post_severity_enum.map_or(new.impact, |word| severity(&word.name)),
        url: home(document)
            .and_then(|home| at(&home, &format!("posts/{}", new.id)))
            .map(|url| url.to_string()),
        started_at: post.first_update_at.0,
        updates,
        ..new
    })
}
