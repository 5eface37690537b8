//! Every example of README.md, executed word for word. What needs an Envoy is run by the target
//! `envoy`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead as _, BufReader},
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    issuer::TestIssuer,
    keys::{ES256, TestKey},
    readme::{self, Example, Kind, Line},
    request::TestRequest,
    server::TestServer,
    with,
};
use crate::tls::certificates;

/// A folder in which the README's lines are run: `claimgate` in the `PATH`, a `claimgate.yaml`.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn with(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("claimgate.yaml"), config).unwrap();
        Self { folder }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// A shell that runs this line.
    fn shell(&self, line: &str) -> Command {
        let binary = std::path::Path::new(env!("CARGO_BIN_EXE_claimgate"));
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(&self.folder).stdin(Stdio::null());
        command.env("PATH", format!("{}:{path}", binary.parent().unwrap().display()));
        // The ports of the README may be taken; the others of the settings stay.
        command.env("CLAIMGATE_GRPC_LISTEN", "127.0.0.1:0");
        command.env("CLAIMGATE_HTTP_LISTEN", "127.0.0.1:0").env("ENVOY_BIN", "/nowhere");
        command
    }

    fn run(&self, line: &str) -> Output {
        self.shell(line).output().unwrap()
    }

    /// `validate` takes its config, with this many warnings.
    #[track_caller]
    fn validates(&self, warnings: usize) {
        let output = self.run("claimgate validate --config claimgate.yaml");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let warned = String::from_utf8_lossy(&output.stderr);
        assert_eq!(warned.lines().count(), warnings, "{warned}");
    }
}

#[test]
fn every_example_is_of_a_kind_that_is_executed() {
    let kinds: Vec<_> = readme::examples().into_iter().map(|example| example.kind).collect();
    for kind in [Kind::Config, Kind::Routes, Kind::Shell, Kind::Verdict] {
        assert!(kinds.contains(&kind), "{kind:?}");
    }
}

#[test]
#[should_panic(expected = "nothing executes this example")]
fn an_example_of_no_known_kind_is_noticed() {
    let _ = Example::of("yaml", "- something: else\n".to_owned());
}

#[test]
#[should_panic(expected = "nothing executes this line: docker run x")]
fn a_command_that_nothing_executes_is_noticed() {
    let _ = Example::of("sh", "claimgate validate --config x\ndocker run x\n".to_owned());
}

#[test]
fn every_config_is_good_as_it_stands() {
    for config in readme::of_kind(&Kind::Config) {
        Desk::with(&config).validates(0);
    }
}

#[tokio::test]
async fn every_config_is_served_and_accepts_the_token_that_it_describes() {
    let issuer = TestIssuer::serving(&ES256.jwks()).await;
    let token = readme::token(&ES256, &readme::claims());
    for config in readme::of_kind(&Kind::Config) {
        let server = TestServer::start(&readme::local(&config, &issuer.jwks_uri())).await;
        let answer = server.expect(TestRequest::bearer(&token), 200, "").await;
        assert_eq!(answer.header("x-auth-subject"), "alice");
        assert_eq!(answer.header("x-auth-groups"), "staff,AI-Users");
        server.expect(TestRequest::default(), 401, "credentials_missing").await;
        let other = with(readme::claims(), "aud", "api://other".into());
        let other = TestRequest::bearer(&readme::token(&ES256, &other));
        server.expect(other, 401, "audience_not_allowed").await;
    }
}

/// What the reference shows is in force: one claim or header that differs, and the refusal.
#[tokio::test]
async fn each_condition_of_the_reference_is_in_force() {
    let issuer = TestIssuer::serving(&ES256.jwks()).await;
    let reference = readme::of_kind(&Kind::Config).pop().unwrap();
    let server = TestServer::start(&readme::local(&reference, &issuer.jwks_uri())).await;
    let answer = server.check(TestRequest::bearer(&readme::token(&ES256, &readme::claims()))).await;
    let set =
        [("x-auth-roles", r#"["user"]"#), ("x-auth-provider", "okta"), ("x-auth-team", "blue")];
    for (name, value) in set {
        assert_eq!(answer.header(name), value);
    }
    assert!(!answer.header("x-jwt-payload").is_empty());
    assert!(answer.removed.contains(&"x-internal-user".to_owned()));
    let exp = readme::claims()["exp"].as_u64().unwrap();
    for (claim, value, status, reason) in [
        ("iss", json!("https://your-org.okta.com/oauth2/default/"), 401, "issuer_not_allowed"),
        ("aud", json!(["other"]), 401, "audience_not_allowed"),
        ("hd", json!("example.org"), 401, "claims_rejected"),
        ("exp", Value::Null, 401, "expiry_missing"),
        ("exp", json!(exp + 90_000), 401, "lifetime_too_long"),
        ("nbf", json!(exp), 401, "token_not_yet_valid"),
        ("cnf", json!({ "jkt": "x" }), 401, "token_type_not_allowed"),
        ("scope", json!("orders.write"), 403, "scope_insufficient"),
        ("sub", json!("mallory"), 403, "rule_denied"),
        ("department", json!("support"), 403, "rule_denied"),
        ("groups", json!(["staff"]), 403, "rule_denied"),
    ] {
        let token = readme::token(&ES256, &with(readme::claims(), claim, value));
        server.expect(TestRequest::bearer(&token), status, reason).await;
    }
    for (department, status) in [(json!(7), 200), (json!([true]), 200), (json!("7"), 403)] {
        let token = readme::token(&ES256, &with(readme::claims(), "department", department));
        assert_eq!(server.check(TestRequest::bearer(&token)).await.status, status);
    }
    let untyped = TestRequest::bearer(&ES256.token(&readme::claims()));
    server.expect(untyped, 401, "token_type_not_allowed").await;
    let other = TestKey::new("EdDSA");
    let other = TestRequest::bearer(&readme::token(&other, &readme::claims()));
    server.expect(other, 401, "algorithm_not_allowed").await;
}

/// The runs of lines of `config` that are commented out, as a config that has them.
fn uncommented(config: &str) -> Vec<String> {
    let lines: Vec<&str> = config.lines().collect();
    let is_off = |line: &&str| line.trim_start().starts_with("# ");
    let mut found = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let run = lines[at..].iter().take_while(|line| is_off(line)).count();
        if run > 0 {
            let on = |line: &&str| line.replacen("# ", "", 1);
            let mut whole: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            whole.splice(at..at + run, lines[at..at + run].iter().map(on));
            found.push(whole.join("\n") + "\n");
        }
        at += run.max(1);
    }
    found
}

#[test]
fn every_line_that_the_reference_comments_out_is_good_too() {
    let reference = readme::of_kind(&Kind::Config).pop().unwrap();
    let variants = uncommented(&reference);
    assert!(variants.len() > 5, "{}", variants.len());
    let (ca, _) = certificates();
    for variant in variants {
        let desk = Desk::with(&variant);
        desk.write("idp-ca.pem", &ca);
        desk.write("token", "secret");
        // Of that one the README says so.
        let warned = variant.contains("\n- { host:");
        desk.validates(usize::from(warned));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_for_a_shell_does_what_it_says() {
    let issuer = TestIssuer::serving(&ES256.jwks()).await;
    let desk = Desk::with(&readme::first_config(&issuer.jwks_uri()));
    desk.write("token.txt", &readme::token(&ES256, &readme::claims()));
    let examples = readme::examples();
    let mut ran = 0;
    for line in examples.iter().filter(|one| one.kind == Kind::Shell).flat_map(Example::lines) {
        let Line::Claimgate(line) = line else { continue };
        ran += 1;
        if line.starts_with("claimgate serve ") {
            serves(&desk, &line);
            continue;
        }
        let output = desk.run(&line);
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{line}: {said}");
        let good = match line.split(' ').nth(1).unwrap() {
            "validate" => said.starts_with("config_hash: "),
            "explain" => said.starts_with(r#"{"verdict":"allowed","reason":null,"#),
            "demo" => said.ends_with("All as expected.\n"),
            _ => false,
        };
        assert!(good, "{line}: {said}");
    }
    assert!(ran >= 4, "{ran}");
}

/// The flags of the table of settings with their defaults, as far as these are written as code.
#[test]
fn the_settings_are_those_of_serve_with_their_defaults_and_twins() {
    let section = readme::section("## Commands");
    let rows = section.lines().filter(|line| line.starts_with("| `--"));
    let code = |cell: &str| -> Vec<String> {
        cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let help = String::from_utf8(Desk::with("").run("claimgate serve --help").stdout).unwrap();
    // Each flag with what is said of it.
    let options: BTreeMap<&str, &str> =
        help.split("\n      --").skip(1).map(|one| (first_word(one), one)).collect();
    let mut shown = BTreeSet::new();
    for row in rows {
        let cells: Vec<_> = row.replace("\\|", "/").split('|').map(code).collect();
        for (at, flag) in cells[1].iter().enumerate() {
            let flag = first_word(flag.trim_start_matches('-')).to_owned();
            let said = options.get(&*flag).unwrap_or_else(|| panic!("serve has no --{flag}"));
            let twin = format!("[env: CLAIMGATE_{}=", flag.to_uppercase().replace('-', "_"));
            assert!(said.contains(&twin), "{flag}: {said}");
            if let Some(default) = cells[2].get(at) {
                assert!(said.contains(&format!("[default: {default}]")), "{flag}: {said}");
            }
            shown.insert(flag);
        }
    }
    let known: BTreeSet<_> = options.keys().map(|flag| (*flag).to_owned()).collect();
    assert_eq!(shown, known, "the README's table of settings has other flags than serve");
}

fn first_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap()
}

/// The server that this line starts becomes ready, and ends when it is told to.
fn serves(desk: &Desk, line: &str) {
    // `exec`, so that the signal reaches it.
    let mut child = desk.shell(&format!("exec {line}")).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let ready = log.by_ref().map_while(Result::ok).find(|line| line.contains(" ready"));
    assert!(ready.is_some(), "{line} ended before it was ready");
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    drop(log.by_ref().map_while(Result::ok).last());
    assert_eq!(child.wait().unwrap().code(), Some(0), "{line}");
}

/// The verdict of the README, word for word: its lines make up the one that is printed.
#[tokio::test(flavor = "multi_thread")]
async fn the_verdict_is_what_the_command_before_it_prints() {
    let examples = readme::examples();
    let at = examples.iter().position(|example| example.kind == Kind::Verdict).unwrap();
    let [Line::Claimgate(line)] = &*examples[at - 1].lines() else { panic!("one command") };
    let shown: String = examples[at].text.lines().map(str::trim_start).collect();
    let key = TestKey::with_kid("ES256", "k1");
    let issuer = TestIssuer::serving(&key.jwks()).await;
    let desk = Desk::with(&readme::first_config(&issuer.jwks_uri()));
    let mut claims = with(readme::claims(), "aud", "api://orders/".into());
    // 2026-07-01T13:00:00Z, an hour after the moment at which the README's token is looked at.
    claims["exp"] = 1_782_910_800.into();
    desk.write("token.txt", &readme::token(&key, &claims));
    let output = desk.run(&line.replace(" explain ", " explain --at 2026-07-01T12:00:00Z "));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim_end(), shown);
}

/// Each piece of code in the sections about rules and paths that reads something: by this it is a
/// whole expression.
fn expressions() -> Vec<String> {
    const READS: [&str; 6] = ["claims.", "claims[\"", "request.", "scopes", "now", "provider"];
    let sections =
        [("### Rules", &READS[..]), ("### Which policy a request gets", &["request."][..])];
    let code = |(heading, reads): (&str, &'static [&str])| {
        let section = readme::section(heading);
        let spans = section.split('`').skip(1).step_by(2).map(str::to_owned);
        spans.filter(|span| reads.iter().any(|name| span.contains(name))).collect::<Vec<_>>()
    };
    sections.into_iter().flat_map(code).collect()
}

/// Whether it is one of the expressions that are true or false.
fn is_condition(expression: &str) -> bool {
    [" in ", " && ", " < ", " == ", " != "].iter().any(|operator| expression.contains(operator))
}

#[tokio::test]
async fn every_expression_of_the_section_on_rules_can_be_a_rule() {
    let issuer = TestIssuer::serving(&ES256.jwks()).await;
    let expressions = expressions();
    assert!(expressions.iter().filter(|one| is_condition(one)).count() >= 3, "{expressions:?}");
    assert!(expressions.len() >= 12, "{expressions:?}");
    let mut claims = readme::claims();
    claims["role"] = "admin".into();
    claims["level"] = "5".into();
    claims["https://x.example/roles"] = json!(["x"]);
    claims["auth_time"] = (readme::claims()["exp"].as_u64().unwrap() - 3700).into();
    let met = readme::token(&ES256, &claims);
    for name in ["role", "level", "scope", "auth_time", "groups"] {
        claims = with(claims, name, Value::Null);
    }
    let unmet = readme::token(&ES256, &claims);
    for expression in &expressions {
        let condition = is_condition(expression);
        // What is a value can be had, and so the rule holds.
        let rule =
            if condition { expression.clone() } else { format!("[{expression}].size() == 1") };
        let rule = serde_json::to_string(&rule).unwrap();
        let config = readme::first_config(&issuer.jwks_uri()).replace(
            "providers: [okta]\n",
            &format!("providers: [okta]\n  rules: [{{ name: r, require: {rule} }}]\n"),
        );
        let server = TestServer::start(&config).await;
        let request = |token: &str| {
            let mut request = TestRequest::bearer(token).header("x-tenant", "t");
            request.http.method = "GET".to_owned();
            request.http.host = "api.example.com".to_owned();
            request.http.path = "/orders".to_owned();
            request
        };
        server.expect(request(&met), 200, "").await;
        if condition {
            server.expect(request(&unmet), 403, "rule_denied").await;
        }
    }
}
