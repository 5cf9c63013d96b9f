//! Requests to mail servers and brokers: a message, where it goes, and what was answered.

use core::net::{Ipv4Addr, Ipv6Addr};

use crate::values::Secret;

/// A server that does not speak HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name or address; an IPv6 address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
}

impl Server {
    /// Returns whether it is this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self.host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
            || self.host.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback())
    }
}

/// How a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// By TLS from the first byte.
    Tls,
    /// By TLS after a command; without it the connection is given up.
    StartTls,
    /// Not at all.
    None,
}

/// A user and a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password.
    pub password: Secret<String>,
}

/// A mail.
#[derive(Debug, Clone)]
pub struct MailRequest {
    /// The server that accepts it.
    pub server: Server,
    /// Who we are; never sent over a connection without TLS.
    pub login: Option<Login>,
    /// The sender of the envelope, such as `status@example.org`.
    pub from: String,
    /// The recipients of the envelope; not empty.
    pub recipients: Vec<String>,
    /// The complete message of RFC 5322: ASCII, lines that end with CR LF and are shorter than 1,000
    /// bytes.
    pub message: String,
}

/// Where a mail server gave its last reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailStage {
    /// Before a login was due: the greeting, `EHLO` and `STARTTLS`.
    Connect,
    /// `AUTH`.
    Login,
    /// `MAIL FROM`.
    Sender,
    /// `RCPT TO`, of which none was accepted.
    Recipients,
    /// `DATA` and the message.
    Message,
}

/// What a mail server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailAnswer {
    /// Where the last reply was given. After [`MailStage::Message`] with a code of 250 the message
    /// is accepted.
    pub stage: MailStage,
    /// The code of the reply; of several refused recipients the one that leaves the most hope.
    pub code: u16,
    /// Its text, on one line.
    pub text: String,
    /// The recipients that the server refused.
    pub refused: Vec<RefusedRecipient>,
}

/// A recipient that a mail server refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRecipient {
    /// The address.
    pub address: String,
    /// The code of the reply to `RCPT TO`: 4yz not now, 5yz never (RFC 5321, section 4.2.1).
    pub code: u16,
    /// Its text, on one line.
    pub text: String,
}

/// A message for JetStream of NATS.
#[derive(Debug, Clone)]
pub struct NatsRequest {
    /// The server; [`Security::StartTls`] is TLS after its first line, as NATS has it by default.
    pub server: Server,
    /// Who we are.
    pub auth: NatsAuth,
    /// The subject.
    pub subject: String,
    /// `Nats-Msg-Id`, by which the stream recognizes a repetition within its duplicate window.
    pub message_id: String,
    /// The message.
    pub payload: String,
}

/// Who we are to a NATS server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NatsAuth {
    /// No authentication.
    None,
    /// With this bearer token.
    Token(Secret<String>),
    /// A user.
    Login(Login),
    /// A user by a signed token, who proves to hold the key.
    Creds {
        /// The user's token, a JWT.
        jwt: Secret<String>,
        /// The seed of the user's Ed25519 key.
        seed: Secret<[u8; 32]>,
    },
}

/// What a NATS server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NatsAnswer {
    /// The acknowledgment of JetStream, or its error, as JSON.
    Ack(String),
    /// No stream listens to the subject.
    NoStream,
    /// The payload exceeds the server's limit of so many bytes.
    TooLarge(u64),
    /// An error of the connection, such as `Authorization Violation`.
    Error(String),
}

/// A message for a broker of MQTT, published with QoS 1.
#[derive(Debug, Clone)]
pub struct MqttRequest {
    /// The broker.
    pub server: Server,
    /// The version of the protocol.
    pub version: MqttVersion,
    /// The name of the session; two at once with the same name end each other.
    pub client_id: String,
    /// Who we are.
    pub login: Option<Login>,
    /// The topic.
    pub topic: String,
    /// The message; an empty one removes the retained message.
    pub payload: String,
    /// Whether the broker keeps it for those who subscribe later.
    pub retain: bool,
}

/// A version of MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MqttVersion {
    /// 3.1.1
    V3,
    /// 5.0
    V5,
}

/// What a broker of MQTT said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MqttAnswer {
    /// It refused the connection with this code of `CONNACK`.
    Connect(u8),
    /// It answered the message with this code of `PUBACK`, 0 in version 3.1.1.
    Publish(u8),
    /// It closed the connection with this code of `DISCONNECT`; version 5 alone.
    Disconnect(u8),
}

/// A record for a topic of Kafka.
#[derive(Debug, Clone)]
pub struct KafkaRequest {
    /// The servers that know the cluster; not empty, and all with the same protection, which that of
    /// the other brokers is as well.
    pub servers: Vec<Server>,
    /// Who we are.
    pub login: Option<KafkaLogin>,
    /// Whether the login may go to another machine without TLS.
    pub clear: bool,
    /// The topic; it is never created.
    pub topic: String,
    /// The key, which determines the partition.
    pub key: String,
    /// Names and values of the headers.
    pub headers: Vec<(&'static str, String)>,
    /// The value.
    pub value: String,
    /// The record's time in milliseconds since 1970.
    pub timestamp: i64,
}

/// Who we are to a broker of Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaLogin {
    /// How that is proved.
    pub mechanism: SaslMechanism,
    /// The user.
    pub login: Login,
}

/// A mechanism of SASL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaslMechanism {
    /// The password itself (RFC 4616).
    Plain,
    /// A proof of it with SHA-256 (RFC 7677).
    ScramSha256,
    /// A proof of it with SHA-512.
    ScramSha512,
}

impl SaslMechanism {
    /// Returns its registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// What a broker of Kafka was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KafkaStage {
    /// Which versions of the protocol it speaks.
    Connect,
    /// To accept the login.
    Login,
    /// Where the partitions of the topic are.
    Metadata,
    /// To store the record.
    Produce,
}

/// What a broker of Kafka said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KafkaAnswer {
    /// The record is stored, on all replicas that are in sync.
    Stored {
        /// Its partition.
        partition: i32,
        /// Its place there.
        offset: i64,
    },
    /// An error.
    Error {
        /// What the broker was asked.
        stage: KafkaStage,
        /// The code, as <https://kafka.apache.org/protocol#protocol_error_codes> lists them.
        code: i16,
        /// What it says, on one line; mostly nothing.
        text: String,
    },
    /// Brokers of this kind cannot be used: what is wrong, without addresses and credentials.
    Unusable(String),
}
