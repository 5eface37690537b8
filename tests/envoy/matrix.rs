//! The whole matrix through a real Envoy, each cell checked at the upstream: source of the policy ×
//! mode × credential × spoofed headers × header mode × failure mode.
//!
//! `cargo test --test envoy matrix -- --nocapture` prints it.

use std::fmt::Write as _;

use claimgate::cli::demo::{envoy::Envoy, upstream::Upstream};
use serde_json::json;

use crate::{
    binary::binary,
    client::{Reply, Request},
    credentials::{ISSUER, good},
    listener::Listener,
    support::{claims, keys::ES256, provider, server::TestServer},
};

const SOURCES: [&str; 4] = ["typed", "struct", "extensions", "default"];
const MODES: [&str; 4] = ["strict", "optional", "permissive", "anonymous"];
const CREDENTIALS: [&str; 5] = ["none", "bad", "good", "other", "two"];
const OTHER: &str = "https://other.example";

/// Owned by the provider that every cell's policy names.
const OWN: &str = "x-auth-subject";
/// Owned, but filled by nothing that a cell verifies: a provider of other routes, one that is
/// disabled, a payload header, a copy of the token, a name that is always taken off.
const OWNED: [&str; 6] =
    ["x-auth-provider", "x-other", "x-disabled", "x-payload", "x-copied-token", "x-internal"];

/// Policies named after their modes accept `demo`; `other` is known and belongs to another route.
fn config(default: &str) -> String {
    let demo = provider("demo", ISSUER, &ES256.jwks());
    let other = provider("other", OTHER, &ES256.jwks())
        .replace("header: x-auth-subject", "header: x-other");
    let disabled = provider("disabled", "https://disabled.example", &ES256.jwks())
        .replace("x-auth-subject", "x-disabled")
        + "  enabled: false\n  payload_header: x-payload\n";
    let mut policies = String::new();
    for mode in MODES {
        let providers = if mode == "anonymous" { "" } else { ", providers: [demo]" };
        writeln!(policies, "- {{ name: {mode}, mode: {mode}{providers} }}").unwrap();
    }
    format!(
        "providers:\n{demo}{other}{disabled}policies:\n{policies}\
         - {{ name: elsewhere, providers: [other], forward_token: {{ header: x-copied-token }} }}\n\
         default_policy: {default}\nstrip_headers: [X-Internal]\n"
    )
}

/// A route for each source and mode. Underscores pass, so that claimgate has to take them off.
fn listener() -> Listener {
    let underscores = "          common_http_protocol_options: { headers_with_underscores_action: REJECT_REQUEST }\n";
    MODES.iter().fold(Listener::default().replace(underscores, ""), |listener, mode| {
        let inner = "type.googleapis.com/claimgate.v1.RoutePolicy";
        listener
            .typed(&format!("/typed-{mode}"), inner, &json!({ "policy": mode }))
            .metadata(&format!("/struct-{mode}"), &json!({ "policy": mode }))
            .extensions(&format!("/extensions-{mode}"), &json!({ "claimgate.policy": mode }))
            .route(&format!("/default-{mode}"), "")
    })
}

/// The value of `Authorization`, or none.
fn authorization(credential: &str) -> Option<String> {
    match credential {
        "none" => None,
        "bad" => Some(format!("Bearer {}", good().replace('.', ".A"))),
        "good" => Some(format!("Bearer {}", good())),
        "other" => Some(format!("Bearer {}", ES256.token(&claims(OTHER)))),
        _two => Some(format!("Basic QTpC,Bearer {}", good())),
    }
}

/// Forged identity headers: twice, in odd case, with underscores.
fn spoof(mut request: Request) -> Request {
    for name in [OWN].into_iter().chain(OWNED) {
        let odd: String = name
            .chars()
            .enumerate()
            .map(|(i, c)| if i % 2 == 0 { c.to_ascii_uppercase() } else { c })
            .collect();
        request = request
            .line(name, "mallory")
            .line(&odd, "mallory, root")
            .line(&name.replace('-', "_"), "mallory");
    }
    request
}

/// What must come of a cell: a status, or the upstream with this subject and this credential.
#[derive(Debug, PartialEq)]
enum Cell {
    Denied(u16),
    Upstream { subject: String, authorization: String },
}

fn expected(mode: &str, credential: &str, sent: &str) -> Cell {
    let upstream = |subject: &str, authorization: &str| Cell::Upstream {
        subject: subject.to_owned(),
        authorization: authorization.to_owned(),
    };
    match (mode, credential) {
        ("anonymous", _) => upstream("", sent),
        (_, "good") => upstream("alice", sent),
        ("strict", "none") => Cell::Denied(401),
        (_, "none") => upstream("", ""),
        // The only bearer token that reaches the upstream is a verified one.
        ("permissive", _) => upstream("", ""),
        (_, "two") => Cell::Denied(400),
        (_, _) => Cell::Denied(401),
    }
}

/// What came of it; that no forged header is left is part of it.
#[track_caller]
fn got(reply: &Reply, what: &str) -> Cell {
    if !reply.is_from_upstream() {
        return Cell::Denied(reply.status);
    }
    let subject = reply.seen(OWN);
    let known = if subject.is_empty() { "" } else { "demo" };
    assert_eq!(reply.seen("x-auth-provider"), known, "{what}");
    for name in OWNED.into_iter().filter(|name| *name != "x-auth-provider") {
        assert_eq!(reply.seen(name), "", "{what}: {name}");
    }
    for name in [OWN].into_iter().chain(OWNED) {
        assert_eq!(reply.seen(&name.replace('-', "_")), "", "{what}: {name} with underscores");
    }
    Cell::Upstream { subject, authorization: reply.seen("authorization") }
}

/// Every cell of one listener; returns the rows of the table.
async fn rows(name: &str, listener: &Listener, table: &mut String) -> usize {
    let Some(binary) = binary() else { return 0 };
    let upstream = Upstream::start().await.unwrap();
    let mut cells = 0;
    for mode in MODES {
        // `default` is another config for each mode; the other sources are asked of all of them.
        let claimgate = TestServer::start(&config(mode)).await;
        let config = listener.config(claimgate.server.grpc[0], upstream.address);
        let envoy = Envoy::start(binary, &config).await.unwrap();
        for source in SOURCES {
            for credential in CREDENTIALS {
                for spoofed in [false, true] {
                    let sent = authorization(credential).unwrap_or_default();
                    let mut request = Request::get(&format!("/{source}-{mode}"));
                    if !sent.is_empty() {
                        request = request.line("authorization", &sent);
                    }
                    let request = if spoofed { spoof(request) } else { request };
                    let reply = request.send(envoy.listener).await.unwrap();
                    let what =
                        format!("{name}, {source}, {mode}, {credential}, spoofed: {spoofed}");
                    let cell = got(&reply, &what);
                    assert_eq!(cell, expected(mode, credential, &sent), "{what}");
                    let shown = match cell {
                        Cell::Denied(status) => status.to_string(),
                        Cell::Upstream { subject, .. } if subject.is_empty() => "200 nobody".into(),
                        Cell::Upstream { subject, .. } => format!("200 {subject}"),
                    };
                    let spoofed = if spoofed { "spoofed" } else { "" };
                    writeln!(
                        table,
                        "{name:18} {source:10} {mode:10} {credential:5} {spoofed:7} {shown}"
                    )
                    .unwrap();
                    cells += 1;
                }
            }
        }
    }
    cells
}

#[tokio::test]
async fn every_cell_is_as_the_table_of_modes_says() {
    let closed = [("raw, closed", listener()), ("map, closed", listener().header_map())];
    let open =
        [("raw, open", listener().fail_open()), ("map, open", listener().header_map().fail_open())];
    let (mut table, mut cells) = (String::new(), 0);
    for (name, listener) in closed.into_iter().chain(open) {
        cells += rows(name, &listener, &mut table).await;
    }
    println!("headers, failure   source     mode       token         got\n{table}{cells} cells");
    let all = 4 * SOURCES.len() * MODES.len() * CREDENTIALS.len() * 2;
    assert!(cells == all || binary().is_none(), "{cells} of {all} cells");
}
