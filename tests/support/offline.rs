//! Checks without sockets: an authorizer whose keys come from whatever the test says.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use claimgate::{
    clock::Clock,
    config::load::load,
    grpc::{Authorizer, Call},
    jwks::{fetch::FetchJwks, refresh::Refresher, store::KeyStore},
    snapshot::{Snapshot, cell::SnapshotCell},
    telemetry::{metrics::Metrics, references::References},
    token_cache::TokenCache,
};
use envoy_types::pb::envoy::service::auth::v3::CheckResponse;
use prost::Message as _;

use crate::support::{answer::Answer, request::TestRequest};

/// This config as the `generation`th of a process.
pub(crate) fn snapshot(config: &str, generation: u64) -> Snapshot {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("claimgate.yaml");
    std::fs::write(&path, config).unwrap();
    load(&path).unwrap().into_snapshot(generation, SystemTime::UNIX_EPOCH)
}

/// An authorizer with this config, and what keeps its keys fresh by `fetch` from now on.
pub(crate) fn authorizer(config: &str, fetch: impl FetchJwks) -> (Authorizer, Refresher) {
    let snapshot = snapshot(config, 1);
    let (store, metrics) = (Arc::new(KeyStore::default()), Arc::new(Metrics::new().unwrap()));
    let clock = Clock::start();
    let refresher = Refresher::new(store.clone(), Arc::new(fetch), clock, metrics.clone());
    refresher.follow(&snapshot);
    let authorizer = Authorizer {
        cell: Arc::new(SnapshotCell::new(snapshot)),
        store,
        tokens: TokenCache::new(1024 * 1024),
        metrics,
        references: References::default(),
        clock,
        namespace: "claimgate".to_owned(),
    };
    (authorizer, refresher)
}

/// Asks once, as a caller that waits for at most `budget`.
pub(crate) async fn ask(authorizer: &Authorizer, request: TestRequest, budget: Duration) -> Answer {
    let message = Bytes::from(request.build().encode_to_vec());
    let answer = authorizer.check(Call { message: Some(message), authority: None }, budget).await;
    Answer::read(CheckResponse::decode(&*answer).unwrap())
}
