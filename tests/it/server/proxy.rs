//! What stands between a client and a server, and can be cut.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// Passes connections on to a server. Dropping it ends them.
pub(super) struct Proxy {
    /// Where it listens.
    pub(super) address: SocketAddr,
    open: watch::Sender<bool>,
    passed: Arc<AtomicUsize>,
}

impl Proxy {
    /// Starts one that passes everything on.
    pub(super) async fn start(server: SocketAddr) -> Self {
        Self::with(server, None).await
    }

    /// Starts one that clients speak TLS with, as with those in front of a server.
    pub(super) async fn secure(server: SocketAddr, tls: TlsAcceptor) -> Self {
        Self::with(server, Some(tls)).await
    }

    async fn with(server: SocketAddr, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (open, opened) = watch::channel(true);
        let passed = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&passed);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (opened, tls, count) = (opened.clone(), tls.clone(), Arc::clone(&count));
                // Accepted and closed while it is cut: what a load balancer does without a server.
                if !*opened.borrow() {
                    continue;
                }
                tokio::spawn(async move {
                    match tls {
                        None => pass(client, server, opened).await,
                        Some(tls) => {
                            // A client that does not trust it ends the handshake.
                            if let Ok(client) = tls.accept(client).await {
                                count.fetch_add(1, Ordering::Relaxed);
                                pass(client, server, opened).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, open, passed }
    }

    /// How many clients have agreed to speak TLS with it.
    pub(super) fn passed(&self) -> usize {
        self.passed.load(Ordering::Relaxed)
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

async fn pass(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    server: SocketAddr,
    mut opened: watch::Receiver<bool>,
) {
    let Ok(mut server) = TcpStream::connect(server).await else {
        return;
    };
    tokio::select! {
        // Either side may end it at any time.
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = opened.wait_for(|open| !open) => {}
    }
}
