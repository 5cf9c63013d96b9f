//! SCRAM: proves a password without sending it, and that the server knows it as well.
//!
//! RFC 5802, with the hashes of RFC 7677 and of Kafka. Like Kafka, it takes the bytes of the
//! password as they are.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2, rand};
use statuswatch_notify::{Login, SaslMechanism};

/// Fewest rounds, which the RFC asks for: fewer would make it easy to guess the password.
const FEWEST: u32 = 4_096;
/// Most rounds, six times what Kafka allows: a tenth of a second.
const MOST: u32 = 100_000;
/// The client's first message begins with this: no binding to a channel, no other identity.
const BINDING: &str = "n,,";

/// Returns what tells this login from every other.
pub(super) fn nonce() -> Result<String, &'static str> {
    let random = rand::generate::<[u8; 24]>(&rand::SystemRandom::new());
    let random = random.map_err(|_| "the system has no random numbers")?;
    Ok(STANDARD.encode(random.expose()))
}

/// A login under way.
pub(super) struct Scram<'a> {
    login: &'a Login,
    hash: Hash,
    nonce: String,
}

/// The functions that share a hash.
#[derive(Clone, Copy)]
struct Hash {
    digest: &'static digest::Algorithm,
    hmac: hmac::Algorithm,
    pbkdf2: pbkdf2::Algorithm,
}

/// What the client says last, and what the server must answer.
pub(super) struct Proof {
    /// The client's message.
    pub(super) message: String,
    key: hmac::Key,
    said: String,
}

impl<'a> Scram<'a> {
    /// Begins a login; `nonce` is random. `None` if the mechanism is another one.
    pub(super) fn new(mechanism: SaslMechanism, login: &'a Login, nonce: String) -> Option<Self> {
        let hash = match mechanism {
            SaslMechanism::Plain => return None,
            SaslMechanism::ScramSha256 => Hash {
                digest: &digest::SHA256,
                hmac: hmac::HMAC_SHA256,
                pbkdf2: pbkdf2::PBKDF2_HMAC_SHA256,
            },
            SaslMechanism::ScramSha512 => Hash {
                digest: &digest::SHA512,
                hmac: hmac::HMAC_SHA512,
                pbkdf2: pbkdf2::PBKDF2_HMAC_SHA512,
            },
        };
        Some(Self { login, hash, nonce })
    }

    /// Returns the client's first message.
    pub(super) fn first(&self) -> String {
        format!("{BINDING}{}", self.bare())
    }

    fn bare(&self) -> String {
        let user = self.login.user.replace('=', "=3D").replace(',', "=2C");
        format!("n={user},r={}", self.nonce)
    }

    /// Answers the server's first message.
    pub(super) fn prove(&self, challenge: &[u8]) -> Result<Proof, &'static str> {
        const WRONG: &str = "the broker's challenge of SCRAM is broken";
        let challenge = std::str::from_utf8(challenge).map_err(|_| WRONG)?;
        let mut parts = challenge.splitn(3, ',');
        let mut part = |name: &str| parts.next().and_then(|part| part.strip_prefix(name));
        let (nonce, salt, rounds) = (part("r="), part("s="), part("i="));
        let is_longer = |nonce: &&str| nonce.len() > self.nonce.len();
        let nonce = nonce.filter(|nonce| nonce.starts_with(&self.nonce)).filter(is_longer);
        let nonce = nonce.ok_or(WRONG)?;
        let salt = salt.and_then(|salt| STANDARD.decode(salt).ok()).ok_or(WRONG)?;
        let rounds = rounds.and_then(|rounds| rounds.split(',').next()?.parse::<u32>().ok());
        let rounds = rounds.ok_or(WRONG)?;
        if !(FEWEST..=MOST).contains(&rounds) {
            return Err("the broker asks for too few or too many rounds of SCRAM");
        }
        let rounds = NonZeroU32::new(rounds).ok_or(WRONG)?;

        let Hash { digest, hmac: algorithm, pbkdf2 } = self.hash;
        let mut salted = vec![0; digest.output_len()];
        let password = self.login.password.expose().as_bytes();
        pbkdf2::derive(pbkdf2, rounds, &salt, password, &mut salted);
        let salted = hmac::Key::new(algorithm, &salted);
        let client = hmac::sign(&salted, b"Client Key");
        let server = hmac::sign(&salted, b"Server Key");
        let stored = digest::digest(digest, client.as_ref());
        let binding = STANDARD.encode(BINDING);
        let last = format!("c={binding},r={nonce}");
        let said = format!("{},{challenge},{last}", self.bare());
        let signature = hmac::sign(&hmac::Key::new(algorithm, stored.as_ref()), said.as_bytes());
        let proof: Vec<u8> =
            client.as_ref().iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
        Ok(Proof {
            message: format!("{last},p={}", STANDARD.encode(proof)),
            key: hmac::Key::new(algorithm, server.as_ref()),
            said,
        })
    }
}

impl Proof {
    /// Returns whether the server's last message proves that it knows the password, too.
    pub(super) fn is_answered_by(&self, message: &[u8]) -> bool {
        let text = std::str::from_utf8(message).unwrap_or_default();
        let signature = text.split(',').next().and_then(|part| part.strip_prefix("v="));
        let signature = signature.and_then(|signature| STANDARD.decode(signature).ok());
        signature.is_some_and(|given| hmac::verify(&self.key, self.said.as_bytes(), &given).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use statuswatch_notify::values::Secret;

    use super::*;

    fn login(user: &str) -> Login {
        Login { user: user.to_owned(), password: Secret::new("pencil".to_owned()) }
    }

    /// From RFC 7677, section 3.
    #[test]
    fn the_exchange_is_the_one_of_the_rfc() {
        let login = login("user");
        let nonce = "rOprNGfwEbeRWgbNEkqO".to_owned();
        let scram = Scram::new(SaslMechanism::ScramSha256, &login, nonce).unwrap();
        assert_eq!(scram.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let challenge = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                         s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let proof = scram.prove(challenge.as_bytes()).unwrap();
        assert_eq!(
            proof.message,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert!(proof.is_answered_by(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
        for other in [
            &b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G8="[..],
            b"v=6rriTRBi23WpRR",
            b"v=",
            b"e=invalid-proof",
            b"",
            b"\xff",
        ] {
            assert!(!proof.is_answered_by(other), "{}", other.escape_ascii());
        }
    }

    #[test]
    fn a_weak_or_broken_challenge_is_refused() {
        let login = login("a=b,c");
        let scram = Scram::new(SaslMechanism::ScramSha512, &login, "mine".to_owned()).unwrap();
        assert_eq!(scram.first(), "n,,n=a=3Db=2Cc,r=mine");
        assert!(scram.prove(b"r=mineandyours,s=c2FsdA==,i=4096").is_ok());
        for challenge in [
            "",
            "r=yours,s=c2FsdA==,i=4096",
            "r=mine,s=c2FsdA==,i=4096",
            "r=mineandyours,s=c2FsdA,i=4096",
            "r=mineandyours,s=c2FsdA==",
            "m=ext,r=mineandyours,s=c2FsdA==,i=4096",
            "r=mineandyours,s=c2FsdA==,i=4095",
            "r=mineandyours,s=c2FsdA==,i=4294967295",
            "r=mineandyours,s=c2FsdA==,i=-1",
        ] {
            assert!(scram.prove(challenge.as_bytes()).is_err(), "{challenge}");
        }
    }
}
