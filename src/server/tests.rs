//! Reloads under load: faster than files could change, over real ports.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use envoy_types::pb::envoy::service::auth::v3::{
    AttributeContext, CheckRequest,
    attribute_context::{HttpRequest, Request},
    authorization_client::AuthorizationClient,
    check_response::HttpResponse,
};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::json;
use tonic::transport::Channel;

use crate::{config::watch::Reload, jwks::fetch::HttpFetch};

use super::*;

const RELOADS: u64 = 1000;
const CONNECTIONS: usize = 16;

/// Providers `a` and, where it is trusted, `b`; both keys are the same.
fn config(trusted: &str) -> String {
    let provider = |name: &str| {
        format!(
            "{{ name: {name}, issuer: {name}, audiences: any, algorithms: [HS256], \
             jwks: {{ inline: {{ keys: [{{ kty: oct, k: {} }}] }} }}, \
             claim_to_headers: [{{ value: provider, header: x-provider }}] }}",
            "A".repeat(43)
        )
    };
    format!(
        "providers: [{}, {}]\npolicies: [{{ name: p, providers: [{trusted}] }}]\ndefault_policy: p\n",
        provider("a"),
        provider("b")
    )
}

fn request(issuer: &str) -> CheckRequest {
    let exp = Clock::start().now().unix + 3600.0;
    let claims = json!({ "iss": issuer, "exp": exp });
    let token =
        jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(&[0; 32]));
    let authorization = ("authorization".to_owned(), format!("Bearer {}", token.unwrap()));
    let http = HttpRequest { headers: [authorization].into(), ..HttpRequest::default() };
    let request = Some(Request { http: Some(http), ..Request::default() });
    CheckRequest { attributes: Some(AttributeContext { request, ..AttributeContext::default() }) }
}

type Client = AuthorizationClient<Channel>;

async fn client(server: &Server) -> Client {
    AuthorizationClient::connect(format!("http://{}", server.grpc[0])).await.unwrap()
}

/// The provider that the upstream would be told, or the status of the denial.
async fn ask(client: &mut Client, issuer: &str) -> Result<String, i32> {
    let answer = client.check(request(issuer)).await.expect("never a gRPC error").into_inner();
    match answer.http_response.unwrap() {
        HttpResponse::OkResponse(ok) => Ok(ok.headers[0].header.clone().unwrap().value),
        HttpResponse::DeniedResponse(denied) => Err(denied.status.unwrap().code),
        HttpResponse::ErrorResponse(_) => panic!("may fail open"),
    }
}

/// Asks until told to stop: `a` is trusted by every config, `b` by every other one.
async fn keep_asking(mut client: Client, stop: Arc<AtomicBool>, asked: Arc<AtomicU64>) {
    while !stop.load(Ordering::Relaxed) {
        assert_eq!(ask(&mut client, "a").await, Ok("a".to_owned()));
        let b = ask(&mut client, "b").await;
        assert!(b == Ok("b".to_owned()) || b == Err(401), "{b:?}");
        asked.fetch_add(2, Ordering::Relaxed);
    }
}

fn write(folder: &Path, trusted: &str) -> PathBuf {
    let file = folder.join(format!("{trusted}.yaml"));
    std::fs::write(&file, config(trusted)).unwrap();
    file
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_reloads_under_load_give_no_wrong_answer() {
    let folder = tempfile::tempdir().unwrap();
    let files = [write(folder.path(), "a"), write(folder.path(), "a, b")];
    let settings = Settings::loopback(files[0].clone());
    let first = load(&files[0]).unwrap().into_snapshot(1, Clock::start().wall());
    let running = RunningConfig::new(first, &settings, Arc::new(HttpFetch), Clock::start());
    let running = Arc::new(running.unwrap());
    let server = Server::listen(settings, &running.authorizer).await.unwrap();
    running.begin();

    let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut clients = JoinSet::new();
    for _ in 0..CONNECTIONS {
        clients.spawn(keep_asking(client(&server).await, stop.clone(), asked.clone()));
    }
    let mut own = client(&server).await;
    for generation in 2..RELOADS + 2 {
        let trusts_b = generation % 2 == 0;
        let loaded = load(&files[usize::from(trusts_b)]).unwrap();
        running.change(Reload::Changed(Box::new(loaded)));
        assert_eq!(running.authorizer.cell.load().generation, generation);
        let expected = if trusts_b { Ok("b".to_owned()) } else { Err(401) };
        assert_eq!(ask(&mut own, "b").await, expected, "right after generation {generation}");
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = clients.join_next().await {
        ended.expect("no connection saw a wrong answer or an error");
    }
    assert!(asked.load(Ordering::Relaxed) > RELOADS, "the load was none");
}
