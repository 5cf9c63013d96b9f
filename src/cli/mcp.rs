//! `mcp`: the server for agents, on standard input and output.

use std::io::{self, BufReader};
use std::path::Path;

use super::args::Common;
use super::exit::Exit;
use super::{context, nodes_view, output};
use crate::clock;
use crate::mcp::{Context, Routing, serve};

/// Answers requests until standard input ends.
///
/// # Errors
/// Standard input or output fails.
pub fn run(common: &Common, state_dir: &Path) -> anyhow::Result<Exit> {
    let routing = context::read(common).ok().map(|loaded| Routing {
        routes: loaded.config.routes.clone(),
        channels: loaded
            .config
            .channels
            .iter()
            .map(|channel| (channel.id.clone(), channel.policy.audience))
            .collect(),
        tags: loaded
            .config
            .providers
            .iter()
            .map(|provider| (provider.id.clone(), provider.settings.tags.clone()))
            .collect(),
    });
    let named = common.clone();
    let context = Context {
        state_dir: state_dir.to_owned(),
        routing,
        now: clock::now,
        nodes: Box::new(move || nodes_view::nodes(&named)),
    };
    match serve(BufReader::new(io::stdin().lock()), io::stdout().lock(), &context) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(output::Closed.into()),
        served => Ok(served.map(|()| Exit::Done)?),
    }
}
