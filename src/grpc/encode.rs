//! Decision to CheckResponse: the only place that builds one.
//!
//! It decides nothing. An unset status is an allow to Envoy (envoyproxy/envoy#9177), and a denial
//! with status OK passes too, so both are set from one match on the decision.

use envoy_types::pb::{
    envoy::{
        config::core::v3::{
            HeaderValue, HeaderValueOption, header_value_option::HeaderAppendAction,
        },
        service::auth::v3::{
            CheckResponse, DeniedHttpResponse, OkHttpResponse, check_response::HttpResponse,
        },
        r#type::v3::HttpStatus as EnvoyHttpStatus,
    },
    google::{
        protobuf::{BoolValue, Struct, Value, value::Kind},
        rpc::Status,
    },
};
use prost::Message as _;
use tonic::Code;

use crate::{
    check::decision::{Allow, Authorization, Challenge, Decision, Denial, HttpStatus, Refuse},
    header::OwnedHeaders,
    policy::{DEFAULT_REALM, Policy},
    provider::Name,
};

/// A client that was refused for no fault of its own may try again after this many seconds.
const RETRY_AFTER_SECONDS: &str = "5";

/// The bytes of the CheckResponse for `decision`.
#[must_use]
pub fn check_response(decision: &Decision<'_>, owned: &OwnedHeaders) -> Vec<u8> {
    let (code, response) = match decision {
        Decision::Allow(allow) => (Code::Ok, HttpResponse::OkResponse(ok(allow, owned))),
        Decision::Refuse(refuse) => {
            (grpc_code(refuse.status()), HttpResponse::DeniedResponse(denied(refuse)))
        }
    };
    CheckResponse {
        status: Some(Status { code: code as i32, ..Status::default() }),
        http_response: Some(response),
        dynamic_metadata: Some(dynamic_metadata(decision)),
    }
    .encode_to_vec()
}

/// Sets the identity headers and removes every other owned one: Envoy removes after it sets, so
/// no name is in both lists.
fn ok(allow: &Allow<'_>, owned: &OwnedHeaders) -> OkHttpResponse {
    let is_set = |name: &str| allow.set.iter().any(|(header, _)| header.as_str() == name);
    let mut remove: Vec<String> =
        owned.iter().filter(|name| !is_set(name)).map(|name| name.to_string()).collect();
    if allow.authorization == Authorization::Remove {
        remove.push("authorization".to_owned());
    }
    OkHttpResponse {
        headers: allow.set.iter().map(|(name, value)| set(name.as_str(), value)).collect(),
        headers_to_remove: remove,
        ..OkHttpResponse::default()
    }
}

fn denied(refuse: &Refuse<'_>) -> DeniedHttpResponse {
    let row = refuse.reason.row();
    let mut headers = vec![set("content-type", "application/json")];
    if let Some(challenge) = challenge(refuse) {
        headers.push(set("www-authenticate", &challenge));
    }
    if refuse.status() == HttpStatus::ServiceUnavailable {
        headers.push(set("retry-after", RETRY_AFTER_SECONDS));
    }
    DeniedHttpResponse {
        status: Some(EnvoyHttpStatus { code: http_code(refuse.status()) }),
        headers,
        // Both are texts of the table, without characters that JSON escapes.
        body: format!(r#"{{"error":"{}","error_description":"{}"}}"#, row.error, row.description),
    }
}

/// `WWW-Authenticate` (RFC 6750 section 3, RFC 9728 section 5.1).
fn challenge(refuse: &Refuse<'_>) -> Option<String> {
    let row = refuse.reason.row();
    let policy = refuse.policy.as_deref();
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

/// Overwrites what the client sent. Both fields are needed: versions of Envoy differ in which
/// one counts (#42878, #43310, #43442).
#[expect(deprecated, reason = "`append` is what every Envoy but 1.37.0 reads")]
fn set(name: &str, value: &str) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue {
            key: name.to_owned(),
            value: value.to_owned(),
            raw_value: Vec::new(),
        }),
        append: Some(BoolValue { value: false }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd as i32,
        keep_empty_value: false,
    }
}

/// What later filters and the access log may know.
fn dynamic_metadata(decision: &Decision<'_>) -> Struct {
    let mut fields = vec![("outcome", decision.outcome().to_owned())];
    if let Some(reason) = decision.reason() {
        fields.push(("reason", reason.row().label.to_owned()));
    }
    if let Some(policy) = decision.policy() {
        let name = policy.name.as_ref().map_or("inline", Name::as_str);
        fields.push(("policy", name.to_owned()));
    }
    if let Some(identity) = decision.identity() {
        fields.push(("provider", identity.provider.name.as_str().to_owned()));
        fields.extend(identity.subject.clone().map(|subject| ("subject", subject)));
    }
    let fields = fields.into_iter().map(|(name, text)| (name, Kind::StringValue(text)));
    structure([("claimgate", Kind::StructValue(structure(fields)))])
}

fn structure<'a>(fields: impl IntoIterator<Item = (&'a str, Kind)>) -> Struct {
    let field = |(name, kind): (&str, Kind)| (name.to_owned(), Value { kind: Some(kind) });
    Struct { fields: fields.into_iter().map(field).collect() }
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
fn http_code(status: HttpStatus) -> i32 {
    match status {
        HttpStatus::BadRequest => 400,
        HttpStatus::Unauthorized => 401,
        HttpStatus::Forbidden => 403,
        HttpStatus::ServiceUnavailable => 503,
    }
}

#[cfg(test)]
mod tests;
