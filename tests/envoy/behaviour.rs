//! What Envoy itself does: the facts that claimgate's answers rely on, so that a new Envoy that
//! does otherwise is noticed here.

use envoy_types::pb::envoy::{
    config::core::v3::HeaderValueOption,
    service::auth::v3::{
        CheckResponse, DeniedHttpResponse, OkHttpResponse, check_response::HttpResponse,
    },
};
use tonic::{Code, Status};

use crate::{
    listener::Listener,
    scripted::{Answer, allow, answered, denial, option, response},
};

const OVERWRITE: i32 = 2;
const TWICE: &[(&str, &str)] = &[("x-id", "mallory"), ("X-Id", "bob")];

/// What the upstream sees of `x-id` where the client sent [`TWICE`].
async fn check_seen(set: &[HeaderValueOption], remove: &[&str], expected: &str) {
    let Some(reply) = answered(&Listener::default(), allow(set, remove), TWICE).await else {
        return;
    };
    assert_eq!(reply.seen("x-id"), expected);
}

/// Whether a request passes; `open` is `failure_mode_allow`.
async fn check_passes(open: bool, answer: Answer, expected: bool) {
    let listener = Listener::default();
    let listener = if open { listener.fail_open() } else { listener };
    let Some(reply) = answered(&listener, answer, &[]).await else { return };
    assert_eq!(reply.is_from_upstream(), expected, "{}", reply.status);
}

#[tokio::test]
async fn a_set_overwrites_every_copy() {
    check_seen(&[option("x-id", "alice", Some(false), OVERWRITE)], &[], "alice").await;
}

#[tokio::test]
async fn a_set_overwrites_also_without_append() {
    check_seen(&[option("x-id", "alice", None, OVERWRITE)], &[], "alice").await;
}

#[tokio::test]
async fn a_removal_takes_every_copy() {
    check_seen(&[], &["x-id"], "").await;
}

#[tokio::test]
async fn a_removal_takes_names_in_any_case() {
    check_seen(&[], &["X-ID"], "").await;
}

#[tokio::test]
async fn a_name_both_set_and_removed_is_lost() {
    check_seen(&[option("x-id", "alice", Some(false), OVERWRITE)], &["x-id"], "").await;
}

#[tokio::test]
async fn a_name_neither_set_nor_removed_passes_as_sent() {
    check_seen(&[], &[], "mallory|bob").await;
}

#[tokio::test]
async fn an_empty_value_is_set_as_empty() {
    let Some(reply) = answered(
        &Listener::default(),
        allow(&[option("x-id", "", Some(false), OVERWRITE)], &[]),
        TWICE,
    )
    .await
    else {
        return;
    };
    assert_eq!(reply.seen("x-id"), "");
    assert!(reply.names_seen().contains(&"x-id".to_owned()));
}

#[tokio::test]
async fn authorization_can_be_removed() {
    let lines = [("authorization", "Bearer x")];
    let answer = allow(&[], &["authorization"]);
    let Some(reply) = answered(&Listener::default(), answer, &lines).await else { return };
    assert_eq!(reply.seen("authorization"), "");
}

#[tokio::test]
async fn an_unset_status_allows() {
    check_passes(false, Ok(CheckResponse::default()), true).await;
    check_passes(false, Ok(response(None, denial(403))), true).await;
}

#[tokio::test]
async fn a_denial_with_status_ok_allows() {
    check_passes(false, Ok(response(Some(Code::Ok), denial(403))), true).await;
}

#[tokio::test]
async fn a_status_that_is_not_ok_denies_whatever_stands_beside_it() {
    let ok = HttpResponse::OkResponse(OkHttpResponse::default());
    check_passes(true, Ok(response(Some(Code::PermissionDenied), ok)), false).await;
}

#[tokio::test]
async fn a_denied_response_stays_closed_under_failure_mode_allow() {
    for (code, status) in [
        (Code::InvalidArgument, 400),
        (Code::Unauthenticated, 401),
        (Code::PermissionDenied, 403),
        (Code::Unavailable, 503),
        (Code::Internal, 500),
    ] {
        let answer = Ok(response(Some(code), denial(status)));
        let Some(reply) = answered(&Listener::default().fail_open(), answer, &[]).await else {
            return;
        };
        assert_eq!((i32::from(reply.status), reply.body.as_str()), (status, "no"));
    }
}

#[tokio::test]
async fn a_grpc_error_is_allowed_under_failure_mode_allow_and_refused_without() {
    for code in [Code::Unauthenticated, Code::PermissionDenied, Code::Unavailable] {
        check_passes(true, Err(Status::new(code, "no")), true).await;
        check_passes(false, Err(Status::new(code, "no")), false).await;
    }
}

#[tokio::test]
async fn an_error_response_is_allowed_under_failure_mode_allow() {
    let error = || HttpResponse::ErrorResponse(DeniedHttpResponse::default());
    check_passes(true, Ok(response(Some(Code::Internal), error())), true).await;
    check_passes(false, Ok(response(Some(Code::Internal), error())), false).await;
}

#[tokio::test]
async fn a_denied_response_with_http_status_200_is_the_answer() {
    let answer = Ok(response(Some(Code::PermissionDenied), denial(200)));
    let Some(reply) = answered(&Listener::default(), answer, &[]).await else { return };
    assert_eq!((reply.status, reply.body.as_str()), (200, "no"));
}
