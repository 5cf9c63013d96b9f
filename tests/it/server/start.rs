//! Where the server does not start, the program says why.

use std::net::TcpListener;

use super::*;

#[tokio::test]
async fn a_port_in_use_ends_the_start_and_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let (_acme, _server, bench) = acme(&format!("http: {{listen: \"{address}\"}}")).await;
    let ended = bench.start(&["run", "--hosted"]).ended().await;
    assert_eq!(ended.code(), Some(1), "{}", ended.err);
    assert!(ended.err.contains(&format!("cannot listen at {address}")), "{}", ended.err);
    assert!(!bench.path("state/ledger.db").exists(), "nothing was touched");
}

#[tokio::test]
async fn a_token_that_is_not_there_ends_the_start() {
    let (_acme, _server, bench) =
        acme("http: {listen: \"127.0.0.1:0\", token_file: no-such-token}").await;
    let ended = bench.start(&["run", "--hosted"]).ended().await;
    assert_eq!(ended.code(), Some(1), "{}", ended.err);
    assert!(ended.err.contains("no-such-token"), "{}", ended.err);
}

#[tokio::test]
async fn it_ends_with_the_program_and_its_streams() {
    let (_acme, _server, bench) = acme(HTTP).await;
    let served = Served::start(&bench).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(b"GET /api/v1/stream HTTP/1.0\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.0 200");
    let ended = served.run.stop().await;
    assert_eq!(ended.code(), Some(0), "{}", ended.err);
    let mut rest = Vec::new();
    // However it ends: it does.
    drop(within("the end of the stream", stream.read_to_end(&mut rest)).await);
    assert!(TcpStream::connect(served.address).await.is_err());
}
