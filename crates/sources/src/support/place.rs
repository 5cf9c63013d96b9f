//! URLs below a page.

use url::Url;

/// Returns `path` below the directory of `base`, without the last segment, query and fragment of
/// `base`.
#[must_use]
pub fn at(base: &Url, path: &str) -> Option<Url> {
    let mut base = base.clone();
    base.set_query(None);
    base.set_fragment(None);
    base.join(path.trim_start_matches('/')).ok()
}

/// Returns the directories a platform may live in: the page's own path, then the root of its host.
///
/// A path that names a file or an `/api/` endpoint is cut back to the page it must belong to.
#[must_use]
pub fn bases(page: &Url) -> Vec<Url> {
    if !matches!(page.scheme(), "http" | "https") || page.host().is_none() {
        return Vec::new();
    }
    let mut own = page.clone();
    own.set_query(None);
    own.set_fragment(None);
    let path =
        own.path().split("/api/").next().unwrap_or_default().trim_end_matches('/').to_owned();
    let (parent, last) = path.rsplit_once('/').unwrap_or(("", &path));
    own.set_path(&format!("{}/", if last.contains('.') { parent } else { &path }));
    let mut root = own.clone();
    root.set_path("/");
    if own == root { vec![root] } else { vec![own, root] }
}

/// Returns each of `paths` below each of [`bases`], the page's own path first.
#[must_use]
pub fn candidates(page: &Url, paths: &[&str]) -> Vec<Url> {
    bases(page).iter().flat_map(|base| paths.iter().filter_map(|path| at(base, path))).collect()
}

/// Returns the URL of another file in the directory of `document`.
#[must_use]
pub fn sibling(document: &Url, file: &str) -> Option<Url> {
    at(document, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(page: &str) -> Vec<String> {
        candidates(&Url::parse(page).unwrap(), &["api/v2/summary.json"])
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn paths_are_tried_below_the_page_and_below_the_root() {
        assert_eq!(
            all("https://status.acme.example"),
            ["https://status.acme.example/api/v2/summary.json"]
        );
        assert_eq!(
            all("https://acme.example/status?x=1#y"),
            [
                "https://acme.example/status/api/v2/summary.json",
                "https://acme.example/api/v2/summary.json"
            ]
        );
        assert_eq!(
            all("https://acme.example/history.atom"),
            ["https://acme.example/api/v2/summary.json"]
        );
        assert_eq!(
            all("https://acme.example/api/v2/status.json"),
            ["https://acme.example/api/v2/summary.json"]
        );
        assert_eq!(all("ftp://acme.example/"), Vec::<String>::new());
    }

    #[test]
    fn a_sibling_keeps_the_directory_alone() {
        let url = Url::parse("http://127.0.0.1:81/s/api/v2/summary.json?t=1").unwrap();
        assert_eq!(
            sibling(&url, "incidents.json").unwrap().as_str(),
            "http://127.0.0.1:81/s/api/v2/incidents.json"
        );
    }
}
