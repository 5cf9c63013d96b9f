//! The names that a template can use.

use serde::Serialize;
use statuswatch_model::event::{Component, Kind, StatusEvent};

use crate::notification::{Content, Notice, Notification, Phase, Summary};
use crate::text::{Layout, duration};

/// The names and their values; documented in `docs/src/templates.md`.
#[derive(Debug, Serialize)]
pub(super) struct Context<'a> {
    event: Option<&'a StatusEvent>,
    summary: Option<&'a Summary>,
    notice: Option<&'a Notice>,
    provider: &'a str,
    title: String,
    status: Option<&'static str>,
    impact: Option<&'static str>,
    severity: &'static str,
    message: Option<String>,
    url: Option<String>,
    phase: Phase,
    late: Option<String>,
    skipped: u32,
    components: &'a [Component],
}

impl<'a> Context<'a> {
    pub(super) fn new(notification: &Notification<'a>) -> Self {
        let bare = Notification { custom: crate::notification::Custom::default(), ..*notification };
        let layout = Layout::new(&bare);
        let mut context = Self {
            event: None,
            summary: None,
            notice: None,
            provider: "statuswatch",
            title: layout.title,
            status: None,
            impact: None,
            severity: notification.severity().as_str(),
            message: Some(layout.body),
            url: layout.url,
            phase: notification.phase,
            late: notification.late.map(duration),
            skipped: notification.skipped,
            components: &[],
        };
        match notification.content {
            Content::Event(event) => {
                context.event = Some(event);
                context.provider = &event.provider_name;
                context.title.clone_from(&event.title);
                context.status = Some(event.status.as_str());
                context.impact = Some(event.impact.as_str());
                context.message.clone_from(&event.message);
                context.components = &event.components;
            }
            Content::Summary(summary) => context.summary = Some(summary),
            Content::Notice(notice) => {
                context.notice = Some(notice);
                context.impact = Some(notice.impact.as_str());
                context.phase = if notice.over { Phase::End } else { Phase::Open };
            }
        }
        context
    }

    /// Returns what the notification is about, for messages.
    pub(super) fn what(&self) -> &'static str {
        match (self.event, self.summary) {
            (Some(event), _) => match event.kind {
                Kind::Incident => "an incident",
                Kind::Maintenance => "a maintenance",
                Kind::Component => "a component",
                Kind::Provider => "a provider",
            },
            (None, Some(_)) => "a summary",
            (None, None) => "a notice",
        }
    }
}
