//! AWS Signature Version 4
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).

use std::fmt::Write as _;

use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use statuswatch_model::event::Time;
use url::Url;

use crate::values::Secret;

/// Names the algorithm in header and string to sign.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Credentials, and what their signatures are valid for.
#[derive(Debug)]
pub(super) struct Signer {
    /// Names the secret; not secret in itself.
    pub(super) access_key_id: String,
    /// The secret.
    pub(super) secret_access_key: Secret<String>,
    /// For temporary credentials; to be sent as `x-amz-security-token`.
    pub(super) session_token: Option<Secret<String>>,
    /// Such as `eu-central-1`.
    pub(super) region: String,
    /// Such as `sns`.
    pub(super) service: &'static str,
}

impl Signer {
    /// Returns `x-amz-date` and `authorization` for a request with exactly this content type and
    /// body. The host is sent as in `url`, with its port unless that is the default.
    pub(super) fn sign(
        &self,
        method: &str,
        url: &Url,
        content_type: Option<&str>,
        body: &str,
        now: Time,
    ) -> (String, String) {
        let date = now.format("%Y%m%dT%H%M%SZ").to_string();
        let day = now.format("%Y%m%d").to_string();
        let host = match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (host, _) => host.unwrap_or_default().to_owned(),
        };
        // In the order of their names.
        let mut headers = Vec::new();
        if let Some(content_type) = content_type {
            headers.push(("content-type", content_type));
        }
        headers.push(("host", &host));
        headers.push(("x-amz-date", &date));
        if let Some(token) = &self.session_token {
            headers.push(("x-amz-security-token", token.expose()));
        }
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");

        let mut canonical = format!("{method}\n{}\n{}\n", encoded_path(url), encoded_query(url));
        for (name, value) in &headers {
            // Writing to a string cannot fail.
            writeln!(canonical, "{name}:{}", value.trim()).ok();
        }
        write!(canonical, "\n{names}\n{}", hex(&Sha256::digest(body))).ok();

        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let to_sign = format!("{ALGORITHM}\n{date}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
        let mut key = hmac(format!("AWS4{}", self.secret_access_key.expose()).as_bytes(), &day);
        for part in [self.region.as_str(), self.service, "aws4_request"] {
            key = hmac(&key, part);
        }
        let authorization = format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={names}, Signature={}",
            self.access_key_id,
            hex(&hmac(&key, &to_sign))
        );
        (date, authorization)
    }
}

fn hmac(key: &[u8], content: &str) -> Vec<u8> {
    // An HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Vec::new();
    };
    mac.update(content.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        // Writing to a string cannot fail.
        write!(hex, "{byte:02x}").ok();
        hex
    })
}

/// Every service but S3 encodes the path, which is encoded already, once more.
fn encoded_path(url: &Url) -> String {
    let path = encode(url.path(), true);
    if path.is_empty() { "/".to_owned() } else { path }
}

fn encoded_query(url: &Url) -> String {
    let mut pairs: Vec<(String, String)> = url
        .query_pairs()
        .map(|(name, value)| (encode(&name, false), encode(&value, false)))
        .collect();
    pairs.sort();
    let pairs: Vec<String> =
        pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// Encodes every byte but letters, digits, `-`, `.`, `_`, `~` and, in a path, `/`.
fn encode(text: &str, path: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            b'/' if path => out.push('/'),
            // Writing to a string cannot fail.
            _ => write!(out, "%{byte:02X}").unwrap_or_default(),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use statuswatch_model::event::parse_time;

    const TOKEN: &str = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBu\
         FqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZamp\
         KsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPk\
         UL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";

    fn signer(token: Option<&str>) -> Signer {
        Signer {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into()),
            session_token: token.map(|token| Secret::new(token.to_owned())),
            region: "us-east-1".into(),
            service: "service",
        }
    }

    /// From the test suite that AWS publishes (`aws-sig-v4-test-suite`).
    #[test]
    fn signs_like_the_test_suite() {
        let form = Some("application/x-www-form-urlencoded");
        for (name, method, query, content_type, body, token, signed, signature) in [
            (
                "get-vanilla",
                "GET",
                "",
                None,
                "",
                None,
                "host;x-amz-date",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "get-vanilla-query-order-key-case",
                "GET",
                "?Param2=value2&Param1=value1",
                None,
                "",
                None,
                "host;x-amz-date",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "post-vanilla",
                "POST",
                "",
                None,
                "",
                None,
                "host;x-amz-date",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "post-x-www-form-urlencoded",
                "POST",
                "",
                form,
                "Param1=value1",
                None,
                "content-type;host;x-amz-date",
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
            (
                "post-sts-header-before",
                "POST",
                "",
                None,
                "",
                Some(TOKEN),
                "host;x-amz-date;x-amz-security-token",
                "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
            ),
        ] {
            let url = Url::parse(&format!("https://example.amazonaws.com/{query}")).unwrap();
            let now = parse_time("2015-08-30T12:36:00Z").unwrap();
            let (date, authorization) = signer(token).sign(method, &url, content_type, body, now);
            assert_eq!(date, "20150830T123600Z");
            let expected = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                 SignedHeaders={signed}, Signature={signature}"
            );
            assert_eq!(authorization, expected, "{name}");
        }
    }

    #[test]
    fn a_path_is_encoded_once_more() {
        let url = Url::parse("https://example.amazonaws.com/a b/%C3%A4").unwrap();
        assert_eq!(encoded_path(&url), "/a%2520b/%25C3%25A4");
    }
}
