//! What the config's own routes and its switches make of a request.

use super::*;
use crate::{
    check::{decision::Denial, request::HttpView},
    routes::{Annotations, HostMatch, InlinePolicies, RouteMatch, Routes},
};

/// A view that the config's own routes see so.
fn seen<'a>(authority: &'a str, principal: &'a str, host: &'a str, path: &'a str) -> CheckView<'a> {
    let route = RouteSources { authority, principal, ..RouteSources::default() };
    CheckView { route, http: HttpView { host, path, ..HttpView::default() } }
}

/// `config`, with routes to `orders` by these and to `open` by the next ones.
fn routed(orders: &[RouteMatch], open: &[RouteMatch]) -> Snapshot {
    let snapshot = config();
    let to = |name: &str, matching: &[RouteMatch]| {
        let policy = snapshot.policy(name).unwrap();
        matching.iter().map(|m| (m.clone(), policy.clone())).collect::<Vec<_>>()
    };
    let entries = [to("orders", orders), to("open", open)].concat();
    let routes = Routes::new(InlinePolicies::Accept, Annotations::Ignore, entries);
    Snapshot { routes, ..snapshot }
}

fn target(host: &str, path: &str) -> RouteMatch {
    RouteMatch::Target(HostMatch::Exact(host.into()), path.into())
}

const OPEN: Result<&str, Fault> = Ok("open Anonymous [] [] [] []");

#[test]
fn the_names_of_the_proxy_come_before_host_and_path() {
    let workload = RouteMatch::Workload("shop/orders".into());
    let authority = RouteMatch::Authority("orders.auth.svc".into());
    let account = "spiffe://td/ns/shop/sa/orders";
    let snapshot = routed(&[authority], std::slice::from_ref(&workload));
    check_on(&snapshot, &seen("Orders.auth.svc.:9191", account, "", ""), ORDERS);
    check_on(&snapshot, &seen("other", account, "", ""), OPEN);
    check_on(&snapshot, &seen("other", "spiffe://td/ns/shop/sa/x", "", ""), OTHER);
    let snapshot = routed(&[workload], &[target("a", "/")]);
    check_on(&snapshot, &seen("", account, "a", "/"), ORDERS);
    check_on(&snapshot, &seen("", "", "A.:80", "/"), OPEN);
}

#[test]
fn istio_comes_after_the_workload_and_before_the_host() {
    let config = s("/apis/networking.istio.io/v1/namespaces/shop/virtual-service/orders");
    let istio = Some(Value::Struct(vec![("config", config)]));
    let by_istio = RouteMatch::Istio("shop/orders".into());
    let snapshot = routed(std::slice::from_ref(&by_istio), &[target("a", "/")]);
    let mut view = seen("", "spiffe://td/ns/shop/sa/orders", "a", "/");
    view.route.istio = istio;
    check_on(&snapshot, &view, ORDERS);
    let snapshot = routed(&[by_istio], &[RouteMatch::Workload("shop/orders".into())]);
    check_on(&snapshot, &view, OPEN);
}

#[test]
fn what_the_route_itself_says_comes_before_the_table() {
    let snapshot = routed(&[target("a", "/")], &[]);
    let mut view = seen("", "", "a", "/");
    check_on(&snapshot, &view, ORDERS);
    view.route.extensions = vec![("policy", "open")];
    check_on(&snapshot, &view, OPEN);
    view.route.extensions = vec![("", "")];
    check_on(&snapshot, &view, REFUSED);
}

#[test]
fn a_host_or_path_with_two_readings_is_malformed_only_where_an_entry_looks_at_it() {
    let malformed = |snapshot: &Snapshot, host, path| {
        let view = seen("", "", host, path);
        resolve(&view, snapshot).policy.err() == Some(Denial::RequestMalformed.into())
    };
    let path_alone = RouteMatch::Target(HostMatch::Any, "/orders".into());
    let hosts = routed(&[target("a", "/")], &[]);
    let paths = routed(&[path_alone], &[]);
    for (host, path) in [("a b", "/"), ("", "/"), ("a@b", "/"), ("a", "/../b"), ("a", "*")] {
        assert!(malformed(&routed(&[target("a", "/b")], &[]), host, path), "{host} {path}");
        assert_eq!(malformed(&hosts, host, path), host != "a", "{host} {path}");
        assert_eq!(malformed(&paths, host, path), path != "/", "{host} {path}");
        assert!(!malformed(&routed(&[], &[]), host, path), "{host} {path}");
    }
    check_on(&paths, &seen("", "", "a b", "/orders/x?../;"), ORDERS);
    check_on(&paths, &seen("", "", "", "/%6Frders"), ORDERS);
    check_on(&paths, &seen("", "", "", "/orders-x"), OTHER);
}

/// Envoy Gateway's metadata with this annotation.
fn annotated<'a>(annotations: &[(&'a str, Value<'a>)]) -> RouteSources<'a> {
    let resource = Value::Struct(vec![("annotations", Value::Struct(annotations.to_vec()))]);
    let other = Value::Struct(vec![("annotations", Value::Struct(vec![(SHORT, s("open"))]))]);
    let gateway = Some(Value::Struct(vec![("resources", Value::List(vec![resource, other]))]));
    RouteSources { gateway, ..RouteSources::default() }
}

const SHORT: &str = "claimgate-policy";
const LONG: &str = "gateway.envoyproxy.io/claimgate-policy";

#[track_caller]
fn check_annotated(route: &RouteSources<'_>, expected: Result<&str, Fault>) {
    let routes = Routes::new(InlinePolicies::Accept, Annotations::Read, []);
    let view = CheckView { route: route.clone(), ..CheckView::default() };
    check_on(&Snapshot { routes, ..config() }, &view, expected);
    check_on(&config(), &view, OTHER);
}

#[test]
fn an_annotation_may_name_a_policy_where_the_config_lets_it() {
    check_annotated(&annotated(&[(SHORT, s("orders"))]), ORDERS);
    check_annotated(&annotated(&[(LONG, s("orders"))]), ORDERS);
    check_annotated(&annotated(&[(LONG, s("orders")), (SHORT, s("orders"))]), ORDERS);
    check_annotated(&annotated(&[(SHORT, s("gone"))]), Err(Fault::PolicyUnknown));
    for wrong in [s(""), Value::Other, l(&["orders"])] {
        check_annotated(&annotated(&[(SHORT, wrong)]), REFUSED);
    }
    check_annotated(&annotated(&[(LONG, s("orders")), (SHORT, s("open"))]), REFUSED);
    // Another resource, and other annotations, name nothing.
    check_annotated(&annotated(&[]), OTHER);
    check_annotated(&annotated(&[("claimgate-providers", s("okta"))]), OTHER);
    let gateway = Some(Value::Struct(vec![("resources", Value::Other)]));
    check_annotated(&RouteSources { gateway, ..RouteSources::default() }, OTHER);
}

#[test]
fn extensions_come_before_annotations() {
    let mut view = CheckView { route: annotated(&[(SHORT, s("orders"))]), ..Default::default() };
    view.route.extensions = vec![("policy", "open")];
    let routes = Routes::new(InlinePolicies::Accept, Annotations::Read, []);
    check_on(&Snapshot { routes, ..config() }, &view, OPEN);
}

#[test]
fn where_only_named_policies_count_a_route_may_narrow_one_but_not_spell_one_out() {
    let routes = Routes::new(InlinePolicies::Refuse, Annotations::Ignore, []);
    let snapshot = Snapshot { routes, ..config() };
    let on = |route, expected| {
        check_on(&snapshot, &CheckView { route, ..CheckView::default() }, expected);
    };
    on(filter(&[("policy", s("orders"))]), ORDERS);
    let narrowed = Ok("Orders Strict [okta] [[orders]] [read, write] [x]");
    on(filter(&[("policy", s("orders")), ("scopes", l(&["write"]))]), narrowed);
    on(filter(&[("providers", l(&["okta"]))]), REFUSED);
    on(extensions(&[("mode", "anonymous")]), REFUSED);
    on(RouteSources::default(), OTHER);
}
