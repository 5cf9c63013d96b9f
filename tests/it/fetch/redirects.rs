//! Redirects are followed by our own code, within the rules.

use super::*;

fn to(status: &str, target: &str) -> Vec<u8> {
    response(status, &format!("Location: {target}\r\n"), b"")
}

/// Starts a server whose root redirects to `/end`, which responds.
async fn leading(status: &'static str, target: &'static str) -> Server {
    serve(move |mut stream, _, seen| async move {
        while let Some(head) = head(&mut stream, &seen).await {
            let answer = if head.starts_with("GET /end") {
                response("200 OK", "", b"{}")
            } else {
                to(status, target)
            };
            stream.write_all(&answer).await.ok();
        }
    })
    .await
}

#[tokio::test]
async fn within_one_authority() {
    for (status, permanent) in
        [("301 M", true), ("308 M", true), ("302 M", false), ("303 M", false), ("307 M", false)]
    {
        let server = leading(status, "/end?x=1#y").await;
        let validators = Validators { etag: Some("\"a\"".into()), last_modified: None };
        let url = server.url("/");
        let answer =
            body(&client(), Request { validators: Some(&validators), ..request(&url) }).await;
        assert_eq!(answer.document.url, server.url("/end?x=1"));
        assert_eq!(answer.moved_to, permanent.then(|| server.url("/end?x=1")), "{status}");
        assert!(server.requests().iter().all(|seen| seen.contains("if-none-match: \"a\"")));
        let asked = body(&client(), request(&server.url("/#asked"))).await;
        assert_eq!(asked.document.url, server.url("/end?x=1#asked"), "not that of the target");
    }
}

#[tokio::test]
async fn loops_end() {
    let server = leading("302 Found", "/again").await;
    assert_eq!(failure(&client(), request(&server.url("/"))).await.kind, FailureKind::Redirect);
    assert_eq!(server.requests().len(), 6);
}

#[tokio::test]
async fn targets_that_are_none() {
    assert_eq!(kind_of(response("302 Found", "", b"")).await, FailureKind::Redirect);
    for target in [
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "data:text/plain,x",
        "http://[",
        "javascript:alert(1)",
    ] {
        assert_eq!(kind_of(to("302 Found", target)).await, FailureKind::Redirect, "{target}");
    }
}

#[tokio::test]
async fn other_ports_of_this_machine_are_blocked_unless_allowed() {
    let trap = fixed(response("200 OK", "", b"{}")).await;
    let port = trap.address.port();
    for host in ["127.0.0.1", "localhost", "0x7f000001", "[::ffff:7f00:1]"] {
        let server = fixed(to("302 Found", &format!("http://{host}:{port}/?token=s3cret"))).await;
        let failed = failure(&client(), request(&server.url("/"))).await;
        assert_eq!(failed.kind, FailureKind::BlockedAddress, "{host}");
        assert!(!failed.message.contains("s3cret"), "{failed}");
    }
    assert_eq!(trap.connections(), 0);
    let server = fixed(to("301 Moved", trap.url("/").as_ref())).await;
    let validators = Validators { etag: Some("\"a\"".into()), last_modified: Some("x".into()) };
    let url = server.url("/");
    let answer = body(
        &client(),
        Request { allow_private: true, validators: Some(&validators), ..request(&url) },
    )
    .await;
    assert_eq!(answer.moved_to, Some(trap.url("/")));
    // Headers for one host are not sent to another.
    let reported = trap.requests().concat().to_lowercase();
    for header in ["if-none-match", "if-modified-since", "referer", "cookie", "authorization"] {
        assert!(!reported.contains(header), "{reported}");
    }
}

#[tokio::test]
async fn credentials_stay_with_their_origin() {
    let trap = fixed(response("200 OK", "", b"{}")).await;
    let target = format!("http://evil:pw@{}/", trap.address);
    let server = fixed(to("302 Found", &target)).await;
    let url = Url::parse(&format!("http://me:secret@{}/", server.address)).unwrap();
    let answer = body(&client(), Request { allow_private: true, ..request(&url) }).await;
    assert!(server.requests().concat().contains("authorization: Basic"));
    assert!(!trap.requests().concat().contains("authorization"));
    assert_eq!(answer.document.url, trap.url("/"));
}

#[tokio::test]
async fn redirects_respect_pauses_of_the_target_host() {
    let alone = fixed(response("200 OK", "", b"{}")).await;
    let server = fixed(to("302 Found", alone.url("/").as_ref())).await;
    let (client, url) = (client(), server.url("/"));
    client.block(&alone.url("/"), Instant::now() + Duration::from_mins(1));
    let failed = failure(&client, Request { allow_private: true, ..request(&url) }).await;
    assert_eq!(failed.kind, FailureKind::RateLimited);
    assert_eq!(alone.connections(), 0);
}
