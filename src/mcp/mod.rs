//! `mcp`: a server of the Model Context Protocol for agents, on standard input and output and, as
//! `/mcp` of the HTTP server, over HTTP.
//!
//! One JSON-RPC message per line or request. `rpc` turns it into its answer, `tools` is the table of
//! tools, [`serve`] reads and writes lines, [`answer`] answers a request of HTTP. All tools read, none
//! changes anything.
//!
//! What providers wrote is untrusted text, which may try to instruct its reader. It stands
//! only in fields named `provider_text`, capped, and never in a description of a tool.
//!
//! Facts of the protocol: the source of the crate rmcp 3.11.0 (`model.rs`), which implements the
//! revisions from 2024-11-05 to 2026-07-28. The crate itself is not used: its transport holds a
//! line of any length in memory, and nine tools that read need little of it.

mod answers;
mod arguments;
mod call;
mod http;
mod rpc;
mod serve;
mod tools;

pub use call::{Context, Routing};
pub use http::{HttpAnswer, Mirrored, answer};
pub use serve::serve;
