//! Later filters, access logs and response headers can use what claimgate says of its decision.

use crate::{
    client::Request,
    credentials::{good, with_scopes},
    stack::{Stack, listener},
};

#[tokio::test]
async fn dynamic_metadata_tells_outcome_reason_and_policy() {
    let Some(stack) = Stack::start(&listener().shows_metadata()).await else { return };
    let bearer = |path, token: &str| Request::get(path).bearer(token);
    let inline = with_scopes("orders.write");
    // outcome, reason, policy, provider, subject; Envoy leaves out a header without a value.
    let table = [
        (bearer("/p/strict", &good()), ["allowed", "", "strict", "demo", "alice"]),
        (bearer("/typed", &inline), ["allowed", "", "inline", "demo", "alice"]),
        (bearer("/", &good()), ["allowed", "", "default", "demo", "alice"]),
        (Request::get("/p/optional"), ["allowed", "", "optional", "", ""]),
        (Request::get("/p/anonymous"), ["allowed", "", "anonymous", "", ""]),
        (Request::get("/public"), ["allowed", "", "inline", "", ""]),
        (Request::get("/p/permissive"), ["allowed", "credentials_missing", "permissive", "", ""]),
        (bearer("/p/permissive", "x"), ["allowed", "token_malformed", "permissive", "", ""]),
        (Request::get("/p/strict"), ["denied", "credentials_missing", "strict", "", ""]),
        (bearer("/p/strict", "x"), ["denied", "token_malformed", "strict", "", ""]),
        (bearer("/p/narrow", &good()), ["denied", "audience_not_allowed", "narrow", "", ""]),
        (bearer("/p/scoped", &good()), ["denied", "scope_insufficient", "scoped", "demo", "alice"]),
        (Request::get("/broken"), ["fault", "policy_unknown", "", "", ""]),
        (Request::get("/invalid"), ["fault", "route_policy_invalid", "", "", ""]),
    ];
    for (request, expected) in table {
        let reply = stack.send(&request).await;
        let headers = ["x-outcome", "x-reason", "x-policy", "x-provider", "x-subject"];
        let got = headers.map(|name| reply.header(name));
        assert_eq!(got.each_ref().map(|value| value.trim_matches('-')), expected);
    }
}
