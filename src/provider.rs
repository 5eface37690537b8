//! One identity provider as the decision sees it: whose tokens, which keys, which claims.
//!
//! It does not know the config file's shape (`config/file.rs`) and fetches nothing.

pub mod pem;

use std::{borrow::Borrow, fmt, path::PathBuf, sync::Arc, time::Duration};

use thiserror::Error;

use crate::{
    header::HeaderTarget,
    jwks::{algorithm::AlgorithmSet, key_set::KeySet},
    provider::pem::Pem,
    snapshot::changes::Definition,
    url::{Transport, UrlText},
};

/// A provider of the running config. Immutable; shared by every policy that names it.
#[derive(Debug)]
pub struct Provider {
    /// The name as the operator wrote it.
    pub name: Name,
    /// Free text for people.
    pub description: Option<String>,
    /// Shown in `/status`, never in metrics.
    pub labels: Vec<(String, String)>,
    /// A disabled provider's tokens are refused; its headers stay owned.
    pub enabled: bool,
    /// Exact values of `iss`; never empty.
    pub issuers: Vec<Issuer>,
    /// What `audience_claim` must contain.
    pub audiences: Audiences,
    /// Where the keys come from.
    pub keys: KeySource,
    /// Algorithms that a token's `alg` may name.
    pub algorithms: AlgorithmSet,
    /// Accepted values of `typ`.
    pub token_types: TokenTypes,
    /// Claims that must be exactly these strings.
    pub required_claims: Vec<(ClaimPath, String)>,
    /// Whether tokens bound to a key of the client (`cnf`) pass as plain bearer tokens.
    pub cnf: Binding,
    /// Tolerance for `exp`, `nbf` and `iat`.
    pub leeway: Duration,
    /// What a token without `exp` is.
    pub expiry: Expiry,
    /// Longest `exp - iat`, or `exp - now` without `iat`.
    pub max_lifetime: Option<Duration>,
    /// The member that carries the audience.
    pub audience_claim: ClaimPath,
    /// The members whose union is the token's scopes.
    pub scope_claims: Vec<ClaimPath>,
    /// What the upstream learns.
    pub claim_to_headers: Vec<ClaimRule>,
    /// Header for the verified payload, base64url.
    pub payload_header: Option<HeaderTarget>,
    /// All of this as it was written, and the content of the files that it names.
    pub definition: Definition,
}

impl Provider {
    /// Whether its keys are fetched from servers that nobody verifies.
    #[must_use]
    pub fn skips_tls_verification(&self) -> bool {
        matches!(&self.keys, KeySource::Remote(remote) if !remote.place.verify_tls)
    }
}

/// The name of a provider or a policy: 1 to 63 of `A-Za-z0-9._-`, starting with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    hash: u32,
    text: Arc<str>,
}

/// The text is no [`Name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a name; accepted are 1 to 63 of A-Za-z0-9 . _ -, starting with a letter or digit")]
pub struct NameError;

impl Name {
    /// Parses a name.
    ///
    /// # Errors
    /// [`NameError`] if it is empty, too long or has another character.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let starts_well = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        let rest_fits = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if starts_well && rest_fits && text.len() <= 63 {
            Ok(Self { hash: fnv1a(text), text: text.into() })
        } else {
            Err(NameError)
        }
    }

    /// The name as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// [`fnv1a`] of the text, so that nobody who is in a hurry needs to read it.
    #[must_use]
    pub fn hash(&self) -> u32 {
        self.hash
    }

    /// The name as it is compared: ASCII lower-case.
    #[must_use]
    pub fn key(&self) -> String {
        self.text.to_ascii_lowercase()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// FNV-1a (draft-eastlake-fnv): for short texts that no client can choose.
#[must_use]
pub fn fnv1a(text: &str) -> u32 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // Both halves, of which the upper one is the better.
    (hash >> 32) as u32 ^ hash as u32
}

/// An exact value of `iss` (RFC 7519 section 4.1.1), compared byte by byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Issuer(pub Arc<str>);

impl Borrow<str> for Issuer {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// What the audience claim must contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audiences {
    /// `audiences: any`: the claim is not looked at.
    Any,
    /// At least one of these; never empty.
    OneOf(Vec<String>),
}

/// Which `typ` values (RFC 7515 section 4.1.9) a provider's tokens may carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenTypes {
    /// Absent, `JWT` or `at+jwt` (RFC 9068 section 2.1).
    Default,
    /// One of these, lower-case and without `application/`; absent is refused.
    OneOf(Vec<String>),
}

/// What a `cnf` claim (RFC 7800) means here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// The proof of possession is not checked, so the token is refused.
    Refuse,
    /// `accept_unbound: true`: taken as a plain bearer token.
    Ignore,
}

/// What a token without `exp` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// Refused.
    Require,
    /// Accepted.
    Permit,
}

/// Where a provider's keys come from.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// From the config (`inline`) or a file beside it.
    Local(Arc<KeySet>),
    /// `jwks.file` could not be read: the provider is unavailable, the config stands.
    Unreadable,
    /// Fetched.
    Remote(Arc<RemoteKeys>),
}

/// A key set on the network, and how often this provider wants it.
#[derive(Debug, PartialEq, Eq)]
pub struct RemoteKeys {
    /// Where: the identity under which fetched keys are kept.
    pub place: JwksPlace,
    /// Bound on one fetch, `jwks.timeout`.
    pub timeout: Duration,
    /// Time between background refreshes.
    pub refresh_interval: Duration,
    /// At most one unplanned refresh in this time.
    pub refresh_cooldown: Duration,
    /// Keys older than this are not used.
    pub max_stale: Duration,
}

/// What a fetched key set is kept by: equal places share one cache entry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JwksPlace {
    /// The set itself, or the document that names it.
    pub at: KeysAt,
    /// The content of `ca_file` (PEM), added to the system's roots.
    pub ca: CaFile,
    /// `skip_tls_verification: true` is `false` here.
    pub verify_tls: bool,
    /// The proxy for every fetch; without one the environment says.
    pub proxy: Option<String>,
    /// Holds the bearer token for the fetch; read at each.
    pub token_file: Option<PathBuf>,
}

/// An `https` URL, or `http` where the config permits it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeysAt {
    /// `jwks.uri`.
    Set {
        /// Of the set.
        uri: UrlText,
    },
    /// A discovery document (OpenID Connect Discovery 1.0 section 4), which names the set.
    Discovery {
        /// Of the document.
        url: UrlText,
        /// What its `issuer` must be.
        issuer: Issuer,
        /// Where its `jwks_uri` may be `http`.
        plain: PlainHttp,
    },
}

/// Where `http` is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlainHttp {
    /// On loopback only.
    Loopback,
    /// Anywhere: `allow_http: true`.
    Anywhere,
}

impl JwksPlace {
    /// What is fetched first: the set, or the document that names it.
    #[must_use]
    pub fn url(&self) -> &str {
        match &self.at {
            KeysAt::Set { uri } => &uri.0,
            KeysAt::Discovery { url, .. } => &url.0,
        }
    }
}

impl PlainHttp {
    /// Whether a URL that is reached so is accepted.
    #[must_use]
    pub fn accepts(self, transport: Transport) -> bool {
        match transport {
            Transport::Tls | Transport::PlainLoopback => true,
            Transport::PlainRemote => self == Self::Anywhere,
        }
    }
}

/// The certificate authorities added for one place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CaFile {
    /// Only the system's roots.
    None,
    /// These besides, PEM.
    Pem(Pem),
    /// The file could not be read or holds no certificate: every fetch fails.
    Unreadable,
}

/// One line of `claim_to_headers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRule {
    /// What fills the header.
    pub from: ClaimFrom,
    /// The header.
    pub header: HeaderTarget,
    /// How it is written.
    pub format: Format,
    /// What happens where the value is too long.
    pub overflow: Overflow,
}

/// What happens where a header, or all of them together, would be too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// The request is denied.
    Deny,
    /// The header is left out.
    Omit,
}

/// What fills a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimFrom {
    /// A claim of the token.
    Claim(ClaimPath),
    /// The name of the provider.
    Provider,
    /// The issuer of the token.
    Issuer,
}

/// How a claim is written into a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Percent-encoded text; arrays of scalars joined by `,`.
    Text,
    /// Compact ASCII JSON.
    Json,
    /// The text, or the JSON of an array or object, as unpadded base64url.
    Base64Url,
}

/// How a claim is found: an exact top-level member wins; else these steps are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPath {
    /// As written in the config.
    pub name: String,
    /// A dotted path's segments, or a JSON Pointer's (RFC 6901) reference tokens.
    pub steps: Vec<String>,
}

impl ClaimPath {
    /// Reads a claim name, a dotted path or, where it starts with `/`, a JSON Pointer.
    #[must_use]
    pub fn parse(name: &str) -> Self {
        let steps = match name.strip_prefix('/') {
            Some(pointer) => {
                pointer.split('/').map(|s| s.replace("~1", "/").replace("~0", "~")).collect()
            }
            None => name.split('.').map(str::to_owned).collect(),
        };
        Self { name: name.to_owned(), steps }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_name(text: &str, expected: Option<&str>) {
        assert_eq!(Name::parse(text).ok().map(|name| name.key()).as_deref(), expected, "{text}");
    }

    #[test]
    fn a_name_is_compared_in_lower_case_and_shown_as_written() {
        check_name("Okta-1.a_B", Some("okta-1.a_b"));
        check_name("0", Some("0"));
        check_name(&"a".repeat(63), Some(&"a".repeat(63)));
        assert_eq!(Name::parse("OkTa").unwrap().to_string(), "OkTa");
    }

    #[test]
    fn anything_else_is_no_name() {
        let long = "a".repeat(64);
        for text in ["", "-a", ".a", "_a", "a b", "a/b", "é", "aé", "a,b", "a\n", &long] {
            check_name(text, None);
        }
    }

    #[track_caller]
    fn check_path(name: &str, steps: &[&str]) {
        assert_eq!(ClaimPath::parse(name).steps, steps, "{name}");
    }

    #[test]
    fn a_claim_path_is_dotted_or_a_json_pointer() {
        check_path("sub", &["sub"]);
        check_path("a.b.c", &["a", "b", "c"]);
        check_path("/a.b/c", &["a.b", "c"]);
        // RFC 6901 section 4: `~1` first, so that `~01` is `~1` and not `/`.
        check_path("/a~1b/~0/~01", &["a/b", "~", "~1"]);
        check_path("/", &[""]);
    }
}
