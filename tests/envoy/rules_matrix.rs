//! Every mode with every credential and every rule: deny, require and allow, each of which holds,
//! does not hold or cannot be evaluated. The upstream says what came of each cell.

use std::fmt::Write as _;

use serde_json::json;

use crate::{
    client::{Reply, Request},
    credentials::{ISSUER, good},
    listener::Listener,
    stack::Stack,
    support::{self, keys::ES256},
};

const MODES: [&str; 4] = ["strict", "optional", "permissive", "anonymous"];
const EFFECTS: [&str; 3] = ["deny", "require", "allow"];
/// What a rule comes to for the good token. The last ones cannot be evaluated: a claim that the
/// token lacks, two types that do not compare, and no boolean.
const OUTCOMES: [(&str, &str); 5] = [
    ("holds", r#"claims.sub == "alice""#),
    ("fails", r#"claims.sub == "bob""#),
    ("absent", r#"claims.role == "admin""#),
    ("types", "claims.sub > 5"),
    ("text", "claims.sub"),
];
const CREDENTIALS: [&str; 6] = ["none", "basic", "bad", "elsewhere", "two", "good"];

fn config() -> String {
    let demo = support::provider("demo", ISSUER, &ES256.jwks());
    let mut config = format!("providers:\n{demo}policies:\n- {{ name: d, providers: [demo] }}\n");
    for mode in MODES {
        for effect in EFFECTS {
            for (outcome, source) in OUTCOMES {
                let rule = json!([{ "name": "r", effect: source }]);
                writeln!(
                    config,
                    "- {{ name: {mode}-{effect}-{outcome}, providers: [demo], mode: {mode}, rules: {rule} }}"
                )
                .unwrap();
            }
        }
    }
    config + "default_policy: d\n"
}

fn listener() -> Listener {
    let mut listener = Listener::default().shows_metadata();
    for mode in MODES {
        for effect in EFFECTS {
            for (outcome, _) in OUTCOMES {
                let name = format!("{mode}-{effect}-{outcome}");
                listener = listener.metadata(&format!("/{name}"), &json!({ "policy": name }));
            }
        }
    }
    listener
}

fn authorization(credential: &str) -> String {
    match credential {
        "none" => String::new(),
        "basic" => "Basic QTpC".to_owned(),
        "bad" => format!("Bearer {}", good().replace('.', ".A")),
        "elsewhere" => {
            let claims = support::with(support::claims(ISSUER), "aud", "elsewhere".into());
            format!("Bearer {}", ES256.token(&claims))
        }
        "two" => format!("Bearer {},Bearer {}", good(), good()),
        _good => format!("Bearer {}", good()),
    }
}

/// A denial with its status and reason, or the upstream with this subject and this credential.
#[derive(Debug, PartialEq)]
enum Cell {
    Denied(u16, String),
    Upstream { subject: String, authorization: String },
}

fn upstream(subject: &str, authorization: &str) -> Cell {
    Cell::Upstream { subject: subject.to_owned(), authorization: authorization.to_owned() }
}

/// What the README's tables say.
fn expected(mode: &str, effect: &str, outcome: &str, credential: &str, sent: &str) -> Cell {
    if mode == "anonymous" {
        // Nothing is looked at, and only the client's `x-auth-subject` is taken off.
        return upstream("", sent);
    }
    let met = matches!((effect, outcome), ("deny", "fails") | ("require" | "allow", "holds"));
    let (status, reason) = match credential {
        "good" if met => return upstream("alice", sent),
        "good" => (403, "rule_denied"),
        // Another scheme is no credential, and is left as it is.
        "none" | "basic" if mode != "strict" => return upstream("", sent),
        "none" | "basic" => (401, "credentials_missing"),
        "two" => (400, "multiple_credentials"),
        "elsewhere" => (401, "audience_not_allowed"),
        _bad => (401, "token_malformed"),
    };
    if mode == "permissive" {
        return upstream("", "");
    }
    Cell::Denied(status, reason.to_owned())
}

fn got(reply: &Reply) -> Cell {
    if reply.is_from_upstream() {
        return upstream(&reply.seen("x-auth-subject"), &reply.seen("authorization"));
    }
    Cell::Denied(reply.status, reply.header("x-reason"))
}

#[tokio::test]
async fn every_cell_of_mode_credential_and_rule_is_as_the_readme_says() {
    let Some(stack) = Stack::serving(&config(), &listener()).await else { return };
    let (mut table, mut cells) = (String::new(), 0);
    for mode in MODES {
        for effect in EFFECTS {
            for (outcome, _) in OUTCOMES {
                for credential in CREDENTIALS {
                    let sent = authorization(credential);
                    let mut request = Request::get(&format!("/{mode}-{effect}-{outcome}"));
                    request = request.line("x-auth-subject", "mallory");
                    if !sent.is_empty() {
                        request = request.line("authorization", &sent);
                    }
                    let cell = got(&stack.send(&request).await);
                    let what = format!("{mode:10} {effect:7} {outcome:6} {credential:9}");
                    assert_eq!(cell, expected(mode, effect, outcome, credential, &sent), "{what}");
                    let shown = match cell {
                        Cell::Denied(status, reason) => format!("{status} {reason}"),
                        Cell::Upstream { subject, .. } if subject.is_empty() => "200 nobody".into(),
                        Cell::Upstream { subject, .. } => format!("200 {subject}"),
                    };
                    writeln!(table, "{what} {shown}").unwrap();
                    cells += 1;
                }
            }
        }
    }
    println!("mode       rule    comes  token     got\n{table}{cells} cells");
    let all = MODES.len() * EFFECTS.len() * OUTCOMES.len() * CREDENTIALS.len();
    assert_eq!(cells, all);
}
