//! What is drawn, as people see it.

use std::sync::Arc;

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::facts::{Details, Subject};
use super::input::Action;
use super::model::{Effect, Model};
use super::{Facts, Tab, draw};
use crate::event::{Impact, IncidentKey, IncidentStatus, Kind, StatusEvent, Time};
use crate::ledger::outbox::{ChannelHealth, ChannelRow, ChannelState};
use crate::ledger::{OpenItem, OwnNetwork, ProviderRow, SinkRow};
use crate::view::status::tests::{incident, now, row, time};

const FRESH: Option<&str> = Some("2026-02-23T11:59:30Z");

fn named(id: &str, name: &str, impact: Impact) -> ProviderRow {
    ProviderRow {
        name: name.to_owned(),
        last_poll_at: FRESH.map(time),
        next_poll_at: Some(time("2026-02-23T12:00:20Z")),
        last_outcome: Some("unchanged".to_owned()),
        page_url: Some(format!("https://status.{id}.example")),
        ..row(id, Some(impact), FRESH)
    }
}

fn item(provider: &str, id: &str, title: &str, status: IncidentStatus, impact: Impact) -> OpenItem {
    OpenItem {
        incident_id: id.to_owned(),
        title: title.to_owned(),
        started_at: Some(time("2026-02-23T11:19:00Z")),
        ..incident(provider, status, impact)
    }
}

fn event(seq: u64, name: &str, title: &str, status: IncidentStatus, impact: Impact) -> StatusEvent {
    let at = time("2026-02-23T11:40:00Z") + chrono::TimeDelta::minutes(seq as i64);
    StatusEvent {
        seq,
        id: format!("e{seq}"),
        kind: Kind::Incident,
        provider: name.to_lowercase(),
        provider_name: name.to_owned(),
        source: "statuspage".to_owned(),
        incident_id: Some("i1".to_owned()),
        update_id: None,
        revision: 1,
        title: title.to_owned(),
        status: status.into(),
        previous_status: None,
        impact,
        previous_impact: None,
        components: Vec::new(),
        message: Some("We are looking into slow runs.\n\nMore at the top of the hour.".to_owned()),
        url: Some("https://status.example/i1".to_owned()),
        started_at: None,
        published_at: at,
        observed_at: at,
        scheduled_for: None,
        scheduled_until: None,
        backfill: false,
    }
}

fn channel(id: &str, health: ChannelHealth, error: Option<&str>, waiting: u64) -> ChannelRow {
    ChannelRow {
        state: ChannelState {
            id: id.to_owned(),
            kind: "slack".to_owned(),
            health,
            since: now(),
            last_error: error.map(str::to_owned),
            probe_at: None,
        },
        last_success_at: FRESH.map(time),
        last_error_at: None,
        waiting,
        oldest_at: (waiting > 0).then(|| time("2026-02-23T11:57:00Z")),
        held: 0,
        dead: u64::from(error.is_some()),
        delivered_today: 14,
    }
}

/// Four providers: one with a major incident, one with a minor one, one stale, one fine with two
/// maintenances.
fn sample() -> Facts {
    let stale = ProviderRow {
        last_success_at: Some(time("2026-02-23T11:46:00Z")),
        last_outcome: Some("http".to_owned()),
        last_error: Some("HTTP 403 (Forbidden)".to_owned()),
        failures: 9,
        ..named("acme", "Acme", Impact::None)
    };
    let maintenance = |id: &str, status, from: &str| OpenItem {
        kind: Kind::Maintenance,
        scheduled_for: Some(time(from)),
        started_at: None,
        ..item("npm", id, "Database upgrade", status, Impact::Maintenance)
    };
    let actions =
        item("github", "i1", "Actions delayed", IncidentStatus::Identified, Impact::Major);
    let thread = IncidentKey::new("github", "i1").to_string();
    let sent = vec![("ops".to_owned(), false), ("pager".to_owned(), true)];
    Facts {
        providers: vec![
            stale,
            named("github", "GitHub", Impact::Major),
            named("npm", "npm", Impact::None),
            named("openai", "OpenAI", Impact::Minor),
        ],
        open: vec![
            maintenance("m2", IncidentStatus::Scheduled, "2026-02-24T01:00:00Z"),
            maintenance("m1", IncidentStatus::InProgress, "2026-02-23T11:00:00Z"),
            item("openai", "o1", "Elevated errors", IncidentStatus::Monitoring, Impact::Minor),
            actions,
        ],
        sinks: vec![SinkRow {
            id: "event_log".to_owned(),
            seq: 12,
            behind: 3,
            failure: Some("No space left on device".to_owned()),
            delivered_at: None,
        }],
        channels: vec![
            channel("ops", ChannelHealth::Broken, Some("channel_not_found"), 2),
            channel("pager", ChannelHealth::Ok, None, 0),
        ],
        network: OwnNetwork::default(),
        events: vec![
            Arc::new(event(
                12,
                "GitHub",
                "Actions delayed",
                IncidentStatus::Identified,
                Impact::Major,
            )),
            Arc::new(event(
                11,
                "OpenAI",
                "Elevated errors",
                IncidentStatus::Monitoring,
                Impact::Minor,
            )),
        ],
        notified: [(thread, sent)].into_iter().collect(),
        running: true,
        left_out: 0,
    }
}

fn model(facts: Facts) -> Model {
    let mut model = Model::new(now(), false);
    model.update(facts, now());
    model
}

/// With the updates of the first incident.
fn with_timeline(facts: Facts) -> Model {
    let mut model = model(facts);
    let events = vec![
        event(12, "GitHub", "Actions delayed", IncidentStatus::Identified, Impact::Major),
        event(3, "GitHub", "Actions delayed", IncidentStatus::Investigating, Impact::Minor),
    ];
    let subject = Subject::Incident("github".to_owned(), "i1".to_owned());
    assert_eq!(model.subject().as_ref(), Some(&subject));
    model.detail(subject, Details::Events(events));
    model
}

fn screen(model: &mut Model, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(model, frame)).unwrap();
    let cells = terminal.backend().buffer().content();
    let line = |cells: &[ratatui::buffer::Cell]| {
        let (mut text, mut hidden) = (String::new(), 0);
        for cell in cells {
            // Behind a wide character stands a cell that the terminal does not draw.
            if hidden > 0 {
                hidden -= 1;
                continue;
            }
            hidden = super::table::width(cell.symbol()).saturating_sub(1);
            text += cell.symbol();
        }
        text.trim_end().to_owned()
    };
    let lines: Vec<String> = cells.chunks(width.into()).map(line).collect();
    lines.join("\n").trim_end().to_owned()
}

fn press(model: &mut Model, text: &str) -> Effect {
    let mut last = Effect::Draw;
    for c in text.chars() {
        use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
        let code = match c {
            '\n' => KeyCode::Enter,
            '\u{1b}' => KeyCode::Esc,
            '\t' => KeyCode::Tab,
            '\u{8}' => KeyCode::Backspace,
            c => KeyCode::Char(c),
        };
        let key = KeyEvent::new(code, KeyModifiers::NONE);
        if let Some(action) = super::input::action(model.mode, key) {
            last = model.apply(action);
        }
    }
    last
}

#[test]
fn what_is_open_at_80_by_24() {
    insta::assert_snapshot!(screen(&mut with_timeline(sample()), 80, 24), @r"
     3/4 fresh · 1 stale · 2 open · 1 in maintenance             12:00:00 UTC  live
     [1 Open]  2 Providers   3 Events   4 Channels   5 Pollers     / filter  ? help
        IMPACT       PROVIDER  TITLE             STATUS       AGE     NOTIFIED
    >●  major        GitHub    Actions delayed   identified   41m     ops … pager ✓
     ◐  minor        OpenAI    Elevated errors   monitoring   41m     -
     ?  stale        Acme      no good answer …  http         14m     -
     ◆  maintenance  npm       Database upgrade  in progress  60m     -
     ◆  maintenance  npm       Database upgrade  scheduled    in 13h  -









     ──────────────────────────────────────────────────────────────────────────────
     GitHub: Actions delayed
     affects                API
     page                   https://status.acme.example/i1
     11:52:00 identified    We are looking into slow runs.
                            More at the top of the hour.
     11:43:00 investigating We are looking into slow runs.
    ");
}

#[test]
fn what_is_open_at_120_by_40() {
    insta::assert_snapshot!(screen(&mut with_timeline(sample()), 120, 40), @r"
     statuswatch  3/4 fresh · 1 stale · 2 open · 1 in maintenance                                        12:00:00 UTC  live
     [1 Open]  2 Providers   3 Events   4 Channels   5 Pollers                                             / filter  ? help
        IMPACT       PROVIDER  TITLE                                                     STATUS       AGE     NOTIFIED
    >●  major        GitHub    Actions delayed                                           identified   41m     ops … pager ✓
     ◐  minor        OpenAI    Elevated errors                                           monitoring   41m     -
     ?  stale        Acme      no good answer for 14m; was operational                   http         14m     -
     ◆  maintenance  npm       Database upgrade                                          in progress  60m     -
     ◆  maintenance  npm       Database upgrade                                          scheduled    in 13h  -




















     ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
     GitHub: Actions delayed
     affects                API
     page                   https://status.acme.example/i1
     11:52:00 identified    We are looking into slow runs.
                            More at the top of the hour.
     11:43:00 investigating We are looking into slow runs.
                            More at the top of the hour.
    ");
}

#[test]
fn what_is_open_at_40_by_12() {
    insta::assert_snapshot!(screen(&mut with_timeline(sample()), 40, 12), @r"
     3/4 fresh · 1 stale · 2 open      live
     [1 Open] 2  3  4  5   / filter  ? help
        PROVIDER  TITLE              AGE
    >●  GitHub    Actions delayed    41m
     ◐  OpenAI    Elevated errors    41m
     ?  Acme      no good answer f…  14m
     ◆  npm       Database upgrade   60m
     ◆  npm       Database upgrade   in 13h
    ");
}

#[test]
fn the_other_lists() {
    let mut model = model(sample());
    let mut all = String::new();
    for tab in &Tab::ALL[1..] {
        press(&mut model, "\t");
        assert_eq!(model.tab, *tab);
        all += &screen(&mut model, 100, 11);
        all += "\n\n";
    }
    insta::assert_snapshot!(all, @r"
     statuswatch  3/4 fresh · 1 stale · 2 open · 1 in maintenance                    12:00:00 UTC  live
      1 Open  [2 Providers]  3 Events   4 Channels   5 Pollers                         / filter  ? help
        PROVIDER                                   STATUS                    OPEN  FRESHNESS  LAST READ
    >●  GitHub                                     partial outage            1     fresh      30s
     ◐  OpenAI                                     degraded performance      1     fresh      30s
     ◆  npm                                        under maintenance         2     fresh      30s
     ?  Acme                                       unknown, was operational  -     stale      14m

     statuswatch  3/4 fresh · 1 stale · 2 open · 1 in maintenance                    12:00:00 UTC  live
      1 Open   2 Providers  [3 Events]  4 Channels   5 Pollers                         / filter  ? help
     TIME         IMPACT  PROVIDER  TITLE                                                    STATUS
    >11:52:00  ●  major   GitHub    Actions delayed                                          identified
     11:51:00  ◐  minor   OpenAI    Elevated errors                                          monitoring

     statuswatch  3/4 fresh · 1 stale · 2 open · 1 in maintenance                    12:00:00 UTC  live
      1 Open   2 Providers   3 Events  [4 Channels]  5 Pollers                         / filter  ? help
        CHANNEL    KIND   HEALTH  WAITING  OLDEST  HELD  DEAD  24 H  LAST ERROR
    >●  event_log  sink   down    3        -       -     -     -     No space left on device
     ●  ops        slack  broken  2        3m      -     1     14    channel_not_found
     ○  pager      slack  ok      -        -       -     -     14    -

     statuswatch  3/4 fresh · 1 stale · 2 open · 1 in maintenance                    12:00:00 UTC  live
      1 Open   2 Providers   3 Events   4 Channels  [5 Pollers]                        / filter  ? help
     PROVIDER  SOURCE      LAST  NEXT    EVERY  FAILED  RESTARTS  LAST RESULT
    >Acme      statuspage  30s   in 20s  60s    9       -         HTTP 403 (Forbidden)
     GitHub    statuspage  30s   in 20s  60s    -       -         unchanged
     npm       statuspage  30s   in 20s  60s    -       -         unchanged
     OpenAI    statuspage  30s   in 20s  60s    -       -         unchanged
    ");
}

#[test]
fn details_and_help_fill_the_screen() {
    let mut model = with_timeline(sample());
    press(&mut model, "\n");
    insta::assert_snapshot!(screen(&mut model, 60, 14), @r"
    3/4 fresh · 1 stale · 2 open · 1 in maintenance       live
    [1 Open]  2 Providers   3 Events   4 Channels   5 Pollers
    GitHub: Actions delayed
    affects                API
    page                   https://status.acme.example/i1
    11:52:00 identified    We are looking into slow runs.
                           More at the top of the hour.
    11:43:00 investigating We are looking into slow runs.
                           More at the top of the hour.
    ");
    press(&mut model, "\u{1b}?");
    insta::assert_snapshot!(screen(&mut model, 70, 22), @r"
    3/4 fresh · 1 stale · 2 open · 1 in maintenance   12:00:00 UTC  live
    [1 Open]  2 Providers   3 Events   4 Channels   5 Pollers
    1 to 5    show a list
    Tab ] / [ show the next list, the one before
    j k       go down, up
    g G       go to the first, last line
    Space     go down one page; also Page Down, Page Up
    Enter     show the details of the selected line
    Esc       go back; in a list: clear the filter
    /         filter the list; /!text leaves out what matches
    R         read and draw again
    q :q      quit
    ?         show or hide this help
    ●         major or critical
    ◐         minor
    ◆         maintenance
    ○         no impact
    ?         unknown: stale, unreachable, or not stated
    ✓ …       the channel has accepted a message; it waits to be sent
    ");
    // Beyond the end there is nothing to scroll to.
    press(&mut model, "jjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjj");
    let end = screen(&mut model, 70, 12);
    assert!(end.lines().last().unwrap().contains("it waits to be sent"), "{end}");
    press(&mut model, "k");
    assert!(!screen(&mut model, 70, 12).contains("it waits to be sent"));
}

#[test]
fn empty_states_say_so() {
    let mut nothing = Model::new(now(), false);
    insta::assert_snapshot!(screen(&mut nothing, 80, 5), @r"
    statuswatch  0/0 fresh                                   12:00:00 UTC  reading
    [1 Open]  2 Providers   3 Events   4 Channels   5 Pollers     / filter  ? help

    The ledger has not been read yet.
    ");
    nothing.fail("database is locked".to_owned());
    insta::assert_snapshot!(screen(&mut nothing, 80, 5), @r"
    statuswatch  0/0 fresh                                   12:00:00 UTC  reading
    [1 Open]  2 Providers   3 Events   4 Channels   5 Pollers     / filter  ? help
    cannot read: database is locked

    The ledger has not been read yet.
    ");
    let fine = Facts { providers: vec![named("npm", "npm", Impact::None)], ..Facts::default() };
    let mut fine = model(fine);
    insta::assert_snapshot!(screen(&mut fine, 80, 5), @r"
    statuswatch  1/1 fresh                                    12:00:00 UTC  no run
    [1 Open]  2 Providers   3 Events   4 Channels   5 Pollers     / filter  ? help

    Nothing is open, and every provider is fresh.
    ");
    for (tab, text) in [("3", "No event yet."), ("4", "No channel is configured.")] {
        press(&mut fine, tab);
        assert!(screen(&mut fine, 80, 5).contains(text));
    }
    press(&mut fine, "/zzz\n");
    assert!(screen(&mut fine, 80, 5).contains("Nothing matches the filter"));
}

/// Nothing of it moves the cursor, changes a color or is wider than its column.
#[test]
fn hostile_text_stays_in_its_place() {
    let mut facts = sample();
    let pile = format!("e{}", "\u{301}".repeat(2_000));
    facts.providers[1].name = "\u{1b}[2J\u{202e}Git\nHub日本語日本語日本語".to_owned();
    facts.open[3].title = format!("{pile} \u{7}\u{9b}31m全角の題名 {}", "x".repeat(100_000));
    facts.open[3].status = "\u{1b}]0;owned\u{7}".to_owned();
    let mut model = with_timeline(facts);
    let mut evil = event(13, "GitHub", "t", IncidentStatus::Identified, Impact::Major);
    evil.message = Some("\u{1b}[31mred\u{1b}[0m\r\n\u{8}\u{8}back\u{200d}\u{feff}".to_owned());
    evil.url = Some("javascript:alert(1)".to_owned());
    let subject = model.subject().unwrap();
    model.detail(subject, Details::Events(vec![evil]));
    insta::assert_snapshot!(screen(&mut model, 80, 18).replace('\u{301}', ""), @r"
     3/4 fresh · 1 stale · 2 open · 1 in maintenance             12:00:00 UTC  live
     [1 Open]  2 Providers   3 Events   4 Channels   5 Pollers     / filter  ? help
        IMPACT       PROVIDER       TITLE         STATUS       AGE     NOTIFIED
    >●  major        [2JGit Hub日…  e…            ]0;owned     41m     ops … pager…
     ◐  minor        OpenAI         Elevated er…  monitoring   41m     -
     ?  stale        Acme           no good ans…  http         14m     -
     ◆  maintenance  npm            Database up…  in progress  60m     -
     ◆  maintenance  npm            Database up…  scheduled    in 13h  -





     ──────────────────────────────────────────────────────────────────────────────
     [2JGit Hub日本語日本語日本語: e 31m全角の題名
     xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
     xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
     xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
    ");
    let mut terminal = Terminal::new(TestBackend::new(80, 18)).unwrap();
    terminal.draw(|frame| draw(&mut model, frame)).unwrap();
    let cells = terminal.backend().buffer().content();
    assert!(cells.iter().all(|cell| cell.symbol().len() <= 32));
    assert!(!cells.iter().any(|cell| cell.symbol().chars().any(char::is_control)));
}

#[test]
fn a_storm_is_counted_and_scrolled() {
    let mut facts = Facts { running: true, ..Facts::default() };
    for number in 0..400 {
        let id = format!("p{number:03}");
        facts.providers.push(named(&id, &format!("Provider {number:03}"), Impact::Critical));
        let title = format!("Everything is down, part {number}");
        facts.open.push(item(&id, "i", &title, IncidentStatus::Investigating, Impact::Critical));
    }
    facts.network.offline_since = Some(time("2026-02-23T11:58:00Z"));
    facts.network.seen = Some("names do not resolve: 400 of 400 providers fail".to_owned());
    let mut model = model(facts);
    screen(&mut model, 80, 12);
    press(&mut model, "G");
    insta::assert_snapshot!(screen(&mut model, 80, 12), @r"
     statuswatch  400/400 fresh · 400 open                       12:00:00 UTC  live
     [1 Open]  2 Providers   3 Events   4 Channels   5 Pollers     / filter  ? help
     offline since 2026-02-23T11:58:00Z: names do not resolve: 400 of 400 providers…
        IMPACT    PROVIDER      TITLE                  STATUS         AGE  NOTIFIED
     ●  critical  Provider 392  Everything is down, …  investigating  41m  -
     ●  critical  Provider 393  Everything is down, …  investigating  41m  -
     ●  critical  Provider 394  Everything is down, …  investigating  41m  -
     ●  critical  Provider 395  Everything is down, …  investigating  41m  -
     ●  critical  Provider 396  Everything is down, …  investigating  41m  -
     ●  critical  Provider 397  Everything is down, …  investigating  41m  -
     ●  critical  Provider 398  Everything is down, …  investigating  41m  -
    >●  critical  Provider 399  Everything is down, …  investigating  41m  -
    ");
    press(&mut model, "gj");
    assert!(screen(&mut model, 80, 12).contains(">●  critical  Provider 001"));
}

#[test]
fn a_filter_narrows_every_list() {
    let mut model = model(sample());
    press(&mut model, "/MONI");
    assert_eq!((model.entries.len(), model.filter.as_str()), (1, "MONI"));
    insta::assert_snapshot!(screen(&mut model, 80, 6), @r"
     3/4 fresh · 1 stale · 2 open · 1 in maintenance             12:00:00 UTC  live
     [1 Open]  2 Providers   3 Events   4 Channels   5 Pollers                /MONI
        IMPACT  PROVIDER  TITLE                           STATUS      AGE  NOTIFIED
    >◐  minor   OpenAI    Elevated errors                 monitoring  41m  -

     /MONI
    ");
    press(&mut model, "\n");
    // Letters are keys again, and the filter holds.
    press(&mut model, "2");
    assert_eq!(model.entries.len(), 0);
    press(&mut model, "/\u{8}\u{8}\u{8}\u{8}!openai\n");
    assert_eq!(model.entries.len(), 3);
    press(&mut model, "\u{1b}");
    assert_eq!((model.entries.len(), model.filter.as_str()), (4, ""));
}

#[test]
fn commands() {
    let mut model = model(sample());
    assert_eq!(press(&mut model, ":w\n"), Effect::Draw);
    assert!(screen(&mut model, 80, 8).contains("no command \"w\"; :q quits"));
    assert_eq!(press(&mut model, ":\u{8}j"), Effect::Draw);
    assert_eq!(press(&mut model, "R"), Effect::Refresh);
    assert_eq!(press(&mut model, ":q\n"), Effect::Quit);
    assert_eq!(press(&mut model, "q"), Effect::Quit);
    assert_eq!(model.apply(Action::Suspend), Effect::Suspend);
}

#[test]
fn the_selection_stays_with_its_line() {
    let mut model = model(sample());
    press(&mut model, "j");
    assert!(screen(&mut model, 80, 24).contains(">◐  minor"));
    let mut facts = sample();
    facts.open.push(item(
        "npm",
        "n1",
        "Registry down",
        IncidentStatus::Investigating,
        Impact::Critical,
    ));
    model.update(facts, now());
    let text = screen(&mut model, 80, 24);
    assert!(text.contains(">◐  minor") && text.contains("Registry down"), "{text}");
    // What has ended leaves the selection where it is.
    let mut facts = sample();
    facts.open.retain(|item| item.provider != "openai");
    model.update(facts, now());
    assert!(model.selected < model.entries.len());
    // Details do not turn into those of something else.
    press(&mut model, "g\n");
    let mut facts = sample();
    facts.open.retain(|item| item.provider != "github");
    model.update(facts, now());
    assert!(screen(&mut model, 80, 24).contains("what was shown is no longer listed"));
}

/// Without a reading, time alone makes providers stale, and the screen says that it is old.
#[test]
fn nothing_stays_fresh_by_itself() {
    let mut model = model(sample());
    assert_eq!(model.counts.fresh, 3);
    let later: Time = now() + chrono::TimeDelta::minutes(11);
    model.tick(later);
    assert_eq!((model.counts.fresh, model.counts.stale), (0, 4));
    let text = screen(&mut model, 100, 8);
    assert!(text.starts_with(" 0/4 fresh") || text.contains("  0/4 fresh"), "{text}");
    assert!(text.lines().next().unwrap().ends_with("stale since 12:00:00"), "{text}");
}

#[test]
fn colors_only_repeat_what_signs_and_words_say() {
    let mut colored = with_timeline(sample());
    colored.color = true;
    assert_eq!(screen(&mut colored, 80, 24), screen(&mut with_timeline(sample()), 80, 24));
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    let mut colors = |model: &mut Model| {
        terminal.draw(|frame| draw(model, frame)).unwrap();
        let cells = terminal.backend().buffer().content();
        cells.iter().filter(|cell| cell.fg != ratatui::style::Color::Reset).count()
    };
    assert!(colors(&mut colored) > 0);
    assert_eq!(colors(&mut with_timeline(sample())), 0);
}

proptest::proptest! {
    /// Any size, any keys.
    #[test]
    fn no_screen_is_too_small(
        width in 1_u16..140, height in 1_u16..50, keys in "[1-5jkgG?/:!a\n\t\u{1b}\u{8} ]{0,12}",
    ) {
        let mut model = with_timeline(sample());
        press(&mut model, &keys);
        screen(&mut model, width, height);
    }
}
