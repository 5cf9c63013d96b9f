//! The world's pages are read by the real sources, as the real ones are.

use chrono::Utc;
use statuswatch::document::Document;
use statuswatch::event::{Impact, Kind, Status};
use statuswatch::source::{Documents, Limits, by_name};
use statuswatch::world::platform::PLATFORMS;
use url::Url;

use crate::support::provider::provider;

#[test]
fn every_platform_is_recognised_and_read_by_its_source() {
    for &platform in PLATFORMS {
        let provider = provider("northwind", platform);
        let posted = provider.open_incident("Slow uploads", Impact::Major, &["Object storage"], "Uploads are slow.");
        provider.update(posted.incident, Status::Identified, "A disk failed.").unwrap();
        let begin = Utc::now() + chrono::Duration::hours(1);
        provider.schedule("Disk change", (begin, begin + chrono::Duration::hours(1)), &["Compute"], "We change disks.");
        let source = by_name(platform.source()).unwrap_or_else(|| panic!("no source {}", platform.source()));
        let page = Url::parse("http://127.0.0.1/northwind/").unwrap();
        let entry = if platform.entry().is_empty() { "api/v2/summary.json" } else { platform.entry() };
        let shown = &provider.documents()[entry];
        let document = Document::new(page.join(entry).unwrap(), Some(&shown.content_type), shown.body.clone());
        assert!(source.recognise(&document).is_some(), "{}", platform.name());
        if platform.entry().is_empty() {
            assert!(source.locate(&page).contains(&document.url), "{}: {:?}", platform.name(), source.locate(&page));
        }
        let snapshot = source
            .parse(&Documents::only(document), Limits::default())
            .unwrap_or_else(|error| panic!("{}: {error}", platform.name()));
        let incident = snapshot.incidents.iter().find(|incident| incident.title == "Slow uploads");
        let incident = incident.unwrap_or_else(|| panic!("{}: {snapshot:?}", platform.name()));
        assert_eq!(incident.kind, Kind::Incident, "{}", platform.name());
        assert_eq!(incident.status, Status::Identified, "{}", platform.name());
        let texts: Vec<&str> = incident.updates.iter().map(|update| update.text.as_str()).collect();
        assert_eq!(texts, ["Uploads are slow.", "A disk failed."], "{}", platform.name());
        assert!(snapshot.incidents.iter().any(|incident| incident.title == "Disk change"), "{}", platform.name());
        assert_eq!(
            incident.id,
            provider.incident_id(posted.incident),
            "{}: what is published has the source's id",
            platform.name()
        );
    }
}
