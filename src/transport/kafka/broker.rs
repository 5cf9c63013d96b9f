//! A connection to a broker of Kafka: versions, login, requests.

use statuswatch_notify::{KafkaAnswer, KafkaLogin, KafkaRequest, KafkaStage, Security, Server};

use super::scram::{self, Scram};
use super::wire::{self, Broken, Reader, TooLong};
use crate::fetch::Client;
use crate::text::one_line;
use crate::transport::connection::Connection;

/// Most bytes of an answer: one about 20,000 partitions has 1 MiB.
const ANSWER: usize = 4 << 20;
/// What the client is called in the logs and quotas of brokers.
const CLIENT: &str = "statuswatch";
/// The code of success.
const NO_ERROR: i16 = 0;

/// A request of the protocol: its number and version.
pub(super) type Api = (i16, i16);

pub(super) const PRODUCE: Api = (0, 3);
pub(super) const METADATA: Api = (3, 4);
const SASL_HANDSHAKE: Api = (17, 1);
const API_VERSIONS: Api = (18, 0);
const SASL_AUTHENTICATE: Api = (36, 0);

/// Why a record is not stored.
pub(super) enum Stop {
    /// A broker has answered.
    Answered(KafkaAnswer),
    /// There is no answer: the reason, without addresses.
    Lost(String),
}

impl From<String> for Stop {
    fn from(reason: String) -> Self {
        Self::Lost(reason)
    }
}

impl From<TooLong> for Stop {
    fn from(error: TooLong) -> Self {
        Self::Lost(error.to_string())
    }
}

impl From<Broken> for Stop {
    fn from(error: Broken) -> Self {
        Self::Lost(error.to_string())
    }
}

impl Stop {
    /// A broker has answered with an error code.
    pub(super) fn error(stage: KafkaStage, code: i16, text: &str) -> Self {
        Self::Answered(KafkaAnswer::Error { stage, code, text: one_line(text, 200) })
    }

    /// Brokers of this kind cannot be used.
    pub(super) fn unusable(reason: impl Into<String>) -> Self {
        Self::Answered(KafkaAnswer::Unusable(reason.into()))
    }

    /// Adds what may be the reason for a connection that ends without an answer.
    pub(super) fn hint(self, hint: Option<&str>) -> Self {
        match (self, hint) {
            (Self::Lost(reason), Some(hint)) => Self::Lost(format!("{reason}; {hint}")),
            (stop, _) => stop,
        }
    }
}

/// Succeeds if there is no error.
pub(super) fn check(stage: KafkaStage, code: i16, text: &str) -> Result<(), Stop> {
    if code == NO_ERROR { Ok(()) } else { Err(Stop::error(stage, code, text)) }
}

/// A connection to a broker that has accepted it.
pub(super) struct Broker {
    connection: Connection,
    /// Where it is.
    pub(super) place: Server,
    /// The number of the last request.
    number: i32,
}

impl Broker {
    /// Connects, and logs in.
    pub(super) async fn open(
        client: &Client,
        request: &KafkaRequest,
        place: &Server,
    ) -> Result<Self, Stop> {
        let is_plain = place.security == Security::None;
        if request.login.is_some() && is_plain && !request.clear && !place.is_loopback() {
            return Err(Stop::unusable(
                "the partition is on another machine, where the login would go without TLS",
            ));
        }
        let mut connection = Connection::open(client, &place.host, place.port).await?;
        if !is_plain {
            connection = connection.secure(client, &place.host).await?;
        }
        let mut broker = Self { connection, place: place.clone(), number: 0 };
        broker.check_versions(request.login.is_some()).await?;
        if let Some(login) = &request.login {
            broker.log_in(login).await?;
        }
        Ok(broker)
    }

    /// Asks which versions the broker speaks.
    async fn check_versions(&mut self, with_login: bool) -> Result<(), Stop> {
        let hint = (self.place.security == Security::None).then_some("does it expect TLS?");
        let answer = self.call(API_VERSIONS, &[]).await.map_err(|stop| stop.hint(hint))?;
        let mut answer = Reader(&answer);
        check(KafkaStage::Connect, answer.short()?, "")?;
        let spoken =
            answer.list(|answer| Ok((answer.short()?, answer.short()?, answer.short()?)))?;
        let login: &[Api] = if with_login { &[SASL_HANDSHAKE, SASL_AUTHENTICATE] } else { &[] };
        for (api, version) in [PRODUCE, METADATA].iter().chain(login) {
            let speaks = |(known, from, to): &(i16, i16, i16)| {
                known == api && (*from..=*to).contains(version)
            };
            if !spoken.iter().any(speaks) {
                return Err(Stop::unusable(format!(
                    "the broker does not speak version {version} of request {api}"
                )));
            }
        }
        Ok(())
    }

    /// Logs in by SASL.
    async fn log_in(&mut self, login: &KafkaLogin) -> Result<(), Stop> {
        let KafkaLogin { mechanism, login } = login;
        let mut body = Vec::new();
        wire::string(&mut body, mechanism.as_str())?;
        let answer = self.call(SASL_HANDSHAKE, &body).await?;
        let mut answer = Reader(&answer);
        let (code, offered) = (answer.short()?, answer.list(Reader::text)?);
        check(KafkaStage::Login, code, &format!("it offers {}", offered.join(", ")))?;

        let nonce = scram::nonce().map_err(str::to_owned)?;
        let Some(scram) = Scram::new(*mechanism, login, nonce) else {
            let (user, password) = (&login.user, login.password.expose());
            self.authenticate(&format!("\0{user}\0{password}")).await?;
            return Ok(());
        };
        let challenge = self.authenticate(&scram.first()).await?;
        let proof = scram.prove(&challenge).map_err(Stop::unusable)?;
        let last = self.authenticate(&proof.message).await?;
        if !proof.is_answered_by(&last) {
            return Err(Stop::unusable("the broker does not know the password itself"));
        }
        Ok(())
    }

    /// Sends a message of SASL and returns the broker's.
    async fn authenticate(&mut self, message: &str) -> Result<Vec<u8>, Stop> {
        let mut body = Vec::new();
        wire::bytes(&mut body, message.as_bytes())?;
        let answer = self.call(SASL_AUTHENTICATE, &body).await?;
        let mut answer = Reader(&answer);
        let (code, text) = (answer.short()?, answer.text()?);
        check(KafkaStage::Login, code, &text)?;
        Ok(answer.bytes()?.to_vec())
    }

    /// Sends a request and returns the answer without its header.
    pub(super) async fn call(&mut self, (api, version): Api, body: &[u8]) -> Result<Vec<u8>, Stop> {
        self.number += 1;
        let mut message = Vec::with_capacity(body.len() + 32);
        message.extend(api.to_be_bytes());
        message.extend(version.to_be_bytes());
        message.extend(self.number.to_be_bytes());
        wire::string(&mut message, CLIENT)?;
        message.extend(body);
        self.connection.write(wire::framed(&message)?).await?;
        let length = self.connection.bytes(4).await?;
        let length = usize::try_from(Reader(&length).int()?).unwrap_or(usize::MAX);
        if length > ANSWER {
            return Err("the server does not speak the protocol of Kafka".to_owned().into());
        }
        let mut answer = self.connection.bytes(length).await?;
        if Reader(&answer).int()? != self.number {
            return Err("the broker answers another request".to_owned().into());
        }
        Ok(answer.split_off(4))
    }
}
