//! Tests of templates.

use serde_json::Value as Json;

use super::*;
use crate::channel::corpus;
use crate::notification::{Content, Phase};

fn compile(slot: Slot, source: &str) -> Result<Templates, TemplateError> {
    let mut sources = Sources::default();
    match slot {
        Slot::Title => sources.title = Some(source),
        Slot::Body => sources.body = Some(source),
        Slot::Json => sources.json = Some(source),
    }
    Templates::compile(sources)
}

fn refused(slot: Slot, source: &str) -> String {
    compile(slot, source).unwrap_err().to_string()
}

#[test]
fn texts_replace_the_built_in_ones() {
    let templates = Templates::compile(Sources {
        title: Some("[{{ severity | upper }}] {{ provider }}: {{ title }}"),
        body: Some(
            "{% if event %}{{ status }}: {{ message }}\
             {% for c in components %}\n* {{ c.name }} ({{ c.status }}){% endfor %}\
             {% elif summary %}{{ summary.intro }} {{ summary.entries | length }}\
             {% else %}{{ notice.message }}{% endif %}{% if late %}\nlate: {{ late }}{% endif %}",
        ),
        json: None,
    })
    .unwrap();
    let event = corpus::incident();
    let mut notification = corpus::notification(&event, Phase::Update, None);
    notification.late = Some(std::time::Duration::from_hours(3));
    let rendered = templates.render(&notification);
    assert_eq!(rendered.errors, []);
    let title = "[MAJOR] Acme Cloud: High errors with parcel labels";
    assert_eq!(rendered.custom.title.as_deref(), Some(title));
    insta::assert_snapshot!(rendered.custom.body.unwrap(), @r"
    identified: We have found the cause.

    A fix is being rolled out.
    * Labels (partial_outage)
    * Label Printing (degraded_performance)
    late: 3 h
    ");

    let summary = corpus::summary();
    notification.content = Content::Summary(&summary);
    let body = templates.render(&notification).custom.body.unwrap();
    assert!(body.starts_with("Quiet hours ended at 07:00 (Europe/Berlin). 1"), "{body}");
    let notice = corpus::notice();
    notification.content = Content::Notice(&notice);
    let body = templates.render(&notification).custom.body.unwrap();
    assert!(body.starts_with("Slack: invalid_auth"), "{body}");
}

#[test]
fn an_absent_value_is_nothing_in_text_and_null_in_json() {
    let event = corpus::events().remove(3);
    let notification = corpus::notification(&event, Phase::Open, None);
    let text = compile(Slot::Body, "<{{ url }}>").unwrap();
    assert_eq!(text.render(&notification).custom.body.unwrap(), "<>");
    let json = compile(Slot::Json, "[{{ url }}, {{ skipped }}, {{ components }}]").unwrap();
    assert_eq!(json.render(&notification).custom.json.unwrap(), "[null, 0, []]");
}

#[test]
fn json_is_valid_whatever_the_text() {
    let source = r#"{"text": {{ "*" ~ provider ~ "* " ~ title }}, "event": {{ event | tojson }},
        "names": [{% for c in components %}{{ c.name }}{% if not loop.last %},{% endif %}{% endfor %}]}"#;
    let templates = compile(Slot::Json, source).unwrap();
    let mut rendered = 0;
    for event in corpus::events() {
        let notification = corpus::notification(&event, Phase::Open, None);
        let result = templates.render(&notification);
        match result.custom.json {
            Some(json) => {
                let json: Json = serde_json::from_str(&json).unwrap();
                assert_eq!(json["event"], serde_json::json!(event));
                let text = format!("*{}* {}", event.provider_name, event.title);
                assert_eq!(json["text"], text);
                rendered += 1;
            }
            // 60 components with groups of 10,000 characters each.
            None => assert!(matches!(result.errors[..], [TemplateError::Output { .. }])),
        }
    }
    assert!(rendered > 15, "{rendered}");
}

#[test]
fn mistakes_are_found_at_the_start() {
    for (slot, source, expected) in [
        (
            Slot::Title,
            "{{ titel }}",
            "the template \"title\" uses the unknown name \"titel\"; did you mean \"title\"?",
        ),
        (
            Slot::Body,
            // Where no example would find it.
            "{% if impact == \"catastrophic\" %}{{ event.mesage }}{% endif %}",
            "the template \"body\" uses the unknown name \"event.mesage\"; did you mean \
             \"event.message\"?",
        ),
        (Slot::Body, "{{ xyzzy }}", "the template \"body\" uses the unknown name \"xyzzy\""),
        (
            Slot::Body,
            "{% if event %}ok{% endif %}\n{{ event.title }}",
            "the template \"body\" fails for a summary in line 2: a name that is not defined here; \
             test for \"event\", \"summary\" or \"notice\" first",
        ),
        (
            Slot::Body,
            "{% for c in components %}{{ c.nmae }}{% endfor %}",
            "the template \"body\" fails for an incident in line 1: a name that is not defined \
             here; test for \"event\", \"summary\" or \"notice\" first",
        ),
        (
            Slot::Json,
            "{\"text\": \"{{ title }}\"}",
            "the template \"json\" writes no valid JSON for an incident: expected `,` or `}` at \
             line 1 column 12; an expression brings its own quotes: write {{ title }}, not \"{{ \
             title }}\"",
        ),
        (
            Slot::Body,
            "{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}",
            "the template \"body\" does too much for an incident",
        ),
        (
            Slot::Title,
            "{% for i in range(3000) %}x{% endfor %}",
            "the template \"title\" writes more than 2000 bytes for an incident",
        ),
    ] {
        assert_eq!(refused(slot, source), expected, "{source}");
    }
    let error = refused(Slot::Title, "a\n{% if %}");
    assert!(error.starts_with("the template \"title\" is not valid in line 2: "), "{error}");
    let error = refused(Slot::Title, "{{ title | shout }}");
    assert!(error.contains("unknown filter"), "{error}");
    let error = refused(Slot::Title, "{% include \"/etc/passwd\" %}");
    assert!(error.contains("unknown statement"), "{error}");
    assert!(refused(Slot::Body, &"x".repeat(20_000)).contains("longer than 16384 bytes"));
}

#[test]
fn memory_is_bounded() {
    for source in [
        "{{ \"x\" * 1000000000 }}",
        "{{ [1] * 1000000000 }}",
        "{{ \"%2000000000d\" | format(1) }}",
        "{{ \"a\nb\" | indent(2000000000) }}",
        "{{ (\"x\" * 60000) | replace(\"x\", \"y\" * 60000) }}",
        // What could build values without end in a loop.
        "{% set n = namespace(x=1) %}",
        "{% for i in [[[1]]] recursive %}{{ loop([[i]]) }}{% endfor %}",
        "{{ range(100000) | list | map(\"string\") | join(title * 10000) }}",
    ] {
        assert!(compile(Slot::Body, source).is_err(), "{source}");
    }
    let deep = format!("{{{{ {}1{} }}}}", "(".repeat(8_000), ")".repeat(8_000));
    assert!(refused(Slot::Body, &deep).contains("not valid in line 1"));
    let doubled = format!("{{% set x = title %}}{}{{{{ x }}}}", "{%set x=x~x%}".repeat(1_000));
    assert!(refused(Slot::Body, &doubled).contains("does too much"));
    // Values nested as deep as a template can be long: no stack overflows.
    let nested = format!("{{% set x = 1 %}}{}{{{{ x }}}}", "{%set x=[x]%}".repeat(1_250));
    compile(Slot::Body, &nested).unwrap();
    assert!(compile(Slot::Json, &nested).is_err());
}

#[test]
fn a_failure_leaves_the_built_in_text() {
    let templates = Templates::compile(Sources {
        title: Some("{{ title }}"),
        // Valid for every example, not for what is to come.
        body: Some("{% if title == \"boom\" %}{{ title.x.y }}{% endif %}fine"),
        json: None,
    })
    .unwrap();
    let mut event = corpus::incident();
    event.title = "boom".into();
    let rendered = templates.render(&corpus::notification(&event, Phase::Open, None));
    assert_eq!(rendered.custom.title.as_deref(), Some("boom"));
    assert_eq!(rendered.custom.body, None);
    assert!(matches!(rendered.errors[..], [TemplateError::Run { slot: Slot::Body, .. }]));
}

#[test]
fn nothing_shows_the_text_of_a_template() {
    let templates = compile(Slot::Json, "{\"token\": \"hunter2\", \"text\": {{ title }}}").unwrap();
    assert!(!format!("{templates:?}").contains("hunter2"));
    let error = compile(Slot::Json, "{\"token\": \"hunter2\", \"text\": {{ title }}").unwrap_err();
    assert!(!format!("{error:?} {error}").contains("hunter2"));
}
