//! gRPC calls through Envoy: a denial is a gRPC status, not an HTTP one.

use envoy_types::pb::envoy::service::auth::v3::{
    CheckRequest, authorization_client::AuthorizationClient,
};
use tonic::{Code, Request, Status};

use crate::{
    credentials::{denied, good},
    stack::{Stack, listener},
};

/// Any call: which service it is does not matter, as the upstream speaks no gRPC.
async fn call(stack: &Stack, authorization: &[String]) -> Status {
    let address = format!("http://{}", stack.envoy.listener);
    let mut client = AuthorizationClient::connect(address).await.unwrap();
    let mut request = Request::new(CheckRequest::default());
    for value in authorization {
        request.metadata_mut().append("authorization", value.parse().unwrap());
    }
    client.check(request).await.expect_err("nothing behind Envoy answers gRPC")
}

#[tokio::test]
async fn a_denial_is_unauthenticated_to_a_grpc_client() {
    let Some(stack) = Stack::start(&listener().fail_open()).await else { return };
    for case in denied().into_iter().filter(|case| case.path == "/p/strict") {
        let values: Vec<String> = case.lines.iter().map(|(_, value)| value.clone()).collect();
        let status = call(&stack, &values).await;
        // Envoy's table: 400 is Internal there.
        let expected = if case.status == 400 { Code::Internal } else { Code::Unauthenticated };
        assert_eq!(status.code(), expected, "{}", case.what);
        assert!(status.message().contains(case.error), "{}: {}", case.what, status.message());
    }
}

/// What a call with a good token is answered where the route of every call names `policy`.
async fn check(policy: &str, expected: Code) {
    let listener = listener()
        .metadata("/envoy.service.auth.v3.Authorization", &serde_json::json!({ "policy": policy }));
    let Some(stack) = Stack::start(&listener).await else { return };
    let status = call(&stack, &[format!("Bearer {}", good())]).await;
    assert_eq!(status.code(), expected, "{policy}: {}", status.message());
}

#[tokio::test]
async fn a_missing_scope_is_permission_denied_to_a_grpc_client() {
    check("scoped", Code::PermissionDenied).await;
}

#[tokio::test]
async fn a_fault_is_unavailable_to_a_grpc_client() {
    check("no-such-policy", Code::Unavailable).await;
}
