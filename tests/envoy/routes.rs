//! Each place where Envoy can say which policy a route has, and that no client can.

use serde_json::json;

use crate::{
    client::Request,
    credentials::{good, with_scopes},
    listener::{Listener, check_settings},
    stack::{Stack, listener},
};

const ROUTE_POLICY: &str = "type.googleapis.com/claimgate.v1.RoutePolicy";

/// (path, token, status): 403 tells a route that asks for a scope from one that does not.
async fn check(listener: &Listener, table: &[(&str, Option<&str>, u16)]) {
    let Some(stack) = Stack::start(listener).await else { return };
    for (path, token, status) in table {
        let request = Request::get(path);
        let request = token.iter().fold(request, |request, token| request.bearer(token));
        let reply = stack.send(&request).await;
        assert_eq!(reply.status, *status, "{path}, a token: {}", token.is_some());
    }
}

#[tokio::test]
async fn the_routes_of_the_example_do_what_their_comments_say() {
    let (plain, read, write) = (good(), with_scopes("orders.read"), with_scopes("orders.write"));
    check(
        &Listener::default(),
        &[
            ("/orders", None, 401),
            ("/orders", Some(&plain), 403),
            ("/orders", Some(&read), 200),
            ("/orders/1?x=y", Some(&write), 403),
            ("/typed", None, 401),
            ("/typed", Some(&read), 403),
            ("/typed", Some(&write), 200),
            ("/extensions", None, 200),
            ("/extensions", Some("bad"), 401),
            ("/public", Some("bad"), 200),
            ("/broken", Some(&read), 503),
            ("/", None, 401),
            ("/ordersx", Some(&plain), 200),
        ],
    )
    .await;
}

#[tokio::test]
async fn struct_metadata_names_or_spells_out_a_policy() {
    let listener = listener()
        .metadata("/a", &json!({ "policy": "STRICT", "scopes": ["admin"] }))
        .metadata("/b", &json!({ "providers": "nobody, demo", "mode": "optional" }))
        .metadata("/c", &json!({ "providers": ["demo"], "audiences": ["elsewhere"] }))
        .metadata("/d", &json!({ "mode": "anonymous" }))
        .metadata("/empty", &json!({}))
        .metadata("/both", &json!({ "policy": "strict", "mode": "anonymous" }))
        .metadata("/number", &json!({ "policy": 5 }))
        .metadata("/unknown-field", &json!({ "policy": "strict", "mod": "x" }));
    let (plain, admin) = (good(), with_scopes("admin"));
    let mut table = vec![
        ("/a", Some(plain.as_str()), 403),
        ("/a", Some(&admin), 200),
        ("/b", None, 200),
        ("/b", Some("bad"), 401),
        ("/c", Some(&plain), 401),
        ("/d", None, 200),
    ];
    for broken in ["/empty", "/both", "/number", "/unknown-field"] {
        table.extend([(broken, None, 503), (broken, Some(admin.as_str()), 503)]);
    }
    check(&listener, &table).await;
}

#[tokio::test]
async fn typed_metadata_wins_over_struct_metadata_and_extensions() {
    let strict = format!(
        r#"{{ "@type": type.googleapis.com/xds.type.v3.TypedStruct, type_url: "{ROUTE_POLICY}", value: {{ policy: strict }} }}"#
    );
    let anonymous = "filter_metadata: { claimgate: { mode: anonymous } }";
    let extensions = check_settings(&json!({ "claimgate.mode": "anonymous" }));
    let listener = listener()
        .route(
            "/typed-first",
            &format!(
                "metadata: {{ {anonymous}, typed_filter_metadata: {{ claimgate: {strict} }} }}"
            ),
        )
        .route(
            "/struct-first",
            &format!(
                "metadata: {{ {anonymous} }}, {}",
                check_settings(&json!({ "claimgate.policy": "strict" }))
            ),
        )
        .route(
            "/empty-struct",
            &format!("metadata: {{ filter_metadata: {{ claimgate: {{}} }} }}, {extensions}"),
        )
        .typed(
            "/other-type",
            "type.googleapis.com/google.protobuf.Struct",
            &json!({ "mode": "anonymous" }),
        )
        .typed("/comma", ROUTE_POLICY, &json!({ "providers": "demo", "scopes": ["admin"] }));
    let admin = with_scopes("admin");
    check(
        &listener,
        &[
            ("/typed-first", None, 401),
            ("/struct-first", None, 200),
            ("/empty-struct", None, 503),
            ("/other-type", None, 503),
            ("/comma", Some(&good()), 403),
            ("/comma", Some(&admin), 200),
        ],
    )
    .await;
}

#[tokio::test]
async fn context_extensions_of_virtual_host_and_route_are_merged_by_key() {
    let host = "            - name: upstream\n";
    let settings =
        check_settings(&json!({ "claimgate.providers": "demo", "claimgate.mode": "optional" }));
    let listener = listener()
        .replace(host, &format!("{host}              {settings}\n"))
        .extensions("/merged", &json!({ "claimgate.scopes": "admin" }))
        .extensions("/overridden", &json!({ "claimgate.mode": "strict", "other": "x" }))
        .extensions("/clash", &json!({ "claimgate.policy": "anonymous" }))
        .extensions("/unknown-key", &json!({ "claimgate.polcy": "anonymous" }))
        .extensions("/no-value", &json!({ "claimgate.providers": "" }));
    let admin = with_scopes("admin");
    check(
        &listener,
        &[
            ("/", None, 200),
            ("/merged", None, 200),
            ("/merged", Some(&good()), 403),
            ("/merged", Some(&admin), 200),
            ("/overridden", None, 401),
            ("/overridden", Some(&admin), 200),
            ("/clash", None, 503),
            ("/unknown-key", None, 503),
            ("/no-value", None, 503),
            // Metadata of a route is not merged with the extensions of its virtual host.
            ("/p/strict", None, 401),
        ],
    )
    .await;
}

#[tokio::test]
async fn extensions_choose_where_metadata_is_not_forwarded() {
    let listener = listener()
        .replace("              route_metadata_context_namespaces: [claimgate]\n", "")
        .replace("              route_typed_metadata_context_namespaces: [claimgate]\n", "")
        .route(
            "/both",
            &format!(
                "metadata: {{ filter_metadata: {{ claimgate: {{ mode: anonymous }} }} }}, {}",
                check_settings(&json!({ "claimgate.policy": "scoped" }))
            ),
        );
    // What the example says by metadata alone is lost, and `default_policy` is what is left.
    check(
        &listener,
        &[
            ("/both", None, 401),
            ("/both", Some(&good()), 403),
            ("/public", None, 401),
            ("/broken", Some(&good()), 200),
            ("/extensions", None, 200),
        ],
    )
    .await;
}

#[tokio::test]
async fn nothing_that_a_client_sends_chooses_a_policy() {
    let names = [
        "claimgate",
        "claimgate.policy",
        "claimgate.mode",
        "claimgate-policy",
        "x-claimgate-policy",
        "x-claimgate-mode",
        "x-envoy-original-path",
        "x-envoy-auth-partial-body",
        "x-envoy-metadata",
        "x-envoy-internal",
        "x-envoy-decorator-operation",
        "x-original-url",
        "x-rewrite-url",
        "x-forwarded-host",
        "x-forwarded-prefix",
    ];
    let values = ["anonymous", "/public", "policy=anonymous", r#"{"mode":"anonymous"}"#];
    let Some(stack) = Stack::start(&listener()).await else { return };
    for name in names {
        for value in values {
            for path in ["/p/strict", "/", "/orders?claimgate.mode=anonymous"] {
                let reply = stack.send(&Request::get(path).line(name, value)).await;
                assert_eq!(reply.status, 401, "{path} with {name}: {value}");
            }
        }
    }
}

#[tokio::test]
async fn a_path_is_judged_by_the_route_that_it_takes() {
    let Some(stack) = Stack::start(&listener()).await else { return };
    // Envoy normalizes before it chooses the route, so these are not public.
    for path in ["/public/../p/strict", "/public/%2e%2e/p/strict", "//p//strict", "/publicx"] {
        let reply = stack.send(&Request::get(path)).await;
        assert_eq!(reply.status, 401, "{path}");
    }
}
