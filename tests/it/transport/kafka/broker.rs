//! A broker of Kafka that checks what it is sent: lengths, checksum, login, and who leads.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::fetch::{Seen, Server, serve};

/// The number of partitions of the topic.
const PARTITIONS: i32 = 4;
/// The mechanisms that it offers.
const OFFERED: [&str; 3] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];
/// Longest batch that it stores.
pub(super) const LIMIT: usize = 100_000;

/// What a broker does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Closes the connection.
    Close,
    /// Keeps it open and says nothing.
    Hang,
    /// Sends the length of an answer and closes the connection.
    Cut,
    /// Announces an answer of 2 GiB.
    Huge,
    /// Answers with the number of another request.
    Other,
    /// Sends an answer whose last byte is missing, and whose length agrees.
    Short,
    /// Answers with this code.
    Code(i16),
}

/// How a broker behaves.
#[derive(Clone, Default)]
pub(super) struct Rules {
    /// Whether it expects a login.
    pub(super) with_login: bool,
    /// Whether it does not know the password itself.
    pub(super) is_impostor: bool,
    /// The first version of `Produce` that it speaks.
    pub(super) oldest: i16,
    /// Host and port of the leader of all partitions; itself by default.
    pub(super) leader: Option<(String, u16)>,
    /// TLS.
    pub(super) tls: Option<TlsAcceptor>,
    /// What it does with the next requests of a kind, the last one again and again.
    pub(super) faults: HashMap<i16, Vec<Fault>>,
}

impl Rules {
    pub(super) fn fault(mut self, api: i16, faults: &[Fault]) -> Self {
        self.faults.insert(api, faults.to_vec());
        self
    }
}

/// Starts a broker. It notes each request by name, and what it stored.
pub(super) async fn start(rules: Rules) -> Server {
    let faults = Arc::new(Mutex::new(rules.faults.clone()));
    serve(move |stream: TcpStream, _, seen| {
        let session = Session {
            port: stream.local_addr().unwrap().port(),
            rules: rules.clone(),
            faults: Arc::clone(&faults),
            seen,
            is_in: !rules.with_login,
            scram: None,
        };
        async move {
            match session.rules.tls.clone() {
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => converse(session, stream).await,
                    Err(_) => None,
                },
                None => converse(session, stream).await,
            };
        }
    })
    .await
}

struct Session {
    port: u16,
    rules: Rules,
    faults: Arc<Mutex<HashMap<i16, Vec<Fault>>>>,
    seen: Seen,
    is_in: bool,
    scram: Option<(&'static str, String, String)>,
}

async fn converse(mut session: Session, mut stream: impl Stream) -> Option<()> {
    loop {
        let length = stream.read_i32().await.ok()?;
        let mut request = vec![0; usize::try_from(length).ok().filter(|length| *length < 2 << 20)?];
        stream.read_exact(&mut request).await.ok()?;
        let mut body = &request[..];
        let (api, version, number) = (short(&mut body), short(&mut body), int(&mut body));
        assert_eq!(string(&mut body), "statuswatch");
        let fault = session.fault(api);
        match fault {
            Some(Fault::Close) => {
                session.note(format!("{api} closed"));
                return None;
            }
            Some(Fault::Hang) => std::future::pending().await,
            _ => {}
        }
        let answer = session.answer(api, version, &mut body, fault)?;
        assert!(body.is_empty(), "{api}: {} bytes too many", body.len());
        let number = if fault == Some(Fault::Other) { number + 1 } else { number };
        let mut message = [&number.to_be_bytes()[..], &answer].concat();
        if fault == Some(Fault::Short) {
            message.pop();
        }
        let length = match fault {
            Some(Fault::Huge) => i32::MAX,
            _ => i32::try_from(message.len()).unwrap(),
        };
        stream.write_i32(length).await.ok()?;
        if fault == Some(Fault::Cut) {
            return None;
        }
        stream.write_all(&message).await.ok()?;
        stream.flush().await.ok()?;
    }
}

impl Session {
    fn fault(&self, api: i16) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        let left = faults.get_mut(&api)?;
        if left.len() > 1 { Some(left.remove(0)) } else { left.first().copied() }
    }

    fn note(&self, what: String) {
        self.seen.lock().unwrap().push(what);
    }

    /// Returns the body of an answer; `None` closes the connection.
    fn answer(
        &mut self,
        api: i16,
        version: i16,
        body: &mut &[u8],
        fault: Option<Fault>,
    ) -> Option<Vec<u8>> {
        let code = if let Some(Fault::Code(code)) = fault { code } else { 0 };
        let mut answer = Vec::new();
        match (api, version) {
            (18, 0) => {
                put_short(&mut answer, code);
                let spoken = [(0, self.rules.oldest, 11), (3, 0, 13), (17, 0, 1), (18, 0, 4)];
                let spoken = spoken.into_iter().chain([(36, 0, 2)]);
                put_list(&mut answer, spoken, |answer, (api, from, to)| {
                    for number in [api, from, to] {
                        put_short(answer, number);
                    }
                });
            }
            (17, 1) => {
                let asked = string(body);
                self.note(format!("mechanism {asked}"));
                let offered = OFFERED.into_iter().find(|offered| *offered == asked);
                self.scram = offered.map(|offered| (offered, String::new(), String::new()));
                put_short(&mut answer, if code == 0 && offered.is_none() { 33 } else { code });
                put_list(&mut answer, OFFERED, put_string);
            }
            (36, 0) => {
                let message = String::from_utf8(bytes(body).to_vec()).unwrap();
                match self.authenticate(&message) {
                    Ok(said) => {
                        put_short(&mut answer, 0);
                        put_short(&mut answer, -1);
                        put_bytes(&mut answer, said.as_bytes());
                    }
                    Err(why) => {
                        self.note("login refused".to_owned());
                        put_short(&mut answer, 58);
                        put_string(&mut answer, why);
                        put_bytes(&mut answer, b"");
                    }
                }
            }
            // Whoever has not logged in is not answered.
            _ if !self.is_in => {
                self.note(format!("{api} without a login"));
                return None;
            }
            (3, 4) => {
                assert_eq!(int(body), 1);
                let topic = string(body);
                assert_eq!(body[0], 0, "the topic would be created");
                *body = &body[1..];
                self.note(format!("metadata {topic}"));
                self.metadata(&mut answer, &topic, code);
            }
            (0, 3) => self.produce(&mut answer, body, code),
            other => panic!("{other:?}"),
        }
        Some(answer)
    }

    fn metadata(&self, answer: &mut Vec<u8>, topic: &str, code: i16) {
        put_int(answer, 0);
        let itself = ("127.0.0.1".to_owned(), self.port);
        let (host, port) = self.rules.leader.clone().unwrap_or(itself);
        put_list(answer, [(7, host, port)], |answer, (node, host, port)| {
            put_int(answer, node);
            put_string(answer, &host);
            put_int(answer, port.into());
            put_short(answer, -1);
        });
        put_string(answer, "cluster");
        put_int(answer, 7);
        // With code 5, the partitions have no leader; any other one is about the topic.
        put_list(answer, [topic], |answer, topic| {
            put_short(answer, if code == 5 { 0 } else { code });
            put_string(answer, topic);
            answer.push(0);
            let count = if matches!(code, 0 | 5) { PARTITIONS } else { 0 };
            // A broker lists them in any order.
            put_list(answer, (0..count).rev(), |answer, partition| {
                put_short(answer, code);
                put_int(answer, partition);
                put_int(answer, if code == 5 { -1 } else { 7 });
                put_list(answer, [7, 8], put_int);
                put_list(answer, [7], put_int);
            });
        });
    }

    fn produce(&self, answer: &mut Vec<u8>, body: &mut &[u8], code: i16) {
        assert_eq!(short(body), -1, "no transaction");
        assert_eq!(short(body), -1, "all replicas");
        assert!(int(body) > 0, "time to wait");
        assert_eq!(int(body), 1);
        let topic = string(body);
        assert_eq!(int(body), 1);
        let partition = int(body);
        let records = bytes(body);
        let code = match code {
            0 if records.len() > LIMIT => 10,
            0 if self.rules.leader.is_some() => 6,
            code => code,
        };
        let what = record(records);
        self.note(format!("produce {topic} {partition} {code} {what}"));
        put_list(answer, [topic], |answer, topic| {
            put_string(answer, &topic);
            put_list(answer, [partition], |answer, partition| {
                put_int(answer, partition);
                put_short(answer, code);
                put_long(answer, if code == 0 { 41 } else { -1 });
                put_long(answer, -1);
            });
        });
        put_int(answer, 0);
    }

    /// Takes a step of a login of `user` with the password `s3cr3t`.
    fn authenticate(&mut self, message: &str) -> Result<String, &'static str> {
        let Some((mechanism, first, challenge)) = &mut self.scram else {
            return Err("no handshake");
        };
        let (digest, algorithm, rounds) = match *mechanism {
            "PLAIN" => {
                self.is_in = message == "\0user\0s3cr3t";
                return if self.is_in { Ok(String::new()) } else { Err("Invalid credentials") };
            }
            "SCRAM-SHA-256" => (&digest::SHA256, hmac::HMAC_SHA256, pbkdf2::PBKDF2_HMAC_SHA256),
            _ => (&digest::SHA512, hmac::HMAC_SHA512, pbkdf2::PBKDF2_HMAC_SHA512),
        };
        if first.is_empty() {
            message.strip_prefix("n,,").unwrap().clone_into(first);
            let nonce = first.strip_prefix("n=user,r=").ok_or("unknown user")?;
            assert!(nonce.len() >= 24, "{nonce}");
            *challenge = format!("r={nonce}theirs,s={},i=4096", STANDARD.encode("salt"));
            return Ok(challenge.clone());
        }
        let password: &[u8] = if self.rules.is_impostor { b"another" } else { b"s3cr3t" };
        let mut salted = vec![0; digest.output_len()];
        pbkdf2::derive(rounds, 4096.try_into().unwrap(), b"salt", password, &mut salted);
        let key = |secret: &[u8]| hmac::Key::new(algorithm, secret);
        let sign = |name: &[u8]| hmac::sign(&key(&salted), name);
        let (without, proof) = message.split_once(",p=").unwrap();
        let said = format!("{first},{challenge},{without}");
        let client = sign(b"Client Key");
        let stored = digest::digest(digest, client.as_ref());
        let signature = hmac::sign(&key(stored.as_ref()), said.as_bytes());
        let expected: Vec<u8> =
            client.as_ref().iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
        self.is_in = proof == STANDARD.encode(expected);
        if !self.is_in && !self.rules.is_impostor {
            return Err("Authentication failed");
        }
        let server = hmac::sign(&key(sign(b"Server Key").as_ref()), said.as_bytes());
        Ok(format!("v={}", STANDARD.encode(server)))
    }
}

/// Checks a batch and shows its only record.
fn record(mut batch: &[u8]) -> String {
    let batch = &mut batch;
    assert_eq!(take(batch, 8), [0; 8], "offset");
    assert_eq!(usize::try_from(int(batch)).unwrap(), batch.len());
    assert_eq!((int(batch), take(batch, 1)), (-1, &[2][..]), "epoch and version");
    let crc = int(batch).cast_unsigned();
    let computed = !batch.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0x82f6_3b78 * (crc & 1)))
    });
    assert_eq!(crc, computed);
    assert_eq!(take(batch, 6), [0; 6], "attributes and last offset");
    let first = take(batch, 8);
    assert_eq!(take(batch, 8), first);
    assert_eq!(take(batch, 14), [0xff; 14], "producer");
    assert_eq!(int(batch), 1);
    assert_eq!(varint(batch), i64::try_from(batch.len()).unwrap());
    assert_eq!(take(batch, 3), [0; 3]);
    let (key, value) = (sized(batch), sized(batch));
    let headers: Vec<String> =
        (0..varint(batch)).map(|_| format!("{}={}", sized(batch), sized(batch))).collect();
    assert!(batch.is_empty());
    let time = i64::from_be_bytes(first.try_into().unwrap());
    format!("{time} {key} {} {}", headers.join(","), value.chars().take(40).collect::<String>())
}

/// A stream in both directions.
trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

fn take<'a>(from: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = from.split_at(count);
    *from = rest;
    taken
}

fn short(from: &mut &[u8]) -> i16 {
    i16::from_be_bytes(take(from, 2).try_into().unwrap())
}

fn int(from: &mut &[u8]) -> i32 {
    i32::from_be_bytes(take(from, 4).try_into().unwrap())
}

fn string(from: &mut &[u8]) -> String {
    let length = usize::try_from(short(from)).unwrap();
    String::from_utf8(take(from, length).to_vec()).unwrap()
}

fn bytes<'a>(from: &mut &'a [u8]) -> &'a [u8] {
    let length = usize::try_from(int(from)).unwrap();
    take(from, length)
}

fn varint(from: &mut &[u8]) -> i64 {
    let (mut number, mut shift) = (0_u64, 0);
    loop {
        let byte = take(from, 1)[0];
        number |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return (number >> 1).cast_signed() ^ -(number & 1).cast_signed();
        }
    }
}

fn sized(from: &mut &[u8]) -> String {
    let length = usize::try_from(varint(from)).unwrap();
    String::from_utf8(take(from, length).to_vec()).unwrap()
}

fn put_short(into: &mut Vec<u8>, number: i16) {
    into.extend(number.to_be_bytes());
}

fn put_int(into: &mut Vec<u8>, number: i32) {
    into.extend(number.to_be_bytes());
}

fn put_long(into: &mut Vec<u8>, number: i64) {
    into.extend(number.to_be_bytes());
}

fn put_string(into: &mut Vec<u8>, text: &str) {
    put_short(into, text.len().try_into().unwrap());
    into.extend(text.as_bytes());
}

fn put_bytes(into: &mut Vec<u8>, bytes: &[u8]) {
    put_int(into, bytes.len().try_into().unwrap());
    into.extend(bytes);
}

fn put_list<T>(
    into: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut put: impl FnMut(&mut Vec<u8>, T),
) {
    let items: Vec<T> = items.into_iter().collect();
    put_int(into, items.len().try_into().unwrap());
    for item in items {
        put(into, item);
    }
}
