//! Tokens, cookies and keys stay out of everything that claimgate writes, at its most talkative.

use std::{
    fs,
    io::Write as _,
    net::SocketAddr,
    path::Path,
    process::{Command as Run, Stdio},
};

use claimgate::{
    cli::demo::http::{exchange, get},
    config::load::load,
};
use envoy_types::pb::envoy::service::auth::v3::{
    CheckRequest, authorization_client::AuthorizationClient,
};
use prost::Message as _;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines},
    process::{Child, ChildStderr, Command},
};

use crate::support::{
    claims,
    grpc::{CHECK, RawClient},
    issuer::{Behaviour, TestIssuer},
    keys::{ES256, TestKey},
    request::TestRequest,
    with,
};

const MAC_ISSUER: &str = "https://mac.example";
const TOKEN_FILE: &str = "bearer-of-the-token-file-5d1f";
const QUERY: &str = "query-of-the-jwks-uri-77ac";
const BODY: &str = "body-of-a-failed-fetch-02be";
const COOKIE: &str = "cookie-beside-the-token-9e31";

/// Every place that a token may stand in, and copies of it on purpose.
fn config(issuer: &TestIssuer, mac: &TestKey, more: &str) -> String {
    format!(
        "\
providers:
- name: a
  issuer: {url}
  audiences: [test-api]
  jwks: {{ uri: '{uri}?key={QUERY}', token_file: token, refresh_cooldown: 1s }}
  payload_header: x-payload
- name: mac
  issuer: {MAC_ISSUER}
  audiences: [test-api]
  algorithms: [HS256]
  jwks: {{ inline: {jwks} }}
policies:
- name: p
  providers: [a, mac]
  token_from: [{{ header: authorization }}, {{ header: x-token }}, {{ query: t }}, {{ cookie: c }}]
  rules: [{{ name: calm, deny: '\"angry\" in claims' }}]
- {{ name: q, providers: [a], mode: permissive, forward_token: {{ header: x-copy }} }}
default_policy: p
{more}",
        url = issuer.url,
        uri = issuer.jwks_uri(),
        jwks = mac.jwks(),
    )
}

/// Tokens of every fate, each with a payload and a signature of its own.
fn tokens(issuer: &TestIssuer, mac: &TestKey) -> Vec<String> {
    let good = claims(&issuer.url);
    let number = |n: u64| with(good.clone(), "jti", json!(format!("token-{n}")));
    let spoiled = |token: String| {
        let (input, signature) = token.rsplit_once('.').unwrap();
        format!("{input}.{}", signature.chars().rev().collect::<String>())
    };
    vec![
        ES256.token(&number(1)),
        ES256.token(&with(number(2), "exp", 1.into())),
        spoiled(ES256.token(&number(3))),
        ES256.token_with(json!({ "alg": "ES256", "kid": "unknown" }), &number(4)),
        ES256.token(&with(number(5), "aud", "other".into())),
        ES256.token(&with(number(6), "angry", true.into())),
        ES256.token(&with(number(7), "iss", "https://nobody.example".into())),
        ES256.token_with(json!({ "alg": "none" }), &number(8)),
        mac.token(&with(number(9), "iss", MAC_ISSUER.into())),
        format!("{}.x.y", ES256.token(&number(10))),
    ]
}

/// Each token in each place, under each policy.
fn requests(tokens: &[String]) -> Vec<CheckRequest> {
    let mut requests = Vec::new();
    for token in tokens {
        let cookie = format!("session={COOKIE}; c={token}");
        let mut query = TestRequest::default();
        query.http.path = format!("/orders?t={token}");
        for place in [
            TestRequest::bearer(token).header("cookie", &format!("session={COOKIE}")),
            TestRequest::default().header("x-token", token),
            TestRequest::default().header("cookie", &cookie),
            query,
            TestRequest::bearer(token).header("x-token", token),
            TestRequest::default().header("authorization", &format!("Basic x,Bearer {token}")),
        ] {
            requests.push(place.clone().build());
            requests.push(place.clone().extension("claimgate.policy", "q").build());
            requests.push(place.extension("claimgate.policy", "gone").build());
        }
    }
    requests
}

/// A `serve` that logs all that it can.
struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
    log: String,
    grpc: SocketAddr,
    http: SocketAddr,
}

impl Process {
    async fn start(config: &Path) -> Self {
        let state = config.with_file_name("state");
        let mut child = Command::new(env!("CARGO_BIN_EXE_claimgate"))
            .args(["serve", "--log-level", "trace", "--log-format", "json", "--drain-settle", "0s"])
            .args(["--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"])
            .arg("--config")
            .arg(config)
            .arg("--state-dir")
            .arg(state)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (mut log, mut addresses, mut ready) = (String::new(), Vec::new(), false);
        while !ready || addresses.len() < 2 {
            let line = lines.next_line().await.unwrap().expect("it ended before it was ready");
            let fields: serde_json::Value = serde_json::from_str(&line).unwrap();
            let fields = &fields["fields"];
            ready |= fields["message"] == "ready";
            addresses.extend(fields["address"].as_str().map(|a| a.parse::<SocketAddr>().unwrap()));
            log.push_str(&line);
        }
        let (grpc, http) = (addresses[0], addresses[1]);
        Self { child, lines, log, grpc, http }
    }

    async fn page(&self, path: &str) -> String {
        exchange(self.http, get(path, &[]).unwrap()).await.unwrap().into_body()
    }

    async fn status_until(&self, is_so: impl Fn(&serde_json::Value) -> bool) -> String {
        loop {
            let page = self.page("/status").await;
            if is_so(&serde_json::from_str(&page).unwrap()) {
                return page;
            }
        }
    }

    /// Stops it: the whole log.
    async fn stop(mut self) -> String {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
        let mut rest = String::new();
        self.lines.into_inner().read_to_string(&mut rest).await.unwrap();
        assert!(self.child.wait().await.unwrap().success());
        self.log + &rest
    }
}

/// What a command prints for these tokens on stdin.
fn printed(config: &Path, arguments: &[&str], stdin: &str) -> String {
    let mut child = Run::new(env!("CARGO_BIN_EXE_claimgate"))
        .args(arguments)
        .arg("--config")
        .arg(config)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads no stdin closes it.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat()
}

#[track_caller]
fn none_in(secrets: &[String], what: &str, text: &str) {
    assert!(!text.is_empty(), "{what} is empty");
    for secret in secrets {
        assert!(!text.contains(secret.as_str()), "{what} has {secret}");
    }
}

/// Asks everything: the denials. An allow copies what it is told to copy.
async fn ask_everything(process: &Process, tokens: &[String]) -> String {
    let address = format!("http://{}", process.grpc);
    let mut client = AuthorizationClient::connect(address).await.unwrap();
    let (mut denials, mut allowed) = (String::new(), 0);
    for request in requests(tokens) {
        let answer = client.check(request).await.unwrap().into_inner();
        match answer.status.as_ref().unwrap().code {
            0 => allowed += 1,
            _ => denials.push_str(&format!("{answer:?}")),
        }
    }
    assert!(allowed > 10, "what is copied on purpose was copied: {allowed}");
    let raw = RawClient::connect(process.grpc).await;
    let broken = [requests(tokens)[0].encode_to_vec(), vec![0xFF]].concat();
    let answer = raw.call(CHECK, broken, None).await.unwrap();
    denials.push_str(&String::from_utf8_lossy(&answer));
    denials
}

/// The parts of the tokens, and all else that must stay where it is.
fn secrets(tokens: &[String], mac: &TestKey) -> Vec<String> {
    let parts = tokens.iter().flat_map(|token| token.split('.').skip(1));
    let mut secrets: Vec<String> = parts.filter(|part| part.len() > 8).map(str::to_owned).collect();
    secrets.push(mac.jwk()["k"].as_str().unwrap().to_owned());
    secrets.extend([TOKEN_FILE, QUERY, BODY, COOKIE].map(str::to_owned));
    secrets
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_cookie_or_key_is_ever_written() {
    let issuer = TestIssuer::serving(&ES256.jwks()).await;
    let mac = TestKey::new("HS256");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("claimgate.yaml");
    fs::write(folder.path().join("token"), TOKEN_FILE).unwrap();
    let good = config(&issuer, &mac, "");
    fs::write(&file, &good).unwrap();
    let tokens = tokens(&issuer, &mac);
    let secrets = secrets(&tokens, &mac);

    let process = Process::start(&file).await;
    none_in(&secrets, "a denial", &ask_everything(&process, &tokens).await);
    // A fetch that fails with a page, then a config that is no good.
    issuer.now(Behaviour::Fail(500, BODY.to_owned()));
    let elsewhere =
        config(&issuer, &mac, "strip_headers: [x-new]\n").replace(QUERY, &format!("{QUERY}&x"));
    fs::write(&file, elsewhere).unwrap();
    let failed = |status: &serde_json::Value| !status["providers"][0]["last_error"].is_null();
    none_in(&secrets, "/status", &process.status_until(failed).await);
    fs::write(&file, good.replace("kty", "ktx") + "bogus: 1\n").unwrap();
    let status = process.status_until(|status| !status["last_reload_error"].is_null()).await;
    none_in(&secrets, "/status", &status);
    none_in(&secrets, "/metrics", &process.page("/metrics").await);
    let log = process.stop().await;
    assert!(log.contains("DEBUG") && log.contains("JWKS fetch failed"), "talkative: {log}");
    none_in(&secrets, "the log", &log);

    none_in(&secrets, "validate", &printed(&file, &["validate"], ""));
    fs::write(&file, &good).unwrap();
    issuer.now_serves(&ES256.jwks());
    explain(&file, &tokens, secrets.clone());
    none_in(&secrets, "Debug of a config", &format!("{:?}", load(&file).unwrap()));
}

fn explain(file: &Path, tokens: &[String], mut secrets: Vec<String>) {
    // The payload of a token that passes is a header by the config's own wish.
    let passes = [&tokens[0], &tokens[5]].map(|token| token.split('.').nth(1).unwrap());
    secrets.retain(|secret| !passes.contains(&secret.as_str()));
    for format in ["text", "json"] {
        let arguments = ["explain", "--policy", "q", "--format", format];
        none_in(&secrets, "explain", &printed(file, &arguments, &tokens.join("\n")));
    }
}
