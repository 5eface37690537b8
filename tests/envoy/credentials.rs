//! Good and bad credentials, each with the answer that it must get on a strict route.

use std::sync::LazyLock;

use serde_json::json;

use crate::{
    client::Request,
    support::{
        claims,
        keys::{ES256, TestKey},
        unix, with,
    },
};

/// The `iss` of good tokens.
pub(crate) const ISSUER: &str = "https://issuer.example";

/// Has the kid of [`ES256`], and is another key.
static IMPOSTOR: LazyLock<TestKey> = LazyLock::new(|| TestKey::new("ES256"));

/// What a client may send and what must come of it where the policy is strict.
pub(crate) struct Case {
    pub(crate) what: &'static str,
    pub(crate) path: &'static str,
    pub(crate) lines: Vec<(&'static str, String)>,
    pub(crate) status: u16,
    /// The reason, which the client never learns.
    pub(crate) reason: &'static str,
    /// `error` of the body.
    pub(crate) error: &'static str,
}

impl Case {
    /// The request with the case's credential.
    pub(crate) fn request(&self) -> Request {
        self.at(self.path)
    }

    /// The same for another path.
    pub(crate) fn at(&self, path: &str) -> Request {
        let lines = self.lines.iter().map(|(name, value)| (*name, value.as_str()));
        Request::get(path).lines(lines)
    }
}

/// A token that every strict route takes.
pub(crate) fn good() -> String {
    ES256.token(&claims(ISSUER))
}

/// A good token with these scopes.
pub(crate) fn with_scopes(scopes: &str) -> String {
    ES256.token(&with(claims(ISSUER), "scope", scopes.into()))
}

/// Every class of refusal, as one client can cause it.
#[expect(clippy::too_many_lines, reason = "one table, a row a case")]
pub(crate) fn denied() -> Vec<Case> {
    let claim = |name, value| ES256.token(&with(claims(ISSUER), name, value));
    let token = |what, token: &str, reason| {
        let lines = vec![("authorization", format!("Bearer {token}"))];
        Case { what, path: "/p/strict", lines, status: 401, reason, error: "invalid_token" }
    };
    let lines = |what, lines: &[&str]| Case {
        what,
        path: "/p/strict",
        lines: lines.iter().map(|line| ("authorization", (*line).to_owned())).collect(),
        status: 400,
        reason: "multiple_credentials",
        error: "invalid_request",
    };
    let missing =
        |case| Case { status: 401, reason: "credentials_missing", error: "unauthorized", ..case };
    let fault = |path, reason| Case {
        path,
        status: 503,
        error: "temporarily_unavailable",
        ..token(path, &good(), reason)
    };
    let bearer = format!("Bearer {}", good());
    let headless = good().split('.').take(2).collect::<Vec<_>>().join(".");
    let other_kid = ES256.token_with(json!({ "alg": "ES256", "kid": "x" }), &claims(ISSUER));
    let none = ES256.token_with(json!({ "alg": "none" }), &claims(ISSUER));
    let crit = json!({ "alg": "ES256", "kid": "ES256-1", "crit": ["exp"] });
    let access = json!({ "alg": "ES256", "kid": "ES256-1", "typ": "logout+jwt" });
    vec![
        missing(lines("none", &[])),
        missing(lines("another scheme", &["Basic QTpC"])),
        token("expired", &claim("exp", (unix() - 3600).into()), "token_expired"),
        token("not yet valid", &claim("nbf", (unix() + 3600).into()), "token_not_yet_valid"),
        token("no expiry", &claim("exp", json!(null)), "expiry_missing"),
        token("expiry that is text", &claim("exp", "soon".into()), "claims_malformed"),
        token(
            "foreign issuer",
            &ES256.token(&claims("https://evil.example")),
            "issuer_not_allowed",
        ),
        token("forged signature", &IMPOSTOR.token(&claims(ISSUER)), "signature_invalid"),
        token("unknown kid", &other_kid, "key_unknown"),
        token("wrong audience", &claim("aud", "other".into()), "audience_not_allowed"),
        Case {
            path: "/p/narrow",
            ..token("audience of the policy", &good(), "audience_not_allowed")
        },
        token("two segments", &headless, "token_malformed"),
        token("alg none", &none, "token_malformed"),
        token("two words", "a b", "token_malformed"),
        token("no token", "", "token_malformed"),
        token("too large", &claim("big", "x".repeat(16 * 1024).into()), "token_too_large"),
        token("crit", &ES256.token_with(crit, &claims(ISSUER)), "critical_header_unsupported"),
        token("typ", &ES256.token_with(access, &claims(ISSUER)), "token_type_not_allowed"),
        lines("two good tokens", &[&bearer, &bearer]),
        lines("Basic, then a good token", &["Basic QTpC", &bearer]),
        lines("a good token, then Basic", &[&bearer, "Basic QTpC"]),
        lines("joined by a comma", &[&format!("{bearer},{bearer}")]),
        lines("joined by a comma and a space", &[&format!("Basic QTpC, {bearer}")]),
        Case {
            path: "/p/scoped",
            status: 403,
            error: "insufficient_scope",
            ..token("missing scope", &with_scopes("orders.read"), "scope_insufficient")
        },
        fault("/broken", "policy_unknown"),
        fault("/unknown-provider", "provider_unknown"),
        fault("/invalid", "route_policy_invalid"),
    ]
}
