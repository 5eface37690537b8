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

use crate::{
    direct::Signed,
    keys::TestKey,
    process::Process,
    runs::{ALGORITHMS, SIGNATURES},
};

/// What the floor does with a request that it has decoded.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Floor<'a> {
    /// It says that the request may go on, and nothing else.
    Allows,
    /// Its answer is the CheckResponse that the file holds.
    Answers(&'a Path),
    /// It verifies a bare signature of this algorithm, each time another, and allows.
    Verifies(&'a str),
}

impl Floor<'_> {
    /// Starts it as a process of its own.
    pub(crate) async fn start(self) -> Process {
        match self {
            Self::Allows => Process::own("floor", &[]).await,
            Self::Answers(file) => {
                Process::own("floor", &["answers".as_ref(), file.as_ref()]).await
            }
            Self::Verifies(alg) => {
                Process::own("floor", &["verifies".as_ref(), alg.as_ref()]).await
            }
        }
    }
}

struct Always {
    answer: CheckResponse,
    signed: Option<Signed>,
}

#[tonic::async_trait]
impl Authorization for Always {
    async fn check(
        &self,
        request: Request<CheckRequest>,
    ) -> Result<Response<CheckResponse>, Status> {
        std::hint::black_box(request.into_inner());
        self.signed.iter().for_each(Signed::verify);
        Ok(Response::new(self.answer.clone()))
    }
}

/// Serves until it is ended, with the windows and bounds of claimgate.
pub(crate) fn serve(port: u16, floor: Floor<'_>) {
    let mut always = Always {
        answer: CheckResponse {
            status: Some(RpcStatus::default()),
            http_response: Some(HttpResponse::OkResponse(OkHttpResponse::default())),
            dynamic_metadata: None,
        },
        signed: None,
    };
    match floor {
        Floor::Allows => {}
        Floor::Answers(file) => {
            always.answer = CheckResponse::decode(&*std::fs::read(file).unwrap()).unwrap();
        }
        Floor::Verifies(alg) => {
            let alg = ALGORITHMS.into_iter().find(|known| *known == alg).unwrap();
            always.signed = Some(Signed::new(&TestKey::new(alg), SIGNATURES));
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (reporter, health) = tonic_health::server::health_reporter();
    let server = Server::builder()
        .tcp_nodelay(true)
        .initial_stream_window_size(1024 * 1024)
        .initial_connection_window_size(4 * 1024 * 1024)
        .max_concurrent_streams(4096)
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .add_service(health)
        .add_service(AuthorizationServer::new(always));
    runtime.block_on(async {
        reporter.set_serving::<AuthorizationServer<Always>>().await;
        server.serve(SocketAddr::from(([127, 0, 0, 1], port))).await.unwrap();
    });
}
