use super::*;
use crate::channel::corpus::{HOSTILE, at, complete, incident, notification, rendered, walk};
use crate::notification::{Content as About, Entry, Phase, Reference, Summary, SummaryReason};
use crate::values::{Secret, Value};
use statuswatch_model::event::{Impact, IncidentStatus, Kind};

fn values() -> Values {
    let list = |addresses: &[&str]| {
        Value::List(addresses.iter().map(|&address| address.to_owned()).collect())
    };
    Values::default()
        .with_text("smtp", "smtps://mx.example")
        .with_text("user", "status")
        .with_secret("password", "s3cr3t")
        .with_text("from", "Status Wätch <status@acme.example>")
        .with("to", list(&["ops@acme.example", "On Call <call@acme.example>"]))
        .with("cc", list(&["boss@acme.example"]))
}

fn channel() -> Box<dyn Channel> {
    build(&values()).unwrap()
}

fn mail(request: &Request) -> &MailRequest {
    let Request::Mail(mail) = request else { panic!() };
    mail
}

/// The header of a message with its folded lines joined.
fn headers(message: &str) -> Vec<(String, String)> {
    let (head, _) = message.split_once("\r\n\r\n").unwrap();
    let head = head.replace("\r\n ", " ");
    let fields = head.split("\r\n").map(|line| line.split_once(": ").unwrap());
    fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn nothing_gets_into_the_header_or_past_a_line() {
    let expected = [
        "From",
        "Subject",
        "Date",
        "Message-ID",
        "In-Reply-To",
        "References",
        "Auto-Submitted",
        "To",
        "Cc",
        "MIME-Version",
        "Content-Type",
    ];
    walk(&*channel(), &Reference::default(), |step, request| {
        let mail = mail(request);
        assert!(mail.message.is_ascii());
        assert!(mail.message.len() < 500_000);
        assert_eq!(mail.recipients.len(), 3);
        for line in mail.message.split("\r\n") {
            assert!(line.len() < 998 && !line.contains(['\r', '\n', '\0']), "{line:?}");
        }
        for (name, _) in headers(&mail.message) {
            let known = expected.contains(&name.as_str()) || name == "Content-Transfer-Encoding";
            assert!(known, "{name}");
        }
        let content: Content = serde_json::from_str(&step.body).unwrap();
        let length = content.subject.chars().count();
        assert!((1..150).contains(&length) && !content.subject.contains(char::is_control));
        assert!(!format!("{request:?}").contains("s3cr3t"));
    });
}

#[test]
fn no_text_becomes_markup() {
    walk(&*channel(), &Reference::default(), |step, _| {
        let content: Content = serde_json::from_str(&step.body).unwrap();
        let Some(page) = content.html else { return };
        let body = page.split_once("<body").unwrap().1;
        for part in body.split('<').skip(1) {
            let tag = part.split(['>', ' ']).next().unwrap();
            let known =
                ["div", "h1", "p", "b", "a", "/div", "/h1", "/p", "/b", "/a", "/body", "/html"];
            assert!(known.contains(&tag), "{tag}");
            if let Some(rest) = part.strip_prefix("a href=\"") {
                assert!(rest.starts_with("http://") || rest.starts_with("https://"), "{rest}");
            } else {
                let (tag, _) = part.split_once('>').unwrap();
                let attributes = tag.split_once(' ').map(|(_, attributes)| attributes);
                let style = attributes.map(|text| text.split('"').collect::<Vec<_>>());
                assert!(
                    style.is_none_or(|style| style.len() == 3 && style[0] == "style="),
                    "{tag}"
                );
            }
        }
    });
}

#[test]
fn what_it_looks_like() {
    let step = rendered(&*channel(), Phase::Update).remove(0);
    let request = complete(&*channel(), &step);
    insta::assert_snapshot!(mail(&request).message.replace('\r', ""), @r##"
    From: =?utf-8?b?U3RhdHVzIFfDpHRjaA==?= <status@acme.example>
    Subject: Acme Cloud: High errors with parcel labels
    Date: Mon, 23 Feb 2026 10:20:49 +0000
    Message-ID: <0123456789abcdef0123456789abcdef@acme.example>
    In-Reply-To: <fedcba9876543210fedcba9876543210@acme.example>
    References: <fedcba9876543210fedcba9876543210@acme.example>
    Auto-Submitted: auto-generated
    To: ops@acme.example, "On Call" <call@acme.example>
    Cc: boss@acme.example
    MIME-Version: 1.0
    Content-Type: multipart/alternative;
     boundary="statuswatch-0123456789abcdef0123456789abcdef"

    --statuswatch-0123456789abcdef0123456789abcdef
    Content-Type: text/plain; charset=utf-8
    Content-Transfer-Encoding: quoted-printable

    Acme Cloud: High errors with parcel labels

    Identified (major)

    We have found the cause.

    A fix is being rolled out.

    Components: Labels, Label Printing
    Status: Investigating =E2=86=92 Identified

    https://status.acme.example/incidents/01ABC

    --statuswatch-0123456789abcdef0123456789abcdef
    Content-Type: text/html; charset=utf-8
    Content-Transfer-Encoding: quoted-printable

    <!doctype html><html><head><meta charset=3D"utf-8"><meta name=3D"viewport" =
    content=3D"width=3Ddevice-width"><meta name=3D"color-scheme" content=3D"lig=
    ht dark"><meta name=3D"supported-color-schemes" content=3D"light dark"></he=
    ad>
    <body style=3D"margin:0;padding:16px;font:15px/1.5 -apple-system,'Segoe UI'=
    ,Roboto,Helvetica,Arial,sans-serif">
    <div style=3D"border-left:4px solid #ef6c00;padding:2px 0 2px 16px">
    <h1 style=3D"font-size:19px;line-height:1.3;margin:0 0 8px">Acme Cloud: Hig=
    h errors with parcel labels</h1>
    <p style=3D"font-weight:600;margin:0 0 12px">Identified (major)</p>
    <p style=3D"margin:0 0 10px">We have found the cause.</p>
    <p style=3D"margin:0 0 10px">A fix is being rolled out.</p>
    <p style=3D"margin:0 0 4px"><b>Components:</b> Labels, Label Printing</p>
    <p style=3D"margin:0 0 4px"><b>Status:</b> Investigating =E2=86=92 Identifi=
    ed</p>
    <p style=3D"margin:16px 0 0"><a href=3D"https://status.acme.example/inciden=
    ts/01ABC">Open the status page</a></p>
    <p style=3D"font-size:13px;opacity:.75;margin:12px 0 0">2026-02-23 10:20 UT=
    C</p>
    </div>
    </body></html>

    --statuswatch-0123456789abcdef0123456789abcdef--
    "##);
}

#[test]
fn a_repetition_is_the_same() {
    let step = rendered(&*channel(), Phase::Open).remove(0);
    let message = || mail(&complete(&*channel(), &step)).message.clone();
    assert_eq!(message(), message());
}

#[test]
fn the_plain_form_is_short_and_has_no_html() {
    let mut event = incident();
    event.message = Some("word ".repeat(10_000));
    let steps = channel().render(&notification(&event, Phase::Open, None), Form::Plain);
    let request = complete(&*channel(), &steps[0]);
    let message = &mail(&request).message;
    assert!(!message.contains("html") && message.len() < 4_000, "{}", message.len());
    assert!(message.contains("https://status.acme.example/incidents/01ABC"));
}

#[test]
fn a_summary_is_a_table() {
    let entry = |title: &str, open| Entry {
        provider: "Acme <Cloud>".into(),
        title: title.into(),
        kind: Kind::Incident,
        first: IncidentStatus::Investigating.into(),
        last: if open { IncidentStatus::Investigating } else { IncidentStatus::Resolved }.into(),
        impact: Impact::Major,
        updates: 3,
        open,
        at: at(),
        url: Some("https://status.acme.example/\"><script>".into()),
    };
    let mut entries = vec![entry("Slow", true), entry("Gone", false)];
    entries.extend(HOSTILE.iter().map(|hostile| entry(hostile, true)));
    entries.resize(150, entry("More", false));
    let summary = Summary {
        reason: SummaryReason::Digest,
        intro: "From 10:00 to 10:15 <UTC>.".into(),
        entries,
        omitted: 7,
        omitted_open: 0,
    };
    let event = incident();
    let mut notification = notification(&event, Phase::Open, None);
    notification.content = About::Summary(&summary);
    let page = html::page(&Layout::new(&notification), &notification);
    assert!(!page.contains("<script") && !page.contains("<UTC>") && !page.contains("<Cloud>"));
    assert_eq!(page.matches("<tr>").count(), 101);
    assert!(page.contains("And 57 more"));
    let row = page.lines().skip_while(|line| !line.starts_with("<tr><td")).take(6);
    let row = row.collect::<Vec<_>>().join("\n").replace(
        " style=\"padding:6px 12px 6px 0;border-bottom:1px solid #8884;vertical-align:top\"",
        "",
    );
    insta::assert_snapshot!(row, @r#"
    <tr><td>●</td>
    <td>Acme &lt;Cloud&gt;</td>
    <td><a href="https://status.acme.example/%22%3E%3Cscript%3E">Slow</a></td>
    <td>Investigating (major)</td>
    <td>3</td>
    <td>2026-02-23 10:20 UTC</td>
    "#);
}

#[test]
fn a_login_needs_tls() {
    let security = |values: &Values| {
        let request = complete(&*build(values).unwrap(), &Step::new("mail", "{}"));
        mail(&request).server.security
    };
    let with = |smtp: &str| values().with_text("smtp", smtp);
    assert_eq!(security(&with("smtp://mx.example")), Security::StartTls);
    assert_eq!(security(&with("smtp://127.0.0.1:25")), Security::StartTls);
    assert!(build(&with("smtp://mx.example").with_text("tls", "none")).is_err());
    assert!(build(&with("smtp://localhost").with_text("tls", "none")).is_err());
    let anonymous = |smtp: &str| {
        Values::default()
            .with_text("smtp", smtp)
            .with_text("from", "a@acme.example")
            .with("to", Value::List(vec!["b@acme.example".to_owned()]))
    };
    assert_eq!(security(&anonymous("smtp://mx.example")), Security::StartTls);
    assert_eq!(security(&anonymous("smtp://localhost:25")), Security::None);
    let starttls = anonymous("smtp://localhost:25").with_text("tls", "starttls");
    assert_eq!(security(&starttls), Security::StartTls);
    assert_eq!(security(&anonymous("smtp://mx.example").with_text("tls", "none")), Security::None);
    assert!(build(&anonymous("smtps://mx.example").with_text("tls", "none")).is_err());
    let half = anonymous("smtps://mx.example").with_text("user", "u");
    assert_eq!(build(&half).unwrap_err().key, Some("password"));
}

#[test]
fn addresses_are_checked() {
    for wrong in [
        "",
        "ops",
        "ops@acme.example\r\nBcc: victim@evil.example",
        "ops@acme.example, other@acme.example",
        "<ops@acme.example> RCPT",
        "\"a b\"@acme.example",
        "öps@acme.example",
        "ops@äcme.example",
    ] {
        for values in [
            values().with_text("from", wrong),
            values().with("to", Value::List(vec![wrong.to_owned()])),
        ] {
            assert!(build(&values).is_err(), "{wrong:?}");
        }
    }
    assert!(build(&values().with("to", Value::List(Vec::new()))).is_err());
}

#[test]
fn replies_are_judged() {
    let judge = |stage, code| {
        judge(&MailAnswer { stage, code, text: "text".to_owned(), refused: Vec::new() })
    };
    assert_eq!(judge(MailStage::Message, 250), Verdict::delivered());
    for (stage, code) in [
        (MailStage::Connect, 421),
        (MailStage::Login, 454),
        (MailStage::Recipients, 450),
        (MailStage::Message, 452),
    ] {
        assert!(matches!(judge(stage, code), Verdict::Retry { .. }), "{stage:?}");
    }
    for (stage, code) in [
        (MailStage::Connect, 554),
        (MailStage::Login, 535),
        (MailStage::Sender, 550),
        (MailStage::Recipients, 550),
    ] {
        assert!(matches!(judge(stage, code), Verdict::Broken { .. }), "{stage:?}");
    }
    assert_eq!(
        judge(MailStage::Message, 554),
        Verdict::Refused { reason: "the server refuses the message: 554 text".to_owned() }
    );
    assert_eq!(format!("{:?}", Secret::new("s3cr3t")), "***");
}

#[test]
fn recipients_that_are_refused_are_left_for_a_copy_of_their_own() {
    let refused = |address: &str, code, text: &str| RefusedRecipient {
        address: address.to_owned(),
        code,
        text: text.to_owned(),
    };
    let answer = |stage, code, refused: &[RefusedRecipient]| {
        let (text, refused) = (String::new(), refused.to_vec());
        Answer::Mail(MailAnswer { stage, code, text, refused })
    };
    let step = rendered(&*channel(), Phase::Open).remove(0);
    let (full, gone) =
        (refused("call@acme.example", 452, "full"), refused("boss@acme.example", 550, "unknown"));
    let both = [full.clone(), gone.clone()];
    let judged = channel().judge(&step, &answer(MailStage::Message, 250, &both));
    let Verdict::Partly { again: Some(again), never: Some(never) } = judged else {
        panic!("{judged:?}")
    };
    assert_eq!(again.reason, "not accepted yet: call@acme.example (452 full)");
    assert_eq!(never.reason, "the server refuses recipients: boss@acme.example (550 unknown)");
    for (rest, address) in [(&again, "call@acme.example"), (&never, "boss@acme.example")] {
        let request = complete(&*channel(), &rest.step);
        assert_eq!(mail(&request).recipients, [address]);
        // The message is the same for everybody.
        assert_eq!(mail(&request).message, mail(&complete(&*channel(), &step)).message);
    }
    // Of a copy, one who is refused says nothing about the channel.
    let all = |code, one: &RefusedRecipient| {
        answer(MailStage::Recipients, code, std::slice::from_ref(one))
    };
    let later = channel().judge(&again.step, &all(452, &full));
    assert!(matches!(later, Verdict::Later { .. }), "{later:?}");
    let dead = channel().judge(&never.step, &all(550, &gone));
    assert!(matches!(dead, Verdict::Partly { again: None, never: Some(_) }), "{dead:?}");
    // Of the message itself, everybody does.
    let broken = channel().judge(&step, &all(550, &gone));
    assert!(matches!(broken, Verdict::Broken { .. }), "{broken:?}");
    let retried = channel().judge(&step, &answer(MailStage::Message, 451, &both));
    assert!(matches!(retried, Verdict::Retry { .. }), "{retried:?}");
}
