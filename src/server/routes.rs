//! Everything that is served, in one table. The router, the access rules and the `OpenAPI`
//! description come from it.

use axum::http::{Method, StatusCode};
use schemars::SchemaGenerator;

use super::answer::JSON;
pub use super::pages::PAGES;
pub use super::route::{Access, Answer, Parameter, Route, Values};
use super::route::{DURATION, get, get_or, handler, parameter, required};
use super::{agents, api, badge, facade, feeds, health, hooks, metrics, openapi, stream};
use crate::view::top::{TopProviders, TopView};

const AFTER: Parameter = parameter(
    "after",
    Values::Number(0, i64::MAX.unsigned_abs()),
    "The events after this sequence number. Default 0: from the oldest that is kept.",
);
const LIMIT: Parameter = parameter("limit", Values::Number(1, 1000), "1 to 1000; default 100.");
const PROVIDERS: Parameter = parameter(
    "provider",
    Values::List,
    "Only these providers: ids, repeated or separated by commas.",
);
const KEY: Values = Values::Pattern("^[0-9a-f]{32}$");
const SINCE: Parameter = parameter(
    "since",
    Values::DurationOrTime,
    "Only what was observed since a duration ago (7d, 2h) or a UTC time.",
);
const KIND: Parameter = parameter(
    "kind",
    Values::Pattern(
        "^(incident|maintenance|component|provider)(,(incident|maintenance|component|provider))*$",
    ),
    "Only these kinds, repeated or separated by commas.",
);
const IMPACT: Parameter = parameter(
    "impact",
    Values::Pattern(
        "^(none|maintenance|minor|major|critical|unknown)[+]?(,(none|maintenance|minor|major|critical|unknown)[+]?)*$",
    ),
    "Only these impacts, repeated or separated by commas; `major+` includes worse ones.",
);
/// What selects the entries of a feed.
const FEED: &[Parameter] = &[
    PROVIDERS,
    SINCE,
    KIND,
    IMPACT,
    parameter(
        "by",
        Values::Words(&["update", "incident"]),
        "What is an entry: an update, which is the default, or an incident with all its updates.",
    ),
];

/// What is served to programs. Pages for people are in [`PAGES`].
pub const ROUTES: &[Route] = &[
    get_or(
        &[StatusCode::SERVICE_UNAVAILABLE],
        "/healthz",
        Access::Everybody,
        "200 while the supervisor's loop turns; depends on no provider.",
        &[],
        Answer::Json(SchemaGenerator::subschema_for::<health::Health>),
        handler!(health::healthz),
    ),
    get_or(
        &[StatusCode::SERVICE_UNAVAILABLE],
        "/readyz",
        Access::Everybody,
        "503 with the reasons while events may be missed or delayed.",
        &[],
        Answer::Json(SchemaGenerator::subschema_for::<health::Readiness>),
        handler!(health::readyz),
    ),
    get(
        "/metrics",
        Access::Token,
        "The process, in the OpenMetrics text format.",
        &[],
        Answer::Other(metrics::MEDIA),
        handler!(metrics::process),
    ),
    get(
        "/metrics/providers",
        Access::Token,
        "The providers, in the OpenMetrics text format; which ones, metrics.providers says.",
        &[],
        Answer::Other(metrics::MEDIA),
        handler!(metrics::providers),
    ),
    get(
        "/api/v1/openapi.json",
        Access::Token,
        "This description.",
        &[],
        Answer::ForeignJson(JSON),
        handler!(openapi::get),
    ),
    get(
        "/api/v1/status",
        Access::Token,
        "The present state of everything, as `statuswatch status --json` prints it, with what others see.",
        &[],
        Answer::Json(SchemaGenerator::subschema_for::<api::StatusAnswer>),
        handler!(api::status),
    ),
    get(
        "/api/v1/providers",
        Access::Token,
        "The providers, by id, a page at a time.",
        &[
            parameter("after", Values::Text, "The providers after this id. Default: the first."),
            LIMIT,
        ],
        Answer::Json(SchemaGenerator::subschema_for::<api::ProviderPage>),
        handler!(api::providers),
    ),
    get(
        "/api/v1/providers/{id}",
        Access::Token,
        "One provider with its components and what is open.",
        &[required("id", Values::Text, "Its id in providers.yaml.")],
        Answer::Json(SchemaGenerator::subschema_for::<api::ProviderDetail>),
        handler!(api::provider),
    ),
    get(
        "/api/v1/incidents",
        Access::Token,
        "The incidents that are open, by provider.",
        &[PROVIDERS],
        Answer::Json(SchemaGenerator::subschema_for::<api::IncidentList>),
        handler!(api::incidents),
    ),
    get(
        "/api/v1/incidents/{key}",
        Access::Token,
        "One incident or maintenance, open or not, with its events.",
        &[required("key", KEY, "Its key: 32 hexadecimal digits.")],
        Answer::Json(SchemaGenerator::subschema_for::<api::IncidentDetail>),
        handler!(api::incident),
    ),
    get(
        "/api/v1/events",
        Access::Token,
        "Events by sequence number, oldest first, each as the event log has it, byte for byte.",
        &[AFTER, LIMIT],
        Answer::Json(SchemaGenerator::subschema_for::<api::EventPage>),
        handler!(api::events),
    ),
    get(
        "/api/v1/history",
        Access::Token,
        "The newest events that a filter takes, oldest first, as `statuswatch history --json` prints them.",
        &[PROVIDERS, SINCE, KIND, IMPACT, LIMIT],
        Answer::Json(SchemaGenerator::subschema_for::<api::History>),
        handler!(api::history),
    ),
    get(
        "/api/v1/top",
        Access::Token,
        "What `statuswatch top --url` shows, without providers and events. Changes only when something does.",
        &[],
        Answer::Json(SchemaGenerator::subschema_for::<TopView>),
        handler!(api::top),
    ),
    get(
        "/api/v1/top/providers",
        Access::Token,
        "The providers as `statuswatch top --url` shows them, by id, a page at a time.",
        &[
            parameter("after", Values::Text, "The providers after this id. Default: the first."),
            LIMIT,
        ],
        Answer::Json(SchemaGenerator::subschema_for::<TopProviders>),
        handler!(api::top_providers),
    ),
    get(
        "/api/v1/maintenances",
        Access::Token,
        "Maintenances whose window touches the time between `from` and `to`, in either order.",
        &[
            parameter("from", Values::Time, "UTC time, RFC 3339. Default: now."),
            parameter("to", Values::Time, "UTC time, RFC 3339. Default: 90 days after `from`."),
        ],
        Answer::Json(SchemaGenerator::subschema_for::<api::IncidentList>),
        handler!(api::maintenances),
    ),
    get(
        "/api/v1/stream",
        Access::Token,
        "Events as they are recorded: server-sent events whose id is the sequence number. Resumes after `Last-Event-ID` or `after`; the event `reset` says that events in between are lost.",
        &[AFTER],
        Answer::Other(stream::MEDIA),
        handler!(stream::get),
    ),
    get(
        "/api/v1/channels",
        Access::Token,
        "The channels with their health and what waits for them; addresses and secrets are not shown.",
        &[],
        Answer::Json(SchemaGenerator::subschema_for::<api::ChannelList>),
        handler!(api::channels),
    ),
    get(
        "/api/v1/deadletters",
        Access::Token,
        "Messages that were given up, newest first.",
        &[parameter("channel", Values::Text, "Only those of this channel."), LIMIT],
        Answer::Json(SchemaGenerator::subschema_for::<api::DeadLetterList>),
        handler!(api::dead_letters),
    ),
    get(
        "/api/v1/mutes",
        Access::Token,
        "The mutes in effect, oldest first.",
        &[parameter("all", Values::Words(&["true", "false"]), "Whether ended ones are included.")],
        Answer::Json(SchemaGenerator::subschema_for::<api::MuteList>),
        handler!(api::mutes),
    ),
    Route {
        method: Method::POST,
        path: "/api/v1/mutes",
        access: Access::Write,
        about: "Mutes a provider or one of its components. A mute of the same is replaced.",
        parameters: &[],
        body: Some(SchemaGenerator::subschema_for::<api::NewMute>),
        status: StatusCode::CREATED,
        also: &[],
        answer: Answer::Json(SchemaGenerator::subschema_for::<api::Mute>),
        handler: handler!(api::mute),
    },
    Route {
        method: Method::DELETE,
        path: "/api/v1/mutes",
        access: Access::Write,
        about: "Ends the mutes of a provider, or of one of its components; what they held is due.",
        parameters: &[
            required("provider", Values::Text, "Its id in providers.yaml."),
            parameter("component", Values::Text, "Only the mute of this component."),
        ],
        body: None,
        status: StatusCode::OK,
        also: &[],
        answer: Answer::Json(SchemaGenerator::subschema_for::<api::Unmuted>),
        handler: handler!(api::unmute),
    },
    get_or(
        &[StatusCode::CONFLICT, StatusCode::SERVICE_UNAVAILABLE],
        "/api/v1/gate",
        Access::Token,
        "Whether a deployment may go ahead, as `statuswatch gate` decides it: 200 pass, 409 hold, 503 unknown.",
        &[
            required(
                "needs",
                Values::Pattern(
                    "^[A-Za-z0-9][^#,\\s]*(#[A-Za-z0-9][^#,\\s]*)?(,[A-Za-z0-9][^#,\\s]*(#[A-Za-z0-9][^#,\\s]*)?)*$",
                ),
                "PROVIDER or PROVIDER#COMPONENT, repeated or separated by commas; up to 100. Write `#` as `%23`.",
            ),
            parameter(
                "min_impact",
                Values::Words(&["maintenance", "minor", "major", "critical"]),
                "This impact or a worse one holds. Default major.",
            ),
            parameter(
                "max_age",
                DURATION,
                "A state that is older is unknown. Default: `stale_after` of each provider.",
            ),
            parameter(
                "on_unknown",
                Values::Words(&["pass", "hold"]),
                "What an unknown need counts as. Default: the answer is 503.",
            ),
        ],
        Answer::Json(SchemaGenerator::subschema_for::<crate::gate::Answer>),
        handler!(api::gate),
    ),
    Route {
        method: Method::POST,
        path: "/api/v1/observe",
        access: Access::Write,
        about: "Takes the error rate that you see of a provider; it is shown next to the provider's own state for 15 min.",
        parameters: &[],
        body: Some(SchemaGenerator::subschema_for::<api::NewObservation>),
        status: StatusCode::OK,
        also: &[],
        answer: Answer::Json(SchemaGenerator::subschema_for::<super::observe::Observed>),
        handler: handler!(api::observe),
    },
    get(
        "/feeds/events.atom",
        Access::Feeds,
        "The newest events as an Atom feed, one entry per update or per incident.",
        FEED,
        Answer::Other(feeds::ATOM),
        handler!(feeds::atom),
    ),
    get(
        "/feeds/events.json",
        Access::Feeds,
        "The newest events as a JSON feed, one item per update or per incident.",
        FEED,
        Answer::ForeignJson(feeds::JSON_FEED),
        handler!(feeds::json),
    ),
    get(
        "/feeds/maintenances.ics",
        Access::Feeds,
        "Maintenances as a calendar.",
        &[PROVIDERS],
        Answer::Other(feeds::CALENDAR),
        handler!(feeds::calendar),
    ),
    get(
        "/badge.svg",
        Access::Badges,
        "The worst state of all providers as a picture.",
        &[],
        Answer::Other(badge::MEDIA),
        handler!(badge::all),
    ),
    get(
        "/badge/{id}.svg",
        Access::Badges,
        "The state of one provider as a picture.",
        &[required("id", Values::Text, "Its id in providers.yaml.")],
        Answer::Other(badge::MEDIA),
        handler!(badge::one),
    ),
    get(
        "/api/v2/summary.json",
        Access::Summary,
        "Everything in the format of a Statuspage summary; each provider is a component.",
        &[],
        Answer::ForeignJson(JSON),
        handler!(facade::summary),
    ),
    get(
        "/api/v2/status.json",
        Access::Summary,
        "The overall status in the format of Statuspage.",
        &[],
        Answer::ForeignJson(JSON),
        handler!(facade::status),
    ),
    get(
        "/api/v2/components.json",
        Access::Summary,
        "The providers as components of a Statuspage page.",
        &[],
        Answer::ForeignJson(JSON),
        handler!(facade::components),
    ),
    get(
        "/api/v2/incidents.json",
        Access::Summary,
        "The last incidents in the format of Statuspage.",
        &[],
        Answer::ForeignJson(JSON),
        handler!(facade::incidents),
    ),
    get(
        "/api/v2/scheduled-maintenances.json",
        Access::Summary,
        "The last maintenances in the format of Statuspage.",
        &[],
        Answer::ForeignJson(JSON),
        handler!(facade::maintenances),
    ),
    Route {
        method: Method::POST,
        path: "/hook/{provider}/{token}",
        access: Access::Everybody,
        about: "Polls the provider now, at most every 10 s. The body is ignored.",
        parameters: &[
            required("provider", Values::Text, "Its id in providers.yaml."),
            required("token", Values::Text, "The token of the provider's hook."),
        ],
        body: None,
        status: StatusCode::ACCEPTED,
        also: &[],
        answer: Answer::Json(SchemaGenerator::subschema_for::<hooks::Accepted>),
        handler: handler!(hooks::post),
    },
];

/// What is served to agents. The `OpenAPI` description leaves it out: its messages are those of the
/// Model Context Protocol.
pub static AGENTS: &[Route] = &[Route {
    method: Method::POST,
    path: "/mcp",
    access: Access::Token,
    about: "The tools of `statuswatch mcp`.",
    parameters: &[],
    body: None,
    status: StatusCode::OK,
    also: &[StatusCode::ACCEPTED, StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND],
    answer: Answer::ForeignJson(JSON),
    handler: handler!(agents::post),
}];

/// Everything that is served.
pub fn all() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().chain(PAGES).chain(AGENTS)
}
