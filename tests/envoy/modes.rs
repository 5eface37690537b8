//! The table of modes, and which credential reaches the upstream.

use crate::{
    client::Request,
    credentials::{Case, denied, good},
    stack::{Stack, listener},
};

/// What the client sends.
enum Sent {
    Nothing,
    Basic,
    Bad,
    Two,
    Good,
}
use Sent::{Bad, Basic, Good, Nothing, Two};

/// What comes of it: a status, or the upstream with this subject and whether it sees the
/// credential as it was sent.
#[derive(Debug, PartialEq)]
enum Got {
    Status(u16),
    Upstream(String, bool),
}

fn passed(subject: &str, kept: bool) -> Got {
    Got::Upstream(subject.to_owned(), kept)
}

#[tokio::test]
async fn each_mode_does_what_the_table_of_modes_says() {
    let Some(stack) = Stack::start(&listener()).await else { return };
    let table = [
        ("strict", Nothing, Got::Status(401)),
        ("strict", Basic, Got::Status(401)),
        ("strict", Bad, Got::Status(401)),
        ("strict", Two, Got::Status(400)),
        ("strict", Good, passed("alice", true)),
        ("optional", Nothing, passed("", true)),
        ("optional", Basic, passed("", true)),
        ("optional", Bad, Got::Status(401)),
        ("optional", Two, Got::Status(400)),
        ("optional", Good, passed("alice", true)),
        ("permissive", Nothing, passed("", true)),
        ("permissive", Basic, passed("", true)),
        ("permissive", Bad, passed("", false)),
        ("permissive", Two, passed("", false)),
        ("permissive", Good, passed("alice", true)),
        ("anonymous", Nothing, passed("", true)),
        ("anonymous", Basic, passed("", true)),
        ("anonymous", Bad, passed("", true)),
        ("anonymous", Good, passed("", true)),
    ];
    for (mode, sent, expected) in table {
        let sent = match sent {
            Nothing => String::new(),
            Basic => "Basic QTpC".to_owned(),
            Bad => "Bearer forged".to_owned(),
            Two => format!("Basic QTpC,Bearer {}", good()),
            Good => format!("Bearer {}", good()),
        };
        let mut request = Request::get(&format!("/p/{mode}"));
        if !sent.is_empty() {
            request = request.line("authorization", &sent);
        }
        let reply = stack.send(&request).await;
        let got = match reply.is_from_upstream() {
            true => {
                let seen = reply.seen("authorization");
                assert!(seen == sent || seen.is_empty(), "{mode}: {seen}");
                passed(&reply.seen("x-auth-subject"), seen == sent)
            }
            false => Got::Status(reply.status),
        };
        assert_eq!(got, expected, "{mode}, {sent:.10}");
    }
}

/// The refusals that a client's credential causes on the strict route.
fn bad_credentials() -> impl Iterator<Item = Case> {
    denied().into_iter().filter(|case| case.path == "/p/strict")
}

#[tokio::test]
async fn no_failed_credential_reaches_the_upstream_of_a_permissive_route() {
    let Some(stack) = Stack::start(&listener()).await else { return };
    for case in bad_credentials().filter(|case| case.reason != "credentials_missing") {
        let reply = stack.send(&case.at("/p/permissive")).await;
        let seen = (reply.status, reply.seen("authorization"), reply.seen("x-auth-subject"));
        assert_eq!(seen, (200, String::new(), String::new()), "{}", case.what);
    }
}

#[tokio::test]
async fn an_optional_route_denies_what_a_strict_one_denies_but_nothing_at_all() {
    let Some(stack) = Stack::start(&listener()).await else { return };
    for case in bad_credentials() {
        let reply = stack.send(&case.at("/p/optional")).await;
        let expected = if case.reason == "credentials_missing" { 200 } else { case.status };
        assert_eq!(reply.status, expected, "{}", case.what);
    }
}

#[tokio::test]
async fn forward_token_says_what_the_upstream_sees_of_a_verified_token() {
    let Some(stack) = Stack::start(&listener()).await else { return };
    let token = good();
    let bearer = format!("Bearer {token}");
    for (policy, authorization, copy) in
        [("strict", bearer.as_str(), ""), ("removed", "", ""), ("copied", &bearer, &bearer)]
    {
        let reply = stack.send(&Request::get(&format!("/p/{policy}")).bearer(&token)).await;
        assert_eq!(reply.seen("x-auth-subject"), "alice", "{policy}");
        assert_eq!(reply.seen("authorization"), authorization, "{policy}");
        assert_eq!(reply.seen("x-copied-token"), copy, "{policy}");
    }
}
