//! Identity headers that a client sends never reach the upstream, on no route and in no spelling.

use crate::{
    client::Request,
    credentials::good,
    listener::Listener,
    stack::{Stack, listener},
};

const FORGED: &[&[(&str, &str)]] = &[
    &[],
    &[("x-auth-subject", "mallory")],
    &[("x-auth-subject", "mallory"), ("x-auth-subject", "bob")],
    &[("X-Auth-Subject", "mallory"), ("x-AUTH-subject", "bob"), ("X-AUTH-SUBJECT", "")],
    &[("x-auth-subject", "mallory, bob"), ("x-auth-provider", "evil"), ("X-Auth-Provider", "x")],
    &[("x-copied-token", "Bearer forged"), ("x-user-roles", "admin"), ("X-User-Roles", "root")],
];

const OWNED: [&str; 4] = ["x-auth-subject", "x-auth-provider", "x-copied-token", "x-user-roles"];

/// What the upstream sees of [`OWNED`] on this route, whatever the client sends beside `token`.
async fn check(listener: &Listener, table: &[(&str, Option<&str>, [&str; 4])]) {
    let Some(stack) = Stack::start(listener).await else { return };
    for (path, token, expected) in table {
        for forged in FORGED {
            for forged_first in [true, false] {
                let mut request = Request::get(path);
                if forged_first {
                    request = request.lines(forged.iter().copied());
                }
                request = token.iter().fold(request, |request, token| request.bearer(token));
                if !forged_first {
                    request = request.lines(forged.iter().copied());
                }
                let reply = stack.send(&request).await;
                assert_eq!(reply.status, 200, "{path}");
                assert_eq!(OWNED.map(|name| reply.seen(name)), *expected, "{path} {forged:?}");
            }
        }
    }
}

async fn check_every_mode(listener: &Listener) {
    let (token, nobody) = (good(), ["", "", "", ""]);
    let copied = format!("Bearer {token}");
    check(
        listener,
        &[
            ("/p/strict", Some(&token), ["alice", "demo", "", ""]),
            ("/p/optional", Some(&token), ["alice", "demo", "", ""]),
            ("/p/optional", None, nobody),
            ("/p/permissive", Some(&token), ["alice", "demo", "", ""]),
            ("/p/permissive", Some("bad"), nobody),
            ("/p/permissive", None, nobody),
            ("/p/anonymous", Some(&token), nobody),
            ("/p/anonymous", Some("bad"), nobody),
            ("/p/anonymous", None, nobody),
            ("/p/copied", Some(&token), ["alice", "demo", &copied, ""]),
            ("/p/removed", Some(&token), ["alice", "demo", "", ""]),
        ],
    )
    .await;
}

#[tokio::test]
async fn the_upstream_sees_the_verified_value_or_none() {
    check_every_mode(&listener()).await;
}

#[tokio::test]
async fn the_upstream_sees_the_verified_value_or_none_where_headers_are_a_map() {
    check_every_mode(&listener().header_map()).await;
}

/// The example without the option that refuses names with underscores.
fn underscores() -> Listener {
    listener().replace(
        "          common_http_protocol_options: { headers_with_underscores_action: REJECT_REQUEST }\n",
        "",
    )
}

#[tokio::test]
async fn names_with_underscores_are_refused_by_the_example() {
    let Some(stack) = Stack::start(&listener()).await else { return };
    for name in ["x_auth_subject", "x-auth_subject", "X_Auth-Subject", "x_other"] {
        for path in ["/p/strict", "/public"] {
            let request = Request::get(path).bearer(&good()).line(name, "mallory");
            let reply = stack.send(&request).await;
            assert_eq!((reply.status, reply.is_from_upstream()), (400, false), "{path} {name}");
        }
    }
}

#[tokio::test]
async fn the_underscore_form_never_reaches_the_upstream_where_envoy_lets_it_pass() {
    let Some(stack) = Stack::start(&underscores()).await else { return };
    for path in ["/p/strict", "/p/optional", "/p/permissive", "/p/anonymous", "/public", "/"] {
        let request = Request::get(path)
            .bearer(&good())
            .line("x_auth_subject", "mallory")
            .line("X_Auth_Subject", "bob")
            .line("x_auth_provider", "evil")
            .line("x_user_roles", "root")
            .line("x-auth_subject", "mallory")
            .line("X_Auth-Provider", "evil")
            .line("x.auth.subject", "mallory")
            .line("x_other", "kept");
        let reply = stack.send(&request).await;
        assert_eq!(reply.status, 200, "{path}");
        let plain = |name: &str| name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        let is_forged = |name: &String| plain(name) != *name && OWNED.contains(&&*plain(name));
        let forged: Vec<_> = reply.names_seen().into_iter().filter(is_forged).collect();
        assert!(forged.is_empty(), "{path}: {forged:?}");
        assert_eq!(reply.seen("x_other"), "kept");
    }
}
