//! Bodies are complete or rejected, limited in size, and decompressed once.

use std::io::Write as _;

use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

const GZIP: &str = "Content-Encoding: gzip\r\n";

#[tokio::test]
async fn what_is_cut_is_incomplete() {
    for cut in [
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{}",
    ] {
        assert_eq!(kind_of(cut).await, FailureKind::IncompleteBody, "{cut}");
    }
    let whole = gzip(&[b'x'; 5000]);
    let mut cut =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{GZIP}\r\n", whole.len()).into_bytes();
    cut.extend_from_slice(&whole[..whole.len() / 2]);
    assert_eq!(kind_of(cut).await, FailureKind::IncompleteBody);
}

#[tokio::test]
async fn a_reset_within_the_body_is_incomplete() {
    let server = serve(|mut stream, _, seen| async move {
        head(&mut stream, &seen).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{").await.unwrap();
        stream.set_zero_linger().unwrap();
    })
    .await;
    assert_eq!(
        failure(&client(), request(&server.url("/"))).await.kind,
        FailureKind::IncompleteBody
    );
}

#[tokio::test]
async fn nothing_is_no_answer() {
    assert_eq!(kind_of(response("200 OK", "", b"")).await, FailureKind::EmptyBody);
    assert_eq!(kind_of(response("200 OK", "", b" \r\n\t ")).await, FailureKind::EmptyBody);
    assert_eq!(kind_of(response("200 OK", GZIP, &gzip(b""))).await, FailureKind::EmptyBody);
}

#[tokio::test]
async fn compression_is_what_it_says() {
    let server = fixed(response("200 OK", GZIP, &gzip(b"{\"a\":1}"))).await;
    let answer = body(&client(), request(&server.url("/"))).await;
    assert_eq!(answer.document.body.as_ref(), b"{\"a\":1}");
    let mut broken = gzip(&[b'x'; 5000]);
    let end = broken.len();
    broken[end - 6] ^= 0xff;
    for (headers, bytes) in [
        (GZIP, b"{\"a\":1}".to_vec()),
        (GZIP, broken),
        (GZIP, gzip(b"{}")[..15].to_vec()),
        (GZIP, gzip(&gzip(b"{}"))),
        ("", gzip(b"{}")),
        ("Content-Encoding: br\r\n", b"{}".to_vec()),
    ] {
        assert_eq!(
            kind_of(response("200 OK", headers, &bytes)).await,
            FailureKind::Encoding,
            "{headers}"
        );
    }
}

#[tokio::test]
async fn every_form_of_compression_that_servers_send_is_read() {
    let zlib = |bytes: &[u8]| {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let raw = |bytes: &[u8]| {
        let mut encoder =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let members = [gzip(b"{\"a\""), gzip(b""), gzip(b":1}")].concat();
    let padded = [gzip(b"{\"a\":1}"), vec![0; 100]].concat();
    for (headers, bytes) in [
        (GZIP, members.clone()),
        (GZIP, padded),
        ("Content-Encoding: x-gzip\r\n", gzip(b"{\"a\":1}")),
        ("Content-Encoding: X-GZIP\r\n", members),
        ("Content-Encoding: gzip, identity\r\n", gzip(b"{\"a\":1}")),
        ("Content-Encoding: deflate\r\n", zlib(b"{\"a\":1}")),
        ("Content-Encoding: deflate\r\n", raw(b"{\"a\":1}")),
    ] {
        let server = fixed(response("200 OK", headers, &bytes)).await;
        let answer = body(&client(), request(&server.url("/"))).await;
        assert_eq!(answer.document.body.as_ref(), b"{\"a\":1}", "{headers}");
    }
    assert_eq!(kind_of(response("200 OK", GZIP, b"")).await, FailureKind::EmptyBody);
}

#[tokio::test]
async fn gzip_members_share_one_limit() {
    let member = gzip(&vec![b'x'; 300_000]);
    let within = response("200 OK", GZIP, &member.repeat(3));
    assert_eq!(
        body(&client(), request(&fixed(within).await.url("/"))).await.document.body.len(),
        900_000
    );
    assert_eq!(
        kind_of(response("200 OK", GZIP, &member.repeat(4))).await,
        FailureKind::BodyTooLarge
    );
    // Empty members: the limit also applies to the compressed size.
    let empty = gzip(b"").repeat((2 << 20) / gzip(b"").len());
    assert_eq!(kind_of(response("200 OK", GZIP, &empty)).await, FailureKind::BodyTooLarge);
}

#[tokio::test]
async fn the_limit_is_exact_and_counts_after_decompression() {
    let exact = vec![b'x'; 1 << 20];
    let over = vec![b'x'; (1 << 20) + 1];
    let chunked = |bytes: &[u8]| {
        let mut answer =
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n", bytes.len())
                .into_bytes();
        answer.extend_from_slice(bytes);
        answer.extend_from_slice(b"\r\n0\r\n\r\n");
        answer
    };
    for answer in
        [response("200 OK", "", &exact), response("200 OK", GZIP, &gzip(&exact)), chunked(&exact)]
    {
        let server = fixed(answer).await;
        assert_eq!(body(&client(), request(&server.url("/"))).await.document.body.len(), 1 << 20);
    }
    for answer in
        [response("200 OK", "", &over), response("200 OK", GZIP, &gzip(&over)), chunked(&over)]
    {
        assert_eq!(kind_of(answer).await, FailureKind::BodyTooLarge);
    }
}

#[tokio::test]
async fn a_bomb_is_left_at_the_limit() {
    // 64 MiB from about 64 KiB. The rest never arrives, so the test ends only if reading stops
    // early.
    let bomb = gzip(&vec![0; 64 << 20]);
    let server = serve(move |mut stream, _, seen| {
        let bomb = bomb.clone();
        async move {
            head(&mut stream, &seen).await;
            stream
                .write_all(
                    format!("HTTP/1.1 200 OK\r\n{GZIP}Content-Length: 999999999\r\n\r\n")
                        .as_bytes(),
                )
                .await
                .ok();
            stream.write_all(&bomb).await.ok();
            std::future::pending::<()>().await;
        }
    })
    .await;
    assert_eq!(failure(&client(), request(&server.url("/"))).await.kind, FailureKind::BodyTooLarge);
}

#[tokio::test]
async fn bodies_share_a_budget_until_they_are_dropped() {
    let server = fixed(response("200 OK", "", &vec![b'x'; 1 << 20])).await;
    let client = Client::new(ClientOptions { body_budget: 1 << 20, ..options() }).unwrap();
    let url = server.url("/");
    // One body fits the budget, and one may exceed it so that half-read bodies can finish.
    let held = (body(&client, request(&url)).await, body(&client, request(&url)).await);
    let failed =
        failure(&client, Request { timeout: Duration::from_millis(300), ..request(&url) }).await;
    assert_eq!(failed.kind, FailureKind::Resource);
    let small = fixed(response("200 OK", "", &vec![b'x'; 60_000])).await;
    body(&client, request(&small.url("/"))).await;
    drop(held);
    body(&client, request(&url)).await;
}

#[tokio::test]
async fn bodies_that_have_a_part_of_the_budget_never_wait_for_each_other() {
    let server = fixed(response("200 OK", "", &vec![b'x'; 1 << 20])).await;
    let client = Client::new(ClientOptions { body_budget: 1 << 20, ..options() }).unwrap();
    let url = server.url("/");
    let bodies = (0..40).map(|_| async { body(&client, request(&url)).await.document.body.len() });
    let lengths = futures::future::join_all(bodies).await;
    assert_eq!(lengths, [1 << 20; 40]);
}

#[tokio::test]
async fn hosts_that_dribble_cost_a_large_body_no_turn_for_long() {
    // More bodies than are read in parallel: each announces a large body and then stalls.
    let silent = serve(|mut stream, _, seen| async move {
        head(&mut stream, &seen).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\nxxxx").await.ok();
        std::future::pending::<()>().await;
    })
    .await;
    let server = fixed(response("200 OK", "", &vec![b'x'; 1 << 20])).await;
    let client = client();
    let (silent, url) = (silent.url("/"), server.url("/"));
    let patient = |url| Request { timeout: Duration::from_secs(20), ..request(url) };
    let stuck = futures::future::join_all((0..32).map(|_| failure(&client, patient(&silent))));
    let read = body(&client, patient(&url));
    tokio::pin!(stuck);
    tokio::select! {
        _ = &mut stuck => panic!("the good one waited until the others had failed"),
        answer = read => assert_eq!(answer.document.body.len(), 1 << 20),
    }
}
