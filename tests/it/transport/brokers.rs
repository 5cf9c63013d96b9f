//! Brokers that end at every stage.

use statuswatch::notify::Server as Place;
use statuswatch::notify::{
    MqttAnswer, MqttRequest, MqttVersion, NatsAnswer, NatsAuth, NatsRequest, Security,
};

use super::*;

const INFO: &str = "INFO {\"headers\":true,\"max_payload\":1000}\r\n";

fn place(server: &Server) -> Place {
    Place { host: "127.0.0.1".into(), port: server.address.port(), security: Security::None }
}

/// A server of NATS: sends `first`, then `second` once it was asked PING, then `third` once a message
/// was published, with the inbox for `%`.
async fn nats(
    first: &'static str,
    second: &'static str,
    third: &'static str,
) -> Result<NatsAnswer, SendError> {
    let server = serve(move |mut stream: TcpStream, _, seen: Seen| async move {
        stream.write_all(first.as_bytes()).await.ok();
        let connect = until(&mut stream, "PING\r\n").await;
        let inbox = connect.split("SUB ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
        stream.write_all(second.as_bytes()).await.ok();
        let publish = until(&mut stream, "payload\r\n").await;
        seen.lock().unwrap().push(publish);
        stream.write_all(third.replace('%', &inbox).as_bytes()).await.ok();
        until(&mut stream, "never").await;
    })
    .await;
    let request = NatsRequest {
        server: place(&server),
        auth: NatsAuth::Token(Secret::new("s3cr3t".to_owned())),
        subject: "status.acme".into(),
        message_id: "id-1".into(),
        payload: "payload".into(),
    };
    let answer = match transport().send(Request::Nats(request), SHORT * 4).await {
        Ok(Answer::Nats(answer)) => Ok(answer),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error),
    };
    if let Some(publish) = server.requests().first() {
        let (line, rest) = publish.split_once("\r\n").unwrap();
        assert!(line.starts_with("HPUB status.acme _INBOX."), "{line}");
        assert!(line.ends_with(" 31 38"), "{line}");
        assert_eq!(rest, "NATS/1.0\r\nNats-Msg-Id: id-1\r\n\r\npayload\r\n");
    }
    answer
}

/// Reads up to these bytes, or to the end.
async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut seen = Vec::new();
    while !seen.ends_with(end.as_bytes()) {
        let Ok(byte) = stream.read_u8().await else { break };
        seen.push(byte);
    }
    String::from_utf8_lossy(&seen).into_owned()
}

#[tokio::test]
async fn answers_of_nats() {
    let ack = NatsAnswer::Ack("{\"seq\":1}".to_owned());
    assert_eq!(
        nats(INFO, "PONG\r\n", "PING\r\nMSG % 1 9\r\n{\"seq\":1}\r\n").await,
        Ok(ack.clone())
    );
    assert_eq!(
        nats(INFO, "+OK\r\nPONG\r\n", "HMSG % 1 12 21\r\nNATS/1.0\r\n\r\n{\"seq\":1}\r\n").await,
        Ok(ack)
    );
    let none = "HMSG % 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n";
    assert_eq!(nats(INFO, "PONG\r\n", none).await, Ok(NatsAnswer::NoStream));
    let denied = NatsAnswer::Error("Authorization Violation".to_owned());
    assert_eq!(nats(INFO, "-ERR 'Authorization Violation'\r\n", "").await, Ok(denied));
    let small = "INFO {\"headers\":true,\"max_payload\":37}\r\n";
    assert_eq!(nats(small, "PONG\r\n", "").await, Ok(NatsAnswer::TooLarge(37)));
}

#[tokio::test]
async fn only_what_was_published_may_have_been_stored() {
    for (first, second) in [("", ""), ("SSH-2.0-x\r\n", ""), (INFO, "")] {
        let error = nats(first, second, "").await.unwrap_err();
        assert!(matches!(&error, SendError::NotSent { .. }), "{first} {error}");
    }
    for third in ["", "MSG % 1 99999999999\r\n", "MSG % 1 9\r\n{\"se"] {
        let error = nats(INFO, "PONG\r\n", third).await.unwrap_err();
        assert!(matches!(&error, SendError::Unknown { .. }), "{third} {error}");
        assert!(!format!("{error:?}").contains("s3cr3t"));
    }
}

/// A broker: answers the first packet, then the second one.
async fn mqtt(
    version: MqttVersion,
    first: &'static [u8],
    second: &'static [u8],
) -> Result<MqttAnswer, SendError> {
    let server = serve(move |mut stream: TcpStream, _, seen: Seen| async move {
        for answer in [first, second] {
            let kind = stream.read_u8().await;
            let Ok(length) = stream.read_u8().await else { return };
            let mut body = vec![0; usize::from(length)];
            stream.read_exact(&mut body).await.ok();
            seen.lock().unwrap().push(format!("{:#04x} {}", kind.unwrap(), body.escape_ascii()));
            stream.write_all(answer).await.ok();
        }
        until(&mut stream, "never").await;
    })
    .await;
    let request = MqttRequest {
        server: place(&server),
        version,
        client_id: "id".into(),
        login: Some(statuswatch::notify::Login {
            user: "u".into(),
            password: Secret::new("s3cr3t".to_owned()),
        }),
        topic: "t/x".into(),
        payload: "payload".into(),
        retain: true,
    };
    let answer = match transport().send(Request::Mqtt(request), SHORT * 4).await {
        Ok(Answer::Mqtt(answer)) => Ok(answer),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error),
    };
    let seen = server.requests();
    if version == MqttVersion::V5 && seen.len() == 2 {
        let hello = r"0x10 \x00\x04MQTT\x05\xc2\x00<\x00\x00\x02id\x00\x01u\x00\x06s3cr3t";
        assert_eq!(seen, [hello, r"0x33 \x00\x03t/x\x00\x01\x00payload"]);
    }
    answer
}

#[tokio::test]
async fn answers_of_mqtt() {
    use MqttAnswer::{Connect, Disconnect, Publish};
    let (v3, v5) = (MqttVersion::V3, MqttVersion::V5);
    let (ok3, ok5): (&[u8], &[u8]) = (&[0x20, 2, 0, 0], &[0x20, 3, 0, 0, 0]);
    assert_eq!(mqtt(v3, ok3, &[0x40, 2, 0, 1]).await, Ok(Publish(0)));
    assert_eq!(mqtt(v5, ok5, &[0x40, 2, 0, 1]).await, Ok(Publish(0)));
    assert_eq!(mqtt(v5, ok5, &[0x40, 4, 0, 1, 0x87, 0]).await, Ok(Publish(0x87)));
    assert_eq!(mqtt(v5, ok5, &[0xe0, 1, 0x95]).await, Ok(Disconnect(0x95)));
    assert_eq!(mqtt(v3, &[0x20, 2, 0, 5], &[]).await, Ok(Connect(5)));
    assert_eq!(mqtt(v5, &[0x20, 3, 0, 0x86, 0], &[]).await, Ok(Connect(0x86)));
    for first in [&[][..], b"220 mx.example\r\n", &[0x20, 0xff, 0xff, 0xff, 0xff]] {
        let error = mqtt(v5, first, &[]).await.unwrap_err();
        assert!(matches!(&error, SendError::NotSent { .. }), "{error}");
    }
    // No answer, the answer to another message, and a length without an end.
    for second in [&[][..], &[0x40, 2, 0, 9], &[0x40, 0xff, 0xff, 0xff, 0x7f]] {
        let error = mqtt(v5, ok5, second).await.unwrap_err();
        assert!(matches!(&error, SendError::Unknown { .. }), "{error}");
    }
}
