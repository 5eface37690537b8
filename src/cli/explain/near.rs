//! Near misses: what a value almost was, in the words of whoever has to mend it.
//!
//! It decides nothing: a value that nearly matches is as refused as any other.

/// In which way `got` nearly is `wanted`; none if it is something else altogether.
pub(super) fn miss(got: &str, wanted: &str) -> Option<&'static str> {
    let bare = |text: &str| text.trim_end_matches('/').to_owned();
    let schemeless = |text: &str| {
        let text = bare(text);
        text.strip_prefix("https://").or(text.strip_prefix("http://")).unwrap_or(&text).to_owned()
    };
    if bare(got) == bare(wanted) {
        Some("differs only by a trailing slash")
    } else if got.contains("://") != wanted.contains("://") && schemeless(got) == schemeless(wanted)
    {
        Some("differs only by the scheme")
    } else if schemeless(got) == schemeless(wanted) {
        Some("differs by http and https")
    } else if got.trim() == wanted.trim() {
        Some("differs only by white space")
    } else if bare(got).eq_ignore_ascii_case(&bare(wanted)) {
        Some("differs only in upper and lower case")
    } else {
        entra(got, wanted)
    }
}

/// Entra's two issuers of one tenant.
fn entra(got: &str, wanted: &str) -> Option<&'static str> {
    match (entra_tenant(got)?, entra_tenant(wanted)?) {
        ((EntraVersion::V1, got), (EntraVersion::V2, wanted)) if got == wanted => Some(
            "is the Entra v1 issuer of the same tenant, and v2 is accepted: set \
             requestedAccessTokenVersion to 2 in the API's app manifest, or accept the v1 issuer",
        ),
        ((EntraVersion::V2, got), (EntraVersion::V1, wanted)) if got == wanted => Some(
            "is the Entra v2 issuer of the same tenant, and v1 is accepted: accept the v2 issuer, \
             or set requestedAccessTokenVersion to 1 in the API's app manifest",
        ),
        ((_, got), (_, wanted)) if got != wanted => Some("is another Entra tenant's"),
        _ => None,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EntraVersion {
    V1,
    V2,
}

fn entra_tenant(issuer: &str) -> Option<(EntraVersion, String)> {
    let issuer = issuer.trim_end_matches('/');
    if let Some(tenant) = issuer.strip_prefix("https://sts.windows.net/") {
        return Some((EntraVersion::V1, tenant.to_ascii_lowercase()));
    }
    let tenant = issuer.strip_prefix("https://login.microsoftonline.com/")?;
    let tenant = tenant.strip_suffix("/v2.0")?;
    Some((EntraVersion::V2, tenant.to_ascii_lowercase()))
}

/// A value from outside, in quotes, with what could play tricks on a terminal escaped, and cut.
pub(super) fn quoted(text: &str) -> String {
    const MAX: usize = 120;
    let escaped: String = text.chars().take(MAX).flat_map(char::escape_debug).collect();
    let cut = if text.chars().nth(MAX).is_some() { "…" } else { "" };
    format!("\"{escaped}\"{cut}")
}

/// Several of them.
pub(super) fn list<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> String {
    const MAX: usize = 8;
    let all: Vec<String> = texts.into_iter().map(|text| quoted(text.as_ref())).collect();
    match all.get(..MAX).filter(|_| all.len() > MAX) {
        Some(first) => format!("{} and {} more", first.join(", "), all.len() - MAX),
        None if all.is_empty() => "nothing".to_owned(),
        None => all.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(got: &str, wanted: &str, expected: Option<&str>) {
        let miss = miss(got, wanted);
        assert_eq!(miss.is_some(), expected.is_some(), "{miss:?}");
        assert!(miss.unwrap_or_default().contains(expected.unwrap_or_default()), "{miss:?}");
    }

    #[test]
    fn slashes_schemes_case_and_spaces_are_near() {
        check("https://a.example/", "https://a.example", Some("slash"));
        check("https://a.example", "https://a.example/", Some("slash"));
        check("http://a.example", "https://a.example", Some("http and https"));
        check("http://a.example/", "https://a.example", Some("http and https"));
        check("accounts.google.com", "https://accounts.google.com", Some("scheme"));
        check("https://A.example", "https://a.example", Some("case"));
        check(" api", "api", Some("white space"));
    }

    #[test]
    fn entra_s_versions_and_tenants_are_near() {
        let (v1, v2) = ("https://sts.windows.net/T/", "https://login.microsoftonline.com/t/v2.0");
        check(v1, v2, Some("Entra v1"));
        check(v2, v1, Some("Entra v2"));
        check("https://sts.windows.net/other/", v2, Some("another Entra tenant"));
    }

    #[test]
    fn anything_else_is_far() {
        check("https://b.example", "https://a.example", None);
        check("", "https://a.example", None);
        check("https://login.microsoftonline.com/t", "https://a.example", None);
    }

    #[test]
    fn what_could_play_tricks_is_escaped_and_cut() {
        assert_eq!(quoted("a\u{1b}[2J\n\u{202e}\"\u{9b}"), r#""a\u{1b}[2J\n\u{202e}\"\u{9b}""#);
        assert!(quoted(&"a".repeat(10_000)).len() < 150);
        assert!(list((0..100).map(|n| n.to_string())).ends_with("and 92 more"));
    }
}
