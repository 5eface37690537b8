//! Hostile hosts, paths and request targets at a virtual host `*`: nobody gets a weaker policy,
//! neither by `routes` nor by a rule, whether Envoy mends the path or not.

use crate::{
    client::{Reply, Request},
    credentials::{ISSUER, good},
    listener::Listener,
    stack::Stack,
    support::{self, keys::ES256},
};

const API: &str = "api.example.com";

/// Targets that some reader may take for `/admin`, or that no reader should trust.
const HOSTILE_PATHS: [&str; 32] = [
    "/open/../admin",
    "/open/./../admin",
    "/open/%2e%2e/admin",
    "/open/%2E%2E/admin",
    "/open/.%2e/admin",
    "/open/%252e%252e/admin",
    "/open%2f..%2fadmin",
    "/open/..%2fadmin",
    "/open/..%2Fadmin",
    "/open%2F../admin",
    "/open%252f..%252fadmin",
    "/open/..;/admin",
    "/open;/../admin",
    "/open/;x/../admin",
    "/open;x=1",
    "/open/..\\admin",
    "/open\\..\\admin",
    "/open/%5c../admin",
    "/open/..%5Cadmin",
    "/open//../admin",
    "/open/x/..//../admin",
    "//admin",
    "///admin",
    "//open/../admin",
    "/./admin",
    "/admin/../open/../admin",
    "/open/%00/../admin",
    "/open/x%00",
    "/open/%zz/../admin",
    "/open/..#",
    "/open#/../admin",
    "/open|x",
];

/// `/admin` in other words, which are all the same path.
const ADMIN: [&str; 7] = [
    "/admin",
    "/admin/",
    "/admin/x?y=/open",
    "/admin?/../open",
    "/%61dmin",
    "/adm%69n/x",
    "/admin/open",
];

/// Hosts that are none, or that two readers may take for two.
const HOSTILE_HOSTS: [&str; 20] = [
    "open.example.com@api.example.com",
    "api.example.com@open.example.com",
    "api.example.com,open.example.com",
    "open.example.com, api.example.com",
    "open.example.com#api.example.com",
    "open.example.com/api.example.com",
    "open.example.com\\api.example.com",
    "open.example.com?api.example.com",
    "open.example.com;api.example.com",
    "open.example.com api.example.com",
    "open.example.com%00.api.example.com",
    "open%2eexample.com",
    "open.example.com:80:81",
    "open.example.com:x",
    "open.example.com:",
    "open.example.com..",
    ".open.example.com",
    "open..example.com",
    "[open.example.com]",
    "*.example.com",
];

/// Three policies by host and path, and the strictest where none of them is meant.
fn by_routes() -> String {
    let demo = support::provider("demo", ISSUER, &ES256.jwks());
    format!(
        "\
providers:
{demo}policies:
- {{ name: plain, providers: [demo] }}
- {{ name: admin, providers: [demo], scopes: {{ all_of: [admin] }} }}
- {{ name: public, mode: anonymous }}
default_policy: admin
routes:
- {{ host: {API}, policy: plain }}
- {{ host: {API}, path_prefix: /admin, policy: admin }}
- {{ host: {API}, path_prefix: /open, policy: public }}
- {{ host: open.example.com, policy: public }}
"
    )
}

/// One policy for everything, whose rules look at host and path.
fn by_rules() -> String {
    let demo = support::provider("demo", ISSUER, &ES256.jwks());
    format!(
        "\
providers:
{demo}policies:
- name: ruled
  providers: [demo]
  mode: permissive
  rules:
  - {{ name: admin, deny: 'request.path == \"/admin\" || request.path.startsWith(\"/admin/\")' }}
  - {{ name: host, require: 'request.host == \"{API}\"' }}
default_policy: ruled
"
    )
}

/// The example with and without what makes one spelling of each path; the routes of the virtual
/// host `*` all say nothing.
fn listeners() -> [(&'static str, Listener); 2] {
    let shown = Listener::default().shows_metadata();
    [("mended", shown.clone()), ("as sent", shown.unmended())]
}

/// What the laxest of readers makes of a path: decoded twice, `\\` as `/`, parameters left out.
fn worst(path: &str) -> String {
    let mut text = path.split(['?', '#']).next().unwrap().to_owned();
    for (from, to) in [("%25", "%"), ("%2f", "/"), ("%2F", "/"), ("%5c", "/"), ("%5C", "/")] {
        text = text.replace(from, to);
    }
    text = text.replace("%2e", ".").replace("%2E", ".").replace('\\', "/");
    let mut kept: Vec<&str> = Vec::new();
    for segment in text.split('/').map(|segment| segment.split(';').next().unwrap()) {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    format!("/{}/", kept.join("/"))
}

/// Sends it and returns the status, the policy that was chosen and the reply.
async fn ask(stack: &Stack, request: &Request) -> (u16, String, Reply) {
    let reply = stack.send(request).await;
    (reply.status, reply.header("x-policy"), reply)
}

#[tokio::test]
async fn no_spelling_of_a_path_gets_the_policy_of_another() {
    for (name, listener) in listeners() {
        let Some(stack) = Stack::serving(&by_routes(), &listener).await else { return };
        let plain = good();
        for path in ["/%6fpen/x", "/open", "/open?/../admin"] {
            let (status, policy, _) = ask(&stack, &Request::get(path).host(API)).await;
            assert_eq!((status, &*policy), (200, "public"), "{name}: {path}");
        }
        for path in ["/", "/adminx", "/openx", "/x/admin", "/Admin", "/%41dmin"] {
            let (status, policy, _) = ask(&stack, &Request::get(path).host(API)).await;
            assert_eq!((status, &*policy), (401, "plain"), "{name}: {path}");
        }
        for path in ADMIN {
            let (status, policy, _) = ask(&stack, &Request::get(path).host(API)).await;
            assert_eq!((status, &*policy), (401, "admin"), "{name}: {path}");
            let (status, policy, _) =
                ask(&stack, &Request::get(path).host(API).bearer(&plain)).await;
            assert_eq!((status, &*policy), (403, "admin"), "{name}: {path}");
        }
        for path in HOSTILE_PATHS {
            for request in [Request::get(path), Request::get(path).bearer(&plain)] {
                let (status, policy, reply) = ask(&stack, &request.host(API)).await;
                if reply.is_from_upstream() {
                    let seen = worst(&reply.path_seen());
                    // `plain` looked at the token; only `public` does not.
                    assert!(!seen.starts_with("/admin/"), "{name}: {path}: {policy}: {seen}");
                    let is_public = policy == "public";
                    assert_eq!(is_public, seen.starts_with("/open/"), "{name}: {path}: {seen}");
                }
                println!("{name}: {path}: {status} {policy} {}", reply.header("x-reason"));
            }
        }
    }
}

#[tokio::test]
async fn no_host_gets_the_policy_of_another() {
    let Some(stack) = Stack::serving(&by_routes(), &listeners()[1].1).await else { return };
    for host in ["open.example.com", "OPEN.example.com", "open.example.com:8443"] {
        let (status, policy, _) = ask(&stack, &Request::get("/x").host(host)).await;
        assert_eq!((status, &*policy), (200, "public"), "{host}");
    }
    for host in HOSTILE_HOSTS {
        let (status, policy, reply) = ask(&stack, &Request::get("/x").host(host)).await;
        println!("{host}: {status} {policy} {}", reply.header("x-reason"));
        assert!(!reply.is_from_upstream(), "{host}: {policy} let it pass");
    }
}

#[tokio::test]
async fn an_absolute_target_counts_as_the_host_and_path_that_envoy_routes_by() {
    let Some(stack) = Stack::serving(&by_routes(), &listeners()[0].1).await else { return };
    for (target, host, expected) in [
        ("http://api.example.com/admin", "open.example.com", (401, "admin")),
        ("http://api.example.com/x", "open.example.com", (401, "plain")),
        ("http://elsewhere.example/x", "open.example.com", (401, "admin")),
        ("http://open.example.com/x", API, (200, "public")),
    ] {
        let (status, policy, _) = ask(&stack, &Request::get(target).host(host)).await;
        assert_eq!((status, &*policy), expected, "{target} with Host: {host}");
    }
}

#[tokio::test]
async fn a_rule_on_host_and_path_is_not_passed_by_another_spelling() {
    for (name, listener) in listeners() {
        let rules = by_rules().replace("mode: permissive", "mode: strict");
        let Some(stack) = Stack::serving(&rules, &listener).await else { return };
        let ask = async |request: Request| stack.send(&request.bearer(&good())).await;
        assert!(ask(Request::get("/x").host(API)).await.is_from_upstream(), "{name}");
        for path in ADMIN.iter().chain(&HOSTILE_PATHS) {
            let reply = ask(Request::get(path).host(API)).await;
            if reply.is_from_upstream() {
                let seen = worst(&reply.path_seen());
                assert!(!seen.starts_with("/admin/"), "{name}: {path}: {seen} passed");
            }
        }
        for host in HOSTILE_HOSTS {
            let reply = ask(Request::get("/x").host(host)).await;
            assert!(!reply.is_from_upstream(), "{name}: {host} passed");
        }
    }
}
