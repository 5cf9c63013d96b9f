//! The baseline: the same HTTP library with the same settings fetches the same documents and does
//! nothing else.
//!
//! `bare PORTS COUNT SECONDS ROUNDS PEM-FILE` polls `COUNT` providers evenly spread over each of
//! `ROUNDS` intervals, and prints the CPU time of the last one.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, ETAG, HeaderValue, IF_NONE_MATCH};
use reqwest::{Client, StatusCode};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::measure;

/// Returns a client with statuswatch's settings.
pub(crate) fn client(pem: &str, hosts: usize, keep_alive: Duration) -> Client {
    let mut roots = rustls::RootCertStore::empty();
    if !pem.is_empty() {
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            roots.add(certificate.unwrap()).unwrap();
        }
    }
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_root_certificates(roots)
    .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    tls.resumption = rustls::client::Resumption::in_memory_sessions(8 * hosts.max(32));
    Client::builder()
        .user_agent("statuswatch-bench")
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .pool_max_idle_per_host(usize::from(!keep_alive.is_zero()))
        .pool_idle_timeout(keep_alive)
        .build()
        .unwrap()
}

/// Sends one request; reads and discards the body.
pub(crate) async fn fetch(
    client: &Client,
    url: &str,
    etag: &mut Option<HeaderValue>,
) -> StatusCode {
    let mut request =
        client.get(url).header(ACCEPT, "application/json").timeout(Duration::from_secs(10));
    if let Some(etag) = etag.as_ref() {
        request = request.header(IF_NONE_MATCH, etag);
    }
    let mut response = request.send().await.unwrap();
    let status = response.status();
    if status == StatusCode::OK {
        *etag = response.headers().get(ETAG).cloned();
        while let Some(chunk) = response.chunk().await.unwrap() {
            drop(chunk);
        }
    }
    status
}

/// Runs the loop.
pub(crate) fn run(arguments: &[&str]) {
    let ports: Vec<u16> = arguments[0].split(',').map(|port| port.parse().unwrap()).collect();
    let numbers: Vec<usize> =
        arguments.iter().skip(1).take(3).map(|word| word.parse().unwrap()).collect();
    let [count, seconds, rounds] = numbers[..] else {
        return;
    };
    let pem =
        arguments.get(4).map(|path| std::fs::read_to_string(path).unwrap()).unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let keep_alive = if seconds <= 20 { seconds as u64 + 2 } else { 3 };
        let client = client(&pem, count * 2, Duration::from_secs(keep_alive));
        let scheme = if pem.is_empty() { "http" } else { "https" };
        let etags = std::rc::Rc::new(std::cell::RefCell::new(vec![None; count]));
        for round in 0..rounds {
            let (began, before) = (tokio::time::Instant::now(), measure::cpu());
            for n in 0..count {
                tokio::time::sleep_until(
                    began + Duration::from_secs(seconds as u64).mul_f64(n as f64 / count as f64),
                )
                .await;
                let (address, port) = (crate::server::address(n), ports[n / crate::server::PART]);
                let url = format!("{scheme}://{address}:{port}/api/v2/summary.json");
                let (client, etags) = (client.clone(), std::rc::Rc::clone(&etags));
                tokio::task::spawn_local(async move {
                    let mut etag: Option<HeaderValue> = etags.borrow_mut()[n].take();
                    fetch(&client, &url, &mut etag).await;
                    etags.borrow_mut()[n] = etag;
                });
            }
            tokio::time::sleep_until(began + Duration::from_secs(seconds as u64)).await;
            if round + 1 == rounds {
                println!("{}", (measure::cpu() - before).as_secs_f64() * 1e6 / count as f64);
            }
        }
    });
}
