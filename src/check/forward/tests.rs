//! What is taken off a request for every place, every end of a check and every `forward_token`.

use super::*;
use crate::{
    check::{
        fixtures::{okta, orders, target},
        request::Headers,
    },
    policy::token_place::{TokenHeader, TokenPlace},
};

fn header(name: &str, scheme: Option<&str>) -> TokenPlace {
    TokenPlace::Header(TokenHeader::new(name.into(), scheme.map(Into::into)))
}

fn places() -> Vec<TokenPlace> {
    let query = TokenPlace::Query("access_token".into());
    vec![header("x-auth-token", None), query, TokenPlace::Cookie("sid".into())]
}

fn http<'a>(path: &'a str, lines: &[(&'a str, &'a str)]) -> HttpView<'a> {
    let lines = lines.iter().map(|(name, value)| (*name, value.as_bytes()));
    HttpView { method: "GET", path, headers: Headers(lines.collect()), ..HttpView::default() }
}

/// `REMOVED… path=… cookie=… CACHING`, as far as it is there.
fn summary(credentials: Result<Credentials, Denial>) -> String {
    let Ok(Credentials { remove, path, cookie, caching }) = credentials else {
        return "refused".to_owned();
    };
    let removed = remove.iter().map(ToString::to_string);
    let path = path.map(|path| format!("path={path}"));
    let cookie = cookie.map(|cookie| format!("cookie={cookie}"));
    let private = (caching == Caching::Private).then(|| "private".to_owned());
    removed.chain(path).chain(cookie).chain(private).collect::<Vec<_>>().join(" ")
}

/// By default, with `forward_token: false`, where it failed.
#[track_caller]
fn check(places: &[TokenPlace], http: &HttpView<'_>, place: usize, expected: [&str; 3]) {
    let policy =
        |forward_token| Policy { token_from: places.to_vec(), forward_token, ..orders(okta()) };
    let kept = verified(http, &policy(ForwardToken::Keep), Some(place));
    let copied = verified(http, &policy(ForwardToken::Copy(target("x-copy"))), Some(place));
    assert_eq!(kept, copied);
    let removed = verified(http, &policy(ForwardToken::Remove), Some(place));
    let failed = failed(http, &policy(ForwardToken::Keep));
    assert_eq!([kept, removed, failed].map(summary), expected);
}

const LEFT: &str = "x_auth_token authorization";

#[test]
fn each_place_is_taken_off_where_the_token_must_not_stay() {
    let places = places();
    let in_header = http("/?a=b", &[("X-Auth-Token", "t"), ("cookie", "a=b")]);
    let without = "x_auth_token authorization x-auth-token";
    check(&places, &in_header, 0, [LEFT, without, without]);
    let in_query = http("/p?a=b&%61ccess_token=t", &[]);
    let kept = format!("{LEFT} private");
    let removed = format!("{LEFT} path=/p?a=b private");
    check(&places, &in_query, 1, [&kept, &removed, &format!("{LEFT} path=/p?a=b")]);
    let in_cookie = http("/", &[("cookie", "a=b; sid=t; c=d")]);
    let without = format!("{LEFT} cookie=a=b; c=d");
    check(&places, &in_cookie, 2, [LEFT, &without, &without]);
    let alone = http("/", &[("cookie", "sid=t")]);
    let without = format!("{LEFT} cookie=");
    check(&places, &alone, 2, [LEFT, &without, &without]);
}

#[test]
fn all_of_several_failed_credentials_are_taken_off() {
    let lines = [("x-auth-token", "t"), ("cookie", "sid=t; a=b"), ("authorization", "Bearer t")];
    let policy = Policy { token_from: places(), ..orders(okta()) };
    let got = summary(failed(&http("/?access_token=t&access_token=u", &lines), &policy));
    assert_eq!(got, format!("{LEFT} x-auth-token path=/ cookie=a=b"));
    let two = vec![TokenPlace::Query("a".into()), TokenPlace::Query("b".into())];
    let cookies = ["c", "d"].map(|name| TokenPlace::Cookie(name.into()));
    let policy = Policy { token_from: [two, cookies.to_vec()].concat(), ..orders(okta()) };
    let got = summary(failed(&http("/?a=1&b=2", &[("cookie", "c=1; d=2; e=3")]), &policy));
    assert_eq!(got, "authorization path=/ cookie=e=3");
}

#[test]
fn an_authorization_that_no_place_names_stays_only_if_it_is_seen_to_be_of_another_scheme() {
    for (places, lines, expected) in [
        (places(), &[][..], LEFT),
        (places(), &[("authorization", "Bearer t")], LEFT),
        (places(), &[("authorization", "bearer")], LEFT),
        (places(), &[("authorization", "Basic A,Bearer t")], LEFT),
        (places(), &[("authorization", "Basic A"), ("authorization", "Bearer t")], LEFT),
        (places(), &[("authorization", "Basic A")], "x_auth_token"),
        (vec![TokenPlace::authorization()], &[], ""),
        (vec![TokenPlace::authorization()], &[("authorization", "Basic A")], ""),
        (
            vec![header("authorization", Some("DPoP"))],
            &[("authorization", "Bearer t")],
            "authorization",
        ),
        (vec![header("authorization", Some("DPoP"))], &[("authorization", "Basic A")], ""),
    ] {
        let policy = Policy { token_from: places, ..orders(okta()) };
        assert_eq!(summary(Ok(missing(&http("/", lines), &policy))), expected, "{lines:?}");
    }
}

#[test]
fn beside_the_place_of_the_token_another_is_looked_into_as_ever() {
    let query = TokenPlace::Query("access_token".into());
    let places = [query, TokenPlace::authorization()];
    for odd in ["Basic Bearer evil", "BearerX evil", "a.b.c"] {
        let request = http("/?access_token=t", &[("authorization", odd)]);
        let removed = "authorization path=/ private";
        let failed = "authorization path=/";
        check(&places, &request, 0, ["authorization private", removed, failed]);
    }
}

#[test]
fn what_a_backend_may_take_for_a_token_is_taken_off_though_its_scheme_is_another() {
    for (places, name, scheme) in [
        (vec![TokenPlace::authorization()], "authorization", "Bearer"),
        (
            vec![TokenPlace::authorization(), TokenPlace::Cookie("sid".into())],
            "authorization",
            "Bearer",
        ),
        (vec![header("authorization", Some("DPoP"))], "authorization", "Bearer"),
        (vec![header("authorization", Some("DPoP"))], "authorization", "DPoP"),
        (vec![TokenPlace::authorization(), header("x-jwt", Some("Token"))], "x-jwt", "Token"),
    ] {
        let policy = Policy { token_from: places, ..orders(okta()) };
        let taken_off = |value: &str| {
            let value = value.replace("Bearer", scheme);
            summary(Ok(missing(&http("/", &[(name, &value)]), &policy)))
                .split(' ')
                .any(|removed| removed == name)
        };
        for odd in
            ["BearerX a.b.c", "bearer_a", "Basic Bearer t", "a.b.c", "a.b.c x", "X x, y bearer t"]
        {
            assert!(taken_off(&odd.replace("bearer", &scheme.to_lowercase())), "{odd} {scheme}");
        }
        for other in ["", "Basic QTpC", "Negotiate", "Digest a=\"b.c\"", "Digest a=\"Bearer\""] {
            assert!(!taken_off(other), "{other} {scheme}");
        }
    }
}

#[test]
fn a_header_that_a_backend_may_read_as_the_token_s_is_taken_off_in_its_plain_form_too() {
    let policy = Policy { token_from: vec![header("x.token", None)], ..orders(okta()) };
    assert_eq!(summary(Ok(missing(&http("/", &[]), &policy))), "x_token x-token authorization");
}

#[test]
fn an_authorization_that_is_the_credential_stays_with_it() {
    let dpop = [header("authorization", Some("DPoP"))];
    let line = [("authorization", "DPoP t")];
    check(&dpop, &http("/", &line), 0, ["", "authorization", "authorization"]);
    let default = [TokenPlace::authorization()];
    let line = [("authorization", "Bearer t")];
    check(&default, &http("/", &line), 0, ["", "authorization", "authorization"]);
}

#[test]
fn cookies_that_cannot_be_written_again_refuse_the_request() {
    let request = http("/", &[("cookie", "sid=t; a=é")]);
    check(&places(), &request, 2, [LEFT, "refused", "refused"]);
}

/// What is taken off under other names than those of the config; `x-user` is owned.
#[track_caller]
fn check_aliases(mode: Mode, lines: &[&str], expected: &[&str]) {
    let owned = OwnedHeaders::new([&target("x-user")]);
    let lines: Vec<_> = lines.iter().map(|name| (*name, "x")).collect();
    let policy = Policy { mode, token_from: places(), ..orders(okta()) };
    let (credentials, policy) = (Credentials::default(), &policy);
    let allow = Allow { set: Vec::new(), credentials, reason: None, policy, identity: None };
    let allow = without_aliases(allow, &http("/", &lines), &owned);
    assert_eq!(allow.credentials.remove.iter().map(|n| &**n).collect::<Vec<_>>(), expected);
}

#[test]
fn a_name_that_a_backend_may_read_as_an_owned_one_or_the_token_s_is_taken_off_once() {
    let others = ["x-users", "xuser", "x_other", ":x_user", "x-user", "x_user", "accept"];
    check_aliases(Mode::Strict, &others, &[]);
    check_aliases(Mode::Anonymous, &["X.User", "x~user", "x.user"], &["x.user", "x~user"]);
    let token = ["x-auth_token", "X_Auth-Token", "x-auth-token", "x-auth_token"];
    check_aliases(Mode::Permissive, &token, &["x-auth_token", "x_auth-token"]);
    // There nobody looks for a token.
    check_aliases(Mode::Anonymous, &token, &[]);
}
