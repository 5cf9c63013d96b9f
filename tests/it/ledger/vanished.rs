//! A component named by a filter disappears from the page.

use super::*;

fn page(names: &[&str]) -> Snapshot {
    let component = |name: &&str| {
        let status = ComponentStatus::Operational;
        statuswatch::snapshot::component(Some((*name).to_owned()), *name, None, status)
    };
    Snapshot {
        components: names.iter().map(component).collect(),
        coverage: Coverage { all_components: true, ..Coverage::default() },
        ..Snapshot::default()
    }
}

#[test]
fn a_watched_component_that_disappears_is_reported_once() {
    run_system(async {
        let filter = Filter {
            components: vec!["Act*".to_owned(), "Misspelt".to_owned()],
            ..Filter::default()
        };
        let mut harness = Harness::filtered(FirstRun::All, filter).await;
        let (whole, without) = (page(&["Actions", "Pages"]), page(&["Pages"]));
        assert!(!harness.poll(whole.clone()).await.recheck);
        assert!(harness.poll(without.clone()).await.recheck, "it is looked at again, in full");
        assert_eq!(harness.short(), [""; 0]);
        harness.restart().await;
        assert!(!harness.poll(without.clone()).await.recheck);
        let emitted = harness.new_events();
        let [gone] = emitted.as_slice() else { panic!("{emitted:?}") };
        assert_eq!(
            (gone.kind, gone.status, gone.title.as_str()),
            (
                Kind::Provider,
                ProviderStatus::Reachable.into(),
                "Acme Cloud no longer lists the component \"Act*\""
            )
        );
        harness.restart().await;
        harness.poll(without.clone()).await;
        assert_eq!(harness.short(), [""; 0], "once");
        harness.poll(whole).await;
        harness.poll(without.clone()).await;
        harness.poll(without).await;
        let again = harness.new_events();
        assert_eq!(again.len(), 1, "{again:?}");
        assert!(again[0].id != gone.id && again[0].update_id != gone.update_id);
        // An incomplete list and an empty one mean nothing.
        let mut part = page(&["Pages"]);
        part.coverage.all_components = false;
        for snapshot in [page(&["Actions"]), part.clone(), part, page(&[]), page(&[])] {
            harness.poll(snapshot).await;
        }
        assert_eq!(harness.short(), [""; 0]);
    });
}
