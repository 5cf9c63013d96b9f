//! Stands between a node and the database, and cuts connections at chosen moments. It has threads of
//! its own: a ledger blocks the one that it is on.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use statuswatch::postgres::DatabaseUrl;

/// `COMMIT` as a message of its own, as a simple query.
/// Source: <https://www.postgresql.org/docs/15/protocol-message-formats.html>
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// The server waits for the next message, outside a transaction.
const IDLE: &[u8] = b"Z\0\0\0\x05I";

/// What is done with the next `COMMIT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It is passed on.
    Pass,
    /// The connection is cut before the server gets it.
    CutBefore,
    /// The connection is cut once the server has committed, before it has said so.
    CutAfter,
}

pub(super) struct Proxy {
    port: u16,
    next: Arc<Mutex<Next>>,
}

impl Proxy {
    /// Stands before the server on this port.
    pub(super) fn start(to: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let next = Arc::new(Mutex::new(Next::Pass));
        let shared = Arc::clone(&next);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)) else { continue };
                pass(&client.unwrap(), &server, &shared);
            }
        });
        Self { port, next }
    }

    /// Decides what is done with the next `COMMIT`.
    pub(super) fn set(&self, next: Next) {
        *self.next.lock().unwrap() = next;
    }

    /// Whether what was decided has happened.
    pub(super) fn is_done(&self) -> bool {
        *self.next.lock().unwrap() == Next::Pass
    }

    /// The address of a database behind it.
    pub(super) fn url(&self, url: &DatabaseUrl) -> DatabaseUrl {
        let name = url.to_string().rsplit_once('/').unwrap().1.to_owned();
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port).parse().unwrap()
    }
}

/// Passes bytes in both directions, on two threads.
fn pass(client: &TcpStream, server: &TcpStream, next: &Arc<Mutex<Next>>) {
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let (decided, cut) = (Arc::clone(next), Arc::new(Mutex::new(false)));
    let is_cut = Arc::clone(&cut);
    std::thread::spawn(move || {
        let mut piece = vec![0; 64 << 10];
        while let Ok(length @ 1..) = from.read(&mut piece) {
            let piece = &piece[..length];
            let commits = piece.windows(COMMIT.len()).any(|part| part == COMMIT);
            let mut decided = decided.lock().unwrap();
            match *decided {
                Next::CutBefore if commits => {
                    *decided = Next::Pass;
                    break;
                }
                Next::CutAfter if commits => *is_cut.lock().unwrap() = true,
                _ => {}
            }
            drop(decided);
            if to.write_all(piece).is_err() {
                break;
            }
        }
        from.shutdown(Shutdown::Both).ok();
        to.shutdown(Shutdown::Both).ok();
    });
    let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let decided = Arc::clone(next);
    std::thread::spawn(move || {
        let mut piece = vec![0; 64 << 10];
        while let Ok(length @ 1..) = from.read(&mut piece) {
            let piece = &piece[..length];
            if *cut.lock().unwrap() {
                if piece.ends_with(IDLE) {
                    *decided.lock().unwrap() = Next::Pass;
                    break;
                }
            } else if to.write_all(piece).is_err() {
                break;
            }
        }
        from.shutdown(Shutdown::Both).ok();
        to.shutdown(Shutdown::Both).ok();
    });
}
