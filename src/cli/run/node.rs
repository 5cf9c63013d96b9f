//! This process as one of several nodes that share a database.

use std::fmt::Write as _;

use rustix::system::uname;

use crate::config::{Config, is_node_name};
use crate::lease::Lease;
use crate::nodes::membership::{JoinError, Membership, Options};
use crate::pipeline::Joined;
use crate::postgres::Fence;

/// Registers this process, if its configuration names a database.
///
/// # Errors
/// As [`Membership::join`].
pub(super) async fn join(config: &Config) -> Result<Option<Joined>, JoinError> {
    let Some(url) = config.state.clone() else { return Ok(None) };
    let (lease, fence) = (Lease::none(), Fence::default());
    let options = Options {
        url: url.clone(),
        name: name(config),
        config: digest(config),
        lease: lease.clone(),
        fence: fence.clone(),
    };
    let (membership, shares) = Membership::join(options).await?;
    Ok(Some(Joined { membership, shares, lease, fence, url }))
}

/// Returns the name of this node: the configured one, else the name of the host.
fn name(config: &Config) -> String {
    config.node.clone().unwrap_or_else(|| {
        let host = uname().nodename().to_string_lossy().into_owned();
        let valid = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
        let name: String = host.chars().map(valid).take(64).collect();
        if is_node_name(&name) { name } else { "node".to_owned() }
    })
}

/// Returns a digest of what all nodes should agree on: providers, routes and quiet hours.
pub(super) fn digest(config: &Config) -> String {
    let mut text = String::new();
    for provider in &config.providers {
        // A `String` can always be written to.
        _ = write!(text, "{provider:?}");
    }
    let channels: Vec<&str> = config.channels.iter().map(|channel| channel.id.as_str()).collect();
    _ = write!(text, "{channels:?}{:?}{:?}", config.routes, config.quiet_hours);
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(text.as_bytes()))
}
