//! Mail servers that follow a script.

use statuswatch::notify::Server as Place;
use statuswatch::notify::{Login, MailAnswer, MailRequest, MailStage, Security};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

use super::*;

/// What a server answers to a command that begins with these words.
type Script = &'static [(&'static str, &'static str)];

const GOOD: Script = &[
    ("EHLO", "250-mx.example\r\n250-AUTH PLAIN LOGIN\r\n250 STARTTLS\r\n"),
    ("AUTH", "235 ok\r\n"),
    ("MAIL", "250 ok\r\n"),
    ("RCPT", "250 ok\r\n"),
    ("DATA", "354 go on\r\n"),
    (".", "250 queued\r\n"),
    ("QUIT", "221 bye\r\n"),
];

/// Follows a script, in which earlier rows win; a command without a row gets no answer.
async fn converse<S>(stream: &mut S, seen: &Seen, scripts: &[Script]) -> Option<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let line = line(stream).await?;
        seen.lock().unwrap().push(line.clone());
        let mut rows = scripts.iter().flat_map(|script| script.iter());
        let Some((_, reply)) = rows.find(|(begin, _)| line.starts_with(begin)) else {
            std::future::pending::<()>().await;
            return None;
        };
        stream.write_all(reply.as_bytes()).await.ok()?;
        if line.starts_with("STARTTLS") {
            return Some(());
        }
        if line == "DATA" && reply.starts_with("354") {
            let mut message = String::new();
            while let line = self::line(stream).await?
                && line != "."
            {
                message.push_str(&line);
                message.push('\n');
            }
            seen.lock().unwrap().push(message);
            let mut rows = scripts.iter().flat_map(|script| script.iter());
            let Some((_, reply)) = rows.find(|(begin, _)| *begin == ".") else {
                std::future::pending::<()>().await;
                return None;
            };
            stream.write_all(reply.as_bytes()).await.ok()?;
        }
    }
}

async fn line<S: AsyncRead + Unpin>(stream: &mut S) -> Option<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(stream.read_u8().await.ok()?);
    }
    line.truncate(line.len() - 2);
    Some(String::from_utf8(line).unwrap())
}

async fn plain(changes: Script) -> Server {
    serve(move |mut stream: TcpStream, _, seen: Seen| async move {
        stream.write_all(b"220 mx.example\r\n").await.ok();
        converse(&mut stream, &seen, &[changes, GOOD]).await;
    })
    .await
}

fn mail(server: &Server, security: Security, login: bool) -> MailRequest {
    MailRequest {
        server: Place { host: "localhost".into(), port: server.address.port(), security },
        login: login
            .then(|| Login { user: "user".into(), password: Secret::new("s3cr3t".to_owned()) }),
        from: "a@acme.example".into(),
        recipients: vec!["b@acme.example".into(), "c@acme.example".into()],
        message: "Subject: x\r\n\r\n.\r\nQUIT\r\n.hidden\r\n".into(),
    }
}

async fn transfer(
    transport: &Transport,
    mail: MailRequest,
    timeout: Duration,
) -> Result<MailAnswer, SendError> {
    match transport.send(Request::Mail(mail), timeout).await {
        Ok(Answer::Mail(answer)) => Ok(answer),
        Ok(other) => panic!("{other:?}"),
        Err(error) => {
            assert!(!format!("{error:?}").contains("s3cr3t"), "{error:?}");
            Err(error)
        }
    }
}

async fn plainly(changes: Script, timeout: Duration) -> (Result<MailAnswer, SendError>, Server) {
    let server = plain(changes).await;
    let answer = transfer(&transport(), mail(&server, Security::None, false), timeout).await;
    (answer, server)
}

#[tokio::test]
async fn a_mail_arrives_as_it_is() {
    let (answer, server) = plainly(&[], ENOUGH).await;
    let answer = answer.unwrap();
    assert_eq!((answer.stage, answer.code), (MailStage::Message, 250));
    assert_eq!(answer.text, "queued");
    let seen = server.requests();
    assert_eq!(
        &seen[..6],
        [
            "EHLO [127.0.0.1]",
            "MAIL FROM:<a@acme.example>",
            "RCPT TO:<b@acme.example>",
            "RCPT TO:<c@acme.example>",
            "DATA",
            "Subject: x\n\n..\nQUIT\n..hidden\n",
        ]
    );
}

#[tokio::test]
async fn a_recipient_that_is_refused_keeps_the_mail_from_nobody_else() {
    let (answer, server) = plainly(&[("RCPT TO:<b", "550 no such user\r\n")], ENOUGH).await;
    assert_eq!(answer.unwrap().code, 250);
    assert!(server.requests().iter().any(|line| line == "DATA"));
    // One of them may be accepted later.
    let changes = &[("RCPT TO:<b", "550 no such user\r\n"), ("RCPT", "451 later\r\n")];
    let (answer, server) = plainly(changes, ENOUGH).await;
    let answer = answer.unwrap();
    assert_eq!((answer.stage, answer.code), (MailStage::Recipients, 451));
    assert!(!server.requests().iter().any(|line| line == "DATA"));
}

#[tokio::test]
async fn a_refusal_says_what_was_refused() {
    for (changes, stage, code) in [
        (&[("EHLO", "554-no\r\n554 service\r\n")] as Script, MailStage::Connect, 554),
        (&[("MAIL", "550 unknown\r\n")], MailStage::Sender, 550),
        (&[("DATA", "451 disk full\r\n")], MailStage::Message, 451),
        (&[(".", "554 spam\r\n")], MailStage::Message, 554),
    ] {
        let answer = plainly(changes, ENOUGH).await.0.unwrap();
        assert_eq!((answer.stage, answer.code), (stage, code));
    }
}

#[tokio::test]
async fn only_a_complete_mail_may_have_been_accepted() {
    for begin in ["MAIL", "DATA"] {
        let changes: Script = if begin == "MAIL" { &[("MAIL", "")] } else { &[("DATA", "")] };
        let error = plainly(changes, SHORT).await.0.unwrap_err();
        assert!(matches!(&error, SendError::NotSent { .. }), "{begin} {error}");
    }
    let error = plainly(&[(".", "")], SHORT).await.0.unwrap_err();
    assert!(matches!(&error, SendError::Unknown { .. }), "{error}");
}

#[tokio::test]
async fn replies_have_limits() {
    let endless = serve(
        async |mut stream: TcpStream, _, _| {
            while stream.write_all(&[b'2'; 4096]).await.is_ok() {}
        },
    )
    .await;
    let lines = serve(
        async |mut stream: TcpStream, _, _| {
            while stream.write_all(b"220-hello\r\n").await.is_ok() {}
        },
    )
    .await;
    let other = serve(async |mut stream: TcpStream, _, _| {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n").await.ok();
    })
    .await;
    for (server, reason) in [
        (endless, "the server sent a line of more than 2000 bytes"),
        (lines, "the server sent a reply of more than 100 lines"),
        (other, "the server does not speak SMTP"),
    ] {
        let mail = mail(&server, Security::None, false);
        let error = transfer(&transport(), mail, ENOUGH).await.unwrap_err();
        assert_eq!(error, SendError::NotSent { reason: reason.to_owned() });
    }
}

#[tokio::test]
async fn a_login_is_never_sent_without_tls() {
    let server = plain(&[]).await;
    let mail = mail(&server, Security::None, true);
    let error = transfer(&transport(), mail, ENOUGH).await.unwrap_err();
    assert!(matches!(&error, SendError::NotSent { .. }), "{error}");
    assert!(!server.requests().iter().any(|line| line.starts_with("AUTH")));
    // Somebody on the way takes STARTTLS out of the reply.
    let server = plain(&[("EHLO", "250 mx.example\r\n")]).await;
    let mail = self::mail(&server, Security::StartTls, true);
    let answer = transfer(&transport(), mail, ENOUGH).await.unwrap();
    assert_eq!((answer.stage, answer.code), (MailStage::Connect, 502));
    assert_eq!(server.requests(), ["EHLO [127.0.0.1]"]);
}

/// A server with STARTTLS, or with TLS from the start; `before` is what comes in plain text with
/// the answer to STARTTLS.
async fn secure(acceptor: TlsAcceptor, implicit: bool, ready: Script, changes: Script) -> Server {
    serve(move |mut stream: TcpStream, _, seen: Seen| {
        let acceptor = acceptor.clone();
        async move {
            if !implicit {
                stream.write_all(b"220 mx.example\r\n").await.ok();
                converse(&mut stream, &seen, &[ready, GOOD]).await?;
            }
            let mut stream = acceptor.accept(stream).await.ok()?;
            seen.lock().unwrap().push("TLS".to_owned());
            if implicit {
                stream.write_all(b"220 mx.example\r\n").await.ok();
            }
            converse(&mut stream, &seen, &[changes, GOOD]).await
        }
        .map(|_| ())
    })
    .await
}

use futures::FutureExt as _;

const READY: Script = &[("STARTTLS", "220 go on\r\n")];

#[tokio::test]
async fn both_kinds_of_tls_protect_the_login() {
    let authority = authority();
    let transport = Transport::new(&trusting(&authority)).unwrap();
    let acceptor = |name| acceptor(&authority, &[name], 2100, b"");
    for (implicit, security) in [(true, Security::Tls), (false, Security::StartTls)] {
        let server = secure(acceptor("localhost"), implicit, READY, &[]).await;
        let answer = transfer(&transport, mail(&server, security, true), ENOUGH).await.unwrap();
        assert_eq!((answer.stage, answer.code), (MailStage::Message, 250));
        let seen = server.requests();
        let tls = seen.iter().position(|line| line == "TLS").unwrap();
        let login = seen.iter().position(|line| line == "AUTH PLAIN AHVzZXIAczNjcjN0").unwrap();
        assert!(tls < login);
        // The wrong name.
        let server = secure(acceptor("other.example"), implicit, READY, &[]).await;
        let error = transfer(&transport, mail(&server, security, true), ENOUGH).await.unwrap_err();
        let reason = "certificate for another name".to_owned();
        assert_eq!(error, SendError::NotSent { reason });
        assert!(!server.requests().iter().any(|line| line.starts_with("AUTH")));
    }
}

#[tokio::test]
async fn a_login_in_two_parts_and_a_wrong_one() {
    let authority = authority();
    let transport = Transport::new(&trusting(&authority)).unwrap();
    let parts: Script = &[
        ("EHLO", "250-mx.example\r\n250 AUTH LOGIN\r\n"),
        ("AUTH LOGIN", "334 VXNlcm5hbWU6\r\n"),
        ("dXNlcg==", "334 UGFzc3dvcmQ6\r\n"),
        ("czNjcjN0", "535 wrong\r\n"),
    ];
    let acceptor = acceptor(&authority, &["localhost"], 2100, b"");
    let server = secure(acceptor, true, &[], parts).await;
    let mail = mail(&server, Security::Tls, true);
    let answer = transfer(&transport, mail, ENOUGH).await.unwrap();
    assert_eq!((answer.stage, answer.code), (MailStage::Login, 535));
}

/// CVE-2011-0411: replies put in before TLS must not count as replies after it.
#[tokio::test]
async fn what_comes_before_tls_does_not_count_after_it() {
    let authority = authority();
    let transport = Transport::new(&trusting(&authority)).unwrap();
    let injected: Script = &[("STARTTLS", "220 go on\r\n250 evil.example\r\n235 ok\r\n")];
    let acceptor = acceptor(&authority, &["localhost"], 2100, b"");
    let server = secure(acceptor, false, injected, &[]).await;
    let mail = mail(&server, Security::StartTls, true);
    let answer = transfer(&transport, mail, ENOUGH).await.unwrap();
    // The login of the real server was awaited.
    assert_eq!((answer.stage, answer.code), (MailStage::Message, 250));
    assert!(server.requests().iter().any(|line| line.starts_with("AUTH PLAIN")));
}
