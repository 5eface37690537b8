//! The examples of README.md that need an Envoy: its routes, and its lines for `curl`.

use std::process::Command;

use claimgate::cli::demo::http::{exchange, get};

use crate::{
    binary::binary,
    client::Request,
    listener::Listener,
    stack::Stack,
    support::{
        issuer::TestIssuer,
        keys::ES256,
        readme::{self, Example, Kind, Line},
    },
};

/// The addresses that the README names.
const INGRESS: &str = "http://127.0.0.1:10000";
const OPERATORS: &str = "http://127.0.0.1:9192";

/// The README's first config with its keys on loopback, and these lines behind the policies.
async fn serving(policies: &str, routes: &str) -> Option<(Stack, TestIssuer)> {
    let issuer = TestIssuer::serving(&ES256.jwks()).await;
    let default = "default_policy: orders\n";
    let config = readme::first_config(&issuer.jwks_uri());
    let config = config.replace(default, &format!("{policies}{default}"));
    let stack = Stack::serving(&config, &Listener::default().first(routes)).await?;
    Some((stack, issuer))
}

fn token() -> String {
    readme::token(&ES256, &readme::claims())
}

/// The example of routes that names this policy.
#[track_caller]
fn routes(policy: &str) -> String {
    let mut all = readme::of_kind(&Kind::Routes).into_iter();
    all.find(|routes| routes.contains(&format!("policy: {policy} "))).expect("an example")
}

/// A line's words: split at spaces outside of double quotes, with `$TOKEN` as the token.
fn words(line: &str, token: &str) -> Vec<String> {
    let quoted = line.split('"').enumerate();
    let parts = quoted.flat_map(|(index, part)| match index % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.replace("$TOKEN", token)],
    });
    parts.collect()
}

/// Sends what `curl` would, and says in short what came of it.
async fn curl(stack: &Stack, line: &str) -> String {
    let (line, grep) = line.split_once(" | grep ").unwrap_or((line, ""));
    let token = token();
    let mut words = words(line, &token).into_iter().skip(1);
    let (mut url, mut lines) = (None, Vec::new());
    while let Some(word) = words.next() {
        match word.as_str() {
            "-i" | "-s" => {}
            "-H" => lines.push(words.next().expect("a header")),
            option if option.starts_with('-') => panic!("an option that nothing executes: {word}"),
            _ => assert!(url.replace(word).is_none(), "two URLs in {line}"),
        }
    }
    let url = url.expect("a URL");
    if let Some(path) = url.strip_prefix(OPERATORS) {
        let answer = exchange(stack.claimgate.server.http, get(path, &[]).unwrap()).await.unwrap();
        let allowed = r#"outcome="allowed",policy="orders",provider="okta""#;
        let mut found = answer.body().lines().filter(|line| line.contains(grep));
        return format!("{grep}: {}", found.any(|line| line.contains(allowed)));
    }
    let path = url.strip_prefix(INGRESS).expect("an address of the README");
    assert_eq!(grep, "", "{line}");
    let lines = lines.iter().map(|line| line.split_once(": ").expect("a header"));
    let reply = stack.send(&Request::get(path).lines(lines)).await;
    if reply.is_from_upstream() {
        return format!("x-auth-subject: {}", reply.seen("x-auth-subject"));
    }
    format!("{} {}", reply.status, reply.header("www-authenticate"))
}

#[tokio::test]
async fn the_lines_for_curl_get_what_their_comments_say() {
    let Some((stack, _issuer)) = serving("", &routes("orders")).await else { return };
    let examples = readme::examples();
    let lines = examples.iter().filter(|one| one.kind == Kind::Shell).flat_map(Example::lines);
    let mut got = Vec::new();
    for line in lines {
        if let Line::Curl(line) = line {
            got.push(curl(&stack, &line).await);
        }
    }
    let expected =
        ["401 Bearer realm=\"api\"", "x-auth-subject: alice", "claimgate_checks_total: true"];
    assert_eq!(got, expected);
}

#[tokio::test]
async fn the_example_of_an_envoy_is_accepted_as_it_stands() {
    let Some(binary) = binary() else { return };
    let mut command = Command::new(binary);
    command.args(["--mode", "validate", "-c", "envoy/envoy.yaml"]);
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_gets_what_it_expects_through_an_envoy() {
    let Some(binary) = binary() else { return };
    let mut command = Command::new(env!("CARGO_BIN_EXE_claimgate"));
    let output = command.args(["demo", "--check"]).env("ENVOY_BIN", binary).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    let through = said.lines().filter(|line| line.starts_with("Envoy ") && line.ends_with("  ok"));
    let through: Vec<_> = through.collect();
    assert!(through.len() >= 12, "{said}");
    assert!(
        through.iter().any(|line| line.contains("200 authorization_servers: http://")),
        "{said}"
    );
}

#[tokio::test]
async fn the_route_of_an_own_policy_is_protected_and_no_other() {
    let Some((stack, _issuer)) = serving("", &routes("orders")).await else { return };
    for (path, status) in [("/orders", 401), ("/orders/1", 401), ("/orders?x", 401)] {
        assert_eq!(stack.send(&Request::get(path)).await.status, status, "{path}");
        let reply = stack.send(&Request::get(path).bearer(&token())).await;
        assert_eq!((reply.status, reply.seen("x-auth-groups").as_str()), (200, "staff,AI-Users"));
    }
    assert_eq!(stack.send(&Request::get("/public")).await.status, 200);
}

/// The policy `mcp` with the `protected_resource` that the README's reference shows.
fn resource() -> String {
    let reference = readme::of_kind(&Kind::Config).pop().unwrap();
    let mut lines = reference.lines().skip_while(|line| !line.contains("# protected_resource:"));
    lines.next();
    let resource = lines.next().unwrap().trim_start_matches([' ', '#']).to_owned();
    assert!(resource.starts_with("{ resource:"), "{resource}");
    format!("- {{ name: mcp, providers: [okta], protected_resource: {resource} }}\n")
}

#[tokio::test]
async fn the_routes_of_an_mcp_server_lead_to_its_metadata_and_let_a_token_in() {
    let Some((stack, _issuer)) = serving(&resource(), &routes("mcp")).await else { return };
    let url = "https://api.example.com/.well-known/oauth-protected-resource/mcp";
    let refused = stack.send(&Request::get("/mcp")).await;
    assert_eq!(refused.status, 401);
    let challenge = refused.header("www-authenticate");
    assert!(challenge.contains(&format!("resource_metadata=\"{url}\"")), "{challenge}");
    for path in ["/.well-known/oauth-protected-resource", &url["https://api.example.com".len()..]] {
        let document = stack.send(&Request::get(path)).await;
        assert_eq!(document.status, 200, "{path}");
        assert!(document.body.contains("https://your-org.okta.com/oauth2/default"), "{path}");
    }
    // What stands beside the document on its route wants a token.
    let beside = "/.well-known/oauth-protected-resource/other";
    assert_eq!(stack.send(&Request::get(beside)).await.status, 401);
    assert_eq!(stack.send(&Request::get("/mcp").bearer(&token())).await.status, 200);
}
