//! The examples of README.md, each of a kind that some test executes. An example of no known kind
//! ends the test that asks, so that none can be added which nobody runs.

use serde_json::{Value, json};

use crate::support::{keys::TestKey, unix};

/// Where the keys of the README's provider are.
pub(crate) const JWKS_URI: &str = "https://your-org.okta.com/oauth2/default/v1/keys";

/// A fenced block.
pub(crate) struct Example {
    pub(crate) kind: Kind,
    /// Its lines, without the indentation of the fence.
    pub(crate) text: String,
}

/// What is done with an example.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A drawing: nothing to execute.
    Drawing,
    /// A whole config of claimgate: loaded, served and asked.
    Config,
    /// Routes of Envoy: a real Envoy runs them.
    Routes,
    /// Lines for a shell, see [`Line`].
    Shell,
    /// What `claimgate explain` prints.
    Verdict,
}

/// One line for a shell.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// `claimgate …`, run word for word.
    Claimgate(String),
    /// `curl …`, sent to a real Envoy.
    Curl(String),
    /// `TOKEN=…`, for the lines after it.
    Token,
    /// `cargo test`, which is this very run.
    Test,
}

/// Every example, in order.
pub(crate) fn examples() -> Vec<Example> {
    blocks(&text()).into_iter().map(|(language, text)| Example::of(&language, text)).collect()
}

/// The examples of one kind.
pub(crate) fn of_kind(kind: &Kind) -> Vec<String> {
    examples().into_iter().filter(|example| example.kind == *kind).map(|one| one.text).collect()
}

/// What stands under this heading, up to the next one.
#[track_caller]
pub(crate) fn section(heading: &str) -> String {
    let text = text();
    let (_, rest) = text.split_once(&format!("\n{heading}\n")).expect("the heading");
    rest.split("\n#").next().unwrap().to_owned()
}

fn text() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    std::fs::read_to_string(path).unwrap()
}

/// Language and text of each fenced block.
fn blocks(text: &str) -> Vec<(String, String)> {
    let (mut found, mut lines) = (Vec::new(), text.lines());
    while let Some(line) = lines.next() {
        let Some((indent, language)) = line.split_once("```") else { continue };
        assert!(indent.trim().is_empty(), "a fence inside a line: {line}");
        let mut block = String::new();
        loop {
            let line = lines.next().expect("the block ends");
            if line.trim() == "```" {
                break;
            }
            block.push_str(line.strip_prefix(indent).unwrap_or(line));
            block.push('\n');
        }
        found.push((language.to_owned(), block));
    }
    found
}

impl Example {
    /// The example that a block of this language is.
    pub(crate) fn of(language: &str, text: String) -> Self {
        let has = |start: &str| text.lines().any(|line| line.starts_with(start));
        let kind = match language {
            "text" if has(" client ──") => Kind::Drawing,
            "yaml" if has("providers:") => Kind::Config,
            "yaml" if text.starts_with("- match:") => Kind::Routes,
            "sh" => Kind::Shell,
            "json" if text.starts_with("{\"verdict\":") => Kind::Verdict,
            _ => panic!("nothing executes this example ({language}):\n{text}"),
        };
        let example = Self { kind, text };
        if example.kind == Kind::Shell {
            assert!(!example.lines().is_empty(), "an example without a line");
        }
        example
    }

    /// The lines of a shell example, without comments.
    pub(crate) fn lines(&self) -> Vec<Line> {
        let code = |line: &str| line.split(" #").next().unwrap().trim().to_owned();
        let lines = self.text.lines().map(code).filter(|line| !line.is_empty());
        lines.map(|line| Line::of(&line)).collect()
    }
}

impl Line {
    fn of(line: &str) -> Self {
        if let Some(arguments) = line.strip_prefix("cargo run --release -- ") {
            return Self::Claimgate(format!("claimgate {arguments}"));
        }
        match line.split([' ', '=']).next().unwrap() {
            "claimgate" => Self::Claimgate(line.to_owned()),
            "curl" => Self::Curl(line.to_owned()),
            "TOKEN" => Self::Token,
            "cargo" if line == "cargo test" => Self::Test,
            _ => panic!("nothing executes this line: {line}"),
        }
    }
}

/// The README's config whose provider is described in the fewest lines, with its keys from `uri`.
pub(crate) fn first_config(uri: &str) -> String {
    local(&of_kind(&Kind::Config)[0], uri)
}

/// A config of the README with its keys from `uri`, and nothing else changed.
#[track_caller]
pub(crate) fn local(config: &str, uri: &str) -> String {
    assert_eq!(config.matches(JWKS_URI).count(), 1, "one provider with keys at {JWKS_URI}");
    config.replace(JWKS_URI, uri)
}

/// The claims of a token that every config of the README accepts for an hour.
pub(crate) fn claims() -> Value {
    json!({
        "iss": "https://your-org.okta.com/oauth2/default", "sub": "alice", "aud": "api://orders",
        "exp": unix() + 3600, "scope": "orders.read", "hd": "example.com", "department": "sales",
        "groups": ["staff", "AI-Users"], "realm_access": { "roles": ["user"] }, "team": "blue",
    })
}

/// The token of these claims, as the README's reference wants its type.
pub(crate) fn token(key: &TestKey, claims: &Value) -> String {
    key.token_with(json!({ "alg": key.alg, "kid": key.kid, "typ": "at+jwt" }), claims)
}
