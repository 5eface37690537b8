//! Where the token of a request is found, in both ways in which Envoy sends headers.

use crate::support::{
    claims, config, keys::ES256, provider, request::TestRequest, server::TestServer,
};

async fn serving() -> (TestServer, String) {
    let providers = [provider("a", "https://a.example", &ES256.jwks())];
    let server = TestServer::start(&config(&providers, "providers: [a]")).await;
    (server, ES256.token(&claims("https://a.example")))
}

/// The same `Authorization` once in the map and once as a line of `header_map`.
#[track_caller]
fn check<'s>(
    server: &'s TestServer,
    value: &str,
    status: u32,
    reason: &str,
) -> impl Future<Output = ()> + use<'s> {
    let map = TestRequest::default().header("authorization", value);
    let lines = TestRequest::default().raw_header("authorization", value.as_bytes());
    let (map, lines) = (server.expect(map, status, reason), server.expect(lines, status, reason));
    async move {
        map.await;
        lines.await;
    }
}

#[tokio::test]
async fn the_scheme_is_read_in_any_case_with_spaces_around() {
    let (server, token) = serving().await;
    check(&server, &format!("Bearer {token}"), 200, "").await;
    check(&server, &format!("bEaReR    {token}"), 200, "").await;
    check(&server, &format!(" BEARER {token}  "), 200, "").await;
}

#[tokio::test]
async fn another_scheme_is_no_credential() {
    let (server, token) = serving().await;
    for value in ["", "Basic YTpi", "Digest x", "Negotiate", "DPoP x"] {
        check(&server, value, 401, "credentials_missing").await;
    }
    for scheme in ["BearerX", "Bearers", "X-Bearer", "DPoP"] {
        check(&server, &format!("{scheme} {token}"), 401, "credentials_missing").await;
    }
    check(&server, &token, 401, "credentials_missing").await;
}

#[tokio::test]
async fn the_scheme_without_exactly_one_token_is_malformed() {
    let (server, token) = serving().await;
    for value in ["Bearer", "Bearer ", "bearer =", "Bearer \"x\"", "Bearer é", "Bearer=x"] {
        check(&server, value, 401, "token_malformed").await;
    }
    check(&server, &format!("Bearer {token} {token}"), 401, "token_malformed").await;
    check(&server, &format!("Bearer {token} x"), 401, "token_malformed").await;
    check(&server, &format!("Bearer\t{token}"), 401, "token_malformed").await;
    check(&server, &format!("Bearer \t{token}"), 401, "token_malformed").await;
    check(&server, &format!("Bearer {token};x"), 401, "token_malformed").await;
    check(&server, &format!("Bearer Bearer {token}"), 401, "token_malformed").await;
}

#[tokio::test]
async fn a_comma_makes_two_credentials_whatever_their_schemes() {
    let (server, token) = serving().await;
    for value in
        ["Bearer {},Bearer {}", "Basic A,Bearer {}", "Bearer {}, Basic A", "Basic A,Basic B"]
    {
        check(&server, &value.replace("{}", &token), 400, "multiple_credentials").await;
    }
    for value in [",", ",Bearer {}", "Bearer {},", "Digest a=b, c=d"] {
        check(&server, &value.replace("{}", &token), 400, "multiple_credentials").await;
    }
}

#[tokio::test]
async fn two_lines_are_two_credentials() {
    let (server, token) = serving().await;
    let good = format!("Bearer {token}");
    for other in [good.as_bytes(), b"Basic A", b"", b"\xff"] {
        let first = TestRequest::default()
            .raw_header("authorization", good.as_bytes())
            .raw_header("authorization", other);
        server.expect(first, 400, "multiple_credentials").await;
        let second = TestRequest::default()
            .raw_header("authorization", other)
            .raw_header("Authorization", good.as_bytes());
        server.expect(second, 400, "multiple_credentials").await;
    }
    let map = TestRequest::bearer(&token).header("Authorization", &good);
    server.expect(map, 400, "multiple_credentials").await;
}

#[tokio::test]
async fn the_name_is_read_in_any_case() {
    let (server, token) = serving().await;
    let value = format!("Bearer {token}");
    for name in ["Authorization", "AUTHORIZATION"] {
        server.expect(TestRequest::default().header(name, &value), 200, "").await;
        server.expect(TestRequest::default().raw_header(name, value.as_bytes()), 200, "").await;
    }
}

#[tokio::test]
async fn no_other_header_carries_a_credential() {
    let (server, token) = serving().await;
    let value = format!("Bearer {token}");
    for name in ["proxy-authorization", "x-authorization", "authorization2", "cookie"] {
        let map = TestRequest::default().header(name, &value);
        server.expect(map, 401, "credentials_missing").await;
        let line = TestRequest::default().raw_header(name, value.as_bytes());
        server.expect(line, 401, "credentials_missing").await;
    }
    let mut path = TestRequest::default();
    path.http.path = format!("/?access_token={token}");
    server.expect(path, 401, "credentials_missing").await;
}

#[tokio::test]
async fn the_map_is_ignored_where_there_are_lines() {
    let (server, token) = serving().await;
    let other = TestRequest::bearer(&token).raw_header("accept", b"*/*");
    server.expect(other, 401, "credentials_missing").await;
    let bad = TestRequest::bearer(&token).raw_header("authorization", b"Bearer x");
    server.expect(bad, 401, "token_malformed").await;
    let value = format!("Bearer {token}");
    let good = TestRequest::bearer("x").raw_header("authorization", value.as_bytes());
    server.expect(good, 200, "").await;
    let mut empty = TestRequest::bearer(&token);
    empty.http.header_map = Some(Default::default());
    server.expect(empty, 200, "").await;
}

#[tokio::test]
async fn bytes_that_are_no_text_are_malformed() {
    let (server, token) = serving().await;
    let mut value = format!("Bearer {token}").into_bytes();
    value.push(0xFF);
    let request = TestRequest::default().raw_header("authorization", &value);
    server.expect(request, 401, "token_malformed").await;
}
