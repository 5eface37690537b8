//! Requests that are not asked for a token: CORS preflights, and the metadata of a resource.

use super::*;
use crate::policy::protected_resource::ProtectedResource;

/// A CORS preflight with these lines instead of nothing.
#[track_caller]
fn check_preflight(method: &str, lines: &[(&str, &str)], preflight: Preflight, expected: &str) {
    let mut config = config(Mode::Strict);
    let policy = Policy { preflight, ..Policy::clone(config.policy("orders").unwrap()) };
    config.default_policy = Some(Arc::new(policy));
    let headers = lines.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let http = HttpView { method, headers, ..HttpView::default() };
    let view = CheckView { http, route: RouteSources::default() };
    let (host, mut backing) = (Lender::of(Lends::Keys), Backing::default());
    let progress = decide(&view, &config, &host, at(NOW), &mut backing);
    let Progress::Done(decision, _) = progress else {
        panic!("no decision");
    };
    assert_eq!(summary(&decision).trim_end(), expected, "{method} {lines:?}");
}

#[test]
fn only_a_real_preflight_passes_and_only_where_the_policy_allows_it() {
    const REAL: [(&str, &str); 2] =
        [("origin", "https://app"), ("access-control-request-method", "PUT")];
    let (allowed, missing) = ("allowed - Keep nobody", "denied credentials_missing");
    check_preflight("OPTIONS", &REAL, Preflight::Allow, allowed);
    check_preflight("OPTIONS", &REAL, Preflight::Check, missing);
    for method in ["GET", "POST", "options", ""] {
        check_preflight(method, &REAL, Preflight::Allow, missing);
    }
    for lines in [&REAL[..1], &REAL[1..], &[REAL[0], ("access-control-request-method", "")]] {
        check_preflight("OPTIONS", lines, Preflight::Allow, missing);
    }
    for more in [
        ("Upgrade", "websocket"),
        ("content-length", "2"),
        ("content-length", ""),
        ("transfer-encoding", "chunked"),
        ("Expect", "100-continue"),
        ("trailer", "x"),
        ("Content-Type", "application/json"),
        ("content_encoding", "gzip"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("x_method_override", "DELETE"),
        ("x.http.method.override", "DELETE"),
        ("x-http-method", "DELETE"),
    ] {
        check_preflight("OPTIONS", &[REAL[0], REAL[1], more], Preflight::Allow, missing);
    }
    for usual in [("content-length", "0"), ("access-control-request-headers", "x"), ("dnt", "1")] {
        check_preflight("OPTIONS", &[REAL[0], REAL[1], usual], Preflight::Allow, allowed);
    }
    let basic = [REAL[0], REAL[1], ("authorization", "Basic A")];
    check_preflight("OPTIONS", &basic, Preflight::Allow, missing);
    let bad = [REAL[0], REAL[1], ("authorization", "Bearer x")];
    check_preflight("OPTIONS", &bad, Preflight::Allow, "denied token_malformed");
}

/// Asks for this under a policy whose resource is `https://a/mcp`.
#[track_caller]
fn check_resource(method: &str, path: &str, lines: &[(&str, &str)], expected: [&str; 2]) {
    let resource = Arc::new(ProtectedResource::new("https://a", "/mcp", "{}".into()));
    for (mode, expected) in [Mode::Strict, Mode::Anonymous].into_iter().zip(expected) {
        let mut config = config(mode);
        let policy = Policy::clone(config.policy("orders").unwrap());
        let protected_resource = Some(resource.clone());
        config.default_policy = Some(Arc::new(Policy { protected_resource, ..policy }));
        let headers = lines.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let http = HttpView { method, path, headers, ..HttpView::default() };
        let view = CheckView { http, route: RouteSources::default() };
        let (host, mut backing) = (Lender::of(Lends::Keys), Backing::default());
        let progress = decide(&view, &config, &host, at(NOW), &mut backing);
        let Progress::Done(decision, _) = progress else {
            panic!("no decision");
        };
        let got = summary(&decision);
        let starts = got.trim_end().starts_with(expected);
        assert!(starts && host.asked.take().is_empty(), "{method} {path}: {got}");
    }
}

#[test]
fn the_metadata_of_a_resource_is_for_everyone_and_nothing_else_is() {
    let document = ["answered Document"; 2];
    let checked = ["denied credentials_missing", "allowed - Keep nobody"];
    let own = "/.well-known/oauth-protected-resource/mcp";
    for method in ["GET", "HEAD"] {
        check_resource(method, own, &[], document);
        check_resource(method, "/.well-known/oauth-protected-resource?x=y", &[], document);
    }
    check_resource("GET", own, &[("authorization", "Bearer a,Bearer b")], document);
    for method in ["POST", "OPTIONS", "get", ""] {
        check_resource(method, own, &[], checked);
    }
    for path in ["/mcp", "/", "", "/x/../.well-known/oauth-protected-resource/mcp"] {
        check_resource("GET", path, &[], checked);
    }
    check_resource("GET", "/.well-known/oauth-protected-resource/mcp/x", &[], checked);
    check_resource("GET", "/.well-known/oauth-protected-resource%2fmcp", &[], checked);
    let preflight = [("origin", "https://x"), ("access-control-request-method", "GET")];
    check_resource("OPTIONS", own, &preflight, ["answered Preflight"; 2]);
    check_resource("OPTIONS", own, &preflight[..1], checked);
    check_resource("OPTIONS", "/mcp", &preflight, checked);
}
