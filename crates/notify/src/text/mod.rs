//! A notification as plain text, cut to a service's limits and escaped for its markup.

mod escape;
mod fit;
mod layout;
mod message;

pub use escape::{Markup, html, markdown, slack};
pub use fit::{Unit, fit, fit_escaped, largest, length};
pub use layout::{Layout, duration, label};
pub use message::Style;
