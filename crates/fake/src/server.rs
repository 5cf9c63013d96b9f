//! [`Server`]: the listeners of a cluster, inside the caller's runtime.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bytes::BytesMut;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::answer::{Answer, WireFault, answer};
use super::authority::{Authority, CertificateFlaw};
use super::log::{Log, Request};
use super::provider::Provider;
use super::receive::read_head;
use super::wire::{Wire, write_answer};

/// The configuration of a server: a cluster of fake providers.
#[derive(Debug)]
pub struct Cluster<'a> {
    providers: Vec<Provider>,
    address: IpAddr,
    tls: Option<(&'a Authority, CertificateFlaw)>,
}

impl<'a> Cluster<'a> {
    /// Creates a cluster of these providers on 127.0.0.1, without TLS.
    #[must_use]
    pub fn new(providers: impl IntoIterator<Item = Provider>) -> Self {
        Self {
            providers: providers.into_iter().collect(),
            address: Ipv4Addr::LOCALHOST.into(),
            tls: None,
        }
    }

    /// Uses another loopback address.
    #[must_use]
    pub fn on(mut self, address: IpAddr) -> Self {
        self.address = address;
        self
    }

    /// Enables TLS with a certificate of `authority` that has this defect.
    #[must_use]
    pub fn tls(mut self, authority: &'a Authority, flaw: CertificateFlaw) -> Self {
        self.tls = Some((authority, flaw));
        self
    }
}

/// A running cluster; stops on drop.
#[derive(Debug)]
pub struct Server {
    hub: Arc<Hub>,
    scheme: &'static str,
    /// The address and path prefix of each provider.
    roots: HashMap<String, (SocketAddr, String)>,
    address: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Hub {
    providers: HashMap<String, Provider>,
    log: Arc<Log>,
    connections: AtomicU64,
}

/// The provider a listener belongs to; `None` where the first path segment selects it.
type Only = Option<Provider>;

impl Server {
    /// Starts one listener for all providers, each under `/<id>/`.
    #[expect(
        clippy::unused_async,
        reason = "its tasks need a runtime, which the caller of an async fn has"
    )]
    pub async fn start(cluster: Cluster<'_>) -> io::Result<Self> {
        Self::launch(cluster, false)
    }

    /// Starts a listener for each provider, which serves it at the root.
    #[expect(
        clippy::unused_async,
        reason = "its tasks need a runtime, which the caller of an async fn has"
    )]
    pub async fn start_each(cluster: Cluster<'_>) -> io::Result<Self> {
        Self::launch(cluster, true)
    }

    fn launch(cluster: Cluster<'_>, each: bool) -> io::Result<Self> {
        let Cluster { providers, address, tls } = cluster;
        let acceptor = match tls {
            Some((authority, flaw)) => {
                Some(TlsAcceptor::from(authority.server(address, flaw).map_err(io::Error::other)?))
            }
            None => None,
        };
        let hub = Arc::new(Hub {
            providers: providers
                .iter()
                .map(|provider| (provider.id().to_owned(), provider.clone()))
                .collect(),
            log: Log::new(),
            connections: AtomicU64::new(0),
        });
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        let mut server = Self {
            hub,
            scheme,
            roots: HashMap::new(),
            address: SocketAddr::new(address, 0),
            tasks: Vec::new(),
        };
        let owners: Vec<Only> =
            if each { providers.iter().cloned().map(Some).collect() } else { vec![None] };
        for owner in owners {
            let listener = bind(SocketAddr::new(address, 0))?.listen(1024)?;
            let bound = listener.local_addr()?;
            if server.tasks.is_empty() {
                server.address = bound;
            }
            if let Some(provider) = &owner {
                server.roots.insert(provider.id().to_owned(), (bound, "/".to_owned()));
            } else {
                let root = |provider: &Provider| {
                    (provider.id().to_owned(), (bound, format!("/{}/", provider.id())))
                };
                server.roots.extend(providers.iter().map(root));
            }
            let accepting =
                accept(Arc::clone(&server.hub), listener, bound, owner, acceptor.clone());
            server.tasks.push(tokio::spawn(async move {
                // A listener that cannot be reopened leaves its provider unreachable, which is its
                // purpose.
                drop(accepting.await);
            }));
        }
        Ok(server)
    }

    /// Returns the address of the (first) listener.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the root URL of a provider's page, with a trailing slash; the URL matches no
    /// provider if the id is unknown.
    #[must_use]
    pub fn url(&self, provider: &str) -> String {
        let nowhere = (self.address, format!("/{provider}/"));
        let (address, root) = self.roots.get(provider).unwrap_or(&nowhere);
        format!("{}://{address}{root}", self.scheme)
    }

    /// Returns a provider by id.
    #[must_use]
    pub fn provider(&self, id: &str) -> Option<&Provider> {
        self.hub.providers.get(id)
    }

    /// Returns every request so far (the newest 50,000), in order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.hub.log.requests()
    }

    /// Takes the requests from the oldest to the last one before any that is still in progress; they
    /// are no longer among [`Server::requests`]. For runs that see more than are kept.
    #[must_use]
    pub fn take_requests(&self) -> Vec<Request> {
        self.hub.log.take_finished()
    }

    /// Returns the requests of one provider.
    #[must_use]
    pub fn requests_of(&self, provider: &str) -> Vec<Request> {
        self.requests().into_iter().filter(|request| request.provider == provider).collect()
    }

    /// Returns the number of connections accepted so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.hub.connections.load(Ordering::SeqCst)
    }

    /// Waits until `count` requests of a provider have arrived since the start.
    pub async fn wait_for(&self, provider: &str, count: usize) {
        self.hub.log.wait_counts(provider, |counts| counts.arrived >= count).await;
    }

    /// Waits until `count` requests of a provider have been answered or aborted.
    pub async fn wait_answered(&self, provider: &str, count: usize) {
        self.hub.log.wait_counts(provider, |counts| counts.finished >= count).await;
    }

    /// Waits until the requests so far satisfy a condition, which must not call the server.
    pub async fn wait_until(&self, enough: impl FnMut(&[Request]) -> bool) {
        self.hub.log.wait_requests(enough).await;
    }

    /// Stops the server and waits until the listeners are closed.
    pub async fn stop(mut self) {
        for task in std::mem::take(&mut self.tasks) {
            task.abort();
            // An aborted task returns an error, as expected.
            drop(task.await);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Accepts connections, and closes and reopens the listener as its provider requires. Connections
/// end with it.
async fn accept(
    hub: Arc<Hub>,
    listener: TcpListener,
    bound: SocketAddr,
    only: Only,
    tls: Option<TlsAcceptor>,
) -> io::Result<()> {
    let mut connections = JoinSet::new();
    let mut listener = Some(listener);
    let mut held: Option<TcpSocket> = None;
    let mut changes = only.as_ref().map(Provider::changes);
    loop {
        let closed = only.as_ref().is_some_and(Provider::is_closed);
        if closed && listener.is_some() {
            // The port stays reserved: a socket that is bound and does not listen refuses
            // connections. It is bound before the listener closes, or the port could be reassigned
            // in between.
            held = Some(bind(bound)?);
            listener = None;
            connections.shutdown().await;
        } else if !closed && listener.is_none() {
            listener = Some(held.take().map_or_else(|| bind(bound), Ok)?.listen(1024)?);
        }
        tokio::select! {
            Some(accepted) = async { Some(listener.as_ref()?.accept().await) } => {
                let Ok((stream, peer)) = accepted else { continue };
                // One on all addresses is meant for all those of this machine, and nobody else.
                if bound.ip().is_unspecified() && !peer.ip().is_loopback() {
                    continue;
                }
                let connection = hub.connections.fetch_add(1, Ordering::SeqCst) + 1;
                connections.spawn(serve(Arc::clone(&hub), stream, only.clone(), tls.clone(), connection));
            }
            Some(_) = connections.join_next() => {}
            Some(()) = async { changes.as_mut()?.changed().await.ok() } => {}
            // Nothing to wait for: the provider is closed and all its handles are dropped.
            else => return Ok(()),
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Serves one connection; errors mean that the client has disconnected.
async fn serve(
    hub: Arc<Hub>,
    stream: TcpStream,
    only: Only,
    tls: Option<TlsAcceptor>,
    connection: u64,
) {
    // Slow answers are slow by configuration, not because of Nagle's algorithm.
    drop(stream.set_nodelay(true));
    let wire = match tls {
        None => Wire::Plain(stream),
        Some(acceptor) => match acceptor.accept(stream).await {
            Ok(stream) => Wire::Tls(Box::new(stream)),
            Err(_) => return,
        },
    };
    drop(converse(&hub, wire, only.as_ref(), connection).await);
}

async fn converse(
    hub: &Arc<Hub>,
    mut wire: Wire,
    only: Option<&Provider>,
    connection: u64,
) -> io::Result<()> {
    let mut buffer = BytesMut::new();
    while let Some(head) = read_head(&mut wire, &mut buffer).await? {
        let path = head.target.split('?').next().unwrap_or_default().trim_start_matches('/');
        let (provider, root, path) = if let Some(provider) = only {
            (Some(provider), "/".to_owned(), path)
        } else {
            let (id, rest) = path.split_once('/').unwrap_or((path, ""));
            (hub.providers.get(id), format!("/{id}/"), rest)
        };
        let answer = match provider {
            Some(provider) => answer(provider, &root, path, &head),
            None => Answer::page(404, "Not Found"),
        };
        let status = (!matches!(
            answer.wire_fault,
            WireFault::Hang | WireFault::Garbage | WireFault::Refuse
        ))
        .then_some(answer.status);
        let mut arrival = hub.log.arrived(Request {
            at: Instant::now(),
            wall: provider.map(Provider::now),
            provider: provider.map(|provider| provider.id().to_owned()).unwrap_or_default(),
            method: head.method.clone(),
            path: path.to_owned(),
            target: head.target.clone(),
            headers: head.headers.clone(),
            status,
            connection,
            concurrent: 0,
            written: 0,
            finished: None,
        });
        match write_answer(wire, &answer, head.method == "HEAD", &mut arrival).await? {
            Some(open) => wire = open,
            None => return Ok(()),
        }
    }
    Ok(())
}
