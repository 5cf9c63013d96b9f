//! HTTP requests, through the client of `fetch`.

use std::time::Duration;

use statuswatch_notify::{Answer, HttpAnswer, HttpRequest};

use super::SendError;
use crate::fetch::{Outgoing, Sender};

/// Sends a request.
pub(super) async fn send(
    sender: &Sender,
    request: HttpRequest,
    timeout: Duration,
) -> Result<Answer, SendError> {
    let fixed = request.headers.iter().map(|(name, value)| (*name, value.expose().as_str()));
    let extra = request.extra.iter().map(|(name, value)| (name.as_str(), value.expose().as_str()));
    let outgoing = Outgoing {
        method: request.method.as_str(),
        url: request.url.expose(),
        // A field from the configuration does not replace one of the channel's own.
        headers: extra.chain(fixed).collect(),
        content_type: request.content_type,
        body: request.body.expose().clone(),
    };
    match sender.send(outgoing, timeout).await {
        Ok(received) => Ok(Answer::Http(HttpAnswer {
            status: received.status,
            headers: received.headers,
            body: received.body,
        })),
        Err(error) => {
            let reason = error.failure.message;
            Err(if error.sent {
                SendError::Unknown { reason }
            } else {
                SendError::NotSent { reason }
            })
        }
    }
}
