use proptest::prelude::*;

use super::*;

/// Every position, with the punctuation that people use.
#[test]
fn a_status_is_found_in_any_position() {
    use IncidentStatus::{
        Completed, Identified, InProgress, Investigating, Monitoring, Postmortem, Resolved,
        Scheduled, Withdrawn,
    };
    for (title, expected) in [
        ("Resolved: Major outage of the ferry", Resolved),
        ("RESOLVED - Ferry late", Resolved),
        ("RESOLVED Ferry late", Resolved),
        ("[Resolved] Ferry late", Resolved),
        ("Ferry late - Resolved", Resolved),
        ("Ferry late – resolved", Resolved),
        ("Ferry late (Resolved)", Resolved),
        ("Ferry late [RESOLVED]", Resolved),
        ("Ferry late: resolved", Resolved),
        ("Ferry late | Resolved", Resolved),
        ("Ferry late... RESOLVED", Resolved),
        ("Ferry late / Resolved 10:15 UTC", Resolved),
        ("✅ Resolved: Ferry late", Resolved),
        ("🟢 Resolved – Ferry late", Resolved),
        ("⚠️ Investigating | Ferry late", Investigating),
        ("Ferry late ✔ resolved", Resolved),
        ("Update #3: Ferry late - Mitigated", Resolved),
        ("Status: Resolved", Resolved),
        ("Service issue has been resolved", Resolved),
        ("The issue with the ferry is now resolved.", Resolved),
        ("An issue for some travellers has been resolved", Resolved),
        ("Incident resolved: ferry late", Resolved),
        ("Investigating: ferry late", Investigating),
        ("Investigating delays of the ferry", Investigating),
        ("We are investigating delays of the ferry", Investigating),
        ("We're currently looking at it: under investigation", Investigating),
        ("The cause has been identified", Identified),
        ("Ferry late - Investigating", Investigating),
        ("Ferry late - Monitoring", Monitoring),
        ("Ferry late: a fix has been implemented and we are monitoring", Monitoring),
        ("Completed: dock works", Completed),
        ("Dock works - Completed", Completed),
        ("Scheduled maintenance has been completed", Completed),
        ("Planned maintenance: dock works - Resolved", Completed),
        ("Scheduled: dock works", Scheduled),
        ("Planned maintenance: dock works", Scheduled),
        ("Scheduled maintenance of the docks on Sunday", Scheduled),
        ("[Scheduled maintenance] - In Progress - docks", InProgress),
        ("Maintenance in progress", InProgress),
        ("Cancelled: dock works", Withdrawn),
        ("Closed: ferry late", Resolved),
        ("Fixed: ferry late", Resolved),
        ("Restored: ferry", Resolved),
        ("Service restored", Resolved),
        ("Ferry service restored", Resolved),
        ("Resolved an issue with tickets", Resolved),
        ("Operational", Resolved),
        ("Post-mortem: ferry late", Postmortem),
        ("Postmortem", Postmortem),
        ("Investigating: ferry late - RESOLVED", Resolved),
        ("Service is operating normally: [RESOLVED] API errors", Resolved),
        // German
        ("Behoben: Fähre verspätet", Resolved),
        ("✔ Fähre verspätet (gelöst)", Resolved),
        ("Die Störung wurde behoben", Resolved),
        ("Störung beendet", Resolved),
        ("Fähre ist wieder verfügbar", Resolved),
        ("Wir untersuchen Verspätungen", Investigating),
        ("Geplante Wartung am Sonntag", Scheduled),
        ("Wartung abgeschlossen", Completed),
        ("Fähre verspätet - In Bearbeitung", Investigating),
        // French
        ("[Résolu] Retard du ferry", Resolved),
        ("L’incident a été résolu", Resolved),
        ("Incident terminé", Resolved),
        ("Maintenance terminée", Completed),
        ("Retard du ferry : enquête en cours", Investigating),
        ("Maintenance planifiée - quais", Scheduled),
        // Spanish
        ("Resuelto: retraso del ferry", Resolved),
        ("El problema se ha resuelto", Resolved),
        ("Estamos investigando retrasos", Investigating),
        ("Mantenimiento programado del muelle", Scheduled),
        // Portuguese
        ("Atraso da balsa - Resolvido", Resolved),
        ("O problema foi resolvido", Resolved),
        ("Manutenção concluída", Completed),
        ("Atraso no sistema (em investigação)", Investigating),
        // Italian
        ("Ritardo del traghetto [RISOLTO]", Resolved),
        ("Il problema è stato risolto", Resolved),
        ("Manutenzione programmata: molo", Scheduled),
        ("In fase di analisi - ritardo", Investigating),
        // Dutch
        ("Opgelost: veerpont vertraagd", Resolved),
        ("De storing is verholpen", Resolved),
        ("Gepland onderhoud aan de kade", Scheduled),
        ("Vertraging wordt onderzocht", Investigating),
        // Japanese
        ("【復旧】メール障害", Resolved),
        ("メール障害（解消）", Resolved),
        ("メール障害 復旧のお知らせ", Resolved),
        ("ログイン障害が復旧しました", Resolved),
        ("【調査中】ログインできない事象", Investigating),
        ("ログイン障害発生のお知らせ", Investigating),
        ("定期メンテナンスのお知らせ（完了）", Completed),
        ("メンテナンス中", InProgress),
        ("［解決済み］ログイン障害", Resolved),
    ] {
        assert_eq!(status(title), Some(expected), "{title}");
    }
}

#[test]
fn a_word_of_a_sentence_is_not_a_status() {
    for title in [
        "",
        "Ferry late",
        "Update: ferry late",
        "Investigation tools unavailable",
        "Monitoring shows errors",
        "Cloud Monitoring: delays",
        "Monitoring/Alerting delayed",
        "Resolved host names fail",
        "Unresolved mentions cannot be opened",
        "Completed orders are not shown",
        "Scheduled reports are late",
        "Fixed IP addresses unreachable",
        "Closed captions missing",
        "Open Banking unavailable",
        "Identified users missing in reports",
        "In progress builds fail",
        "Operational Insights delayed",
        "Restored backups are incomplete",
        "Issue resolved yesterday is back",
        "The incident that was resolved on Monday has recurred",
        "Errors after the outage was resolved",
        "Login: issue has been resolved but is happening again",
        // Not, not quite, not yet.
        "Ferry late (not resolved)",
        "Mail is not restored",
        "Mail isn't fully restored",
        "Partially restored",
        "Mail partially restored",
        "Issue has been resolved for most customers",
        "Login issue will be resolved soon",
        "Orders stay open until resolved",
        "DNS names are not resolved",
        "Tickets cannot be resolved",
        "Backups can't be restored",
        "Password resets still broken, one issue has been resolved",
        "Störung noch nicht behoben",
        "Fähre teilweise wiederhergestellt",
        "L’incident n’est pas résolu",
        "Partiellement rétabli",
        "El problema no se ha resuelto",
        "Parcialmente resuelto",
        "O problema não foi resolvido",
        "Il problema non è stato risolto",
        "De storing is niet opgelost",
        "ログイン障害が一部復旧しました",
        "未解決",
        "ログイン障害が再発、先日の障害は復旧しました",
    ] {
        assert_eq!(status(title), None, "{title}");
    }
}

#[test]
fn a_label_is_nothing_but_a_label() {
    assert_eq!(label("Identified"), Some(IncidentStatus::Identified));
    assert_eq!(label("IN_PROGRESS"), Some(IncidentStatus::InProgress));
    assert_eq!(label("Incident Resolved"), Some(IncidentStatus::Resolved));
    assert_eq!(label("Résolu"), Some(IncidentStatus::Resolved));
    assert_eq!(label("resolved hosts"), None);
    assert_eq!(label("Outage"), None);
    assert_eq!(label(""), None);
}

proptest! {
    #[test]
    fn nothing_panics(title in "\\PC{0,400}") {
        let _ = (status(&title), label(&title));
    }

    /// A label is found whatever surrounds it.
    #[test]
    fn a_label_in_brackets_is_found_in_any_title(words in "[a-z]{1,8}( [a-z]{1,8}){0,6}") {
        let with = format!("{words} [Resolved]");
        prop_assert!(status(&with).is_some_and(IncidentStatus::is_over), "{}", with);
    }
}
