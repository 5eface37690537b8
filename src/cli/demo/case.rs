//! The demo's requests: each sent over gRPC, through Envoy, or printed for curl.
//!
//! It starts nothing.

use std::{collections::HashMap, fmt::Write as _, io, net::SocketAddr};

use envoy_types::pb::{
    envoy::{
        config::core::v3::Metadata,
        service::auth::v3::{
            AttributeContext, CheckRequest, CheckResponse,
            attribute_context::{HttpRequest, Request},
            authorization_client::AuthorizationClient,
            check_response::HttpResponse,
        },
    },
    google::protobuf::{Struct, Value, value::Kind},
};
use serde_json::json;

use crate::cli::demo::{
    http::{exchange, get},
    issuer::Issuer,
};

/// The tokens of the demo.
pub(super) struct Tokens {
    valid: String,
    expired: String,
    foreign: String,
    forged: String,
    /// The `iss` of the first two.
    issuer: String,
}

impl Tokens {
    pub(super) fn mint(issuer: &Issuer, foreign: &Issuer, now: f64) -> io::Result<Self> {
        let claims = |exp: f64| {
            json!({
                "sub": "alice", "aud": "demo-api", "exp": exp.floor(), "scope": "orders.read",
                "groups": ["staff", "AI-Users"],
            })
        };
        let mut forged = claims(now + 3600.0);
        forged["iss"] = issuer.url.as_str().into();
        Ok(Self {
            valid: issuer.token(claims(now + 3600.0))?,
            expired: issuer.token(claims(now - 3600.0))?,
            foreign: foreign.token(claims(now + 3600.0))?,
            // The right issuer and kid, another key.
            forged: foreign.token(forged)?,
            issuer: issuer.url.clone(),
        })
    }
}

/// One request and what must come of it.
pub(super) struct Case {
    path: &'static str,
    /// What the route's metadata names; Envoy has it from `envoy/envoy.yaml`.
    route: Option<(&'static str, &'static str)>,
    what: &'static str,
    authorization: Option<String>,
    spoofed: bool,
    status: u32,
    reason: Option<&'static str>,
    shown: Option<String>,
}

/// What claimgate answers by itself, for MCP clients.
const METADATA: &str = "/.well-known/oauth-protected-resource/mcp";

/// The cases in the order in which they are shown.
pub(super) fn all(tokens: &Tokens) -> Vec<Case> {
    let case = |path, what, token: Option<&str>, status, reason| Case {
        path,
        route: match path {
            "/orders" => Some(("policy", "orders")),
            "/mcp" | METADATA => Some(("policy", "mcp")),
            "/public" => Some(("mode", "anonymous")),
            "/broken" => Some(("policy", "no-such-policy")),
            _ => None,
        },
        what,
        authorization: token.map(|token| format!("Bearer {token}")),
        spoofed: false,
        status,
        reason,
        shown: (status == 200 && token.is_some()).then(|| subject("alice")),
    };
    let spoofed = |case| Case { spoofed: true, ..case };
    let Tokens { valid, expired, foreign, forged, issuer } = tokens;
    let metadata = case(METADATA, "", None, 200, None);
    let two = format!("{valid},Bearer {valid}");
    vec![
        case("/orders", "valid token", Some(valid), 200, None),
        spoofed(case("/orders", "valid token, forged x-auth-subject", Some(valid), 200, None)),
        case("/orders", "no token", None, 401, Some("credentials_missing")),
        case("/orders", "expired token", Some(expired), 401, Some("token_expired")),
        case("/orders", "foreign issuer", Some(foreign), 401, Some("issuer_not_allowed")),
        case("/orders", "forged signature", Some(forged), 401, Some("signature_invalid")),
        case("/orders", "two tokens", Some(&two), 400, Some("multiple_credentials")),
        case("/", "valid token, default policy", Some(valid), 200, None),
        spoofed(case("/public", "no token, forged x-auth-subject", None, 200, None)),
        case("/mcp", "no token", None, 401, Some("credentials_missing")),
        Case { shown: Some(authorization_server(issuer)), ..metadata },
        case("/broken", "a policy that does not exist", Some(valid), 503, Some("policy_unknown")),
    ]
}

impl Case {
    pub(super) fn request(&self) -> String {
        format!("GET {:8} {}", self.path, self.what).trim_end().to_owned()
    }

    /// One line that both ways of asking must give.
    pub(super) fn expected(&self) -> String {
        outcome(self.status, self.reason, self.shown.clone())
    }

    pub(super) fn curl(&self, envoy: SocketAddr) -> String {
        let mut line = String::from("curl -si");
        for (name, value) in self.headers() {
            // Writing to a String does not fail.
            let _ = write!(line, " -H '{name}: {value}'");
        }
        line + &format!(" http://{envoy}{}", self.path)
    }

    fn headers(&self) -> Vec<(&str, &str)> {
        let spoofed = self.spoofed.then_some(("x-auth-subject", "mallory"));
        self.authorization.iter().map(|a| ("authorization", a.as_str())).chain(spoofed).collect()
    }

    /// Asks claimgate as Envoy would.
    pub(super) async fn over_grpc(&self, grpc: SocketAddr) -> io::Result<String> {
        let mut client = AuthorizationClient::connect(format!("http://{grpc}"))
            .await
            .map_err(io::Error::other)?;
        let answer = client.check(self.check_request()).await.map_err(io::Error::other)?;
        Ok(answered(&answer.into_inner()))
    }

    /// Asks Envoy, which asks claimgate and then the upstream. The reason is not told to clients,
    /// so it is taken for granted where the status is right.
    pub(super) async fn through_envoy(&self, envoy: SocketAddr) -> io::Result<String> {
        let answer = exchange(envoy, get(self.path, &self.headers())?).await?;
        let status = answer.status().as_u16().into();
        let reason = self.reason.filter(|_| status == self.status);
        Ok(outcome(status, reason, shown(answer.body())))
    }

    fn check_request(&self) -> CheckRequest {
        let headers = self.headers().into_iter().map(|(n, v)| (n.to_owned(), v.to_owned()));
        let http = HttpRequest {
            method: "GET".to_owned(),
            path: self.path.to_owned(),
            headers: headers.collect(),
            ..HttpRequest::default()
        };
        let route = self.route.map(|(field, name)| {
            let name = Value { kind: Some(Kind::StringValue(name.to_owned())) };
            let policy = Struct { fields: HashMap::from([(field.to_owned(), name)]) };
            let filter_metadata = HashMap::from([("claimgate".to_owned(), policy)]);
            Metadata { filter_metadata, ..Metadata::default() }
        });
        let attributes = AttributeContext {
            request: Some(Request { http: Some(http), ..Request::default() }),
            route_metadata_context: route,
            ..AttributeContext::default()
        };
        CheckRequest { attributes: Some(attributes) }
    }
}

fn outcome(status: u32, reason: Option<&str>, shown: Option<String>) -> String {
    match (reason, shown) {
        (Some(reason), _) => format!("{status} {reason}"),
        (None, Some(shown)) => format!("{status} {shown}"),
        (None, None) => format!("{status} no x-auth-subject"),
    }
}

/// What the body of an answer shows: what the upstream saw, or where tokens are to be had.
fn shown(body: &str) -> Option<String> {
    let json: serde_json::Value = serde_json::from_str(body).ok()?;
    let text = |place: &str| json.pointer(place).and_then(|value| value.as_str());
    let seen = text("/headers/x-auth-subject/0").map(subject);
    seen.or_else(|| text("/authorization_servers/0").map(authorization_server))
}

fn subject(name: &str) -> String {
    format!("x-auth-subject: {name}")
}

fn authorization_server(url: &str) -> String {
    format!("authorization_servers: {url}")
}

/// What a CheckResponse means to Envoy.
fn answered(response: &CheckResponse) -> String {
    let metadata = response.dynamic_metadata.as_ref().and_then(|m| m.fields.get("claimgate"));
    let reason = metadata.and_then(|value| match &value.kind {
        Some(Kind::StructValue(fields)) => text(fields.fields.get("reason")?),
        _ => None,
    });
    match &response.http_response {
        Some(HttpResponse::OkResponse(ok))
            if response.status.as_ref().is_some_and(|s| s.code == 0) =>
        {
            let subject = ok.headers.iter().filter_map(|option| option.header.as_ref());
            let subject = subject.into_iter().find(|header| header.key == "x-auth-subject");
            outcome(200, reason, subject.map(|header| self::subject(&header.value)))
        }
        Some(HttpResponse::DeniedResponse(denied)) => {
            let status = denied.status.map_or(0, |status| u32::try_from(status.code).unwrap_or(0));
            outcome(status, reason, shown(&denied.body))
        }
        Some(HttpResponse::OkResponse(_) | HttpResponse::ErrorResponse(_)) | None => {
            "no answer that Envoy would understand".to_owned()
        }
    }
}

fn text(value: &Value) -> Option<&str> {
    match &value.kind {
        Some(Kind::StringValue(text)) => Some(text),
        _ => None,
    }
}
