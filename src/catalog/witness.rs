//! Who says so: the public lists and programs that an entry's address was found in.

/// What the catalog calls each, and the repository at GitHub.
const WITNESSES: &[(&str, &str)] = &[
    ("aistatusdashboard", "khalidsaidi/aistatusdashboard"),
    ("aiwatch", "bentleypark/aiwatch"),
    ("awesome", "ivbeg/awesome-status-pages"),
    ("devops-status", "cyanheads/devops-status-mcp-server"),
    ("exporter", "mcarvin8/statuspage-prometheus-exporter"),
    ("infrawrench", "Infrawrench/Infrawrench"),
    ("is-it-down", "Strvm/is-it-down"),
    ("links", "talonx/service-provider-status-links"),
    ("multi-status", "lwindolf/multi-status"),
    ("nr1", "newrelic/nr1-status-pages"),
    ("observer", "imprvhub/mcp-status-observer"),
    ("openstatus", "openstatusHQ/openstatus"),
    ("status-monitor", "moollaza/status-monitor"),
    ("status-page-list", "getsentry/status-page-list"),
    ("statuspile", "dogsbodytech/statuspile"),
    ("statusphere", "metoro-io/statusphere"),
    ("statussy", "SmartScaleAI/statussy"),
    ("stts", "inket/stts"),
    ("to-chat", "gzuercher/status-page-to-chat"),
    // These two asked the pages themselves: their dates are those of an entry.
    ("vsw", "APVentureEngine/vendor-status-watch"),
    ("w6w", "w6w-io/w6w-apps"),
];

/// The repository behind the name in the catalog.
pub(super) fn repository(code: &str) -> Option<&'static str> {
    WITNESSES.iter().find(|(known, _)| *known == code).map(|(_, repository)| *repository)
}
