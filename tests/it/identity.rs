//! What the upstream, later filters and the access log learn of a verified token.

use serde_json::{Value, json};

use crate::support::{
    answer::Answer, claims, config, keys::ES256, provider, request::TestRequest,
    server::TestServer, with,
};

const ISSUER: &str = "https://a.example";

/// The answer to a good token with these claims, where the policy has these members.
async fn answer(policy: &str, members: &[(&str, Value)]) -> Answer {
    let provider = provider("a", ISSUER, &ES256.jwks());
    let server =
        TestServer::start(&config(&[provider], &format!("providers: [a], {policy}"))).await;
    let claims = members
        .iter()
        .fold(claims(ISSUER), |claims, (name, value)| with(claims, name, value.clone()));
    server.check(TestRequest::bearer(&ES256.token(&claims))).await
}

#[tokio::test]
async fn a_policy_adds_headers_to_those_of_its_provider() {
    let policy =
        "claim_to_headers: [{ claim: team, header: x-team }, { value: issuer, header: x-iss }]";
    let answer = answer(policy, &[("team", json!("blue"))]).await;
    let got = ["x-auth-subject", "x-auth-provider", "x-team", "x-iss"].map(|n| answer.header(n));
    assert_eq!(got, ["alice", "a", "blue", ISSUER]);
}

#[tokio::test]
async fn a_header_of_a_policy_is_taken_off_where_its_claim_is_absent() {
    let policy = "claim_to_headers: [{ claim: team, header: x-team }]";
    for absent in [json!(null), json!(""), json!([])] {
        let answer = answer(policy, &[("team", absent)]).await;
        assert_eq!((answer.status, answer.header("x-team")), (200, ""));
        assert!(answer.removed.contains(&"x-team".to_owned()));
        assert!(answer.removed.contains(&"x_team".to_owned()));
    }
}

#[tokio::test]
async fn a_header_that_is_too_long_denies_or_is_left_out_as_its_line_says() {
    let line = |more: &str| {
        format!(
            "claim_to_headers: [{{ claim: big, header: x-big{more} }}, {{ claim: team, header: x-team }}]"
        )
    };
    let members = |length: usize| [("big", json!("x".repeat(length))), ("team", json!("blue"))];
    assert_eq!(answer(&line(""), &members(8192)).await.header("x-big").len(), 8192);
    assert_eq!(answer(&line(""), &members(8193)).await.reason(), "claims_malformed");
    assert_eq!(
        answer(&line(", on_overflow: deny"), &members(8193)).await.reason(),
        "claims_malformed"
    );
    let omitted = answer(&line(", on_overflow: omit"), &members(8193)).await;
    let got = (omitted.status, omitted.header("x-big"), omitted.header("x-team"));
    assert_eq!(got, (200, "", "blue"));
    assert!(
        omitted.removed.contains(&"x-big".to_owned()),
        "what a client wrote there is taken off"
    );
}

#[tokio::test]
async fn what_may_be_left_out_makes_room_for_what_may_not() {
    // Percent-encoding makes three bytes of one: 2,700 of them are 8,100.
    let members = [("wide", json!("%".repeat(2700)))];
    let names = ["a", "b", "c", "d", "e"];
    let lines = |omit: &str| {
        let lines = names.iter().map(|name| {
            let overflow = if omit.contains(name) { ", on_overflow: omit" } else { "" };
            format!("{{ claim: wide, header: x-{name}{overflow} }}")
        });
        format!("claim_to_headers: [{}]", lines.collect::<Vec<_>>().join(", "))
    };
    // Together over 32 KiB.
    assert_eq!(answer(&lines(""), &members).await.reason(), "claims_malformed");
    let answer = answer(&lines("a"), &members).await;
    let set: Vec<_> = names.iter().map(|n| !answer.header(&format!("x-{n}")).is_empty()).collect();
    assert_eq!((answer.status, set), (200, vec![false, true, true, true, true]));
}

#[tokio::test]
async fn metadata_claims_reach_the_dynamic_metadata_of_verified_tokens_only() {
    let policy = "metadata_claims: [sub, tier, absent], scopes: { all_of: [read] }";
    let shown = |answer: &Answer| answer.metadata.get("claims").cloned().unwrap_or_default();
    let allowed = answer(policy, &[("scope", json!("read")), ("tier", json!("gold"))]).await;
    assert_eq!(allowed.status, 200);
    let text = shown(&allowed);
    assert!(text.contains("alice") && text.contains("gold") && !text.contains("absent"), "{text}");
    // All that is proven of the token is known before scopes.
    let denied = answer(policy, &[("tier", json!("gold"))]).await;
    assert_eq!(denied.reason(), "scope_insufficient");
    assert!(shown(&denied).contains("gold"));
    let unverified = answer(policy, &[("tier", json!("gold")), ("aud", json!("other"))]).await;
    assert_eq!((unverified.reason(), &*shown(&unverified)), ("audience_not_allowed", ""));
}

#[tokio::test]
async fn without_metadata_claims_no_claim_is_shown() {
    let answer = answer("realm: api", &[("tier", json!("gold"))]).await;
    assert!(!answer.metadata.contains_key("claims"));
}
