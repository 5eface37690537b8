//! What entries of `routes` may say, and which ones are one too many.

use super::*;
use crate::routes::{Annotations, InlinePolicies, RouteMatch};

/// Routes from line 8, with a policy `p`.
fn with_routes(routes: &[&str]) -> String {
    let routes: String = routes.iter().map(|route| format!("\n- {{{route}, policy: p}}")).collect();
    with_policy("providers: [okta]") + "\nroutes:" + &routes
}

#[track_caller]
fn check(routes: &[&str], expected: &[&str]) {
    refused(&with_routes(routes), expected);
}

#[test]
fn entries_go_by_what_a_proxy_knows_or_a_client_sends() {
    let compiled = accepted(&with_routes(&[
        "authority: Orders.auth.svc",
        "workload: shop/orders-sa",
        "istio: shop/orders",
        "host: api.example.com, path_prefix: /orders/",
        "host: '*.example.com'",
        "path_prefix: /",
    ]));
    let named = |name| compiled.routes.named(&name).is_some();
    assert!(named(RouteMatch::Authority("orders.auth.svc".into())));
    assert!(named(RouteMatch::Workload("shop/orders-sa".into())));
    assert!(named(RouteMatch::Istio("shop/orders".into())));
    let targeted = |host, path| compiled.routes.targeted(host, path).is_some();
    assert!(targeted("api.example.com", "/orders") && targeted("x.example.com", "/"));
    assert!(targeted("other", "/"));
    let of_clients: Vec<_> = compiled.warnings.iter().map(|w| w.split(": ").nth(1)).collect();
    assert_eq!(of_clients, [Some("routes[3]"), Some("routes[4]"), Some("routes[5]")]);
    assert!(compiled.warnings[0].contains("binds each virtual host to its host"));
}

#[test]
fn names_that_no_request_can_have_are_refused() {
    for host in ["a:80", "a.", "a b", "*.", "*a", "a.*", "*", "http://a", "a/b", "[::1]:1"] {
        check(&[&format!("host: '{host}'")], &["9:10: routes[0].host: not a host"]);
    }
    check(
        &["authority: 'a:9191'"],
        &["9:15: routes[0].authority: not a host; a host without port"],
    );
    for pair in ["shop", "shop/", "/a", "a/b/c", "a/B", "a/b~c", "spiffe://td/ns/a/sa/b"] {
        check(&[&format!("workload: '{pair}'")], &["9:14: routes[0].workload: not two Kubern"]);
        check(&[&format!("istio: '{pair}'")], &["9:11: routes[0].istio: not two Kubernetes"]);
    }
    for path in ["orders", "/a//b", "/a/../b", "/a;b", "/a?b", "/a%2Fb", "/a b", "/%2e"] {
        check(&[&format!("path_prefix: '{path}'")], &["9:17: routes[0].path_prefix: not a plain"]);
    }
}

#[test]
fn an_entry_stands_once_however_it_is_spelled() {
    let at = "9:3";
    for (one, other, shown) in [
        ("authority: a.b", "authority: A.B", "authority a.b"),
        ("workload: a/b", "workload: a/b", "workload a/b"),
        ("istio: a/b", "istio: a/b", "istio a/b"),
        ("host: a, path_prefix: /x", "path_prefix: /%78/, host: A", "a/x"),
        ("host: '*.a'", "host: '*.A', path_prefix: /", "*.a/"),
        ("path_prefix: /x", "path_prefix: /x/", "/x"),
    ] {
        let expected = format!("10:3: routes[1]: {shown} has its route at c:{at}");
        check(&[one, other], &[&expected]);
    }
    accepted(&with_routes(&["workload: a/b", "istio: a/b", "host: a", "host: '*.a'"]));
}

#[test]
fn an_entry_needs_a_policy_that_exists() {
    let text = with_routes(&["authority: a"]).replace("policy: p}", "policy: q}");
    refused(&text, &["9:26: routes[0].policy: no policy has this name; accepted are p"]);
    accepted(&text.replace("policy: q", "policy: P"));
}

#[test]
fn inline_policies_and_annotations_are_settled_once() {
    let compiled = accepted("providers: []");
    assert_eq!(compiled.routes.inline, InlinePolicies::Accept);
    assert_eq!(compiled.routes.annotations, Annotations::Ignore);
    let compiled = accepted("providers: []\nroute_policies: named\nroute_annotations: true");
    assert_eq!(compiled.routes.inline, InlinePolicies::Refuse);
    assert_eq!(compiled.routes.annotations, Annotations::Read);
    accepted("providers: []\nroute_policies: any\nroute_annotations: false");
    let text = "providers: []\nroute_policies: none\nroute_annotations: 'yes'";
    let expected =
        ["2:17: route_policies: unknown; any or named", "3:20: route_annotations: found a string"];
    refused(text, &expected);
    let file = |name| ConfigFile::read(Path::new(name), b"providers: []\nroute_policies: any");
    let problems = compile(&[file("a"), file("b")], &SideFiles::new(), &Providers::new())
        .unwrap_err()
        .to_string();
    assert!(problems.starts_with("b:2:17: route_policies: already set at a:2:17"), "{problems}");
}
