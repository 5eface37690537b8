use claimgate::settings::GrpcAddress;
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;

use crate::support::{
    answer::Answer, claims, keys::ES256, provider, request::TestRequest, server::TestServer,
};

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

#[tokio::test]
async fn a_unix_socket_with_its_mode_is_served_and_a_left_one_replaced() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("claimgate.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let address: GrpcAddress = format!("unix:{}", path.display()).parse().unwrap();
    let server = TestServer::with("providers: []", |settings| {
        settings.grpc_listen.push(address);
        settings.socket_mode = 0o600;
    })
    .await;
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let mut client =
        AuthorizationClient::connect(format!("unix:{}", path.display())).await.unwrap();
    let answer = client.check(TestRequest::default().build()).await.unwrap();
    assert_eq!(Answer::read(answer.into_inner()).reason(), "route_policy_missing");
    assert!(server.server.listens_at.len() == 2 && server.server.grpc.len() == 1);
}
