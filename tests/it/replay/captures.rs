//! Real pages at successive times; the expected events were derived from the files by
//! hand.
//!
//! Only the captured documents are served: the summary, or the feed. How an incident ended is in
//! documents that were not captured, so an incident that leaves the summary disappears without an
//! update.

use super::History;
use crate::sources::fixtures::{captures, entries, file_name};

const SUMMARY: &str = "api/v2/summary.json";
const FEED: &str = "history.atom";

/// All histories.
pub(super) fn histories() -> Vec<History> {
    let all = [github(), atlassian(), openai(), vec![cloudflare(), upptime()]];
    all.into_iter().flatten().collect()
}

/// Returns the files of a folder with this prefix, in order, each served at `first`.
fn captured(name: &str, folder: &str, prefix: &str, first: &str, expected: &[&str]) -> History {
    let files = entries(&captures().join(folder));
    let files: Vec<_> = files.iter().filter(|file| file_name(file).starts_with(prefix)).collect();
    assert!(files.len() > 1, "there is no sequence {folder}/{prefix}");
    let steps = files
        .into_iter()
        .map(|file| vec![(first.to_owned(), std::fs::read(file).unwrap())])
        .collect();
    History {
        name: name.to_owned(),
        first: first.to_owned(),
        steps,
        brief: &[],
        only: "",
        expected: expected.iter().map(|&line| line.to_owned()).collect(),
    }
}

fn github() -> Vec<History> {
    vec![
        captured(
            "pull-requests",
            "statuspage",
            "github-summary-seq-p38y9j23bt7b",
            SUMMARY,
            &[
                "incident p38y9j23bt7b investigating r1 minor 2022-09-08T19:44:27.196Z | We are investigating",
                "incident p38y9j23bt7b investigating r1 minor 2022-09-08T21:04:46.688Z | We found an issue",
                // One letter was removed, and the displayed time lost its milliseconds.
                "incident p38y9j23bt7b investigating r2 minor 2022-09-08T21:04:46Z | We found an issue",
                "incident p38y9j23bt7b investigating r1 minor 2022-09-08T22:10:54.694Z | We have identified",
                "incident p38y9j23bt7b investigating r1 minor 2022-09-08T23:41:29.880Z | We are continuing",
                "component Pull Requests: - -> operational",
            ],
        ),
        captured(
            "codespaces",
            "statuspage",
            "github-summary-maint-xb49wskhzrm2",
            SUMMARY,
            &[
                "maintenance xb49wskhzrm2 in_progress r1 maintenance 2025-04-02T17:00:24.218Z | Scheduled maintenance is",
                "component Codespaces: - -> under_maintenance",
                // The announcement was edited while the work was under way.
                "maintenance xb49wskhzrm2 scheduled r2 maintenance 2025-04-02T16:11:48.073Z | Codespaces will be",
                "component Codespaces: under_maintenance -> operational",
            ],
        ),
        captured(
            "rerender",
            "statuspage",
            "github-history-rerender",
            FEED,
            // 25 entries changed, only one of them in content.
            &["incident g6ffrm0rfvz9 resolved r2 unknown 2026-05-20T20:14:00Z | On May 20, 2026"],
        ),
        captured(
            "rca-edit",
            "statuspage",
            "github-history-rca-edit",
            FEED,
            &[
                "incident gx7js8bd0jpz resolved r2 unknown 2026-08-18T10:23:00Z | On February 18, 2026",
                "incident bmpybhnrky3x resolved r2 unknown 2026-08-18T11:42:00Z | On February 18, 2026",
            ],
        ),
        captured(
            "reappear",
            "statuspage",
            "github-history-reappear",
            FEED,
            // Four causes were found. Two updates of one of these incidents were only dated ten
            // minutes earlier. An entry was removed, so that another one of a month before
            // reappeared at the far end, which is no event.
            &[
                "incident 17lxd87h22fj resolved r2 unknown 2025-12-10T14:52:00Z | Between December 9th, 2025",
                "incident jcbsbbfd1x9r resolved r2 unknown 2025-12-15T15:45:00Z | On Dec 15th, 2025",
                "incident qkr3gcys0lzx resolved r2 unknown 2025-12-15T18:22:00Z | On December 15, 2025",
                "incident x696x0g4t85l resolved r2 unknown 2025-12-18T17:41:00Z | On December 18th, 2025",
            ],
        ),
    ]
}

fn atlassian() -> Vec<History> {
    vec![
        captured(
            "jira",
            "statuspage",
            "jira-summary-seq-x5yqyntc3kys",
            SUMMARY,
            &[
                // Both open at the first poll, without an impact.
                "incident xmhfy88zyy22 investigating r1 none 2020-11-25T14:28:34.285Z | We are investigating an issue",
                "incident x5yqyntc3kys investigating r1 none 2020-11-25T14:29:34.976Z | We are investigating reports",
                // The previous one has disappeared; its duplicate got another title, another first
                // text and a second one.
                "incident x5yqyntc3kys investigating r2 none 2020-11-25T14:29:34Z | Several systems",
                "incident x5yqyntc3kys investigating r1 none 2020-11-25T16:14:27.965Z | We are continuing",
                "incident x5yqyntc3kys identified r1 none 2020-11-25T18:59:00.700Z | Several systems",
                "incident x5yqyntc3kys identified r1 none 2020-11-26T02:48:31.889Z | We are continuing",
                "maintenance hgnsczsq5hys scheduled r1 maintenance 2020-11-26T05:14:17.800Z | The jira.com zone",
                "maintenance 7vbkc33q151d scheduled r1 maintenance 2020-11-26T05:16:05.706Z | The atlassian.net zone",
                "incident x5yqyntc3kys identified r1 none 2020-11-26T13:10:05.041Z | We've identified",
                "incident x5yqyntc3kys monitoring r1 none 2020-11-27T05:37:03.802Z | We have identified and fixed",
            ],
        ),
        // Another customer's page in between, with 160 components, and then the original one.
        captured("wrong-tenant", "statuspage", "jira-wrong-tenant", SUMMARY, &[]),
        // Only the zone of the times changes.
        captured("trello", "statuspage", "trello-zone-change", SUMMARY, &[]),
        captured(
            "opsgenie",
            "statuspage",
            "opsgenie-maint-sv5623kxtnvz",
            SUMMARY,
            &[
                // Two maintenances were announced before and are not reported. Their only changes
                // are those of their components, which the incident causes. (US is a group.)
                "incident dwjhw6fl1yl5 investigating r1 major 2021-09-14T00:03:28.012Z | We've noticed",
                "component Reporting & Analytics: - -> major_outage",
                "maintenance sv5623kxtnvz scheduled r1 maintenance 2021-09-15T06:59:31.290Z | Maintenance will begin",
                "component Reporting & Analytics: major_outage -> operational",
                "maintenance hc2w3cjprr7f scheduled r1 maintenance 2021-09-15T07:44:36.659Z | We will be",
            ],
        ),
        captured(
            "statuspage-meta",
            "statuspage",
            "statuspage-meta-maint-3fdfvxk9zhgx",
            SUMMARY,
            &[
                // The first text edited and accidentally posted once more.
                "maintenance 3fdfvxk9zhgx scheduled r2 maintenance 2024-05-30T04:04:43.191Z | Statuspage has migrated",
                "maintenance 3fdfvxk9zhgx scheduled r1 maintenance 2024-11-04T08:15:14.320Z | Statuspage has migrated",
                // Eleven minutes later the second one is deleted, and the first one states another
                // date.
                "maintenance 3fdfvxk9zhgx scheduled r3 maintenance 2024-05-30T04:04:43.191Z | Statuspage has migrated",
                "maintenance 3fdfvxk9zhgx in_progress r1 maintenance 2024-11-25T05:31:17.569Z | Scheduled maintenance is",
                "maintenance 3fdfvxk9zhgx verifying r1 maintenance 2024-11-25T05:38:17.867Z | Verification",
                // And their groups.
                "component HTTP Pages: - -> under_maintenance",
                "component HTTPS Pages: - -> under_maintenance",
                "component DNS Validation: - -> under_maintenance",
                "component SSL Provisioning: - -> under_maintenance",
                "component Public API: - -> under_maintenance",
                "component Shortlinks: - -> under_maintenance",
                "component HTTP Pages: under_maintenance -> operational",
                "component HTTPS Pages: under_maintenance -> operational",
                "component DNS Validation: under_maintenance -> operational",
                "component SSL Provisioning: under_maintenance -> operational",
                "component Public API: under_maintenance -> operational",
                "component Shortlinks: under_maintenance -> operational",
            ],
        ),
    ]
}

fn openai() -> Vec<History> {
    vec![captured(
        "openai",
        "incidentio",
        "openai-compat-summary-seq",
        SUMMARY,
        &[
            // Two incidents with two updates each, by their times.
            "incident 01M3Q4HMNP8SZ27DTZKW6F5BJ4 investigating r1 none 2026-09-29T17:49:05Z | Our Help Center",
            "incident 01M3Q4RK1SM4EMK445GGPG7C0N investigating r1 minor 2026-09-29T17:52:52Z | We’re investigating elevated",
            "incident 01M3Q4HMNP8SZ27DTZKW6F5BJ4 investigating r1 none 2026-09-29T17:55:17Z | Our Help Center",
            "incident 01M3Q4RK1SM4EMK445GGPG7C0N investigating r1 minor 2026-09-29T18:24:17Z | We’re investigating elevated",
            // Of the 25 components shown, these are in both documents and have changed; the others
            // are another 10.
            "component Realtime: - -> degraded_performance",
            "component Compliance API: - -> degraded_performance",
            "component Search: - -> degraded_performance",
            "component Agent: - -> degraded_performance",
            "component Connectors/Apps: - -> degraded_performance",
            "component File uploads: - -> degraded_performance",
            "component CLI: - -> degraded_performance",
            "component Conversations: - -> degraded_performance",
            "component GPTs: - -> degraded_performance",
            "component Image Generation: - -> degraded_performance",
            "component Images: - -> degraded_performance",
            "component Fine-tuning: - -> degraded_performance",
            "component Embeddings: - -> degraded_performance",
            "component Files: - -> degraded_performance",
            "component Login: - -> degraded_performance",
        ],
    )]
}

/// Among 55 maintenances and 461 components: only the incidents of these are listed.
fn cloudflare() -> History {
    let history = captured(
        "cloudflare",
        "statuspage",
        "cloudflare-summary-seq-8gmgl950y3h7",
        SUMMARY,
        &[
            // Both open at the first poll; then edits of reported updates next to seven updates at
            // once, five, and eight. In the end they have left the summary.
            "incident swzl0f0hxy68 investigating r1 minor 2025-11-18T11:17:16.881Z | ",
            "incident 8gmgl950y3h7 investigating r1 critical 2025-11-18T11:48:27.270Z | ",
            "incident swzl0f0hxy68 investigating r2 minor 2025-11-18T11:17:16Z | ",
            "incident 8gmgl950y3h7 investigating r2 critical 2025-11-18T11:48:27Z | ",
            "incident 8gmgl950y3h7 investigating r1 critical 2025-11-18T12:03:50.299Z | ",
            "incident 8gmgl950y3h7 investigating r1 critical 2025-11-18T12:21:58Z | ",
            "incident 8gmgl950y3h7 investigating r1 critical 2025-11-18T12:37:49.642Z | ",
            "incident 8gmgl950y3h7 investigating r1 critical 2025-11-18T12:53:50.885Z | ",
            "incident 8gmgl950y3h7 investigating r1 critical 2025-11-18T13:04:09.763Z | ",
            "incident 8gmgl950y3h7 identified r1 critical 2025-11-18T13:09:53.734Z | ",
            "incident 8gmgl950y3h7 identified r1 critical 2025-11-18T13:13:39Z | ",
            "incident 8gmgl950y3h7 identified r1 critical 2025-11-18T13:35:49.545Z | ",
            "incident 8gmgl950y3h7 identified r1 critical 2025-11-18T13:58:14.729Z | ",
            "incident 8gmgl950y3h7 identified r1 critical 2025-11-18T14:22:57.311Z | ",
            "incident 8gmgl950y3h7 identified r1 critical 2025-11-18T14:34:03.876Z | ",
            "incident 8gmgl950y3h7 monitoring r1 critical 2025-11-18T14:42:37.434Z | ",
            "incident 8gmgl950y3h7 monitoring r1 critical 2025-11-18T14:57:16.564Z | ",
            "incident 8gmgl950y3h7 monitoring r1 critical 2025-11-18T15:23:21.537Z | ",
            "incident 8gmgl950y3h7 monitoring r1 critical 2025-11-18T15:40:01.479Z | ",
            "incident 8gmgl950y3h7 monitoring r1 critical 2025-11-18T16:04:17.521Z | ",
            "incident 8gmgl950y3h7 monitoring r1 critical 2025-11-18T16:27:16.125Z | ",
            "incident 8gmgl950y3h7 monitoring r1 critical 2025-11-18T16:46:42.999Z | ",
            "incident 8gmgl950y3h7 monitoring r1 critical 2025-11-18T17:14:24.629Z | ",
            "incident 8gmgl950y3h7 monitoring r1 critical 2025-11-18T17:44:58.559Z | ",
        ],
    );
    History { only: "incident ", ..history }
}

fn upptime() -> History {
    let sites = ["juwai", "hinabian", "shenjumiaosuan", "himawari", "japan-property", "ieichiba"];
    let down = sites.map(|site| format!("component {site}: - -> major_outage"));
    let up = sites.map(|site| format!("component {site}: major_outage -> operational"));
    let again = ["component juwai: operational -> major_outage".to_owned(), up[0].clone()];
    let expected: Vec<&str> = down.iter().chain(&up).chain(&again).map(String::as_str).collect();
    captured("upptime", "upptime", "pwv-history-summary-seq", "history/summary.json", &expected)
}
