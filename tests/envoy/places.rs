//! Tokens in headers, the query and cookies: what a real Envoy does with each answer.

use serde_json::json;

use crate::{
    client::{Reply, Request},
    credentials::{ISSUER, good},
    listener::Listener,
    stack::Stack,
    support::{self, keys::ES256},
};

const MODES: [&str; 3] = ["strict", "optional", "permissive"];

/// Policies `MODE`, and `MODE-removed` which takes the token off, at `/MODE` and `/MODE-removed`.
async fn stack() -> Option<Stack> {
    let demo = support::provider("demo", ISSUER, &ES256.jwks());
    let places = "token_from: [{ header: x-auth-token }, { query: access_token }, { cookie: sid }]";
    let policies = MODES.map(|mode| {
        let policy = format!("providers: [demo], mode: {mode}, {places}");
        format!(
            "- {{ name: {mode}, {policy}, allow_cors_preflight: true }}\n\
             - {{ name: {mode}-removed, {policy}, forward_token: false }}\n"
        )
    });
    let config = format!("providers:\n{demo}policies:\n{}", policies.concat());
    let listener = MODES.iter().fold(Listener::default(), |listener, mode| {
        let removed = format!("{mode}-removed");
        let listener = listener.metadata(&format!("/{mode}"), &json!({ "policy": mode }));
        listener.metadata(&format!("/{removed}"), &json!({ "policy": removed }))
    });
    Stack::serving(&config, &listener).await
}

/// What the upstream saw: the subject, the path, the cookies, the token's header, `Authorization`.
fn seen(reply: &Reply) -> [String; 5] {
    let header = |name| reply.seen(name);
    let path = reply.path_seen();
    [
        header("x-auth-subject"),
        path,
        header("cookie"),
        header("x-auth-token"),
        header("authorization"),
    ]
}

/// The three places, with `token` in one of them and harmless things in the others.
fn requests(path: &str, token: &str) -> [Request; 3] {
    let at = |query: &str, cookie: &str| {
        Request::get(&format!("{path}?a=b{query}")).line("cookie", format!("c=d{cookie}; e=f"))
    };
    [
        at("", "").line("X-Auth-Token", token),
        at(&format!("&%61ccess_token={token}&z"), ""),
        at("", &format!("; sid={token}")),
    ]
}

#[tokio::test]
async fn a_good_token_is_taken_from_each_place_and_stays_or_goes_with_it() {
    let Some(stack) = stack().await else { return };
    let token = good();
    for mode in MODES {
        let kept = format!("/{mode}");
        for (place, request) in requests(&kept, &token).iter().enumerate() {
            let reply = stack.send(request).await;
            let [subject, path, cookie, header, _] = seen(&reply);
            assert_eq!((reply.status, &*subject), (200, "alice"), "{kept} {place}");
            let there = [&header, &path, &cookie].map(|text| text.contains(&token));
            assert_eq!(there, [place == 0, place == 1, place == 2], "{kept} {place}");
            assert_eq!(reply.header("cache-control"), if place == 1 { "private" } else { "" });
        }
        let removed = format!("/{mode}-removed");
        for (place, request) in requests(&removed, &token).iter().enumerate() {
            let reply = stack.send(request).await;
            let path = format!("{removed}?a=b{}", if place == 1 { "&z" } else { "" });
            let expected = ["alice", &path, "c=d; e=f", "", ""];
            assert_eq!(seen(&reply), expected, "{removed} {place}");
        }
    }
}

#[tokio::test]
async fn a_failed_token_is_denied_or_taken_off_wherever_it_stood() {
    let Some(stack) = stack().await else { return };
    for mode in MODES {
        let path = format!("/{mode}");
        for (place, request) in requests(&path, "forged").iter().enumerate() {
            let reply = stack.send(request).await;
            if mode == "permissive" {
                let path = format!("{path}?a=b{}", if place == 1 { "&z" } else { "" });
                assert_eq!(seen(&reply), ["", &path, "c=d; e=f", "", ""], "{place}");
            } else {
                assert_eq!(reply.status, 401, "{mode} {place}");
            }
        }
    }
}

#[tokio::test]
async fn two_places_are_one_too_many_and_all_are_taken_off() {
    let Some(stack) = stack().await else { return };
    let token = good();
    for mode in MODES {
        let request = Request::get(&format!("/{mode}?access_token={token}"));
        let request = request.line("cookie", format!("sid={token}")).line("x-auth-token", &token);
        let reply = stack.send(&request).await;
        if mode == "permissive" {
            assert_eq!(seen(&reply), ["", "/permissive", "", "", ""]);
        } else {
            assert_eq!(reply.status, 400, "{mode}");
        }
    }
}

#[tokio::test]
async fn no_spelling_that_a_backend_reads_as_the_token_s_name_brings_another_to_the_upstream() {
    let Some(stack) = stack().await else { return };
    let cookies: [&[u8]; 9] = [
        b"\xC2\xA0sid=forged",
        b"\xA0sid=forged",
        b"\x85sid=forged",
        b"\xE3\x80\x80sid=forged",
        b"=sid=forged",
        b"Sid=forged",
        b"sid[]=forged",
        b"a=\"1\" sid=forged",
        b"\"sid\"=forged",
    ];
    let queries =
        ["access_token[]", "access_token%5B0%5D", "access.token", "ACCESS_TOKEN", "+access_token"];
    let odd = |path: &str| {
        let cookie = |line: Vec<u8>| Request::get(path).line("cookie", line);
        let query = |query: String| Request::get(&format!("{path}?{query}"));
        let in_cookies = cookies.map(|odd| {
            let beside = [b"sid=", good().as_bytes(), b"; ", odd].concat();
            (cookie(odd.to_vec()), cookie(beside))
        });
        let in_query = queries.map(|odd| {
            let beside = format!("access_token={}&{odd}=forged", good());
            (query(format!("{odd}=forged")), query(beside))
        });
        in_cookies.into_iter().chain(in_query)
    };
    for (mode, path) in
        MODES.iter().flat_map(|m| [(m, format!("/{m}")), (m, format!("/{m}-removed"))])
    {
        for (case, (alone, beside)) in odd(&path).enumerate() {
            for (request, denied) in [(alone, 401), (beside, 400)] {
                let reply = stack.send(&request).await;
                if *mode == "permissive" {
                    let [subject, seen_path, cookie, _, _] = seen(&reply);
                    let clean = cookie.is_empty() && seen_path == path && subject.is_empty();
                    assert!(clean, "{path} {case} {seen_path} {cookie}");
                } else {
                    assert_eq!(reply.status, denied, "{path} {case}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_bearer_token_that_no_place_names_never_reaches_the_upstream() {
    let Some(stack) = stack().await else { return };
    let token = good();
    for mode in MODES {
        for (line, stays) in [
            (format!("Bearer {token}"), false),
            ("bearer x".to_owned(), false),
            (format!("Basic QTpC,Bearer {token}"), false),
            ("Basic QTpC".to_owned(), true),
        ] {
            let good = Request::get(&format!("/{mode}")).line("cookie", format!("sid={token}"));
            let nothing = Request::get(&format!("/{mode}"));
            let expected = if stays { line.as_str() } else { "" };
            let reply = stack.send(&good.line("authorization", &line)).await;
            assert_eq!(reply.seen("authorization"), expected, "{mode} {line:.12}");
            let nothing = nothing.line("authorization", &line);
            let reply = stack.send(&nothing).await;
            assert_eq!(reply.status, if mode == "strict" { 401 } else { 200 }, "{mode}");
            if mode != "strict" {
                assert_eq!(reply.seen("authorization"), expected, "{mode} {line:.12}");
            }
        }
    }
}

#[tokio::test]
async fn a_cookie_counts_for_what_its_own_site_asks_for() {
    let Some(stack) = stack().await else { return };
    let send = async |method: &str, mode: &str, lines: &[(&str, &str)]| {
        let request = Request::get(&format!("/{mode}")).method(method);
        let request = request.line("cookie", format!("sid={}", good()));
        stack.send(&request.lines(lines.iter().copied())).await.status
    };
    let own = ("origin", "http://localhost");
    for mode in MODES {
        for method in ["POST", "DELETE"] {
            assert_eq!(send(method, mode, &[own]).await, 200, "{method} {mode}");
            assert_eq!(send(method, mode, &[("sec-fetch-site", "same-origin")]).await, 200);
            for foreign in [
                &[][..],
                &[("origin", "http://evil.example")],
                &[("origin", "null")],
                &[("sec-fetch-site", "same-site")],
                &[("sec-fetch-site", "cross-site"), own],
            ] {
                assert_eq!(send(method, mode, foreign).await, 400, "{method} {mode} {foreign:?}");
            }
        }
        assert_eq!(send("GET", mode, &[("origin", "http://evil.example")]).await, 200);
    }
}

#[tokio::test]
async fn a_real_preflight_passes_without_a_token() {
    let Some(stack) = stack().await else { return };
    let preflight = |path: &str| {
        let request = Request::get(path).method("OPTIONS").line("origin", "https://app.example");
        request.line("access-control-request-method", "PUT")
    };
    let reply = stack.send(&preflight("/strict").line("x-auth-subject", "forged")).await;
    assert_eq!((reply.status, reply.seen("x-auth-subject")), (200, String::new()));
    assert_eq!(stack.send(&preflight("/strict-removed")).await.status, 401);
    assert_eq!(stack.send(&preflight("/strict").method("GET")).await.status, 401);
    for (name, value) in [("x-http-method-override", "DELETE"), ("content-length", "1")] {
        let more = preflight("/strict").line(name, value);
        assert_eq!(stack.send(&more).await.status, 401, "{name}");
    }
    let with_token = preflight("/strict").line("x-auth-token", "forged");
    assert_eq!(stack.send(&with_token).await.status, 401);
}
