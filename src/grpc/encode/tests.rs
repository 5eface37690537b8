//! What Envoy is told for every way in which a check can end.

mod reference;

use std::sync::Arc;

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
use proptest::{collection::vec, prelude::*, sample::select};
use prost::Message as _;

use super::*;
use crate::{
    check::{
        decision::{Fault, Identity, Reason},
        fixtures::{okta, orders, target},
    },
    policy::{AudienceFailure, ScopeRule},
};

/// For decisions that borrow from nobody.
fn lasting<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

fn decoded(decision: &Decision<'_>, owned: &OwnedHeaders) -> CheckResponse {
    CheckResponse::decode(check_response(decision, owned).as_slice()).unwrap()
}

fn refuse(reason: Reason, policy: Option<Policy>) -> Decision<'static> {
    let (provider, policy) = (None, policy.map(lasting));
    Decision::Refuse(Refuse { reason, policy, provider, identity: None })
}

fn allow(set: &[(&str, &str)], credentials: Credentials) -> Decision<'static> {
    let set = set.iter().map(|(name, value)| (lasting(target(name)), (*value).to_owned().into()));
    let (set, policy) = (set.collect(), lasting(orders(okta())));
    Decision::Allow(Allow { set, credentials, reason: None, policy, identity: None })
}

fn without(names: &[&str]) -> Credentials {
    let remove = names.iter().map(|&name| name.into()).collect();
    Credentials { remove, ..Credentials::default() }
}

/// gRPC code, HTTP code, headers and body of a denial.
fn denial(decision: &Decision<'_>) -> (i32, i32, Vec<(String, String)>, String) {
    let response = decoded(decision, &OwnedHeaders::default());
    let Some(HttpResponse::DeniedResponse(denied)) = response.http_response else {
        panic!("no denied_response");
    };
    let headers = denied.headers.into_iter().map(|header| {
        let HeaderValue { key, value, .. } = header.header.unwrap();
        (key, value)
    });
    let (code, status) = (response.status.unwrap().code, denied.status.unwrap().code);
    (code, status, headers.collect(), denied.body)
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// The fields of the dynamic metadata under `claimgate`.
fn metadata(decision: &Decision<'_>) -> Vec<(String, String)> {
    let response = decoded(decision, &OwnedHeaders::default());
    let mut outer = response.dynamic_metadata.unwrap().fields.into_iter();
    let (name, value) = outer.next().unwrap();
    assert!(name == "claimgate" && outer.next().is_none());
    let Some(Kind::StructValue(inner)) = value.kind else { panic!("no struct") };
    let text = |value: Value| match value.kind {
        Some(Kind::StringValue(text)) => text,
        other => panic!("no text: {other:?}"),
    };
    let mut fields: Vec<_> = inner.fields.into_iter().map(|(k, v)| (k, text(v))).collect();
    fields.sort();
    fields
}

/// The contract's table: reason, HTTP code, gRPC code, `error` of the body, and of the challenge.
const TABLE: [(Reason, &str, i32, i32, &str); 26] = [
    (Reason::Denied(Denial::CredentialsMissing), "credentials_missing", 401, 16, "unauthorized"),
    (Reason::Denied(Denial::MultipleCredentials), "multiple_credentials", 400, 3, REQUEST),
    (Reason::Denied(Denial::TokenMalformed), "token_malformed", 401, 16, TOKEN),
    (Reason::Denied(Denial::TokenTooLarge), "token_too_large", 401, 16, TOKEN),
    (
        Reason::Denied(Denial::CriticalHeaderUnsupported),
        "critical_header_unsupported",
        401,
        16,
        TOKEN,
    ),
    (Reason::Denied(Denial::IssuerNotAllowed), "issuer_not_allowed", 401, 16, TOKEN),
    (Reason::Denied(Denial::AlgorithmNotAllowed), "algorithm_not_allowed", 401, 16, TOKEN),
    (Reason::Denied(Denial::ClaimsMalformed), "claims_malformed", 401, 16, TOKEN),
    (Reason::Denied(Denial::TokenExpired), "token_expired", 401, 16, TOKEN),
    (Reason::Denied(Denial::TokenNotYetValid), "token_not_yet_valid", 401, 16, TOKEN),
    (Reason::Denied(Denial::ExpiryMissing), "expiry_missing", 401, 16, TOKEN),
    (Reason::Denied(Denial::KeyUnknown), "key_unknown", 401, 16, TOKEN),
    (Reason::Denied(Denial::SignatureInvalid), "signature_invalid", 401, 16, TOKEN),
    (Reason::Denied(Denial::TokenTypeNotAllowed), "token_type_not_allowed", 401, 16, TOKEN),
    (Reason::Denied(Denial::LifetimeTooLong), "lifetime_too_long", 401, 16, TOKEN),
    (Reason::Denied(Denial::AudienceNotAllowed), "audience_not_allowed", 401, 16, TOKEN),
    (Reason::Denied(Denial::ClaimsRejected), "claims_rejected", 401, 16, TOKEN),
    (Reason::Denied(Denial::ScopeInsufficient), "scope_insufficient", 403, 7, "insufficient_scope"),
    (Reason::Denied(Denial::RequestMalformed), "request_malformed", 400, 3, REQUEST),
    (Reason::Fault(Fault::KeysUnavailable), "keys_unavailable", 503, 14, LATER),
    (Reason::Fault(Fault::RoutePolicyMissing), "route_policy_missing", 503, 14, LATER),
    (Reason::Fault(Fault::RoutePolicyInvalid), "route_policy_invalid", 503, 14, LATER),
    (Reason::Fault(Fault::PolicyUnknown), "policy_unknown", 503, 14, LATER),
    (Reason::Fault(Fault::ProviderUnknown), "provider_unknown", 503, 14, LATER),
    (Reason::Fault(Fault::ProviderDisabled), "provider_disabled", 503, 14, LATER),
    (Reason::Fault(Fault::Internal), "internal", 503, 14, LATER),
];
const TOKEN: &str = "invalid_token";
const REQUEST: &str = "invalid_request";
const LATER: &str = "temporarily_unavailable";

#[test]
fn every_reason_is_a_denied_response_with_the_codes_of_the_contract() {
    for (reason, label, http, grpc, _) in TABLE {
        let (code, status, _, _) = denial(&refuse(reason, None));
        assert_eq!((reason.row().label, status, code), (label, http, grpc));
    }
}

#[test]
fn every_body_is_small_json_that_names_the_error() {
    for (reason, label, _, _, error) in TABLE {
        let (_, _, headers, body) = denial(&refuse(reason, None));
        let json: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!((json["error"].as_str(), body.len() < 512), (Some(error), true), "{label}");
        assert!(json["error_description"].as_str().is_some_and(|text| !text.is_empty()));
        assert_eq!(json.as_object().map(|members| members.len()), Some(2));
        assert_eq!(header(&headers, "content-type"), Some("application/json"));
    }
}

#[test]
fn the_challenge_repeats_the_error_but_for_missing_credentials_and_faults() {
    for (reason, label, http, _, error) in TABLE {
        let (_, _, headers, _) = denial(&refuse(reason, None));
        let text = reason.row().description;
        let with_error =
            format!(r#"Bearer realm="api", error="{error}", error_description="{text}""#);
        let expected = match (label, http) {
            ("credentials_missing", _) => Some(r#"Bearer realm="api""#),
            (_, 503) => None,
            _ => Some(&*with_error),
        };
        assert_eq!(header(&headers, "www-authenticate"), expected, "{label}");
    }
}

#[test]
fn only_a_client_that_may_come_back_is_told_when() {
    for (reason, label, http, ..) in TABLE {
        let (_, _, headers, _) = denial(&refuse(reason, None));
        assert_eq!(header(&headers, "retry-after").is_some(), http == 503, "{label}");
    }
}

fn scoped(all: &[&str], any: &[&str]) -> Policy {
    let owned = |scopes: &[&str]| scopes.iter().map(|&scope| scope.to_owned()).collect();
    Policy { scopes: ScopeRule { all_of: owned(all), any_of: owned(any) }, ..orders(okta()) }
}

#[track_caller]
fn check_challenge(reason: impl Into<Reason>, policy: Policy, expected_end: &str) {
    let (_, _, headers, _) = denial(&refuse(reason.into(), Some(policy)));
    let challenge = header(&headers, "www-authenticate").unwrap();
    assert!(challenge.ends_with(expected_end), "{challenge}");
}

#[test]
fn the_challenge_names_the_scopes_where_a_token_or_scopes_are_missing() {
    let policy = || scoped(&["a"], &["b", "c"]);
    check_challenge(Denial::CredentialsMissing, policy(), r#"realm="api", scope="a b c""#);
    check_challenge(Denial::ScopeInsufficient, policy(), r#"", scope="a b c""#);
    let description = Reason::from(Denial::TokenExpired).row().description;
    check_challenge(Denial::TokenExpired, policy(), &format!("=\"{description}\""));
    check_challenge(Denial::CredentialsMissing, scoped(&[], &[]), r#"realm="api""#);
}

#[test]
fn a_scope_that_could_break_out_of_the_challenge_is_left_out() {
    let policy = scoped(&["a\"", "\\", "a b", "", "é", "x\r\ny", "ok"], &[]);
    check_challenge(Denial::CredentialsMissing, policy, r#"realm="api", scope="ok""#);
    check_challenge(Denial::CredentialsMissing, scoped(&["\""], &[]), r#"realm="api""#);
}

#[test]
fn the_challenge_names_realm_and_resource_metadata_of_the_policy() {
    let policy = || Policy {
        realm: "shop".into(),
        resource_metadata: Some("https://api/.well-known/x".into()),
        ..orders(okta())
    };
    let end = r#", resource_metadata="https://api/.well-known/x""#;
    check_challenge(Denial::CredentialsMissing, policy(), &format!(r#"Bearer realm="shop"{end}"#));
    check_challenge(Denial::TokenExpired, policy(), end);
    check_challenge(Denial::MultipleCredentials, policy(), end);
}

#[test]
fn a_policy_may_answer_403_where_the_audience_does_not_match_and_only_there() {
    let policy = || Policy { audience_failure: AudienceFailure::Forbidden, ..orders(okta()) };
    let codes = |reason| {
        let (code, status, _, _) = denial(&refuse(reason, Some(policy())));
        (status, code)
    };
    for (reason, label, http, grpc, _) in TABLE {
        let forbidden = label == "audience_not_allowed";
        let expected = if forbidden { (403, 7) } else { (http, grpc) };
        assert_eq!(codes(reason), expected, "{label}");
    }
}

#[test]
fn a_client_never_learns_what_the_operator_learns() {
    let identity = Identity {
        provider: &Arc::new(okta()),
        subject: Some("alice".into()),
        claims: Vec::new(),
        rule: None,
    };
    let policy = orders(okta());
    for (reason, label, ..) in TABLE {
        let (provider, identity) = (Some(Arc::new(okta())), Some(identity.clone()));
        let policy = Some(&policy);
        let decision = Decision::Refuse(Refuse { reason, policy, provider, identity });
        let (_, _, headers, body) = denial(&decision);
        for secret in ["alice", "okta", "orders", "k1"] {
            let shown = headers.iter().any(|(_, value)| value.contains(secret));
            assert!(!shown && !body.contains(secret), "{label} shows {secret}");
        }
    }
}

/// What is set and what is removed where `x-sub` and `x-groups` are owned.
fn ok_response(decision: &Decision<'_>) -> (Vec<HeaderValueOption>, Vec<String>) {
    let owned = OwnedHeaders::new(&[target("x-sub"), target("x-groups")]);
    let response = decoded(decision, &owned);
    assert_eq!(response.status.map(|status| status.code), Some(0));
    let Some(HttpResponse::OkResponse(ok)) = response.http_response else {
        panic!("no ok_response");
    };
    (ok.headers, ok.headers_to_remove)
}

#[test]
fn an_allow_removes_every_owned_header_that_it_does_not_set() {
    let (set, removed) = ok_response(&allow(&[("x-sub", "a")], Credentials::default()));
    let set: Vec<_> = set.iter().map(|h| h.header.as_ref().unwrap().key.as_str()).collect();
    assert_eq!(
        (set, removed),
        (vec!["x-sub"], vec!["x-groups".to_owned(), "x_groups".to_owned(), "x_sub".to_owned(),])
    );
}

#[test]
fn an_allow_without_claims_removes_all_of_them() {
    let (set, removed) = ok_response(&allow(&[], Credentials::default()));
    assert!(set.is_empty());
    assert_eq!(removed, ["x-groups", "x-sub", "x_groups", "x_sub"]);
}

#[test]
fn a_credential_that_was_not_verified_is_removed_too() {
    let (_, removed) = ok_response(&allow(&[("x-sub", "a")], without(&["authorization"])));
    assert_eq!(removed.iter().filter(|name| *name == "authorization").count(), 1);
}

#[test]
#[expect(deprecated, reason = "every Envoy but 1.37.0 reads `append`")]
fn a_header_that_is_set_overwrites_for_every_version_of_envoy() {
    let (set, _) =
        ok_response(&allow(&[("x-sub", "a"), ("x-groups", "b")], Credentials::default()));
    for header in set {
        assert_eq!(header.append, Some(BoolValue { value: false }));
        assert_eq!(header.append_action, HeaderAppendAction::OverwriteIfExistsOrAdd as i32);
        assert!(!header.keep_empty_value);
    }
}

#[track_caller]
fn check_metadata(decision: &Decision<'_>, expected: &[(&str, &str)]) {
    let expected: Vec<_> = expected.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
    assert_eq!(metadata(decision), expected);
}

#[test]
fn the_dynamic_metadata_says_how_the_check_ended() {
    let plain = allow(&[], Credentials::default());
    check_metadata(&plain, &[("outcome", "allowed"), ("policy", "orders")]);
    let denied = refuse(Denial::TokenExpired.into(), Some(orders(okta())));
    let expected = [("outcome", "denied"), ("policy", "orders"), ("reason", "token_expired")];
    check_metadata(&denied, &expected);
    let fault = refuse(Fault::Internal.into(), None);
    check_metadata(&fault, &[("outcome", "fault"), ("reason", "internal")]);
    let inline = Policy { name: None, ..orders(okta()) };
    let denied = refuse(Denial::KeyUnknown.into(), Some(inline));
    let expected = [("outcome", "denied"), ("policy", "inline"), ("reason", "key_unknown")];
    check_metadata(&denied, &expected);
}

#[test]
fn the_dynamic_metadata_names_provider_and_subject_only_of_a_verified_token() {
    let provider = Some(Arc::new(okta()));
    let unverified = |identity| {
        let (reason, policy) = (Denial::ScopeInsufficient.into(), None);
        Decision::Refuse(Refuse { reason, policy, provider: provider.clone(), identity })
    };
    let label = ("reason", "scope_insufficient");
    check_metadata(&unverified(None), &[("outcome", "denied"), label]);
    let known = Arc::new(okta());
    let identity = |subject: Option<&'static str>| {
        Some(Identity {
            provider: &known,
            subject: subject.map(Into::into),
            claims: Vec::new(),
            rule: None,
        })
    };
    let known = [("outcome", "denied"), ("provider", "okta"), label];
    check_metadata(&unverified(identity(None)), &known);
    check_metadata(
        &unverified(identity(Some("alice"))),
        &[&known[..], &[("subject", "alice")]].concat(),
    );
}
