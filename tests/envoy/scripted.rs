//! An Authorization server that answers whatever a test says, to see what Envoy makes of it.

use claimgate::cli::demo::{envoy::Envoy, upstream::Upstream};
use envoy_types::pb::{
    envoy::{
        config::core::v3::{HeaderValue, HeaderValueOption},
        service::auth::v3::{
            CheckRequest, CheckResponse, DeniedHttpResponse, OkHttpResponse,
            authorization_server::{Authorization, AuthorizationServer},
            check_response::HttpResponse,
        },
        r#type::v3::HttpStatus,
    },
    google::{protobuf::BoolValue, rpc},
};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpListener, task::JoinSet};
use tonic::{Code, Request, Response, Status, body::Body, codegen::Service as _};

use crate::{binary::binary, client, client::Reply, listener::Listener};

/// What every check is answered.
pub(crate) type Answer = Result<CheckResponse, Status>;

struct Script(Answer);

#[tonic::async_trait]
impl Authorization for Script {
    async fn check(&self, _: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        self.0.clone().map(Response::new)
    }
}

/// What a client gets through `listener` for a request with these lines, where every check is
/// answered so; none where the tests are to run without Envoy.
pub(crate) async fn answered(
    listener: &Listener,
    answer: Answer,
    lines: &[(&str, &str)],
) -> Option<Reply> {
    let binary = binary()?;
    let upstream = Upstream::start().await.unwrap();
    let tcp = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = tcp.local_addr().unwrap();
    let mut server = JoinSet::new();
    server.spawn(serve(tcp, answer));
    let config = listener.config(address, upstream.address);
    let envoy = Envoy::start(binary, &config).await.unwrap();
    let request = client::Request::get("/").lines(lines.iter().copied());
    Some(request.send(envoy.listener).await.unwrap())
}

/// Answers checks so, and health as serving.
async fn serve(tcp: TcpListener, answer: Answer) {
    let (health, health_server) = tonic_health::server::health_reporter();
    health.set_serving::<AuthorizationServer<Script>>().await;
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = tcp.accept().await {
        let (answer, health) = (answer.clone(), health_server.clone());
        let service = service_fn(move |request: http::Request<Incoming>| {
            let mut check = AuthorizationServer::new(Script(answer.clone()));
            let mut health = health.clone();
            async move {
                let request = request.map(Body::new);
                match request.uri().path().starts_with("/grpc.health.v1.Health/") {
                    true => health.call(request).await,
                    false => check.call(request).await,
                }
            }
        });
        let http = http2::Builder::new(TokioExecutor::new());
        connections.spawn(http.serve_connection(TokioIo::new(stream), service));
    }
}

/// An answer with this status and response; no status where `code` is none.
pub(crate) fn response(code: Option<Code>, http: HttpResponse) -> CheckResponse {
    CheckResponse {
        status: code.map(|code| rpc::Status { code: code as i32, ..Default::default() }),
        http_response: Some(http),
        ..Default::default()
    }
}

/// An allow that sets and removes.
pub(crate) fn allow(set: &[HeaderValueOption], remove: &[&str]) -> Answer {
    let ok = OkHttpResponse {
        headers: set.to_vec(),
        headers_to_remove: remove.iter().map(|name| (*name).to_owned()).collect(),
        ..Default::default()
    };
    Ok(response(Some(Code::Ok), HttpResponse::OkResponse(ok)))
}

/// A denial with this HTTP status.
pub(crate) fn denial(status: i32) -> HttpResponse {
    HttpResponse::DeniedResponse(DeniedHttpResponse {
        status: Some(HttpStatus { code: status }),
        body: "no".to_owned(),
        ..Default::default()
    })
}

/// A header option; `append` as in the deprecated field, `action` as in the newer one.
#[expect(deprecated, reason = "`append` is what most versions of Envoy read")]
pub(crate) fn option(
    name: &str,
    value: &str,
    append: Option<bool>,
    action: i32,
) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue {
            key: name.to_owned(),
            value: value.to_owned(),
            ..Default::default()
        }),
        append: append.map(|value| BoolValue { value }),
        append_action: action,
        ..Default::default()
    }
}
