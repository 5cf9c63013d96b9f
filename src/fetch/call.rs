//! Calls to an address of the user's own, of which nothing but the success is of interest.

use std::time::Duration;

use tokio::time::timeout;
use url::Url;

use super::failure::{Phase, of_head};
use super::{Client, Failure, FailureKind, dial};

impl Client {
    /// One GET: any 2xx is a success, the body is not read, redirects are not followed. The address
    /// is the user's own and may lead to a private one. Failures do not repeat it.
    pub async fn call(&self, url: &Url, within: Duration) -> Result<(), Failure> {
        let library = self.inner.library(false)?;
        let (sent, _) = timeout(within, dial::within(within, library.get(url.clone()).send()))
            .await
            .map_err(|_| Phase::Head.timeout(within))?;
        let response = sent.map_err(|error| of_head(&error, url.scheme() == "https"))?;
        if response.status().is_success() {
            return Ok(());
        }
        Err(Failure::new(
            FailureKind::Status,
            format!("the answer is {}", response.status().as_u16()),
        ))
    }
}
