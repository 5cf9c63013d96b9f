//! Flags of the commands that find, check and add status pages.

use std::path::PathBuf;

use clap::Args;

/// Flags of `check`.
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// Also fetch every provider once; exit with status 1 if any cannot be read
    #[arg(long)]
    pub online: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `probe`.
#[derive(Debug, Clone, Args)]
pub struct ProbeArgs {
    /// URL of a status page, feed or API document, or a catalog slug
    #[arg(value_name = "URL")]
    pub url: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `add`.
#[derive(Debug, Clone, Args)]
pub struct AddArgs {
    /// Catalog slugs or status page URLs
    #[arg(value_name = "SLUG|URL", required = true)]
    pub what: Vec<String>,
}

/// Arguments of `discover`.
#[derive(Debug, Clone, Args)]
pub struct DiscoverArgs {
    /// The directory to scan
    #[arg(value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Add the providers found to providers.yaml, except those that are only possible
    #[arg(long)]
    pub write: bool,
    /// Exit with status 1 if a provider found is not in providers.yaml
    #[arg(long, conflicts_with = "write")]
    pub check: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `catalog`.
#[derive(Debug, Clone, Args)]
pub struct CatalogArgs {
    /// Slug, name, tier or category
    #[arg(value_name = "QUERY")]
    pub query: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
