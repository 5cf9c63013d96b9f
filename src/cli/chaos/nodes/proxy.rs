//! Stands between a node and a database, and holds back what they send.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Bytes passed on at once.
const PIECE: usize = 64 << 10;

/// What is done with the bytes of all connections, in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// They are passed on.
    Pass,
    /// They are kept, in order, until this changes.
    Hold,
    /// What is kept is dropped, and every connection is cut.
    Cut,
}

/// A listener that passes connections on to one server.
pub(super) struct Proxy {
    /// Where it listens on 127.0.0.1.
    pub(super) port: u16,
    mode: watch::Sender<Mode>,
    /// The port of the server.
    target: Arc<AtomicU16>,
}

impl Proxy {
    /// Starts listening before a server at this port; must be called on a runtime.
    pub(super) async fn start(target: u16) -> anyhow::Result<Self> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("cannot start a proxy")?;
        let port = listener.local_addr()?.port();
        let (mode, modes) = watch::channel(Mode::Pass);
        let target = Arc::new(AtomicU16::new(target));
        let to = Arc::clone(&target);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let port = to.load(Ordering::Acquire);
                tokio::spawn(connection(client, port, modes.clone()));
            }
        });
        Ok(Self { port, mode, target })
    }

    /// Changes what is done with bytes.
    pub(super) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Passes new connections on to the server at another port.
    pub(super) fn direct(&self, target: u16) {
        self.target.store(target, Ordering::Release);
    }
}

/// Passes one connection on until either side ends it or it is cut.
async fn connection(client: TcpStream, port: u16, mut modes: watch::Receiver<Mode>) {
    if allowed(&mut modes).await.is_none() {
        return;
    }
    let server = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await;
    // A client whose server is not there sees its connection end.
    let Ok(server) = server else { return };
    let ((from_client, to_client), (from_server, to_server)) =
        (client.into_split(), server.into_split());
    tokio::select! {
        () = pass(from_client, to_server, modes.clone()) => {}
        () = pass(from_server, to_client, modes.clone()) => {}
        () = cut(modes) => {}
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut modes: watch::Receiver<Mode>) {
    let mut piece = vec![0; PIECE];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        let Some(bytes) = piece.get(..length) else { return };
        if allowed(&mut modes).await.is_none() || to.write_all(bytes).await.is_err() {
            return;
        }
    }
    // The end of a connection is held back like what was sent before it.
    let _either_way = allowed(&mut modes).await;
}

/// Waits until bytes may pass; `None` if they are dropped.
async fn allowed(modes: &mut watch::Receiver<Mode>) -> Option<()> {
    let mode = *modes.wait_for(|mode| *mode != Mode::Hold).await.ok()?;
    (mode == Mode::Pass).then_some(())
}

async fn cut(mut modes: watch::Receiver<Mode>) {
    // Without its proxy it is cut as well.
    drop(modes.wait_for(|mode| *mode == Mode::Cut).await);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    async fn echo() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to).await.ok();
                });
            }
        });
        port
    }

    #[tokio::test]
    async fn bytes_are_held_and_let_go_in_order() {
        let proxy = Proxy::start(echo().await).await.unwrap();
        let mut stream = TcpStream::connect(("127.0.0.1", proxy.port)).await.unwrap();
        let mut buffer = [0; 3];
        stream.write_all(b"one").await.unwrap();
        stream.read_exact(&mut buffer).await.unwrap();
        proxy.set(Mode::Hold);
        stream.write_all(b"two").await.unwrap();
        stream.write_all(b"six").await.unwrap();
        let held = stream.read_exact(&mut buffer);
        assert!(tokio::time::timeout(Duration::from_millis(100), held).await.is_err());
        proxy.set(Mode::Pass);
        stream.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"two");
        stream.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"six");
    }

    #[tokio::test]
    async fn what_is_held_can_be_dropped() {
        let proxy = Proxy::start(echo().await).await.unwrap();
        let mut stream = TcpStream::connect(("127.0.0.1", proxy.port)).await.unwrap();
        let mut buffer = [0; 3];
        stream.write_all(b"one").await.unwrap();
        stream.read_exact(&mut buffer).await.unwrap();
        proxy.set(Mode::Hold);
        stream.write_all(b"two").await.unwrap();
        proxy.set(Mode::Cut);
        assert!(matches!(stream.read(&mut buffer).await, Ok(0) | Err(_)));
    }
}
