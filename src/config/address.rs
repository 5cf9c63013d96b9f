//! Addresses as they are written.

use url::Url;

use super::reader::DiagnosticBuilder;

/// An address that can be fetched. No message here repeats it: it may hold a secret.
pub(super) fn read_url(text: &str) -> Result<Url, DiagnosticBuilder> {
    let text = text.trim();
    let url = Url::parse(text).map_err(|error| match error {
        url::ParseError::RelativeUrlWithoutBase => {
            DiagnosticBuilder::new("the url has no scheme").help("add \"https://\" in front")
        }
        url::ParseError::EmptyHost => DiagnosticBuilder::new("the url has no host"),
        error => DiagnosticBuilder::new(format!("the url is not valid: {error}")),
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        let complaint = DiagnosticBuilder::new("the url must start with http:// or https://");
        // `status.example:8080/x` reads as a scheme called `status.example`.
        return Err(if text.contains("://") {
            complaint
        } else {
            complaint.help("add \"https://\" in front")
        });
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(DiagnosticBuilder::new("the url has no host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(DiagnosticBuilder::new("the url must not contain a user name or password")
            .help("status pages are public: remove everything before the \"@\""));
    }
    Ok(url)
}
