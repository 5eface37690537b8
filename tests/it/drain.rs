//! A server that stops: it says so first, finishes what is in flight, and is gone.

use std::time::Duration;

use claimgate::cli::demo::http::{exchange, get};
use tokio::net::TcpStream;
use tonic::Streaming;
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
};

use crate::support::{
    claims, config,
    issuer::{Behaviour, TestIssuer},
    keys::ES256,
    remote,
    request::TestRequest,
    server::TestServer,
};

const HOUR: Duration = Duration::from_secs(3600);

/// A server whose issuer hangs, and which is ready after this time all the same.
async fn hanging(ready_timeout: Duration, drain_settle: Duration) -> (TestServer, TestIssuer) {
    let issuer = TestIssuer::behaving(Behaviour::Hang).await;
    let provider = remote("a", &issuer.url, &issuer.jwks_uri(), "timeout: 60s");
    let config = config(&[provider], "providers: [a]");
    let server = TestServer::with(&config, |settings| {
        settings.ready_timeout = ready_timeout;
        settings.drain_settle = drain_settle;
        settings.drain_timeout = HOUR * 3;
    });
    (server.await, issuer)
}

fn good(issuer: &TestIssuer) -> TestRequest {
    TestRequest::bearer(&ES256.token(&claims(&issuer.url)))
}

async fn watch(server: &TestServer) -> Streaming<HealthCheckResponse> {
    let service = claimgate::grpc::SERVICE.to_owned();
    let mut client = server.health().await;
    client.watch(HealthCheckRequest { service }).await.unwrap().into_inner()
}

async fn next(stream: &mut Streaming<HealthCheckResponse>) -> ServingStatus {
    stream.message().await.unwrap().unwrap().status()
}

#[tokio::test]
async fn a_check_in_flight_is_finished_and_then_the_port_is_closed() {
    let (server, issuer) = hanging(Duration::from_millis(1), Duration::ZERO).await;
    server.server.ready().await;
    let mut health = watch(&server).await;
    assert_eq!(next(&mut health).await, ServingStatus::Serving);
    let waiting = tokio::spawn(server.check(good(&issuer)));
    server.metric_reaches("claimgate_token_cache_misses_total", 1.0).await;

    let (grpc, http) = (server.server.grpc[0], server.server.http);
    let stopping = tokio::spawn(server.server.stop());
    assert_eq!(next(&mut health).await, ServingStatus::NotServing);
    let ready = exchange(http, get("/readyz", &[]).unwrap()).await.unwrap();
    assert_eq!(ready.status(), 503);
    assert!(!waiting.is_finished());

    issuer.now_serves(&ES256.jwks());
    assert_eq!(waiting.await.unwrap().status, 200);
    drop(health);
    stopping.await.unwrap();
    assert!(TcpStream::connect(grpc).await.is_err());
}

#[tokio::test]
async fn a_server_that_stops_before_it_was_ready_never_says_that_it_is() {
    let (server, issuer) = hanging(HOUR, HOUR).await;
    let mut health = watch(&server).await;
    assert_eq!(next(&mut health).await, ServingStatus::NotServing);
    let http = server.server.http;
    let waiting = server.check(good(&issuer));
    let stopping = tokio::spawn(server.server.stop());
    assert_eq!(next(&mut health).await, ServingStatus::NotServing);
    issuer.now_serves(&ES256.jwks());
    assert_eq!(waiting.await.status, 200);
    for _ in 0..10 {
        let ready = exchange(http, get("/readyz", &[]).unwrap()).await.unwrap();
        assert_eq!(ready.status(), 503);
    }
    stopping.abort();
}

#[tokio::test]
async fn a_client_that_watches_health_does_not_hold_up_the_stop() {
    let (server, issuer) = hanging(HOUR, Duration::ZERO).await;
    issuer.now_serves(&ES256.jwks());
    server.server.ready().await;
    let mut health = watch(&server).await;
    assert_eq!(next(&mut health).await, ServingStatus::Serving);
    let stopped = tokio::time::timeout(Duration::from_secs(20), server.server.stop()).await;
    assert!(stopped.is_ok(), "the stream of a health watch counts as in flight");
}
