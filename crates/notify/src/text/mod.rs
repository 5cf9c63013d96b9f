//! A notification as plain text, cut to a service's limits and escaped for its markup.

mod escape;
mod fit;
mod layout;

pub use escape::{Markup, html, markdown, slack};
pub use fit::{Unit, fit, length};
pub use layout::{Layout, duration, label};
