//! Authorization values that carry no token, or more than one.

use super::Make;
use crate::support::{config, keys::ES256, provider, request::TestRequest, server::TestServer};

/// The value, where `{}` is a good token; the reason; why.
pub(super) const ROWS: &[(&str, &str, &str)] = &[
    (r#""#, "credentials_missing", "nothing"),
    (r#"Basic QTpC"#, "credentials_missing", "another scheme"),
    (r#"DPoP {}"#, "credentials_missing", "a bound token's scheme"),
    (r#"Bearer2 {}"#, "credentials_missing", "nearly the scheme"),
    (r#"BearerBearer {}"#, "credentials_missing", "nearly the scheme"),
    (r#"{}"#, "credentials_missing", "no scheme"),
    (r#"Token {}"#, "credentials_missing", "another scheme"),
    (r#"Negotiate x"#, "credentials_missing", "another scheme"),
    (r#"Bearer"#, "token_malformed", "the scheme alone"),
    (r#"bearer"#, "token_malformed", "the scheme alone"),
    (r#"Bearer "#, "token_malformed", "the scheme alone"),
    (r#"Bearer {} {}"#, "token_malformed", "two tokens"),
    (r#"Bearer Bearer {}"#, "token_malformed", "the scheme twice"),
    (r#"Bearer	{}"#, "token_malformed", "a tab"),
    (r#"Bearer 	{}"#, "token_malformed", "a tab"),
    (r#"Bearer {};x"#, "token_malformed", "parameters"),
    (r#"Bearer token={}"#, "token_malformed", "parameters"),
    (r#"Bearer={}"#, "token_malformed", "no space"),
    (r#"Bearer:{}"#, "token_malformed", "no space"),
    (r#"Bearer '{}'"#, "token_malformed", "quotes"),
    (r#"Bearer {} "#, "token_malformed", "a space that is none"),
    (r#" Bearer {}"#, "token_malformed", "a space that is none"),
    (r#"Bearer ="#, "token_malformed", "padding alone"),
    (r#"Bearer {},Bearer {}"#, "multiple_credentials", "two lines, joined"),
    (r#"Basic A,Bearer {}"#, "multiple_credentials", "two schemes, joined"),
    (r#"Bearer {}, Basic A"#, "multiple_credentials", "two schemes, joined"),
    (r#",Bearer {}"#, "multiple_credentials", "an empty line before"),
    (r#"Bearer {},"#, "multiple_credentials", "an empty line after"),
    (r#","#, "multiple_credentials", "two empty lines"),
    (r#"Digest a=b, c=d"#, "multiple_credentials", "a comma, whatever the scheme"),
];

#[tokio::test]
async fn a_value_that_is_not_one_bearer_token_is_refused() {
    let provider = provider("a", super::ISSUER, &ES256.jwks());
    let server = TestServer::start(&config(&[provider], "providers: [a]")).await;
    let good = Make::Claims(&[]).token();
    for (value, reason, why) in ROWS {
        let value = value.replace("{}", &good);
        let map = TestRequest::default().header("authorization", &value);
        let lines = TestRequest::default().raw_header("authorization", value.as_bytes());
        for request in [map, lines] {
            let answer = server.check(request).await;
            assert_eq!(answer.reason(), *reason, "{why}");
            assert_ne!(answer.status, 200, "{why}");
        }
    }
}
