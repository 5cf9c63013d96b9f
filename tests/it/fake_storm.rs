//! The universe and its storms: reproducible, and finished at the end.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use statuswatch::event::{Impact, Kind, Status};
use statuswatch::fake::{DEFAULT_DURATION, Storm, Universe};

use crate::support::provider::Raw;

async fn play(seed: u64) -> Universe {
    let universe = Universe::start(Arc::new(Utc::now)).await.unwrap();
    Storm::plan(seed, DEFAULT_DURATION, universe.providers())
        .within(Duration::from_millis(300))
        .run(&universe)
        .await;
    universe
}

/// Returns the listener and the path of a URL.
fn place(url: &str) -> (std::net::SocketAddr, String) {
    let rest = url.strip_prefix("http://").unwrap();
    let (address, path) = rest.split_once('/').unwrap();
    (address.parse().unwrap(), format!("/{path}"))
}

#[tokio::test]
async fn a_storm_is_the_same_for_the_same_seed_and_leaves_nothing_behind() {
    let (first, second, other) = tokio::join!(play(7), play(7), play(8));
    let story = |universe: &Universe| -> Vec<(String, Status, String)> {
        universe
            .published()
            .all()
            .into_iter()
            .map(|one| (one.provider, one.status, one.text))
            .collect()
    };
    assert_eq!(story(&first), story(&second));
    assert_ne!(story(&first), story(&other));
    assert!(story(&first).len() > 150, "{}", story(&first).len());
    for provider in first.providers() {
        assert!(
            provider.state().incidents.iter().all(|incident| incident.status.is_over()),
            "{}",
            provider.id()
        );
        assert_eq!(provider.state().impact(), Impact::None, "{}", provider.id());
        let entry = provider.platform().entry();
        let (address, root) = place(&first.server().url(provider.id()));
        let raw = Raw::get(address, &format!("{root}{entry}"), &[]).await;
        assert_eq!(
            raw.body(),
            provider.documents()[entry].body,
            "{}: faults are over, unused ones too",
            provider.id()
        );
    }
}

#[tokio::test]
async fn what_is_owed_can_be_read_from_the_pages_in_the_end() {
    let universe = play(3).await;
    let owed = universe.published().owed();
    let kinds: HashSet<Kind> = owed.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, HashSet::from([Kind::Incident, Kind::Maintenance]));
    assert!(
        universe.published().all().len() > owed.len(),
        "edits and components are not owed each"
    );
    for one in &owed {
        let provider = universe.provider(&one.provider).unwrap();
        let documents = provider.documents();
        let shown = documents
            .values()
            .any(|document| String::from_utf8_lossy(&document.body).contains(&one.text));
        assert!(shown, "{one:?}");
        if let (Some(incident), Some(update)) = (&one.incident_id, &one.update_id) {
            let has = |id: &str| {
                documents
                    .values()
                    .any(|document| String::from_utf8_lossy(&document.body).contains(id))
            };
            assert!(has(incident) && has(update), "{one:?}");
        }
    }
}

#[tokio::test]
async fn providers_yaml_names_every_provider_where_it_is_served() {
    let universe = Universe::start_sized(40, Arc::new(Utc::now)).await.unwrap();
    let yaml = format!("providers:\n{}", universe.providers_yaml(true));
    let value: serde_yaml::Value = serde_yaml::from_str(&yaml).unwrap();
    let entries = value["providers"].as_sequence().unwrap();
    assert_eq!(entries.len(), 40);
    let ids: HashSet<&str> = entries.iter().map(|entry| entry["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 40);
    for entry in entries {
        assert_eq!(entry["interval"].as_str(), Some("1s"));
        let url = entry["url"].as_str().unwrap();
        let (address, target) = place(url);
        assert_eq!(Raw::get(address, &target, &[]).await.status(), 200, "{url}");
    }
    assert!(!universe.providers_yaml(false).contains("interval"));
}

#[tokio::test]
async fn a_storm_ends_in_time_and_publishes_on_the_way() {
    let universe = Universe::start_sized(3, Arc::new(Utc::now)).await.unwrap();
    let begin = std::time::Instant::now();
    Storm::play(&universe, 1, Duration::from_millis(50)).await;
    assert!(begin.elapsed() >= Duration::from_millis(50));
    assert!(!universe.published().owed().is_empty());
    let nobody = Universe::start_sized(0, Arc::new(Utc::now)).await.unwrap();
    assert!(Storm::plan(1, DEFAULT_DURATION, nobody.providers()).is_empty());
}
