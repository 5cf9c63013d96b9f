//! A component that a filter names leaves the page.

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
    story(async {
        let filter = Filter {
            components: vec!["Act*".to_owned(), "Misspelt".to_owned()],
            ..Filter::default()
        };
        let mut world = World::filtered(FirstRun::All, filter).await;
        let (whole, without) = (page(&["Actions", "Pages"]), page(&["Pages"]));
        assert!(!world.poll(whole.clone()).await.recheck);
        assert!(world.poll(without.clone()).await.recheck, "it is looked at again, in full");
        assert_eq!(world.short(), [""; 0]);
        world.restart().await;
        assert!(!world.poll(without.clone()).await.recheck);
        let emitted = world.new_events();
        let [gone] = emitted.as_slice() else { panic!("{emitted:?}") };
        assert_eq!(
            (gone.kind, gone.status, gone.title.as_str()),
            (
                Kind::Provider,
                Status::Reachable,
                "Acme Cloud no longer lists the component \"Act*\""
            )
        );
        world.restart().await;
        world.poll(without.clone()).await;
        assert_eq!(world.short(), [""; 0], "once");
        world.poll(whole).await;
        world.poll(without.clone()).await;
        world.poll(without).await;
        let again = world.new_events();
        assert_eq!(again.len(), 1, "{again:?}");
        assert!(again[0].id != gone.id && again[0].update_id != gone.update_id);
        // A list that is not whole, and an empty one, say nothing.
        let mut part = page(&["Pages"]);
        part.coverage.all_components = false;
        for snapshot in [page(&["Actions"]), part.clone(), part, page(&[]), page(&[])] {
            world.poll(snapshot).await;
        }
        assert_eq!(world.short(), [""; 0]);
    });
}
