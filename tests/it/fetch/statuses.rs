//! How each status is classified.

use super::*;

#[tokio::test]
async fn every_status_has_its_kind() {
    for (status, headers, page, kind) in [
        ("204 No Content", "", "", FailureKind::Status),
        ("206 Partial Content", "", "{}", FailureKind::Status),
        ("300 Multiple Choices", "Location: /x\r\n", "", FailureKind::Status),
        ("400 Bad Request", "", "", FailureKind::Status),
        ("401 Unauthorized", "", "", FailureKind::Unauthorized),
        ("403 Forbidden", "", "", FailureKind::Forbidden),
        ("403 Forbidden", "cf-mitigated: challenge\r\n", "", FailureKind::Challenge),
        ("403 Forbidden", "x-amzn-waf-action: captcha\r\n", "", FailureKind::Challenge),
        ("403 Forbidden", "Content-Type: text/html\r\n", "<p>no</p>", FailureKind::Forbidden),
        (
            "429 Too Many Requests",
            "Content-Type: text/html\r\n",
            "<title>Just a moment...</title>",
            FailureKind::Challenge,
        ),
        (
            "503 Service Unavailable",
            "Content-Type: text/html\r\n",
            "<script src=/cdn-cgi/challenge-platform/x>",
            FailureKind::Challenge,
        ),
        ("404 Not Found", "", "", FailureKind::NotFound),
        ("410 Gone", "", "", FailureKind::Gone),
        ("429 Too Many Requests", "", "", FailureKind::RateLimited),
        ("500 Internal Server Error", "", "", FailureKind::ServerError),
        ("520 Unknown", "", "", FailureKind::ServerError),
    ] {
        assert_eq!(
            kind_of(response(status, headers, page.as_bytes())).await,
            kind,
            "{status} {headers}"
        );
    }
    assert_eq!(
        kind_of("HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n").await,
        FailureKind::Unexpected304
    );
}

#[tokio::test]
async fn validators_that_cannot_be_sent_make_no_condition() {
    let server = fixed("HTTP/1.1 304 Not Modified\r\n\r\n").await;
    let url = server.url("/");
    let validators =
        Validators { etag: Some("łódź".into()), last_modified: Some("a\nb".into()) };
    let failed =
        failure(&client(), Request { validators: Some(&validators), ..request(&url) }).await;
    assert_eq!(failed.kind, FailureKind::Unexpected304);
    assert!(!server.requests()[0].contains("if-"));
}

#[tokio::test]
async fn an_informational_answer_is_skipped() {
    let mut answer = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".to_vec();
    answer.extend(response("200 OK", "", b"{}"));
    let server = fixed(answer).await;
    body(&client(), request(&server.url("/"))).await;
}

#[tokio::test]
async fn broken_http_and_too_many_headers() {
    assert_eq!(kind_of("SSH-2.0-OpenSSH_9\r\n\r\n").await, FailureKind::Protocol);
    assert_eq!(
        kind_of(response("200 OK", &format!("X: {}\r\n", "x".repeat(1 << 20)), b"{}")).await,
        FailureKind::HeadersTooLarge
    );
    assert_eq!(
        kind_of(response("200 OK", &"X: y\r\n".repeat(10_000), b"{}")).await,
        FailureKind::HeadersTooLarge
    );
}

#[tokio::test]
async fn a_host_that_asks_is_left_alone() {
    let date =
        (chrono::Utc::now() + chrono::TimeDelta::seconds(60)).to_rfc2822().replace("+0000", "GMT");
    for (status, wait) in
        [("429 Too Many Requests", "60".to_owned()), ("503 Service Unavailable", date)]
    {
        let server = fixed(response(status, &format!("Retry-After: {wait}\r\n"), b"")).await;
        let (client, url, other) = (client(), server.url("/a"), server.url("/b"));
        let first = failure(&client, request(&url)).await.retry_after.unwrap();
        assert!(first > Duration::from_secs(50) && first <= Duration::from_mins(1), "{first:?}");
        let left = client.blocked_until(&other, Duration::from_hours(1)).unwrap() - Instant::now();
        assert!(left > Duration::from_secs(50) && left <= Duration::from_mins(1), "{left:?}");
        let second = failure(&client, request(&other)).await;
        assert_eq!(second.kind, FailureKind::RateLimited);
        assert!(second.retry_after.unwrap() > Duration::from_secs(50));
        assert_eq!(server.connections(), 1);
    }
    // As restored after a restart, and never longer than allowed.
    let server = fixed(response("404 Not Found", "Retry-After: 99999999\r\n", b"")).await;
    let (client, url) = (client(), server.url("/"));
    assert_eq!(failure(&client, request(&url)).await.retry_after, Some(Duration::from_hours(1)));
    assert_eq!(client.blocked_until(&url, Duration::from_hours(1)), None);
    client.block(&url, Instant::now() + Duration::from_mins(1));
    failure(&client, request(&url)).await;
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn providers_of_one_host_take_turns() {
    let server = fixed(response("200 OK", "", b"{}")).await;
    let client = client();
    let began = Instant::now();
    let urls: Vec<Url> = (0..4).map(|n| server.url(&format!("/{n}"))).collect();
    futures::future::join_all(urls.iter().map(|url| body(&client, request(url)))).await;
    assert!(began.elapsed() >= Duration::from_millis(750), "four starts are three gaps");
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn waiting_for_the_host_does_not_count_toward_the_deadline() {
    let server = fixed(response("200 OK", "", b"{}")).await;
    let (client, url) = (client(), server.url("/"));
    let quick = || body(&client, Request { timeout: Duration::from_millis(600), ..request(&url) });
    // The fourth request would exceed its maximum wait.
    futures::join!(quick(), quick(), quick(), quick());
}
