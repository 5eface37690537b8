//! Later filters, access logs and response headers can use what claimgate says of its decision.

use crate::{
    client::Request,
    credentials::{ISSUER, good, with_scopes},
    listener::Listener,
    stack::{Stack, listener},
    support::{self, claims, keys::ES256, with},
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

/// Envoy's own RBAC filter behind ext_authz, which lets through only what the claim says, and a
/// response header made as an access log is.
#[tokio::test]
async fn a_later_filter_and_the_access_log_use_claims() {
    let rbac = r#"          - name: envoy.filters.http.rbac
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC
              rules:
                action: ALLOW
                policies:
                  gold:
                    permissions: [{ any: true }]
                    principals:
                    - metadata:
                        filter: envoy.filters.http.ext_authz
                        path: [{ key: claimgate }, { key: claims }, { key: tier }]
                        value: { string_match: { exact: gold } }
"#;
    let router = "          - name: envoy.filters.http.router\n";
    let host = "            - name: upstream\n";
    let logged = "%DYNAMIC_METADATA(envoy.filters.http.ext_authz:claimgate:claims:account)%";
    let added = format!(
        "{host}              response_headers_to_add: [{{ header: {{ key: x-account, value: \"{logged}\" }} }}]\n"
    );
    let listener =
        Listener::default().replace(router, &format!("{rbac}{router}")).replace(host, &added);
    let provider = support::provider("demo", ISSUER, &ES256.jwks());
    let config =
        support::config(&[provider], "providers: [demo], metadata_claims: [tier, account]");
    let Some(stack) = Stack::serving(&config, &listener).await else { return };
    let token = |tier: &str| {
        let claims = with(claims(ISSUER), "tier", tier.into());
        ES256.token(&with(claims, "account", 9_007_199_254_740_993_u64.into()))
    };
    let gold = stack.send(&Request::get("/").bearer(&token("gold"))).await;
    assert!(gold.is_from_upstream());
    // A double would have rounded it.
    assert_eq!(gold.header("x-account"), "9007199254740993");
    for tier in ["silver", "Gold", ""] {
        let reply = stack.send(&Request::get("/").bearer(&token(tier))).await;
        assert_eq!((reply.status, reply.body.as_str()), (403, "RBAC: access denied"), "{tier}");
    }
}
