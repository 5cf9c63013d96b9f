//! The real sources parse the fake pages: quiet, open, updated, edited, resolved.

use chrono::Utc;
use statuswatch::document::Document;
use statuswatch::event::{ComponentStatus, Impact, IncidentStatus, Kind};
use statuswatch::fake::Provider;
use statuswatch::fake::platform::{PLATFORMS, Platform};
use statuswatch::snapshot::Snapshot;
use statuswatch::source::{Documents, Limits, PriorItems, SOURCES, by_name};
use url::Url;

use crate::support::provider::provider;

const TITLE: &str = "Slow uploads";

/// Platforms without maintenances.
const NO_PLANS: [&str; 1] = ["google"];

/// Platforms that do not show ended incidents.
const NO_END: [&str; 1] = ["statusio"];

/// Platforms without component statuses outside incidents.
const NO_STATES: [&str; 5] = ["google", "slack", "atom", "rss", "json-feed"];

/// Parses the page with the details requested on a first poll.
fn read(provider: &Provider) -> Snapshot {
    let platform = provider.platform();
    let source =
        by_name(platform.source()).unwrap_or_else(|| panic!("no source {}", platform.source()));
    let root = Url::parse("http://127.0.0.1/").unwrap();
    let documents = provider.documents();
    let shown = |path: &str| {
        let shown = documents.get(path)?;
        Some(Document::new(root.join(path).unwrap(), Some(&shown.content_type), shown.body.clone()))
    };
    let first = if platform.entry().is_empty() {
        // From the root URL only.
        let located = source.locate(&root);
        located
            .iter()
            .find_map(|place| shown(place.path().trim_start_matches('/')))
            .expect("a document where it is looked for")
    } else {
        shown(platform.entry()).unwrap()
    };
    let by: Vec<&str> = SOURCES
        .iter()
        .filter(|source| source.detect(&first).is_some())
        .map(|source| source.name())
        .collect();
    assert_eq!(by, [source.name()], "{}", platform.name());
    let alone = Documents::only(first);
    let said = |snapshot: Result<Snapshot, _>| {
        let snapshot = snapshot.unwrap_or_else(|error| panic!("{}: {error}", platform.name()));
        assert_eq!(snapshot.rejected, [""; 0], "{}", platform.name());
        snapshot
    };
    let wanted = source.details(
        &alone.first,
        &said(source.parse(&alone, Limits::default())),
        &PriorItems::default(),
    );
    let details = wanted.iter().map(|detail| {
        let path = detail.url.path().trim_start_matches('/');
        (detail.role, shown(path).unwrap_or_else(|| panic!("{}: no {path}", platform.name())))
    });
    said(source.parse(&Documents { details: details.collect(), ..alone }, Limits::default()))
}

/// Returns status, impact and texts of an incident, if it is shown.
fn visible(provider: &Provider, incident: u64) -> Option<(IncidentStatus, Impact, Vec<String>)> {
    let snapshot = read(provider);
    let mut found = snapshot.incidents.iter().filter(|incident| incident.title == TITLE);
    let one = found.next()?;
    let name = provider.platform().name();
    assert!(found.next().is_none() && one.kind == Kind::Incident, "{name}");
    assert_eq!(
        one.id,
        provider.incident_id(incident),
        "{name}: what is published has the source's id"
    );
    Some((one.status, one.impact, one.updates.iter().map(|update| update.text.clone()).collect()))
}

fn play_a_story(platform: &'static dyn Platform) {
    let name = platform.name();
    let provider = provider("northwind", platform);
    provider.import(3);
    let quiet = read(&provider);
    assert_eq!(quiet.open().count(), 0, "{name}");
    assert!(matches!(quiet.impact(), Impact::None | Impact::Unknown), "{name}: {quiet:?}");
    let gives_impacts = quiet.impact() == Impact::None;

    let posted =
        provider.open_incident(TITLE, Impact::Major, &["Object storage"], "Uploads are slow.");
    provider.set_component("Object storage", ComponentStatus::PartialOutage).unwrap();
    let (status, impact, texts) = visible(&provider, posted.incident).unwrap();
    assert_eq!(
        (status, texts),
        (IncidentStatus::Investigating, vec!["Uploads are slow.".to_owned()]),
        "{name}"
    );
    assert_eq!(impact, if gives_impacts { Impact::Major } else { Impact::Unknown }, "{name}");
    assert_eq!(read(&provider).open().count(), 1, "{name}");
    // Some platforms have one word for partly and completely unavailable components.
    assert!(read(&provider).impact().rank() >= impact.rank(), "{name}");
    let shown = read(&provider);
    let state = shown
        .components
        .iter()
        .find(|component| component.name == "Object storage")
        .map(|component| component.status);
    if NO_STATES.contains(&name) {
        assert_eq!(state, None, "{name}");
    } else {
        assert!(
            matches!(state, Some(ComponentStatus::PartialOutage | ComponentStatus::MajorOutage)),
            "{name}: {state:?}"
        );
        assert!(shown.coverage.all_components, "{name}");
    }

    let second = provider
        .update(posted.incident, IncidentStatus::Identified, "A disk failed & burns.")
        .unwrap();
    let (status, _, texts) = visible(&provider, posted.incident).unwrap();
    assert!(
        matches!(
            status,
            IncidentStatus::Identified | IncidentStatus::Investigating | IncidentStatus::Update
        ),
        "{name}: {status}"
    );
    assert_eq!(texts, ["Uploads are slow.", "A disk failed & burns."], "{name}");
    provider.edit(second, "Two disks failed.").unwrap();
    assert_eq!(
        visible(&provider, posted.incident).unwrap().2,
        ["Uploads are slow.", "Two disks failed."],
        "{name}"
    );

    provider.resolve(posted.incident, "All is well.").unwrap();
    provider.set_component("Object storage", ComponentStatus::Operational).unwrap();
    let end = visible(&provider, posted.incident).map(|(status, _, texts)| (status, texts));
    let texts =
        ["Uploads are slow.", "Two disks failed.", "All is well."].map(str::to_owned).to_vec();
    assert_eq!(
        end,
        (!NO_END.contains(&name)).then_some((IncidentStatus::Resolved, texts)),
        "{name}"
    );
    assert_eq!(read(&provider).impact(), quiet.impact(), "{name}");

    let begin = Utc::now() + chrono::Duration::hours(1);
    let plan = provider.schedule(
        "Disk change",
        (begin, begin + chrono::Duration::hours(1)),
        &["Compute"],
        "We change disks.",
    );
    let planned = read(&provider);
    let planned = planned.incidents.iter().find(|incident| incident.title == "Disk change");
    assert_eq!(planned.is_none(), NO_PLANS.contains(&name), "{name}");
    let Some(planned) = planned else { return };
    assert_eq!(
        (planned.kind, planned.id.as_str()),
        (Kind::Maintenance, &*provider.incident_id(plan.incident)),
        "{name}"
    );
    if platform.shows_maintenances() {
        assert_eq!(planned.status, IncidentStatus::Scheduled, "{name}");
        provider.start(plan.incident, "We begin.").unwrap();
        provider.complete(plan.incident, "Done.").unwrap();
        let done = read(&provider);
        let done = done.incidents.iter().find(|incident| incident.title == "Disk change").unwrap();
        assert_eq!((done.status, done.updates.len()), (IncidentStatus::Completed, 3), "{name}");
    }
}

#[test]
fn every_platform_is_read_by_its_source_alone_through_a_whole_story() {
    for platform in PLATFORMS {
        play_a_story(*platform);
    }
}

#[test]
fn a_page_without_a_past_is_read_too() {
    for platform in PLATFORMS {
        let provider = provider("northwind", *platform);
        assert_eq!(read(&provider).open().count(), 0, "{}", platform.name());
    }
}
