//! Decision to CheckResponse: the only place that builds one.
//!
//! It decides nothing. An unset status is an allow to Envoy (envoyproxy/envoy#9177), and a denial
//! with status OK passes too, so both are set from one match on the decision. The bytes are written
//! by hand, and a property test holds them to what envoy-types reads: each field is one call, with
//! the field's number in `envoy/service/auth/v3/external_auth.proto`.

pub mod structure;

use tonic::Code;

use crate::{
    check::decision::{
        Allow, Answered, Caching, Challenge, Credentials, Decision, Denial, HttpStatus, Refuse,
    },
    grpc::{
        encode::structure::{Members, structure},
        message::{Message, size},
    },
    header::OwnedHeaders,
    policy::{DEFAULT_REALM, Policy},
    provider::Name,
};

/// A client that was refused for no fault of its own may try again after this many seconds.
const RETRY_AFTER_SECONDS: &str = "5";

/// Room for a usual answer, so that its bytes are moved only where there is more to say.
const USUAL_BYTES: usize = 1024;

/// The bytes of the CheckResponse for `decision`.
#[must_use]
pub fn check_response(decision: &Decision<'_>, owned: &OwnedHeaders) -> Vec<u8> {
    let mut to = Message::with_capacity(USUAL_BYTES);
    match decision {
        Decision::Allow(allow) => {
            status(&mut to, Code::Ok);
            to.message(3, |to| ok_response(to, allow, owned));
        }
        Decision::Refuse(refuse) => {
            status(&mut to, grpc_code(refuse.status()));
            to.message(2, |to| refusal(to, refuse));
        }
        // Not OK: the request does not go on.
        Decision::Answer(answer) => {
            status(&mut to, Code::PermissionDenied);
            to.message(2, |to| own_answer(to, &answer.what));
        }
    }
    structure(&mut to, 4, |to| to.structure("claimgate", |to| dynamic_metadata(to, decision)));
    to.into_bytes()
}

/// `google.rpc.Status`, always present.
fn status(to: &mut Message, code: Code) {
    // The codes are small and positive.
    to.message(1, |to| to.number(1, u64::from((code as i32).unsigned_abs())));
}

/// Sets the identity headers and removes every other owned one: Envoy removes after it sets, so
/// no name is in both lists.
fn ok_response(to: &mut Message, allow: &Allow<'_>, owned: &OwnedHeaders) {
    for (name, value) in &allow.set {
        set_header(to, name.as_str(), value);
    }
    let removal = |name: &str| {
        let mut removal = Message::with_capacity(name.len() + 2);
        remove_header(&mut removal, name);
        removal.into_bytes()
    };
    let set = allow.set.iter().map(|(name, _)| name.as_str());
    owned.encoded_except(set, removal, |removals| to.encoded(removals));
    credentials(to, &allow.credentials);
}

fn credentials(to: &mut Message, credentials: &Credentials) {
    for name in &credentials.remove {
        remove_header(to, name);
    }
    if let Some(path) = &credentials.path {
        set_header(to, ":path", path);
    }
    match credentials.cookie.as_deref() {
        None => {}
        Some("") => remove_header(to, "cookie"),
        Some(line) => set_header(to, "cookie", line),
    }
    match credentials.caching {
        Caching::AsIs => {}
        Caching::Private => header(to, 6, ("cache-control", "private"), APPEND),
    }
}

/// One of `headers` of an OkHttpResponse or DeniedHttpResponse: a HeaderValueOption that overwrites
/// what the client sent.
fn set_header(to: &mut Message, name: &str, value: &str) {
    header(to, 2, (name, value), OVERWRITE);
}

/// A HeaderValueOption.
#[inline]
fn header(to: &mut Message, field: u32, (name, value): (&str, &str), action: [u8; 4]) {
    let header = size(name.len()) + size(value.len());
    to.begin([(field, size(header) + action.len()), (1, header), (1, name.len())]);
    to.encoded(name.as_bytes());
    to.text(2, value);
    to.encoded(&action);
}

/// `append: false` and `append_action: OVERWRITE_IF_EXISTS_OR_ADD`. Both are needed: versions of
/// Envoy differ in which one counts (#42878, #43310, #43442).
const OVERWRITE: [u8; 4] = [2 << 3 | 2, 0, 3 << 3, 2];

/// `append: true`; APPEND_IF_EXISTS_OR_ADD is the default of `append_action`. An upstream's
/// `no-store` must stay.
const APPEND: [u8; 4] = [2 << 3 | 2, 2, 1 << 3, 1];

/// One of `headers_to_remove` of an OkHttpResponse.
fn remove_header(to: &mut Message, name: &str) {
    to.text(5, name);
}

fn refusal(to: &mut Message, refuse: &Refuse<'_>) {
    let row = refuse.reason.row();
    let challenge = challenge(refuse);
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(challenge.as_deref().map(|challenge| ("www-authenticate", challenge)));
    if refuse.status() == HttpStatus::ServiceUnavailable {
        headers.push(("retry-after", RETRY_AFTER_SECONDS));
    }
    // Both are texts of the table, without characters that JSON escapes.
    let body = format!(r#"{{"error":"{}","error_description":"{}"}}"#, row.error, row.description);
    denied_response(to, http_code(refuse.status()), &headers, &body);
}

/// What claimgate serves by itself, to pages of every origin (RFC 9728 section 3.2).
fn own_answer(to: &mut Message, what: &Answered) {
    let anyone = ("access-control-allow-origin", "*");
    let cached = ("cache-control", "public, max-age=300");
    match what {
        Answered::Document(resource) => {
            let json = ("content-type", "application/json");
            denied_response(to, 200, &[json, cached, anyone], &resource.document);
        }
        Answered::Preflight => {
            let methods = ("access-control-allow-methods", "GET, HEAD");
            // Clients send headers of their own, such as the version of their protocol.
            let headers = ("access-control-allow-headers", "*");
            let age = ("access-control-max-age", "300");
            denied_response(to, 204, &[anyone, methods, headers, age], "");
        }
    }
}

/// A DeniedHttpResponse: what Envoy answers by itself, whatever the HTTP status.
fn denied_response(to: &mut Message, http: u16, headers: &[(&str, &str)], body: &str) {
    to.message(1, |to| to.number(1, http.into()));
    for (name, value) in headers {
        set_header(to, name, value);
    }
    to.text(3, body);
}

/// `WWW-Authenticate` (RFC 6750 section 3, RFC 9728 section 5.1).
fn challenge(refuse: &Refuse<'_>) -> Option<String> {
    let row = refuse.reason.row();
    let policy = refuse.policy;
    let realm = policy.map_or(DEFAULT_REALM, |policy| &*policy.realm);
    let mut challenge = format!("Bearer realm=\"{realm}\"");
    match row.challenge {
        Challenge::None => return None,
        Challenge::Bare => {}
        Challenge::WithError => {
            let (error, text) = (row.error, row.description);
            challenge.push_str(&format!(", error=\"{error}\", error_description=\"{text}\""));
        }
    }
    let asks_scope = [Denial::CredentialsMissing.into(), Denial::ScopeInsufficient.into()];
    if let Some(scope) = policy.and_then(scope).filter(|_| asks_scope.contains(&refuse.reason)) {
        challenge.push_str(&format!(", scope=\"{scope}\""));
    }
    if let Some(url) = policy.and_then(|policy| policy.resource_metadata.as_deref()) {
        challenge.push_str(&format!(", resource_metadata=\"{url}\""));
    }
    Some(challenge)
}

/// The policy's scopes, those that can stand in a challenge (RFC 6749 section 3.3).
fn scope(policy: &Policy) -> Option<String> {
    let rule = &policy.scopes;
    let token = |scope: &&str| {
        scope.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5B | 0x5D..=0x7E)) && !scope.is_empty()
    };
    let all = rule.all_of.iter().chain(&rule.any_of).map(String::as_str).filter(token);
    let scopes = all.collect::<Vec<_>>().join(" ");
    if scopes.is_empty() { None } else { Some(scopes) }
}

/// What later filters and the access log may know.
fn dynamic_metadata(to: &mut Members<'_>, decision: &Decision<'_>) {
    to.text("outcome", decision.outcome());
    if let Some(reason) = decision.reason() {
        to.text("reason", reason.row().label);
    }
    if let Some(policy) = decision.policy() {
        to.text("policy", policy.name.as_ref().map_or("inline", Name::as_str));
    }
    if let Some(identity) = decision.identity() {
        to.text("provider", identity.provider.name.as_str());
        if let Some(subject) = &identity.subject {
            to.text("subject", subject);
        }
        if !identity.claims.is_empty() {
            to.structure("claims", |to| {
                identity.claims.iter().for_each(|(name, value)| to.json(name, value));
            });
        }
        if let Some(rule) = &identity.rule {
            to.text("rule", rule);
        }
    }
}

fn grpc_code(status: HttpStatus) -> Code {
    match status {
        HttpStatus::BadRequest => Code::InvalidArgument,
        HttpStatus::Unauthorized => Code::Unauthenticated,
        HttpStatus::Forbidden => Code::PermissionDenied,
        HttpStatus::ServiceUnavailable => Code::Unavailable,
    }
}

/// Envoy's `StatusCode` has the numbers of HTTP.
fn http_code(status: HttpStatus) -> u16 {
    match status {
        HttpStatus::BadRequest => 400,
        HttpStatus::Unauthorized => 401,
        HttpStatus::Forbidden => 403,
        HttpStatus::ServiceUnavailable => 503,
    }
}

#[cfg(test)]
mod tests;
