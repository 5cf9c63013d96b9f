//! What is shown of the ledger, by commands and by the HTTP server alike. Pure.

pub mod filter;
pub mod lag;
pub mod nodes;
pub mod status;
pub mod top;
pub mod when;

/// Returns a provider's address if a browser may be led there: `http` or `https`, nothing that runs
/// a script.
#[must_use]
pub fn link(url: Option<&str>) -> Option<&str> {
    let scheme = |url: &str| url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    url.filter(|url| scheme(url).is_some_and(|scheme| matches!(scheme.as_str(), "http" | "https")))
        .filter(|url| !url.chars().any(|c| c.is_control() || c.is_whitespace()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_a_page_and_nowhere_else() {
        for url in ["https://status.acme.example/1", "HTTP://acme.example"] {
            assert_eq!(link(Some(url)), Some(url));
        }
        for url in ["javascript:alert(1)", "data:text/html,x", "//acme.example", "java\nscript://x"]
        {
            assert_eq!(link(Some(url)), None, "{url}");
        }
        assert_eq!(link(None), None);
    }
}
