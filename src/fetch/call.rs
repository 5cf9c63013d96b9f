//! Calls to a user-supplied URL of which only success matters.

use std::time::Duration;

use tokio::time::timeout;
use url::Url;

use super::failure::{Phase, of_head};
use super::{Client, Failure, FailureKind, dial};

impl Client {
    /// Sends one GET. Any 2xx is a success; the body is not read and redirects are not followed.
    /// The URL is the user's own and may be private. Error messages do not contain it.
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
            format!("the response is {}", response.status().as_u16()),
        ))
    }
}
