//! Texts that change without an edit: twenty polls, no events.

use super::*;

#[test]
fn cosmetic_changes_emit_nothing() {
    for id in [
        UpdateId::Native("1".to_owned()),
        UpdateId::Timed(at(-5), 0),
        UpdateId::Content,
        UpdateId::Latest,
    ] {
        run_system(async {
            let mut harness = Harness::new(FirstRun::Active).await;
            let text = |poll: i64| {
                let space = if poll % 2 == 0 { " " } else { "\n\n" };
                format!(
                    "Began {poll} minutes ago.{space}More: https://acme.example/i?id=7&utm_source=poll-{poll}."
                )
            };
            let page = |poll: i64, text: String| {
                let update = Update {
                    id: id.clone(),
                    ..update("1", IncidentStatus::Investigating, -5, &text)
                };
                page(poll, vec![incident("a", vec![update])])
            };
            harness.poll(page(1, text(1))).await;
            assert_eq!(harness.short().len(), 1, "{id:?}");
            for poll in 2..=21 {
                harness.poll(page(poll, text(poll))).await;
                assert_eq!(harness.short(), [""; 0], "{id:?}, poll {poll}");
            }
            harness.poll(page(22, text(22).replace("Began", "Ended"))).await;
            assert_eq!(harness.short().len(), 1, "{id:?}: somebody has written");
        });
    }
}
