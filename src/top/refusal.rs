//! What is said of a server that does not show what it was asked for, and what to do. Pure.

use url::Url;

use crate::fetch::{Failure, FailureKind, OTHER_NAME, UNKNOWN_AUTHORITY};

/// What a status means here.
pub(super) fn refused(status: u16, with_token: bool) -> String {
    match status {
        401 | 403 if with_token => format!("the server refuses the token ({status})"),
        401 | 403 => format!("the server needs a token ({status}): use --token-file"),
        404 => "this is no statuswatch, or an older one (404)".to_owned(),
        421 => "the server does not go by this name (421): see http.hosts in its configuration"
            .to_owned(),
        300..=399 => {
            format!("the server leads elsewhere ({status}): write the address it leads to")
        }
        503 => "the server cannot read its ledger at present (503)".to_owned(),
        _ => format!("the server answers with the status {status}"),
    }
}

/// What the lack of an answer means here. The advice is as short as the line on the screen.
pub(super) fn unanswered(failure: &Failure, asked: &Url) -> String {
    let message = failure.message.as_str();
    let advice = match failure.kind {
        FailureKind::Tls if message == UNKNOWN_AUTHORITY => {
            return "unknown certificate authority: name its file in SSL_CERT_FILE".to_owned();
        }
        FailureKind::Tls if message == OTHER_NAME => "write that name in --url",
        // Something else may be wrong with the handshake, but this is what people get wrong.
        FailureKind::Tls if message.starts_with("TLS handshake: ") => "is it an http address?",
        FailureKind::Protocol | FailureKind::IncompleteBody if asked.scheme() == "http" => {
            "is it an https address?"
        }
        _ => return message.to_owned(),
    };
    format!("{message}: {advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_do() {
        let all = [(401, true), (401, false), (404, true), (421, true), (302, true), (500, false)];
        let all: Vec<String> =
            all.iter().map(|(status, with_token)| refused(*status, *with_token)).collect();
        insta::assert_snapshot!(all.join("\n"), @r"
        the server refuses the token (401)
        the server needs a token (401): use --token-file
        this is no statuswatch, or an older one (404)
        the server does not go by this name (421): see http.hosts in its configuration
        the server leads elsewhere (302): write the address it leads to
        the server answers with the status 500
        ");
    }

    #[test]
    fn so_does_what_is_no_answer() {
        let of = |kind, message: &str, asked: &str| {
            unanswered(&Failure::new(kind, message), &Url::parse(asked).unwrap())
        };
        let (https, http) = ("https://ops.example", "http://ops.example");
        let all = [
            of(FailureKind::Tls, UNKNOWN_AUTHORITY, https),
            of(FailureKind::Tls, OTHER_NAME, https),
            of(FailureKind::Tls, "certificate expired", https),
            of(FailureKind::Tls, "TLS handshake: corrupt message", https),
            of(FailureKind::Protocol, "not an HTTP response: invalid version", http),
            of(FailureKind::Protocol, "not an HTTP response: invalid version", https),
            of(FailureKind::Connect, "connection refused", http),
        ];
        insta::assert_snapshot!(all.join("\n"), @r"
        unknown certificate authority: name its file in SSL_CERT_FILE
        certificate for another name: write that name in --url
        certificate expired
        TLS handshake: corrupt message: is it an http address?
        not an HTTP response: invalid version: is it an https address?
        not an HTTP response: invalid version
        connection refused
        ");
    }
}
