//! The refusal matrix: one row an attack or a mistake, with its reason, through the real server
//! and through `explain`, which must say the same.

mod claims;
mod credentials;
mod headers;
mod settings;
mod shapes;

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::{
    AUDIENCE, config,
    keys::{ES256, RS256, TestKey, set},
    provider,
    request::TestRequest,
    server::TestServer,
    unix,
};

const ISSUER: &str = "https://a.example";

/// How a token is made. Texts are JSON as it stands in the token; an empty one leaves a member out.
#[derive(Debug, Clone, Copy)]
enum Make {
    /// A good token but for these members of the payload.
    Claims(&'static [(&'static str, &'static str)]),
    /// A good token but for this date, in seconds from now.
    Date(&'static str, i64),
    /// A good token but for these members of the header.
    Header(&'static [(&'static str, &'static str)]),
    /// This text as the header.
    HeaderText(&'static str),
    /// This text as the payload.
    Payload(&'static str),
    /// What becomes of a good token.
    Edit(fn(&str) -> String),
    /// The good payload, signed by a key that the provider does not have, under this header.
    Foreign(&'static str),
}

/// One row: how the token is made, why it is refused, and what it would mean to accept it.
type Row = (Make, &'static str, &'static str);

/// Rows for one provider and policy.
struct Group {
    /// What is added to the provider.
    provider: &'static str,
    /// What is added to the policy.
    policy: &'static str,
    rows: &'static [Row],
}

/// An object of these members, in order, where later ones replace earlier ones of the name.
fn object(base: &[(&str, String)], instead: &[(&str, &str)]) -> String {
    let mut members: Vec<(&str, String)> = base.to_vec();
    members.retain(|(name, _)| !instead.iter().any(|(other, _)| other == name));
    let more = instead.iter().filter(|(_, text)| !text.is_empty());
    members.extend(more.map(|(name, text)| (*name, (*text).to_owned())));
    let members: Vec<_> = members.iter().map(|(name, text)| format!("\"{name}\":{text}")).collect();
    format!("{{{}}}", members.join(","))
}

fn payload(instead: &[(&str, &str)]) -> String {
    let base = [
        ("iss", format!("\"{ISSUER}\"")),
        ("sub", "\"alice\"".to_owned()),
        ("aud", format!("\"{AUDIENCE}\"")),
        ("exp", (unix() + 3600).to_string()),
    ];
    object(&base, instead)
}

fn header(instead: &[(&str, &str)]) -> String {
    object(&[("alg", "\"ES256\"".to_owned()), ("kid", format!("\"{}\"", ES256.kid))], instead)
}

impl Make {
    fn token(self) -> String {
        match self {
            Self::Claims(instead) => ES256.jws(&header(&[]), &payload(instead)),
            Self::Date(name, from_now) => {
                let date = (i64::try_from(unix()).unwrap() + from_now).to_string();
                ES256.jws(&header(&[]), &payload(&[(name, &date)]))
            }
            Self::Header(instead) => ES256.jws(&header(instead), &payload(&[])),
            Self::HeaderText(text) => ES256.jws(text, &payload(&[])),
            Self::Payload(text) => ES256.jws(&header(&[]), text),
            Self::Edit(edit) => edit(&ES256.jws(&header(&[]), &payload(&[]))),
            Self::Foreign(header) => TestKey::new("ES256").jws(header, &payload(&[])),
        }
    }
}

/// Every row is refused by the server for its reason, and explained by the same.
async fn check(groups: &[Group]) {
    let p384 = TestKey::new("ES384");
    for Group { provider: more, policy, rows } in groups {
        let provider = provider("a", ISSUER, &set(&[&ES256, &RS256, &p384])) + more;
        let text = config(&[provider], &format!("providers: [a]{policy}"));
        let server = TestServer::start(&text).await;
        let mut tokens = Vec::new();
        for (make, reason, why) in *rows {
            let token = make.token();
            let answer = server.check(TestRequest::bearer(&token)).await;
            assert_eq!(answer.reason(), *reason, "{make:?}: {why}");
            assert_ne!(answer.status, 200, "{make:?}: {why}");
            tokens.push(token);
        }
        let explained = explain(&text, tokens).await;
        let reasons = rows.iter().map(|(_, reason, _)| *reason);
        for ((got, expected), (make, ..)) in explained.iter().zip(reasons).zip(*rows) {
            assert_eq!(got, expected, "explain: {make:?}");
        }
        assert_eq!(explained.len(), rows.len());
    }
}

/// The reasons that `explain` gives for these tokens.
async fn explain(config: &str, tokens: Vec<String>) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.yaml");
    std::fs::write(&file, config).unwrap();
    let run = move || {
        let mut child = Command::new(env!("CARGO_BIN_EXE_claimgate"))
            .args(["explain", "--format", "json", "--config"])
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let writer = std::thread::spawn(move || {
            stdin.write_all((tokens.join("\n") + "\n").as_bytes()).unwrap();
        });
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        output
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let lines = str::from_utf8(&output.stdout).unwrap().lines();
    let verdicts = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    verdicts.map(|verdict| verdict["reason"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_matrix_has_over_200_rows() {
    let tables = [claims::GROUPS, headers::GROUPS, settings::GROUPS, shapes::GROUPS];
    let rows = tables.iter().flat_map(|groups| groups.iter()).map(|group| group.rows.len());
    let rows = rows.sum::<usize>() + credentials::ROWS.len();
    assert!(rows > 200, "{rows} rows");
}

#[tokio::test]
async fn the_token_that_the_rows_spoil_is_good() {
    let provider = provider("a", ISSUER, &ES256.jwks());
    let server = TestServer::start(&config(&[provider], "providers: [a]")).await;
    let good = Make::Claims(&[]).token();
    server.expect(TestRequest::bearer(&good), 200, "").await;
    assert_eq!(json!("alice"), decoded(&good, 1)["sub"]);
}

fn decoded(token: &str, segment: usize) -> Value {
    let segment = token.split('.').nth(segment).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(segment).unwrap()).unwrap()
}
