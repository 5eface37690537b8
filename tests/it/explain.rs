//! `claimgate explain`: every check of a token, on the code that `serve` runs.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    AUDIENCE, claims, config,
    issuer::TestIssuer,
    keys::{ES256, RS256, TestKey},
    provider, remote, unix, with,
};

const ISSUER: &str = "https://a.example";
const CHECKS: [&str; 10] = [
    "structure",
    "issuer",
    "algorithm",
    "time",
    "key",
    "signature",
    "type",
    "audience",
    "scope",
    "rules",
];

/// A config on disk.
struct Explain {
    folder: TempDir,
}

/// What the command printed, and how it ended.
struct Explained {
    exit: i32,
    stdout: String,
    stderr: String,
}

impl Explain {
    fn with(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("c.yaml"), text).unwrap();
        Self { folder }
    }

    /// Providers `a` and `b` with keys in the config, and the default policy `p` of `a`.
    fn new(provider_more: &str, policy: &str) -> Self {
        let a = provider("a", ISSUER, &ES256.jwks()) + provider_more;
        let b = provider("b", "https://b.example", &RS256.jwks());
        Self::with(&config(&[a, b], &format!("providers: [a]{policy}")))
    }

    fn run(&self, arguments: &[&str], stdin: &[u8]) -> Explained {
        let mut command = Command::new(env!("CARGO_BIN_EXE_claimgate"));
        command.arg("explain").arg("--config").arg(self.folder.path().join("c.yaml"));
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that stops early closes its end.
        let _ = child.stdin.take().unwrap().write_all(stdin);
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Explained {
            exit: output.status.code().unwrap(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// The verdict on one token, as JSON; its shape and the exit are held to what they must be.
    #[track_caller]
    fn verdict(&self, arguments: &[&str], token: &str) -> Value {
        let arguments = [&["--format", "json"], arguments].concat();
        let explained = self.run(&arguments, token.as_bytes());
        assert_eq!(explained.stdout.lines().count(), 1, "{}", explained.stderr);
        let verdict: Value = serde_json::from_str(&explained.stdout).unwrap();
        assert_eq!(explained.exit, i32::from(verdict["verdict"] != "allowed"), "{verdict:#}");
        let checks: Vec<_> =
            verdict["checks"].as_array().unwrap().iter().map(|c| c["check"].clone()).collect();
        assert_eq!(checks, CHECKS);
        assert!(!explained.stdout.contains(token) && !explained.stderr.contains(token));
        verdict
    }

    /// The verdict's reason, how each check ended (`+`, `-`, `.`), and what a failed one says.
    #[track_caller]
    fn check(&self, arguments: &[&str], token: &str, reason: &str, marks: &str, says: &str) {
        let verdict = self.verdict(arguments, token);
        assert_eq!(verdict["reason"].as_str().unwrap_or_default(), reason, "{verdict:#}");
        assert_eq!(self::marks(&verdict), marks, "{verdict:#}");
        let failed = verdict["checks"].as_array().unwrap().iter().filter(|c| c["result"] == "fail");
        let details: Vec<_> = failed.map(|c| c["detail"].as_str().unwrap()).collect();
        assert!(details.join("\n").contains(says), "{verdict:#}");
    }
}

fn marks(verdict: &Value) -> String {
    let mark = |check: &Value| match check["result"].as_str().unwrap() {
        "pass" => '+',
        "fail" => '-',
        "skipped" => '.',
        other => panic!("{other}"),
    };
    verdict["checks"].as_array().unwrap().iter().map(mark).collect()
}

fn token(name: &str, value: Value) -> String {
    ES256.token(&with(claims(ISSUER), name, value))
}

#[test]
fn a_good_token_is_allowed_with_its_headers() {
    let explain = Explain::new("", ", forward_token: { header: x-forwarded-authorization }");
    let token = ES256.token(&claims(ISSUER));
    let verdict = explain.verdict(&[], &token);
    assert_eq!(marks(&verdict), "++++++++++");
    assert_eq!(verdict["verdict"], "allowed");
    assert_eq!((&verdict["reason"], &verdict["provider"]), (&Value::Null, &json!("a")));
    let headers = json!({
        "x-auth-provider": "a",
        "x-auth-subject": "alice",
        "x-forwarded-authorization": "Bearer <token>",
    });
    assert_eq!(verdict["headers"], headers);
}

#[test]
fn every_check_that_can_be_run_is_run_and_the_first_failure_is_the_reason() {
    let explain = Explain::new("  max_lifetime: 1h\n", ", scopes: { all_of: [read] }");
    let mut claims = claims(ISSUER);
    claims["exp"] = (unix() - 7200).into();
    claims["iat"] = (unix() - 72_000).into();
    claims["aud"] = "other".into();
    let token = TestKey::with_kid("ES256", &ES256.kid).token(&claims);
    let verdict = explain.verdict(&[], &token);
    assert_eq!(marks(&verdict), "+++-+----+");
    assert_eq!(
        (&verdict["verdict"], &verdict["reason"]),
        (&json!("denied"), &json!("token_expired"))
    );
    let reasons: Vec<_> =
        verdict["checks"].as_array().unwrap().iter().map(|c| c["reason"].clone()).collect();
    let null = Value::Null;
    let expected = [
        null.clone(),
        null.clone(),
        null.clone(),
        json!("token_expired"),
        null.clone(),
        json!("signature_invalid"),
        json!("lifetime_too_long"),
        json!("audience_not_allowed"),
        json!("scope_insufficient"),
        null,
    ];
    assert_eq!(reasons, expected);
    assert_eq!(verdict["headers"], json!({}));
}

#[test]
fn what_is_wrong_with_the_structure_is_named() {
    let explain = Explain::new("", "");
    let good = ES256.token(&claims(ISSUER));
    let (input, _) = good.rsplit_once('.').unwrap();
    let malformed = |token: &str, says: &str| {
        explain.check(&[], token, "token_malformed", "-.........", says);
    };
    malformed(&format!("{good}.AAAA.AAAA"), "encrypted token (JWE)");
    malformed("0123456789abcdef", "opaque");
    malformed(input, "signature is missing");
    malformed(&format!("{input}."), "not signed");
    malformed(&format!("Bearer {good}"), "without the scheme");
    malformed(&format!("\"{good}\""), "quotes");
    malformed(&ES256.jws(r#"{"alg":"none"}"#, "{}"), "alg");
    let large = "a".repeat(17_000);
    explain.check(&[], &large, "token_too_large", "-.........", "16384");
    let crit = ES256.jws(r#"{"alg":"ES256","crit":["x"]}"#, "{}");
    explain.check(&[], &crit, "critical_header_unsupported", "-.........", "crit");
}

#[test]
fn a_payload_that_is_no_object_fails_structure_and_its_signature_is_checked_all_the_same() {
    let explain = Explain::new("", "");
    let header = format!(r#"{{"alg":"ES256","kid":"{}"}}"#, ES256.kid);
    for payload in ["Payload", "[]", r#"{"a":1,"a":2}"#, "\u{1F980}"] {
        let token = ES256.jws(&header, payload);
        for arguments in [&[][..], &["--provider", "a"]] {
            explain.check(arguments, &token, "token_malformed", "-.+.++....", "payload");
        }
        explain.check(&["--provider", "b"], &token, "token_malformed", "-.+.-.....", "payload");
        let both = ["--provider", "a", "--provider", "b"];
        explain.check(&both, &token, "token_malformed", "-.........", "payload");
        let forged = TestKey::with_kid("ES256", &ES256.kid).jws(&header, payload);
        explain.check(&[], &forged, "token_malformed", "-.+.+-....", "payload");
    }
}

#[test]
fn with_one_provider_the_signature_is_checked_whoever_the_issuer_is() {
    let explain = Explain::new("", "");
    let foreign = ES256.token(&claims("https://c.example"));
    explain.check(
        &[],
        &foreign,
        "issuer_not_allowed",
        "+-........",
        "accepted: \"https://a.example\"",
    );
    explain.check(&["--provider", "a"], &foreign, "issuer_not_allowed", "+-++++++++", "");
    explain.check(&["--provider", "b"], &foreign, "issuer_not_allowed", "+-++-.++++", "");
    let both = ["--provider", "a", "--provider", "b"];
    explain.check(&both, &foreign, "issuer_not_allowed", "+-........", "");
    let verdict = explain.verdict(&["--provider", "a"], &foreign);
    assert_eq!((&verdict["verdict"], &verdict["provider"]), (&json!("denied"), &Value::Null));
}

#[test]
fn near_misses_are_named() {
    let explain = Explain::new("", "");
    let issuer = |iss: &str, says: &str| {
        explain.check(&[], &token("iss", iss.into()), "issuer_not_allowed", "+-........", says);
    };
    issuer("https://a.example/", "trailing slash");
    issuer("http://a.example", "http and https");
    issuer("https://A.example", "case");
    issuer("https://b.example", "provider b's, which is not accepted here");
    explain.check(&[], &token("iss", Value::Null), "issuer_not_allowed", "+-........", "missing");
    let aud = token("aud", format!("{AUDIENCE}/").into());
    explain.check(&[], &aud, "audience_not_allowed", "+++++++-++", "trailing slash");
    let old = token("exp", (unix() - 7260).into());
    explain.check(&[], &old, "token_expired", "+++-++++++", "expired 2h1m ago");
    let early = token("nbf", (unix() + 7290).into());
    explain.check(&[], &early, "token_not_yet_valid", "+++-++++++", "in the future");
    let text = token("exp", "1".into());
    explain.check(&[], &text, "claims_malformed", "+++-++++++", "exp: a number");
    let id = ES256.token_with(
        json!({ "alg": "ES256", "kid": ES256.kid, "typ": "id+jwt" }),
        &with(claims(ISSUER), "nonce", "x".into()),
    );
    explain.check(&[], &id, "token_type_not_allowed", "++++++-+++", "ID token");
    let unknown = ES256.token_with(json!({ "alg": "ES256", "kid": "k9" }), &claims(ISSUER));
    explain.check(&[], &unknown, "key_unknown", "++++-.++++", "\"ES256-1\"");
    let symmetric = ES256.token_with(json!({ "alg": "HS256", "kid": ES256.kid }), &claims(ISSUER));
    explain.check(&[], &symmetric, "algorithm_not_allowed", "++-+-.++++", "symmetric");
}

#[test]
fn entra_s_other_issuer_is_named() {
    let tenant = "11111111-2222-3333-4444-555555555555";
    let (v1, v2) = (
        format!("https://sts.windows.net/{tenant}/"),
        format!("https://login.microsoftonline.com/{tenant}/v2.0"),
    );
    for (accepted, got, says) in [(&v2, &v1, "Entra v1"), (&v1, &v2, "Entra v2")] {
        let entra = provider("entra", accepted, &ES256.jwks());
        let explain = Explain::with(&config(&[entra], "providers: [entra]"));
        let token = ES256.token(&claims(got));
        explain.check(&[], &token, "issuer_not_allowed", "+-........", says);
    }
}

#[test]
fn the_clock_is_what_at_says() {
    let explain = Explain::new("", "");
    let token = token("exp", 1_700_000_000.into());
    explain.check(&[], &token, "token_expired", "+++-++++++", "");
    for at in ["1699999999", "2023-11-14T22:13:19Z", "2023-11-15T00:14:10+02:00"] {
        explain.check(&["--at", at], &token, "", "++++++++++", "");
    }
    explain.check(&["--at", "1700000060"], &token, "token_expired", "+++-++++++", "1m ago");
}

#[test]
fn faults_of_policy_and_provider_are_those_of_a_route() {
    let explain = Explain::new("  enabled: false\n", "");
    let token = ES256.token(&claims(ISSUER));
    for (arguments, reason) in [
        (&[][..], "provider_disabled"),
        (&["--provider", "A"], "provider_disabled"),
        (&["--provider", "nobody"], "provider_unknown"),
        (&["--policy", "nothing"], "policy_unknown"),
        (&["--policy", "p", "--provider", "b"], "route_policy_invalid"),
    ] {
        let verdict = explain.verdict(arguments, &token);
        assert_eq!((&verdict["verdict"], &verdict["reason"]), (&json!("fault"), &json!(reason)));
        assert_eq!(marks(&verdict), "+.........");
    }
    let without = Explain::with(&format!("providers:\n{}", provider("a", ISSUER, &ES256.jwks())));
    assert_eq!(without.verdict(&[], &token)["reason"], "route_policy_missing");
    assert_eq!(without.verdict(&["--provider", "A"], &token)["verdict"], "allowed");
}

#[test]
fn a_policy_may_be_narrowed_to_a_provider() {
    let a = provider("a", ISSUER, &ES256.jwks());
    let b = provider("b", "https://b.example", &RS256.jwks());
    let explain = Explain::with(&config(&[a, b], "providers: [a, b], scopes: { all_of: [x] }"));
    let token = RS256.token(&with(claims("https://b.example"), "scope", "x".into()));
    explain.check(&["--policy", "p"], &token, "", "++++++++++", "");
    let only_b = ["--policy", "P", "--provider", "b"];
    explain.check(&only_b, &token, "", "++++++++++", "");
    let only_a = ["--policy", "p", "--provider", "a"];
    explain.check(&only_a, &token, "issuer_not_allowed", "+-++-.++++", "");
}

#[test]
fn an_anonymous_policy_looks_at_nothing() {
    let explain = Explain::new("", ", mode: anonymous");
    let verdict = explain.verdict(&[], "x");
    assert_eq!((&verdict["verdict"], &*marks(&verdict)), (&json!("allowed"), ".........."));
}

#[test]
fn a_permissive_policy_allows_and_says_why_it_would_not() {
    let explain = Explain::new("", ", mode: permissive");
    let verdict = explain.verdict(&[], &token("aud", "x".into()));
    assert_eq!(verdict["verdict"], "allowed");
    assert_eq!(verdict["reason"], "audience_not_allowed");
    assert_eq!(verdict["headers"], json!({}));
}

#[test]
fn tokens_come_one_a_line_and_all_must_be_allowed() {
    let explain = Explain::new("", "");
    let good = ES256.token(&claims(ISSUER));
    let json = ["--format", "json"];
    let run = |stdin: &str| explain.run(&json, stdin.as_bytes());
    let both = run(&format!("\n{good}\r\n   \n  {good}"));
    assert_eq!((both.exit, both.stdout.lines().count()), (0, 2));
    for stdin in [format!("{good}\nx\n"), format!("x\n{good}\n")] {
        let mixed = run(&stdin);
        assert_eq!((mixed.exit, mixed.stdout.lines().count()), (1, 2));
    }
    for nothing in ["", "\n\n"] {
        let none = run(nothing);
        assert_eq!((none.exit, none.stdout.as_str()), (1, ""));
        assert!(none.stderr.contains("no token on stdin"));
    }
    let odd = explain.run(&json, b"\xff\xfe\n");
    assert!(odd.stdout.contains("token_malformed"), "{}", odd.stdout);
}

#[test]
fn text_is_one_line_a_token_too() {
    let explain = Explain::new("", "");
    let tokens = [ES256.token(&claims(ISSUER)), token("aud", "x".into())];
    let explained = explain.run(&[], tokens.join("\n").as_bytes());
    let lines: Vec<_> = explained.stdout.lines().collect();
    assert!(lines[0].starts_with("allowed provider=a; passed: structure, issuer"), "{}", lines[0]);
    assert!(lines[0].ends_with("headers: x-auth-provider=a, x-auth-subject=alice"), "{}", lines[0]);
    let denied = "denied audience_not_allowed provider=a; audience audience_not_allowed: aud \"x\"";
    assert!(lines[1].starts_with(denied), "{}", lines[1]);
    assert_eq!(lines.len(), 2);
}

#[test]
fn what_a_token_says_is_escaped_and_cut() {
    let explain = Explain::new("", "");
    let header =
        json!({ "alg": "ES256", "kid": "\u{1b}[2J\n\u{202e}".to_owned() + &"k".repeat(9000) });
    let token = ES256.token_with(header, &claims(ISSUER));
    for arguments in [&["--format", "json"][..], &[]] {
        let explained = explain.run(arguments, token.as_bytes());
        assert!(explained.stdout.len() < 3000);
        assert!(!explained.stdout.trim_end().contains(|c: char| c.is_control() || c == '\u{202e}'));
    }
    let verdict = explain.verdict(&[], &self::token("sub", "a\r\nb\u{7f}".into()));
    assert_eq!(verdict["headers"]["x-auth-subject"], "a%0D%0Ab%7F");
}

#[tokio::test(flavor = "multi_thread")]
async fn remote_keys_are_fetched_once_whatever_the_tokens_are() {
    let issuer = TestIssuer::serving(&ES256.jwks()).await;
    let other = TestIssuer::serving(&RS256.jwks()).await;
    let explain = Explain::with(&config(
        &[
            remote("a", ISSUER, &issuer.jwks_uri(), "timeout: 5s"),
            remote("b", "https://b.example", &other.jwks_uri(), "timeout: 5s"),
        ],
        "providers: [a]",
    ));
    let unknown =
        |kid: &str| ES256.token_with(json!({ "alg": "ES256", "kid": kid }), &claims(ISSUER));
    let tokens = [ES256.token(&claims(ISSUER)), unknown("k1"), unknown("k2")].join("\n");
    let explained =
        tokio::task::spawn_blocking(move || explain.run(&["--format", "json"], tokens.as_bytes()));
    let explained = explained.await.unwrap();
    let verdicts = explained.stdout.lines().map(|line| serde_json::from_str(line).unwrap());
    let reasons: Vec<_> = verdicts.map(|v: Value| v["reason"].clone()).collect();
    assert_eq!(reasons, [Value::Null, json!("key_unknown"), json!("key_unknown")]);
    assert_eq!((issuer.fetches(), other.fetches()), (1, 0));
}

#[test]
fn an_issuer_that_cannot_be_reached_is_a_fault() {
    let explain = Explain::with(&config(
        &[remote("a", ISSUER, "http://127.0.0.1:1/jwks", "timeout: 1s")],
        "providers: [a]",
    ));
    let token = ES256.token(&claims(ISSUER));
    explain.check(&[], &token, "keys_unavailable", "++++-.++++", "connection failed");
    assert_eq!(explain.verdict(&[], &token)["verdict"], "fault");
}

#[test]
fn a_bad_config_is_told_on_stderr_and_a_wrong_command_line_exits_2() {
    let explain = Explain::with("providers: 1\n");
    let bad = explain.run(&[], b"x");
    assert_eq!((bad.exit, bad.stdout.as_str()), (1, ""));
    assert!(bad.stderr.contains("c.yaml:1:12: providers"), "{}", bad.stderr);
    let explain = Explain::new("", "");
    for arguments in [
        &["--at", "noon"][..],
        &["--format", "yaml"],
        &["--header", "novalue"],
        &["--header", ":x"],
        &["--token", "x"],
        &["x"],
    ] {
        assert_eq!(explain.run(arguments, b"x").exit, 2, "{arguments:?}");
    }
}

/// How `rules` ends for a good token under these rules.
#[track_caller]
fn check_rules(rules: &str, arguments: &[&str], verdict: &str, result: &str, detail: &str) {
    let explain = Explain::new("", &format!(", rules: [{rules}]"));
    let got = explain.verdict(arguments, &ES256.token(&claims(ISSUER)));
    let shown = got["checks"].as_array().unwrap().iter().find(|c| c["check"] == "rules").unwrap();
    assert_eq!((&got["verdict"], &shown["result"]), (&json!(verdict), &json!(result)), "{got}");
    assert!(shown["detail"].as_str().unwrap().contains(detail), "{got}");
}

const ALICE: &str = "{ name: alice, require: 'claims.sub == \"alice\"' }";
const GET: &str = "{ name: get, require: 'request.method == \"GET\"' }";
const ADMIN: &str = "{ name: admin, deny: 'request.path.startsWith(\"/admin\")' }";

#[test]
fn rules_run_and_the_one_that_denies_is_named() {
    check_rules(ALICE, &[], "allowed", "pass", "alice");
    check_rules(&ALICE.replace("== ", "!= "), &[], "denied", "fail", "alice");
    check_rules(&format!("{ALICE}, {GET}"), &["--method", "GET"], "allowed", "pass", "get");
    check_rules(&format!("{ALICE}, {GET}"), &["--method", "PUT"], "denied", "fail", "get");
    check_rules(ADMIN, &["--path", "/admin/x"], "denied", "fail", "admin");
}

#[test]
fn a_rule_that_needs_what_was_not_given_is_skipped_and_the_others_run() {
    check_rules(GET, &[], "allowed", "skipped", "get (--method)");
    check_rules(&format!("{ALICE}, {ADMIN}"), &[], "allowed", "skipped", "admin (--path)");
    let not_alice = ALICE.replace("== ", "!= ");
    check_rules(&format!("{not_alice}, {ADMIN}"), &[], "denied", "fail", "alice");
    check_rules(&format!("{GET}, {ADMIN}"), &["--method", "PUT"], "denied", "fail", "get");
    let header = "{ name: team, require: '\"x-team\" in request.headers' }";
    check_rules(header, &[], "allowed", "skipped", "team (--header)");
    check_rules(header, &["--header", "x-other: 1"], "denied", "fail", "team");
    let host = "{ name: host, require: 'request.host == \"api.example\"' }";
    check_rules(host, &[], "allowed", "skipped", "host (--host)");
    check_rules(host, &["--host", "API.example:443"], "allowed", "pass", "host");
}

#[test]
fn an_allow_that_cannot_be_run_leaves_the_other_allows_undecided() {
    let allows = "{ name: bob, allow: 'claims.sub == \"bob\"' }, \
                  { name: get, allow: 'request.method == \"GET\"' }";
    check_rules(allows, &[], "allowed", "skipped", "get (--method)");
    check_rules(allows, &["--method", "PUT"], "denied", "fail", "");
    check_rules(allows, &["--method", "GET"], "allowed", "pass", "get");
}
