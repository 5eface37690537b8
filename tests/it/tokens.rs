//! Tokens that are not what they should be: structure, issuer, key, type, audience.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::{
    AUDIENCE, claims, config,
    issuer::TestIssuer,
    keys::{ES256, TestKey},
    provider,
    request::TestRequest,
    server::TestServer,
    with,
};

const ISSUER: &str = "https://a.example";

async fn serving(more: &str) -> TestServer {
    let provider = provider("a", ISSUER, &ES256.jwks()) + more;
    TestServer::start(&config(&[provider], "providers: [a]")).await
}

fn bearer(claims: &Value) -> TestRequest {
    TestRequest::bearer(&ES256.token(claims))
}

fn headed(name: &str, value: Value) -> TestRequest {
    let header = with(json!({ "alg": "ES256", "kid": ES256.kid }), name, value);
    TestRequest::bearer(&ES256.token_with(header, &claims(ISSUER)))
}

/// Signed texts, however odd: only their structure is wrong.
fn texts(header: &str, payload: &str) -> TestRequest {
    TestRequest::bearer(&ES256.jws(header, payload))
}

#[tokio::test]
async fn anything_but_three_segments_is_malformed() {
    let server = serving("").await;
    let token = ES256.token(&claims(ISSUER));
    let (unsigned, _) = token.rsplit_once('.').unwrap();
    let (_, headless) = token.split_once('.').unwrap();
    for token in [
        unsigned.to_owned(),
        format!("{unsigned}."),
        format!(".{headless}"),
        format!("{token}."),
        format!("{token}.AAAA.AAAA"),
        token.replace('.', ".."),
    ] {
        server.expect(TestRequest::bearer(&token), 401, "token_malformed").await;
    }
}

#[tokio::test]
async fn base64url_is_read_strictly() {
    let server = serving("").await;
    let token = ES256.token(&claims(ISSUER));
    // 64 bytes are 86 characters, of whose last the low four bits are none of the signature's.
    let last = token.chars().next_back().unwrap();
    let stray = char::from(last as u8 + 1);
    let cut = &token[..token.len() - 1];
    for token in [format!("{token}="), format!("{token}=="), format!("{cut}{stray}"), cut.into()] {
        server.expect(TestRequest::bearer(&token), 401, "token_malformed").await;
    }
    let plus = format!("{}+/+/", token);
    server.expect(TestRequest::bearer(&plus), 401, "token_malformed").await;
}

#[tokio::test]
async fn header_and_payload_are_objects_without_duplicates() {
    let server = serving("").await;
    let (kid, good) = (&ES256.kid, claims(ISSUER).to_string());
    let header = format!(r#"{{"alg":"ES256","kid":"{kid}"}}"#);
    for payload in ["[]", "1", "null", "", r#""x""#, "{}{}"] {
        server.expect(texts(&header, payload), 401, "token_malformed").await;
    }
    for more in [r#""iss":"x""#, r#""\u0069ss":"x""#, r#""a":1,"\u0061":2"#] {
        let payload = good.replacen('{', &format!("{{{more},"), 1);
        server.expect(texts(&header, &payload), 401, "token_malformed").await;
    }
    for more in [r#""alg":"ES256""#, r#""\u006bid":"x""#, r#""x":{"y":1,"y":1}"#] {
        let header = header.replacen('{', &format!("{{{more},"), 1);
        server.expect(texts(&header, &good), 401, "token_malformed").await;
    }
    server.expect(texts(&header, &good), 200, "").await;
}

#[tokio::test]
async fn size_and_nesting_are_bounded() {
    let server = serving("").await;
    server.expect(TestRequest::bearer(&"a".repeat(16 * 1024)), 401, "token_malformed").await;
    server.expect(TestRequest::bearer(&"a".repeat(16 * 1024 + 1)), 401, "token_too_large").await;
    let large = with(claims(ISSUER), "x", "x".repeat(14 * 1024).into());
    server.expect(bearer(&large), 401, "token_too_large").await;
    let nested = |depth: usize| {
        let mut value = json!(1);
        (1..depth).for_each(|_| value = json!([value]));
        bearer(&with(claims(ISSUER), "x", value))
    };
    server.expect(nested(32), 200, "").await;
    server.expect(nested(33), 401, "token_malformed").await;
}

#[tokio::test]
async fn critical_parameters_are_not_supported() {
    let server = serving("").await;
    for crit in [json!(["exp"]), json!([]), json!(null), json!(["b64"])] {
        let header = json!({ "alg": "ES256", "kid": ES256.kid, "crit": crit });
        let request = TestRequest::bearer(&ES256.token_with(header, &claims(ISSUER)));
        server.expect(request, 401, "critical_header_unsupported").await;
    }
    server.expect(headed("b64", true.into()), 401, "critical_header_unsupported").await;
}

#[tokio::test]
async fn keys_that_a_token_brings_or_points_to_are_never_used() {
    let server = serving("").await;
    let attacker = TestKey::with_kid("ES256", &ES256.kid);
    let issuer = TestIssuer::serving(&attacker.jwks()).await;
    let check = async |name: &str, value: Value| {
        let header = with(json!({ "alg": "ES256", "kid": ES256.kid }), name, value);
        let request = TestRequest::bearer(&attacker.token_with(header, &claims(ISSUER)));
        server.expect(request, 401, "signature_invalid").await;
    };
    check("jwk", attacker.jwk()).await;
    check("jku", issuer.jwks_uri().into()).await;
    check("x5u", issuer.jwks_uri().into()).await;
    check("x5c", json!(["MIIB"])).await;
    assert_eq!(issuer.fetches(), 0);
    server.expect(headed("jwk", attacker.jwk()), 200, "").await;
}

#[tokio::test]
async fn a_key_counts_only_within_its_provider() {
    let other = TestKey::with_kid("ES256", "other");
    let providers =
        [provider("a", ISSUER, &ES256.jwks()), provider("b", "https://b.example", &other.jwks())];
    let server = TestServer::start(&config(&providers, "providers: [a, b]")).await;
    let foreign = TestRequest::bearer(&other.token(&claims(ISSUER)));
    server.expect(foreign, 401, "key_unknown").await;
    let header = json!({ "alg": "ES256", "kid": ES256.kid });
    let borrowed = TestRequest::bearer(&other.token_with(header, &claims(ISSUER)));
    server.expect(borrowed, 401, "signature_invalid").await;
    let without = other.token_with(json!({ "alg": "ES256" }), &claims(ISSUER));
    server.expect(TestRequest::bearer(&without), 401, "signature_invalid").await;
    let own = TestRequest::bearer(&other.token(&claims("https://b.example")));
    assert_eq!(server.expect(own, 200, "").await.header("x-auth-provider"), "b");
}

#[tokio::test]
async fn the_issuer_is_exact() {
    let server = serving("").await;
    for issuer in ["https://a.example/", "https://A.example", "a.example", "", " https://a.example"]
    {
        let request = bearer(&claims(issuer));
        server.expect(request, 401, "issuer_not_allowed").await;
    }
    for issuer in [Value::Null, 1.into(), json!([ISSUER]), json!({ "iss": ISSUER })] {
        let request = bearer(&with(claims(ISSUER), "iss", issuer));
        server.expect(request, 401, "issuer_not_allowed").await;
    }
}

#[tokio::test]
async fn typ_is_one_of_the_accepted_ones() {
    let server = serving("").await;
    for typ in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "Application/JWT"] {
        server.expect(headed("typ", typ.into()), 200, "").await;
    }
    for typ in ["id+jwt", "", "JWS", "at+jwt ", "dpop+jwt", "text/jwt", "application/"] {
        server.expect(headed("typ", typ.into()), 401, "token_type_not_allowed").await;
    }
    server.expect(headed("typ", 1.into()), 401, "token_malformed").await;
    let server = serving("  token_types: [at+jwt]\n").await;
    server.expect(headed("typ", "application/AT+jwt".into()), 200, "").await;
    server.expect(headed("typ", "JWT".into()), 401, "token_type_not_allowed").await;
    server.expect(headed("typ", Value::Null), 401, "token_type_not_allowed").await;
}

#[tokio::test]
async fn a_bound_token_is_no_bearer_token() {
    let bound = |value: Value| bearer(&with(claims(ISSUER), "cnf", value));
    let server = serving("").await;
    for cnf in [json!({ "jkt": "x" }), json!({}), json!("x"), json!(false)] {
        server.expect(bound(cnf), 401, "token_type_not_allowed").await;
    }
    let server = serving("  accept_unbound: true\n").await;
    server.expect(bound(json!({ "jkt": "x" })), 200, "").await;
}

#[tokio::test]
async fn one_audience_must_match() {
    let with_aud = |aud: Value| bearer(&with(claims(ISSUER), "aud", aud));
    let server = serving("").await;
    for aud in [json!("other"), json!([]), json!(["other"]), json!("TEST-API"), Value::Null] {
        server.expect(with_aud(aud), 401, "audience_not_allowed").await;
    }
    for aud in [json!(1), json!(true), json!({}), json!([AUDIENCE, 1]), json!([[AUDIENCE]])] {
        server.expect(with_aud(aud), 401, "claims_malformed").await;
    }
    server.expect(with_aud(json!(["other", AUDIENCE])), 200, "").await;
}

#[tokio::test]
async fn required_claims_are_exact_strings() {
    let server = serving("  required_claims: { hd: example.com, a.b: c }\n").await;
    let request =
        |hd: Value, c: Value| bearer(&with(with(claims(ISSUER), "hd", hd), "a", json!({ "b": c })));
    for hd in [Value::Null, json!("Example.com"), json!(["example.com"]), json!(1), json!("")] {
        server.expect(request(hd, "c".into()), 401, "claims_rejected").await;
    }
    server.expect(request("example.com".into(), 1.into()), 401, "claims_rejected").await;
    server.expect(request("example.com".into(), "c".into()), 200, "").await;
    let wrong = with(with(claims(ISSUER), "aud", "other".into()), "hd", "x".into());
    server.expect(bearer(&wrong), 401, "audience_not_allowed").await;
}

#[tokio::test]
async fn a_payload_that_is_no_utf8_is_malformed() {
    let server = serving("").await;
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256"}"#);
    let input = format!("{header}.{}", URL_SAFE_NO_PAD.encode(b"{\"a\":\"\xff\"}"));
    let signature = URL_SAFE_NO_PAD.encode(ES256.sign(input.as_bytes()));
    let request = TestRequest::bearer(&format!("{input}.{signature}"));
    server.expect(request, 401, "token_malformed").await;
}
