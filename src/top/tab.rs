//! The lists that the dashboard shows.

/// The lists, in the order of their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    /// What is open, and which providers cannot be seen.
    Open,
    /// All providers, the worst first.
    Providers,
    /// The newest events.
    Events,
    /// Where events are sent.
    Channels,
    /// How providers are polled.
    Pollers,
}

impl Tab {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Open, Self::Providers, Self::Events, Self::Channels, Self::Pollers];

    /// Returns its heading.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::Providers => "Providers",
            Self::Events => "Events",
            Self::Channels => "Channels",
            Self::Pollers => "Pollers",
        }
    }

    /// Returns the one `by` places to the right, or from the first to the last.
    pub(super) const fn next(self, by: usize) -> Self {
        match (self as usize + by) % Self::ALL.len() {
            0 => Self::Open,
            1 => Self::Providers,
            2 => Self::Events,
            3 => Self::Channels,
            _ => Self::Pollers,
        }
    }
}
