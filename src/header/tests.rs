//! Names that may be targets, and names that are owned.

use super::*;

#[track_caller]
fn check(name: &str, expected: Result<&str, HeaderTargetError>) {
    let got = HeaderTarget::parse(name);
    assert_eq!(got.as_ref().map(HeaderTarget::as_str).map_err(|e| *e), expected, "{name}");
}

#[test]
fn targets_are_lower_cased_names() {
    check("X-Auth-Subject", Ok("x-auth-subject"));
    check("x_auth", Ok("x_auth"));
    check("", Err(HeaderTargetError::NotAName));
    check(":path", Err(HeaderTargetError::NotAName));
    check("x auth", Err(HeaderTargetError::NotAName));
    check("x-auth\r\n", Err(HeaderTargetError::NotAName));
}

#[test]
fn reserved_names_are_refused_in_any_case_and_in_their_underscore_form() {
    for name in [
        "Host",
        "authorization",
        "Cookie",
        "accept-language",
        "content_type",
        "sec-fetch-site",
        "proxy-authorization",
        "grpc-timeout",
        "x-envoy-original-path",
        "x-http-method-override",
        "x-csrf-token",
        "x-httpmethod-override",
        "X_Forwarded_For",
        "X_Forwarded_Authorization",
        "x-forwarded-authorization",
        "x-api-key",
        "te",
    ] {
        check(name, Err(HeaderTargetError::Reserved));
    }
}

#[test]
fn only_forward_token_may_use_x_forwarded_authorization() {
    assert!(HeaderTarget::parse_forward("X-Forwarded-Authorization").is_ok());
    assert!(HeaderTarget::parse_forward("Authorization").is_err());
}

#[test]
fn owned_headers_include_underscore_forms_once() {
    let target = HeaderTarget::parse("x-auth-sub").unwrap();
    let owned = OwnedHeaders::new([&target, &target]);
    let names: Vec<&str> = owned.iter().map(|n| &**n).collect();
    assert_eq!(names, ["x-auth-sub", "x_auth_sub"]);
}

#[test]
fn a_token_may_stand_where_credentials_do_and_in_no_other_reserved_header() {
    for name in ["Authorization", "proxy-authorization", "X-API-Key", "x-auth-token"] {
        assert_eq!(token_header(name).as_deref(), Ok(&*name.to_ascii_lowercase()));
    }
    assert!(token_header("x-forwarded-authorization").is_ok());
    for name in ["cookie", "host", "sec-websocket-protocol", "x-csrf-token", "x_api_key", "te"] {
        assert_eq!(token_header(name), Err(HeaderTargetError::Reserved), "{name}");
    }
    assert_eq!(token_header("a b"), Err(HeaderTargetError::NotAName));
}

#[test]
fn every_reserved_name_of_the_contract_is_refused() {
    for name in [
        "connection",
        "upgrade",
        "trailer",
        "transfer-encoding",
        "expect",
        "via",
        "forwarded",
        "origin",
        "referer",
        "user-agent",
        "accept",
        "accept-encoding",
        "content-length",
        "proxy-connection",
        "grpc-status",
        "traceparent",
        "tracestate",
        "x-request-id",
        "x-real-ip",
        "x-original-url",
        "x-rewrite-url",
        "x-method-override",
        "x-verb-method-override",
        "csrf",
        "x-xsrf-csrftoken",
        "x-envoy-internal",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-port",
        "x-forwarded-prefix",
        "x-forwarded-client-cert",
    ] {
        check(name, Err(HeaderTargetError::Reserved));
        check(&name.to_ascii_uppercase().replace('-', "_"), Err(HeaderTargetError::Reserved));
    }
}

#[test]
fn names_beside_the_reserved_ones_are_free() {
    for name in ["x-auth-host", "x-forwarded-user", "x-teams", "team", "x-user-agent"] {
        check(name, Ok(name));
    }
}

#[test]
fn forward_token_may_use_no_other_reserved_name() {
    for name in ["x-forwarded-for", "X_Forwarded_Host", "cookie", "x-api-key", "", "x y"] {
        assert!(HeaderTarget::parse_forward(name).is_err(), "{name}");
    }
}

#[test]
fn a_header_is_owned_in_its_hyphen_form_too() {
    let target = HeaderTarget::parse("x_auth-sub").unwrap();
    let owned = OwnedHeaders::new([&target]);
    let names: Vec<&str> = owned.iter().map(|n| &**n).collect();
    assert_eq!(names, ["x-auth-sub", "x_auth-sub", "x_auth_sub"]);
}

#[test]
fn a_header_of_any_spelling_is_owned_as_the_plainest_is() {
    for (name, expected) in [
        ("x.user", &["x-user", "x.user", "x_user"][..]),
        ("x~a_b-c", &["x-a-b-c", "x_a_b_c", "x~a-b-c", "x~a_b-c", "x~a_b_c"]),
        ("user", &["user"]),
    ] {
        let target = HeaderTarget::parse(name).unwrap();
        let owned = OwnedHeaders::new([&target]);
        assert_eq!(owned.iter().map(|n| &**n).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_name_that_a_backend_reads_as_a_reserved_one_is_reserved() {
    for name in ["x.forwarded.for", "Content~Type", "x.csrf", "x_http.method-override"] {
        check(name, Err(HeaderTargetError::Reserved));
    }
    check("x.forwarded~authorization", Err(HeaderTargetError::Reserved));
    assert_eq!(token_header("x.api.key"), Err(HeaderTargetError::Reserved));
}

#[test]
fn a_name_of_letters_digits_and_hyphens_is_told_by_each_of_its_bytes() {
    for length in 0..20 {
        for (place, byte) in (0..length).flat_map(|at| (0..=u8::MAX).map(move |byte| (at, byte))) {
            let mut name = b"x-Az09-m".repeat(3);
            name.truncate(length);
            name[place] = byte;
            let usual = byte.is_ascii_alphanumeric() || byte == b'-';
            assert_eq!(is_usual(&name), usual, "{name:?}");
        }
    }
    assert!(is_usual(b""));
}

#[test]
fn headers_that_a_later_config_gives_up_are_told() {
    let [a, b] = ["x-a", "x_b"].map(|name| HeaderTarget::parse(name).unwrap());
    let (before, after) = (OwnedHeaders::new([&a, &b]), OwnedHeaders::new([&b]));
    assert_eq!(before.without(&after).collect::<Vec<_>>(), ["x-a", "x_a"]);
    assert_eq!(after.without(&before).count(), 0);
}

#[test]
fn the_encoded_names_are_all_but_the_excepted_ones() {
    let targets = ["x-a", "x-b", "x-c", "y"].map(|name| HeaderTarget::parse(name).unwrap());
    let owned = OwnedHeaders::new(&targets);
    let encoded = |except: &[&str]| {
        let mut bytes = Vec::new();
        let line = |name: &str| format!("{name};").into_bytes();
        owned.encoded_except(except.iter().copied(), line, |piece| bytes.extend(piece));
        String::from_utf8(bytes).unwrap()
    };
    for (except, expected) in [
        (&[][..], "x-a;x-b;x-c;x_a;x_b;x_c;y;"),
        (&["x-a"], "x-b;x-c;x_a;x_b;x_c;y;"),
        (&["y", "x-b"], "x-a;x-c;x_a;x_b;x_c;"),
        (&["x-b", "x-c", "x-b", "unknown", ""], "x-a;x_a;x_b;x_c;y;"),
        (&["x-a", "x-b", "x-c", "x_a", "x_b", "x_c", "y"], ""),
    ] {
        assert_eq!(encoded(except), expected, "{except:?}");
    }
}

#[test]
fn names_beyond_the_first_32_are_excepted_too() {
    let targets: Vec<_> =
        (10..90).map(|n| HeaderTarget::parse(&format!("x{n}")).unwrap()).collect();
    let owned = OwnedHeaders::new(&targets);
    for except in [&[][..], &["x10", "x41", "x42", "x89"], &["x89", "x43", "x43", "x11"], &["x60"]]
    {
        let mut bytes = Vec::new();
        let line = |name: &str| format!("{name};").into_bytes();
        owned.encoded_except(except.iter().copied(), line, |piece| bytes.extend(piece));
        let kept = targets.iter().map(HeaderTarget::as_str).filter(|name| !except.contains(name));
        let expected: String = kept.map(|name| format!("{name};")).collect();
        assert_eq!(String::from_utf8(bytes).unwrap(), expected, "{except:?}");
    }
}
