//! What stands between a client and a server, and can be cut.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes connections on to a server. Dropping it ends them.
pub(super) struct Proxy {
    /// Where it listens.
    pub(super) address: SocketAddr,
    open: watch::Sender<bool>,
}

impl Proxy {
    /// Starts one that passes everything on.
    pub(super) async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (open, opened) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let opened = opened.clone();
                // Accepted and closed while it is cut: what a load balancer does without a server.
                if *opened.borrow() {
                    tokio::spawn(pass(client, server, opened));
                }
            }
        });
        Self { address, open }
    }

    /// Ends all connections, and those that come until it is restored.
    pub(super) fn cut(&self) {
        self.open.send_replace(false);
    }

    /// Passes connections on again.
    pub(super) fn restore(&self) {
        self.open.send_replace(true);
    }
}

async fn pass(mut client: TcpStream, server: SocketAddr, mut opened: watch::Receiver<bool>) {
    let Ok(mut server) = TcpStream::connect(server).await else {
        return;
    };
    tokio::select! {
        // Either side may end it at any time.
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = opened.wait_for(|open| !open) => {}
    }
}
