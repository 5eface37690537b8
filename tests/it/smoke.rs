use crate::support::{claims, keys::ES256, provider, request::TestRequest, server::TestServer};

#[tokio::test]
async fn a_good_token_is_allowed_and_its_claims_are_headers() {
    let config = format!(
        "providers:\n{}policies: [{{ name: p, providers: [a] }}]\ndefault_policy: p\n",
        provider("a", "https://a.example", &ES256.jwks())
    );
    let server = TestServer::start(&config).await;
    let answer =
        server.check(TestRequest::bearer(&ES256.token(&claims("https://a.example")))).await;
    assert_eq!((answer.status, answer.reason()), (200, ""));
    assert_eq!(answer.header("x-auth-subject"), "alice");
}
