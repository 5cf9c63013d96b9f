//! Requests to mail servers and brokers: a message, where it goes, and what was answered.

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
