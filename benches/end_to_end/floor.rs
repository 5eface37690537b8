//! The floor: tonic, envoy-types, always an allow; always the same answer.

use std::{net::SocketAddr, path::Path, time::Duration};

use envoy_types::pb::{
    envoy::service::auth::v3::{
        CheckRequest, CheckResponse, OkHttpResponse,
        authorization_server::{Authorization, AuthorizationServer},
        check_response::HttpResponse,
    },
    google::rpc::Status as RpcStatus,
};
use prost::Message as _;
use tonic::{Request, Response, Status, transport::Server};

struct Always(CheckResponse);

#[tonic::async_trait]
impl Authorization for Always {
    async fn check(
        &self,
        request: Request<CheckRequest>,
    ) -> Result<Response<CheckResponse>, Status> {
        std::hint::black_box(request.into_inner());
        Ok(Response::new(self.0.clone()))
    }
}

/// Serves until it is ended, with the windows and bounds of claimgate. Its answer says nothing but
/// that the request may go on, or it is the CheckResponse that the file `answer` holds.
pub(crate) fn serve(port: u16, answer: Option<&Path>) {
    let answer = match answer {
        Some(file) => CheckResponse::decode(&*std::fs::read(file).unwrap()).unwrap(),
        None => CheckResponse {
            status: Some(RpcStatus::default()),
            http_response: Some(HttpResponse::OkResponse(OkHttpResponse::default())),
            dynamic_metadata: None,
        },
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (reporter, health) = tonic_health::server::health_reporter();
    let server = Server::builder()
        .tcp_nodelay(true)
        .initial_stream_window_size(1024 * 1024)
        .initial_connection_window_size(4 * 1024 * 1024)
        .max_concurrent_streams(4096)
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .add_service(health)
        .add_service(AuthorizationServer::new(Always(answer)));
    runtime.block_on(async {
        reporter.set_serving::<AuthorizationServer<Always>>().await;
        server.serve(SocketAddr::from(([127, 0, 0, 1], port))).await.unwrap();
    });
}
