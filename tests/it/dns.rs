//! A host name that resolves to another address while the program runs.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Instant;

use statuswatch::event::Impact;
use statuswatch::fake::platform::Statuspage;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::support::binary::{Bench, Run};
use crate::support::provider::{alone, provider};
use crate::support::wait::within;

/// Two addresses of this machine with one port of their own.
async fn both() -> (TcpListener, TcpListener) {
    loop {
        let one = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = one.local_addr().unwrap().port();
        // Somebody else may have that port at the other address.
        if let Ok(other) = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), port)).await {
            return (one, other);
        }
    }
}

/// Hands connections on, for as long as it is not dropped; then all of them end.
async fn hand_on(from: TcpListener, to: SocketAddr) {
    let mut connections = JoinSet::new();
    while let Ok((mut near, _)) = from.accept().await {
        connections.spawn(async move {
            let mut far = TcpStream::connect(to).await.unwrap();
            // One of the two goes first.
            drop(tokio::io::copy_bidirectional(&mut near, &mut far).await);
        });
    }
}

#[tokio::test]
#[ignore = "needs mounts in a user namespace: see .ci/run"]
async fn a_name_that_leads_elsewhere_is_followed_without_a_restart() {
    let acme = provider("acme", &Statuspage);
    let server = alone(&acme).await;
    let home: SocketAddr =
        server.url("acme").trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
    let (one, other) = both().await;
    let port = one.local_addr().unwrap().port();
    let old = tokio::spawn(hand_on(one, home));

    let url = format!("http://status.acme.test:{port}/");
    let bench = Bench::new().default("allow_private_addresses", "true").provider("acme", &url, "");
    bench.write();
    let hosts = bench.path("hosts");
    std::fs::write(&hosts, "127.0.0.1 status.acme.test\n").unwrap();
    let program = bench.command();
    let mut command = Command::new("unshare");
    command.args(["-Urm", "sh", "-c", "mount --bind hosts /etc/hosts && exec \"$0\" run --hosted"]);
    command.arg(program.get_program()).current_dir(program.get_current_dir().unwrap());
    let run = Run::start(&mut command);
    acme.open_incident("Slow answers", Impact::Minor, &[], "At the old address.");
    bench.wait_events(1).await;

    // The page moves, and with it the name.
    let asked = server.requests_of("acme").len();
    let new = tokio::spawn(hand_on(other, home));
    std::fs::write(&hosts, "127.0.0.2 status.acme.test\n").unwrap();
    old.abort();
    let moved = Instant::now();
    within("polls at the new address", server.wait_answered("acme", asked + 2)).await;
    acme.open_incident("Slower answers", Impact::Minor, &[], "At the new address.");
    bench.wait_events(2).await;
    println!("reported {:.1?} after the old address had gone", moved.elapsed());
    assert_eq!(run.stop().await.code(), Some(0));
    new.abort();
}
