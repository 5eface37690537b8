//! Every rule of the contract about which policy a request gets.

use std::sync::Arc;

use super::*;
use crate::{
    check::{
        fixtures::{policy, provider, snapshot},
        request::{RouteSources, Typed, Value},
    },
    policy::{Accepts, ScopeRule},
    provider::Provider,
};

mod configured;

fn s(text: &str) -> Value<'_> {
    Value::String(text)
}

fn l<'a>(texts: &[&'a str]) -> Value<'a> {
    Value::List(texts.iter().map(|text| s(text)).collect())
}

fn filter<'a>(fields: &[(&'a str, Value<'a>)]) -> RouteSources<'a> {
    RouteSources { filter: Some(Value::Struct(fields.to_vec())), ..RouteSources::default() }
}

fn typed<'a>(fields: &[(&'a str, Value<'a>)]) -> RouteSources<'a> {
    let typed = Some(Typed::Policy(Value::Struct(fields.to_vec())));
    RouteSources { typed, ..RouteSources::default() }
}

fn extensions<'a>(extensions: &[(&'a str, &'a str)]) -> RouteSources<'a> {
    RouteSources { extensions: extensions.to_vec(), ..RouteSources::default() }
}

/// Providers: `okta`, `entra`, `twin` with okta's issuer, and `off`, which is disabled.
fn config() -> Snapshot {
    let okta = Arc::new(provider("okta", "https://okta"));
    let entra = Arc::new(provider("entra", "https://entra"));
    let twin = Arc::new(provider("twin", "https://okta"));
    let off = Arc::new(Provider { enabled: false, ..provider("off", "https://off") });
    let scopes = ScopeRule { all_of: vec!["read".into()], any_of: vec!["x".into()] };
    let audiences = vec![vec!["orders".into()]];
    let gone = || vec!["gone".to_owned()];
    let accepts = |providers: &[_]| Accepts::new(providers, gone()).unwrap();
    let policies = vec![
        Policy { scopes, audiences, ..policy("Orders", std::slice::from_ref(&okta)) },
        policy("other", std::slice::from_ref(&entra)),
        Policy { accepts: accepts(std::slice::from_ref(&okta)), ..policy("partial", &[]) },
        Policy { accepts: accepts(&[]), ..policy("lost", &[]) },
        policy("sleeping", std::slice::from_ref(&off)),
        policy("nobody", &[]),
        Policy { mode: Mode::Anonymous, ..policy("open", &[]) },
    ];
    let mut snapshot = snapshot(&[okta, entra, twin, off], policies);
    snapshot.default_policy = snapshot.policy("other").cloned();
    snapshot
}

/// `NAME MODE MEMBERS AUDIENCES SCOPES` of a policy.
fn summary(policy: &Policy) -> String {
    let name = policy.name.as_ref().map_or("inline", |name| name.as_str());
    let members: Vec<_> = policy.accepts.members().iter().map(|name| name.as_str()).collect();
    let (mode, audiences, scopes) = (policy.mode, &policy.audiences, &policy.scopes);
    format!("{name} {mode:?} {members:?} {audiences:?} {:?} {:?}", scopes.all_of, scopes.any_of)
        .replace('"', "")
}

#[track_caller]
fn check(route: &RouteSources<'_>, expected: Result<&str, Fault>) {
    check_on(&config(), &CheckView { route: route.clone(), ..CheckView::default() }, expected);
}

#[track_caller]
fn check_on(snapshot: &Snapshot, view: &CheckView<'_>, expected: Result<&str, Fault>) {
    let policy = resolve(view, snapshot).policy;
    let got = policy.as_deref().map(summary).map_err(|reason| *reason);
    assert_eq!(got, expected.map(str::to_owned).map_err(Reason::from), "{view:?}");
}

#[track_caller]
fn check_unknown(route: &RouteSources<'_>, fault: Option<Fault>, expected: &[&str]) {
    let snapshot = config();
    let view = CheckView { route: route.clone(), ..CheckView::default() };
    let Resolved { policy, unknown } = resolve(&view, &snapshot);
    let unknown: Vec<_> =
        unknown.iter().map(|u| format!("{} {}", u.kind.label(), u.name)).collect();
    let fault = fault.map(Reason::from);
    assert_eq!((policy.err(), unknown), (fault, expected.iter().map(|&u| u.into()).collect()));
}

const ORDERS: Result<&str, Fault> = Ok("Orders Strict [okta] [[orders]] [read] [x]");
const OTHER: Result<&str, Fault> = Ok("other Strict [entra] [] [] []");
const REFUSED: Result<&str, Fault> = Err(Fault::RoutePolicyInvalid);

#[test]
fn the_first_source_that_is_present_wins() {
    let mut route = RouteSources { extensions: vec![("policy", "other")], ..Default::default() };
    check(&route, OTHER);
    route.filter = Some(Value::Struct(vec![("policy", s("orders"))]));
    check(&route, ORDERS);
    route.typed = Some(Typed::Policy(Value::Struct(vec![("policy", s("other"))])));
    check(&route, OTHER);
}

#[test]
fn sources_are_never_merged() {
    let weaker = extensions(&[("scopes", "write"), ("audiences", "x")]);
    let filter = Some(Value::Struct(vec![("policy", s("orders"))]));
    check(&RouteSources { filter, ..weaker }, ORDERS);
}

#[test]
fn a_source_that_is_present_but_useless_does_not_fall_through() {
    let good = extensions(&[("policy", "orders")]);
    check(&RouteSources { typed: Some(Typed::Unexpected), ..good.clone() }, REFUSED);
    let empty = Value::Struct(Vec::new());
    check(&RouteSources { typed: Some(Typed::Policy(empty.clone())), ..good.clone() }, REFUSED);
    check(&RouteSources { filter: Some(empty), ..good.clone() }, REFUSED);
    check(&RouteSources { filter: Some(Value::Other), ..good.clone() }, REFUSED);
    check(
        &RouteSources { filter: Some(Value::Struct(vec![("policy", s("gone"))])), ..good },
        Err(Fault::PolicyUnknown),
    );
    check(&extensions(&[("", "")]), REFUSED);
    check(&extensions(&[("policy", "")]), REFUSED);
}

#[test]
fn a_route_that_says_nothing_gets_the_default_policy_or_a_fault() {
    check(&RouteSources::default(), OTHER);
    let snapshot = Snapshot { default_policy: None, ..config() };
    check_on(&snapshot, &CheckView::default(), Err(Fault::RoutePolicyMissing));
}

#[test]
fn every_other_shape_is_invalid_in_both_metadata_sources() {
    let nested = Value::List(vec![l(&["okta"])]);
    for fields in [
        vec![],
        vec![("polciy", s("orders"))],
        vec![("policy", s("orders")), ("realm", s("x"))],
        vec![("POLICY", s("orders"))],
        vec![("policy", Value::Other)],
        vec![("policy", s(""))],
        vec![("policy", l(&["orders"]))],
        vec![("policy", Value::Struct(vec![]))],
        vec![("policy", s("orders")), ("providers", l(&["okta"]))],
        vec![("policy", s("orders")), ("mode", s("strict"))],
        vec![("policy", s("orders")), ("mode", s("anonymous"))],
        vec![("policy", s("orders")), ("audiences", l(&[]))],
        vec![("policy", s("orders")), ("audiences", s("a"))],
        vec![("policy", s("orders")), ("audiences", l(&["a", ""]))],
        vec![("policy", s("orders")), ("scopes", s("a"))],
        vec![("policy", s("orders")), ("scopes", Value::List(vec![Value::Other]))],
        vec![("policy", s("orders")), ("scopes", Value::Other)],
        vec![("providers", l(&[]))],
        vec![("providers", l(&["okta", ""]))],
        vec![("providers", s(""))],
        vec![("providers", nested)],
        vec![("providers", Value::Other)],
        vec![("providers", Value::Struct(vec![]))],
        vec![("providers", l(&["okta"])), ("mode", s("lenient"))],
        vec![("providers", l(&["okta"])), ("mode", s("Strict"))],
        vec![("providers", l(&["okta"])), ("mode", s(""))],
        vec![("providers", l(&["okta"])), ("mode", Value::Other)],
        vec![("mode", s("strict"))],
        vec![("mode", s("optional"))],
        vec![("mode", s("permissive"))],
        vec![("mode", s("anonymous")), ("audiences", l(&["a"]))],
        vec![("mode", s("anonymous")), ("scopes", l(&["a"]))],
        vec![("audiences", l(&["a"]))],
        vec![("scopes", l(&["a"]))],
    ] {
        check(&filter(&fields), REFUSED);
        check(&typed(&fields), REFUSED);
    }
}

#[test]
fn every_other_shape_of_extensions_is_invalid() {
    for fields in [
        &[("polciy", "orders")][..],
        &[("policy", "orders"), ("providers", "okta")],
        &[("policy", "orders"), ("mode", "strict")],
        &[("policy", "orders"), ("audiences", "")],
        &[("policy", "orders"), ("scopes", "a,,b")],
        &[("providers", "")],
        &[("providers", ",")],
        &[("providers", "okta,")],
        &[("providers", " ")],
        &[("providers", "okta"), ("mode", "STRICT")],
        &[("mode", "optional")],
        &[("mode", "anonymous"), ("scopes", "a")],
        &[("audiences", "a")],
        &[("scopes", "a")],
    ] {
        check(&extensions(fields), REFUSED);
    }
}

#[test]
fn audiences_and_scopes_narrow_a_named_policy_and_never_widen_it() {
    let narrowed = Ok("Orders Strict [okta] [[orders], [a, b]] [read, write, all] [x]");
    let lists = [("audiences", l(&["a", "b"])), ("scopes", l(&["write", "all"]))];
    check(&filter(&[&[("policy", s("orders"))][..], &lists].concat()), narrowed);
    check(
        &extensions(&[("policy", "orders"), ("audiences", "a, b"), ("scopes", "write,all")]),
        narrowed,
    );
    let scopes = [("policy", s("orders")), ("scopes", l(&["write"]))];
    check(&typed(&scopes), Ok("Orders Strict [okta] [[orders]] [read, write] [x]"));
}

#[test]
fn an_inline_policy_is_strict_unless_it_says_otherwise() {
    check(&filter(&[("providers", l(&["okta"]))]), Ok("inline Strict [okta] [] [] []"));
    for (mode, shown) in [
        ("strict", "Strict"),
        ("optional", "Optional"),
        ("permissive", "Permissive"),
        ("anonymous", "Anonymous"),
    ] {
        let expected = format!("inline {shown} [okta] [[a]] [b] []");
        let (audiences, scopes) = (("audiences", l(&["a"])), ("scopes", l(&["b"])));
        let fields = [("providers", l(&["okta"])), ("mode", s(mode)), audiences, scopes];
        check(&filter(&fields), Ok(&expected));
    }
}

#[test]
fn anonymous_alone_needs_no_provider() {
    check(&filter(&[("mode", s("anonymous"))]), Ok("inline Anonymous [] [] [] []"));
    check(&extensions(&[("mode", "anonymous")]), Ok("inline Anonymous [] [] [] []"));
    check(&filter(&[("policy", s("open"))]), Ok("open Anonymous [] [] [] []"));
}

#[test]
fn providers_are_a_list_or_one_text_with_commas() {
    let both = Ok("inline Strict [okta, entra] [] [] []");
    check(&filter(&[("providers", l(&["okta", "entra"]))]), both);
    check(&filter(&[("providers", s("okta,entra"))]), both);
    check(&filter(&[("providers", s(" okta , entra "))]), both);
    check(&extensions(&[("providers", "okta, entra")]), both);
    check(&filter(&[("providers", s("okta,,entra"))]), REFUSED);
    // Inside a list a comma is part of the name.
    check(&filter(&[("providers", l(&["okta,entra"]))]), Err(Fault::ProviderUnknown));
}

#[test]
fn providers_that_share_an_issuer_are_invalid() {
    check(&filter(&[("providers", l(&["okta", "twin"]))]), REFUSED);
    check(&filter(&[("providers", l(&["okta", "OKTA"]))]), REFUSED);
    check(&filter(&[("providers", s("twin,entra,okta"))]), REFUSED);
    check(&filter(&[("providers", l(&["twin"]))]), Ok("inline Strict [twin] [] [] []"));
}

#[test]
fn names_are_compared_ignoring_case() {
    check(&filter(&[("policy", s("ORDERS"))]), ORDERS);
    check(&filter(&[("providers", l(&["OkTa"]))]), Ok("inline Strict [okta] [] [] []"));
    check(&filter(&[("policy", s("order"))]), Err(Fault::PolicyUnknown));
    check(&filter(&[("policy", s(" orders"))]), Err(Fault::PolicyUnknown));
}

#[test]
fn a_repeated_field_keeps_the_last_value() {
    check(&filter(&[("policy", s("gone")), ("policy", s("orders"))]), ORDERS);
    check(&typed(&[("policy", s("orders")), ("policy", s("other"))]), OTHER);
    check(&extensions(&[("policy", "orders"), ("policy", "other")]), OTHER);
    check(&filter(&[("policy", s("orders")), ("policy", s(""))]), REFUSED);
}

#[test]
fn what_a_route_names_and_the_config_lacks_is_reported_while_the_rest_still_works() {
    let some = filter(&[("providers", l(&["gone", "okta", "Away"]))]);
    check(&some, Ok("inline Strict [okta] [] [] []"));
    check_unknown(&some, None, &["provider gone", "provider Away"]);
    check_unknown(&filter(&[("policy", s("partial"))]), None, &["provider gone"]);
    check_unknown(&filter(&[("policy", s("orders"))]), None, &[]);
}

#[test]
fn a_policy_that_does_not_exist_is_unknown() {
    let fault = Some(Fault::PolicyUnknown);
    check_unknown(&filter(&[("policy", s("Gone"))]), fault, &["policy Gone"]);
    check_unknown(&extensions(&[("policy", "okta")]), fault, &["policy okta"]);
}

#[test]
fn where_no_known_provider_is_left_the_fault_says_why() {
    let (unknown, disabled) = (Some(Fault::ProviderUnknown), Some(Fault::ProviderDisabled));
    check_unknown(&filter(&[("providers", s("gone"))]), unknown, &["provider gone"]);
    check_unknown(&filter(&[("policy", s("lost"))]), unknown, &["provider gone"]);
    check_unknown(&filter(&[("providers", s("off"))]), disabled, &[]);
    check_unknown(&filter(&[("providers", s("off,gone"))]), disabled, &["provider gone"]);
    check_unknown(&filter(&[("policy", s("sleeping"))]), disabled, &[]);
    check(&filter(&[("policy", s("nobody"))]), REFUSED);
    check(&filter(&[("providers", s("off,okta"))]), Ok("inline Strict [off, okta] [] [] []"));
}

#[test]
fn anonymous_does_not_hide_a_route_that_names_nobody() {
    let mode = ("mode", s("anonymous"));
    check(&filter(&[("providers", s("gone")), mode.clone()]), Err(Fault::ProviderUnknown));
    check(&filter(&[("providers", s("off")), mode]), Err(Fault::ProviderDisabled));
}
