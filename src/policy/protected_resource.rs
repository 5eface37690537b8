//! What an OAuth client may read about the resource that a policy protects (RFC 9728).
//!
//! It reads no request; `check/resource.rs` does. The document is made once, with the config.

/// A resource, and the document that describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtectedResource {
    /// The document's own URL (section 3.1): the challenge's `resource_metadata`.
    pub metadata_url: String,
    /// The document: JSON (section 2).
    pub document: String,
    /// The paths under which it is served.
    paths: Vec<String>,
}

/// The well-known path; a resource's own path follows it.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

impl ProtectedResource {
    /// `origin` is scheme, host and port of the resource, `path` the rest of its URL, without query
    /// and fragment.
    #[must_use]
    pub fn new(origin: &str, path: &str, document: String) -> Self {
        let suffix = if path == "/" { "" } else { path };
        let own = format!("{WELL_KNOWN}{suffix}");
        // Clients leave out a slash at the end, and fall back to the path without a suffix.
        let bare = own.trim_end_matches('/').to_owned();
        let metadata_url = format!("{origin}{own}");
        Self { metadata_url, document, paths: vec![own, bare, WELL_KNOWN.to_owned()] }
    }

    /// Whether the document is what stands at `path`, which has no query.
    #[must_use]
    pub fn is_at(&self, path: &str) -> bool {
        self.paths.iter().any(|own| own == path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, url: &str, also: &[&str], not: &[&str]) {
        let resource = ProtectedResource::new("https://a:8", path, String::new());
        assert_eq!(resource.metadata_url, format!("https://a:8{url}"));
        for at in [&[url, WELL_KNOWN][..], also].concat() {
            assert!(resource.is_at(at), "{path} is not at {at}");
        }
        for at in not {
            assert!(!resource.is_at(at), "{path} is at {at}");
        }
    }

    #[test]
    fn the_well_known_path_stands_between_host_and_path() {
        let own = "/.well-known/oauth-protected-resource/mcp";
        let other = ["/mcp", "/", "", "/.well-known/oauth-protected-resource/", &own[1..]];
        check("", WELL_KNOWN, &[], &other);
        check("/", WELL_KNOWN, &[], &other);
        let more = ["/.well-known/oauth-protected-resource/mcp/x", &own.to_uppercase()];
        check("/mcp", own, &[], &[&other[..], &more].concat());
        check("/mcp/", &format!("{own}/"), &[own], &more);
    }
}
