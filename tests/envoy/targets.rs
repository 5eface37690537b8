//! Hostile hosts, paths and request targets at a virtual host `*`: nobody gets a weaker policy,
//! neither by `routes` nor by a rule, whether Envoy mends the path or not.

use http::Request as Http;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::{
    client::{Reply, Request},
    credentials::{ISSUER, good},
    listener::Listener,
    stack::Stack,
    support::{self, keys::ES256},
};

const API: &str = "api.example.com";

/// Targets that some reader may take for `/admin`, or that no reader should trust.
const HOSTILE_PATHS: [&str; 35] = [
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
    "/open/..%c0%afadmin",
    "/open/%C0%AE%C0%AE/admin",
    "/open/..%e0%80%afadmin",
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
fn by_rules(mode: &str) -> String {
    let demo = support::provider("demo", ISSUER, &ES256.jwks());
    format!(
        "\
providers:
{demo}policies:
- name: ruled
  providers: [demo]
  mode: {mode}
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

/// With each `%XX` as the character that it stands for.
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        let byte = part.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match byte {
            Some(byte) => out.extend([char::from(byte)].into_iter().chain(part[2..].chars())),
            None => out.extend(["%", part]),
        }
    }
    out
}

/// What the laxest of readers makes of a path: decoded twice, `\\` as `/`, parameters left out.
fn worst(path: &str) -> String {
    let text = path.split(['?', '#']).next().unwrap().to_ascii_lowercase();
    let text = ["%c0%af", "%e0%80%af"].iter().fold(text, |text, slash| text.replace(slash, "/"));
    let text = decoded(&decoded(&text.replace("%c0%ae", "."))).replace('\\', "/");
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
                let (_, policy, reply) = ask(&stack, &request.host(API)).await;
                if reply.is_from_upstream() {
                    let seen = worst(&reply.path_seen());
                    // `plain` looked at the token; only `public` does not.
                    assert!(!seen.starts_with("/admin/"), "{name}: {path}: {policy}: {seen}");
                    let is_public = policy == "public";
                    assert_eq!(is_public, seen.starts_with("/open/"), "{name}: {path}: {seen}");
                }
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
        let (_, policy, reply) = ask(&stack, &Request::get("/x").host(host)).await;
        assert!(!reply.is_from_upstream(), "{host}: {policy} let it pass");
    }
}

/// Request targets in absolute form beside a `Host`, and which status and policy they get: it is
/// the target's host that counts (RFC 9112 section 3.2.2).
const ABSOLUTE: [(&str, &str, (u16, &str)); 8] = [
    ("http://api.example.com/admin", "open.example.com", (401, "admin")),
    ("http://API.example.com:80/x", "open.example.com", (401, "plain")),
    ("http://elsewhere.example/x", "open.example.com", (401, "admin")),
    ("http://elsewhere.example/admin", API, (401, "admin")),
    ("http://open.example.com/x", API, (200, "public")),
    ("http://api.example.com", "open.example.com", (401, "plain")),
    // Envoy takes off what stands before the `@`, for the upstream too.
    ("http://open.example.com@api.example.com/x", API, (401, "plain")),
    ("http://api.example.com@open.example.com/x", API, (200, "public")),
];

/// The same with a host that may be two.
const ABSOLUTE_HOSTILE: [&str; 3] = [
    "http://api.example.com,open.example.com/x",
    "http://api.example.com;open.example.com/x",
    "http://open.example.com:80:81/x",
];

#[tokio::test]
async fn an_absolute_target_counts_as_the_host_and_path_that_envoy_routes_by() {
    for (name, listener) in listeners() {
        let Some(stack) = Stack::serving(&by_routes(), &listener).await else { return };
        for (target, host, expected) in ABSOLUTE {
            let (status, policy, reply) = ask(&stack, &Request::get(target).host(host)).await;
            assert_eq!((status, &*policy), expected, "{name}: {target} with Host: {host}");
            if reply.is_from_upstream() {
                assert_eq!(reply.seen("host"), "open.example.com", "{name}: {target}");
            }
        }
        for target in ABSOLUTE_HOSTILE {
            let (_, policy, reply) = ask(&stack, &Request::get(target).host(API)).await;
            assert!(!reply.is_from_upstream(), "{name}: {target}: {policy} let it pass");
        }
    }
}

#[tokio::test]
async fn a_host_line_beside_an_authority_of_http_2_chooses_nothing() {
    let Some(stack) = Stack::serving(&by_routes(), &listeners()[1].1).await else { return };
    let ask = async |authority: &str, host: &str| {
        let stream = TcpStream::connect(stack.envoy.listener).await.unwrap();
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (mut client, connection) = handshake.unwrap();
        tokio::spawn(connection);
        let request = Http::get(format!("http://{authority}/x")).header("host", host);
        let reply = client.send_request(request.body(String::new()).unwrap()).await.unwrap();
        let policy = reply.headers().get("x-policy").map(|policy| policy.to_str().unwrap());
        (reply.status().as_u16(), policy.unwrap_or_default().to_owned())
    };
    assert_eq!(ask(API, "open.example.com").await, (401, "plain".to_owned()));
    assert_eq!(ask("elsewhere.example", "open.example.com").await, (401, "admin".to_owned()));
    assert_eq!(ask("open.example.com", API).await, (200, "public".to_owned()));
}

/// Whether the rules of [`by_rules`] were met, and by whom the upstream was told the request is.
fn met(reply: &Reply) -> bool {
    reply.is_from_upstream() && reply.seen("x-auth-subject") == "alice"
}

#[tokio::test]
async fn a_rule_on_host_and_path_is_not_passed_by_another_spelling() {
    for ((name, listener), mode) in listeners().into_iter().zip(["strict", "permissive"]) {
        let Some(stack) = Stack::serving(&by_rules(mode), &listener).await else { return };
        let ask = async |request: Request| stack.send(&request.bearer(&good())).await;
        assert!(met(&ask(Request::get("/x").host(API)).await), "{name}");
        assert!(met(&ask(Request::get("http://api.example.com/x").host("x")).await), "{name}");
        for path in ADMIN {
            assert!(!met(&ask(Request::get(path).host(API)).await), "{name}: {path}");
        }
        for path in HOSTILE_PATHS {
            let reply = ask(Request::get(path).host(API)).await;
            // What has two readings passes in no mode; what Envoy has mended is judged as mended.
            assert!(!reply.is_from_upstream() || name == "mended", "{name}: {path}");
            if met(&reply) {
                let seen = worst(&reply.path_seen());
                assert!(!seen.starts_with("/admin/"), "{name}: {path}: {seen} passed");
            }
        }
        for host in HOSTILE_HOSTS {
            let reply = ask(Request::get("/x").host(host)).await;
            assert!(!reply.is_from_upstream(), "{name}: {host} passed");
        }
        for target in ABSOLUTE_HOSTILE.into_iter().chain(["http://open.example.com/x"]) {
            assert!(!met(&ask(Request::get(target).host(API)).await), "{name}: {target}");
        }
        assert!(!met(&ask(Request::get("http://api.example.com/admin").host(API)).await));
    }
}
