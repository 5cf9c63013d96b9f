//! Brokers of Kafka: what they store, what they refuse, and how they end.

mod broker;

use statuswatch::notify::Server as Place;
use statuswatch::notify::{
    KafkaAnswer, KafkaLogin, KafkaRequest, KafkaStage, Login, SaslMechanism, Security,
};

use self::broker::{Fault, LIMIT, Rules, start};
use super::*;

const PRODUCE: i16 = 0;
const METADATA: i16 = 3;
const HANDSHAKE: i16 = 17;
const VERSIONS: i16 = 18;
const AUTHENTICATE: i16 = 36;
/// kafka-python puts this key into partition 3 of 4.
const KEY: &str = "fedcba9876543210fedcba9876543210";
/// What a broker notes of the record, with its error code.
const RECORD: &str = "1771842049000 fedcba9876543210fedcba9876543210 message-id=id-1 payload";
const STORED: KafkaAnswer = KafkaAnswer::Stored { partition: 3, offset: 41 };

fn place(port: u16) -> Place {
    Place { host: "127.0.0.1".into(), port, security: Security::None }
}

fn to(ports: &[u16]) -> KafkaRequest {
    KafkaRequest {
        servers: ports.iter().map(|port| place(*port)).collect(),
        login: None,
        clear: false,
        topic: "status".into(),
        key: KEY.into(),
        headers: vec![("message-id", "id-1".into())],
        value: "payload".into(),
        timestamp: 1_771_842_049_000,
    }
}

fn login(mechanism: SaslMechanism, password: &str) -> KafkaLogin {
    let password = Secret::new(password.to_owned());
    KafkaLogin { mechanism, login: Login { user: "user".into(), password } }
}

async fn write(request: KafkaRequest, timeout: Duration) -> Result<KafkaAnswer, SendError> {
    match transport().send(Request::Kafka(request), timeout).await {
        Ok(Answer::Kafka(answer)) => Ok(answer),
        Ok(other) => panic!("{other:?}"),
        Err(error) => {
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("s3cr3t") && !shown.contains("127.0.0.1"), "{shown}");
            Err(error)
        }
    }
}

/// Writes a record to a broker with these rules and returns what the broker noted as well.
async fn ask(rules: Rules) -> (Result<KafkaAnswer, SendError>, Vec<String>) {
    let server = start(rules).await;
    let answer = write(to(&[server.address.port()]), ENOUGH).await;
    (answer, server.requests())
}

fn error(stage: KafkaStage, code: i16) -> KafkaAnswer {
    KafkaAnswer::Error { stage, code, text: String::new() }
}

#[tokio::test]
async fn a_record_goes_to_the_leader_of_its_partition() {
    let (answer, seen) = ask(Rules::default()).await;
    assert_eq!(answer, Ok(STORED));
    assert_eq!(seen, ["metadata status".to_owned(), format!("produce status 3 0 {RECORD}")]);

    let leader = start(Rules::default()).await;
    let other =
        Rules { leader: Some(("127.0.0.1".to_owned(), leader.address.port())), ..Rules::default() };
    let (answer, seen) = ask(other).await;
    assert_eq!(answer, Ok(STORED));
    assert_eq!(seen, ["metadata status"]);
    assert_eq!(leader.requests(), [format!("produce status 3 0 {RECORD}")]);
}

#[tokio::test]
async fn a_changed_leader_is_looked_for_once() {
    use Fault::Code;
    for (api, faults, expected) in [
        (PRODUCE, &[Code(6), Code(0)][..], STORED),
        (PRODUCE, &[Code(6)], error(KafkaStage::Produce, 6)),
        (METADATA, &[Code(5), Code(0)], STORED),
        (METADATA, &[Code(3), Code(0)], STORED),
        (METADATA, &[Code(5)], error(KafkaStage::Metadata, 5)),
        (METADATA, &[Code(3)], error(KafkaStage::Metadata, 3)),
    ] {
        let (answer, seen) = ask(Rules::default().fault(api, faults)).await;
        assert_eq!(answer, Ok(expected), "{api} {faults:?}");
        let asked = seen.iter().filter(|seen| seen.starts_with("metadata")).count();
        assert_eq!(asked, 2, "{api} {faults:?} {seen:?}");
    }
}

#[tokio::test]
async fn an_error_is_an_answer() {
    for (api, stage) in [
        (VERSIONS, KafkaStage::Connect),
        (METADATA, KafkaStage::Metadata),
        (PRODUCE, KafkaStage::Produce),
    ] {
        let (answer, seen) = ask(Rules::default().fault(api, &[Fault::Code(29)])).await;
        assert_eq!(answer, Ok(error(stage, 29)), "{api} {seen:?}");
    }
    // The broker's own limit.
    let server = start(Rules::default()).await;
    for (length, expected) in [(LIMIT - 500, STORED), (LIMIT, error(KafkaStage::Produce, 10))] {
        let request = KafkaRequest { value: "x".repeat(length), ..to(&[server.address.port()]) };
        assert_eq!(write(request, ENOUGH).await, Ok(expected), "{length}");
    }
    let old = Rules { oldest: 4, ..Rules::default() };
    let (answer, seen) = ask(old).await;
    assert!(
        matches!(&answer, Ok(KafkaAnswer::Unusable(reason)) if reason.contains("version 3")),
        "{answer:?}"
    );
    assert!(seen.is_empty(), "{seen:?}");
}

#[tokio::test]
async fn only_what_was_produced_may_have_been_stored() {
    use Fault::{Close, Code, Cut, Huge, Other, Short};
    for fault in [Close, Cut, Huge, Other, Short] {
        for api in [VERSIONS, METADATA] {
            let (answer, _) = ask(Rules::default().fault(api, &[fault])).await;
            let hint = if api == VERSIONS { "TLS?" } else { "login?" };
            let error = answer.unwrap_err();
            assert!(matches!(&error, SendError::NotSent { .. }), "{api} {fault:?} {error}");
            let is_hinted = error.reason().ends_with(hint);
            assert_eq!(is_hinted, matches!(fault, Close | Cut | Huge | Other), "{error}");
        }
        let (answer, _) = ask(Rules::default().fault(PRODUCE, &[fault])).await;
        // The last byte is not one that is needed.
        if fault == Short {
            assert_eq!(answer, Ok(STORED));
        } else {
            assert!(matches!(&answer, Err(SendError::Unknown { .. })), "{fault:?} {answer:?}");
        }
    }
    // A broker that stored it, and waited for its replicas in vain.
    for code in [7, 20] {
        let (answer, _) = ask(Rules::default().fault(PRODUCE, &[Code(code)])).await;
        assert!(matches!(&answer, Err(SendError::Unknown { .. })), "{code} {answer:?}");
    }
    // A leader that has refused it, and a cluster that is gone after that.
    let refusing = Rules::default().fault(PRODUCE, &[Code(6)]).fault(VERSIONS, &[Code(0), Close]);
    let (answer, _) = ask(refusing).await;
    assert!(matches!(&answer, Err(SendError::NotSent { .. })), "{answer:?}");
    // Time ends.
    for (api, is_sent) in [(METADATA, false), (PRODUCE, true)] {
        let server = start(Rules::default().fault(api, &[Fault::Hang])).await;
        let error = write(to(&[server.address.port()]), SHORT).await.unwrap_err();
        assert_eq!(matches!(&error, SendError::Unknown { .. }), is_sent, "{error}");
    }
}

#[tokio::test]
async fn one_server_of_several_is_enough() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let closed = listener.local_addr().unwrap().port();
    drop(listener);
    let silent = start(Rules::default().fault(VERSIONS, &[Fault::Hang])).await;
    let good = start(Rules::default()).await;
    let ports = [closed, silent.address.port(), good.address.port()];
    // Whichever comes first.
    for _ in 0..20 {
        assert_eq!(write(to(&ports), SHORT * 8).await, Ok(STORED));
        if silent.connections() > 0 {
            return;
        }
    }
    panic!("the silent server was never first");
}

#[tokio::test]
async fn logins() {
    let rules = Rules { with_login: true, ..Rules::default() };
    let server = start(rules.clone()).await;
    let port = server.address.port();
    let with = |login| KafkaRequest { login: Some(login), ..to(&[port]) };
    for mechanism in [SaslMechanism::Plain, SaslMechanism::ScramSha256, SaslMechanism::ScramSha512]
    {
        assert_eq!(write(with(login(mechanism, "s3cr3t")), ENOUGH).await, Ok(STORED));
        let stored = server.requests().pop().unwrap();
        assert!(stored.starts_with("produce status 3 0"), "{stored}");
        let answer = write(with(login(mechanism, "wrong")), ENOUGH).await.unwrap();
        assert!(
            matches!(&answer, KafkaAnswer::Error { stage: KafkaStage::Login, code: 58, text }
                if text.starts_with("Invalid credentials") || text == "Authentication failed"),
            "{answer:?}"
        );
        assert_eq!(server.requests().pop().unwrap(), "login refused");
    }
    // Without a login.
    let error = write(to(&[port]), ENOUGH).await.unwrap_err();
    assert!(matches!(&error, SendError::NotSent { .. }), "{error}");
    assert!(error.reason().ends_with("does it expect a login?"), "{error}");
    // A mechanism that the broker does not offer.
    let other = start(rules.clone().fault(HANDSHAKE, &[Fault::Code(33)])).await;
    let request = KafkaRequest {
        login: Some(login(SaslMechanism::Plain, "s3cr3t")),
        ..to(&[other.address.port()])
    };
    let answer = write(request, ENOUGH).await.unwrap();
    insta::assert_snapshot!(
        format!("{answer:?}"),
        @r#"Error { stage: Login, code: 33, text: "it offers PLAIN, SCRAM-SHA-256, SCRAM-SHA-512" }"#
    );
    // One that does not know the password.
    let impostor = start(Rules { is_impostor: true, ..rules.clone() }).await;
    let request = KafkaRequest {
        login: Some(login(SaslMechanism::ScramSha256, "s3cr3t")),
        ..to(&[impostor.address.port()])
    };
    let answer = write(request, ENOUGH).await.unwrap();
    assert!(matches!(&answer, KafkaAnswer::Unusable(_)), "{answer:?}");
    // One that ends during the login.
    let closing = start(rules.fault(AUTHENTICATE, &[Fault::Close])).await;
    let request = KafkaRequest {
        login: Some(login(SaslMechanism::Plain, "s3cr3t")),
        ..to(&[closing.address.port()])
    };
    let error = write(request, ENOUGH).await.unwrap_err();
    assert!(matches!(&error, SendError::NotSent { .. }), "{error}");
}

#[tokio::test]
async fn a_broker_cannot_send_a_login_elsewhere() {
    for (host, is_login, expected) in [
        ("kafka.example", true, "without TLS"),
        ("", false, "usable address"),
        ("kafka example\r\n", false, "usable address"),
    ] {
        let rules = Rules {
            with_login: is_login,
            leader: Some((host.to_owned(), 9092)),
            ..Rules::default()
        };
        let server = start(rules).await;
        let request = KafkaRequest {
            login: is_login.then(|| login(SaslMechanism::Plain, "s3cr3t")),
            ..to(&[server.address.port()])
        };
        let answer = write(request, ENOUGH).await.unwrap();
        assert!(
            matches!(&answer, KafkaAnswer::Unusable(reason) if reason.contains(expected)),
            "{host} {answer:?}"
        );
    }
}

#[tokio::test]
async fn tls_is_for_the_leader_as_well() {
    let authority = authority();
    let transport = Transport::new(&trusting(&authority)).unwrap();
    let rules = |name: &str| Rules {
        with_login: true,
        tls: Some(acceptor(&authority, &[name], 2100, b"")),
        ..Rules::default()
    };
    let other = start(rules("other.example")).await;
    let good = start(rules("localhost")).await;
    for (leader, is_good) in [(&good, true), (&other, false)] {
        let leader = Some(("localhost".to_owned(), leader.address.port()));
        let first = start(Rules { leader, ..rules("localhost") }).await;
        let server =
            Place { host: "localhost".into(), port: first.address.port(), security: Security::Tls };
        let request = KafkaRequest {
            servers: vec![server],
            login: Some(login(SaslMechanism::Plain, "s3cr3t")),
            ..to(&[])
        };
        match transport.send(Request::Kafka(request), ENOUGH).await {
            Ok(Answer::Kafka(answer)) => {
                assert!(is_good);
                assert_eq!(answer, STORED);
            }
            Err(SendError::NotSent { reason }) => {
                assert!(!is_good);
                assert_eq!(reason, "certificate for another name");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(good.requests().len(), 2, "{:?}", good.requests());
    assert!(other.requests().is_empty());
}
