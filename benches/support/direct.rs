//! Checks in this process, CheckRequest bytes in to CheckResponse bytes out.
//!
//! It measures nothing.

use std::{
    path::Path,
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use claimgate::{
    clock::Clock,
    config::load::load,
    grpc::{Authorizer, Call},
    jwks::{
        algorithm::Algorithm,
        key::{Key, Origin},
        store::KeyStore,
    },
    snapshot::cell::SnapshotCell,
    telemetry::{metrics::Metrics, references::References},
    token_cache::TokenCache,
};
use envoy_types::pb::envoy::service::auth::v3::CheckResponse;
use prost::Message as _;

use crate::keys::TestKey;

const BUDGET: Duration = Duration::from_secs(1);

/// What serves this config, with a token cache of so many bytes.
pub(crate) fn authorizer(config: &Path, cache: u64) -> Authorizer {
    let clock = Clock::start();
    let loaded = load(config).expect("a good config");
    Authorizer {
        cell: SnapshotCell::new(loaded.into_snapshot(1, clock.wall())).into(),
        store: KeyStore::default().into(),
        tokens: TokenCache::new(cache),
        metrics: Metrics::new().expect("metrics").into(),
        references: References::default(),
        clock,
        namespace: "claimgate".to_owned(),
    }
}

/// One check, which has no key to wait for.
pub(crate) fn ask(authorizer: &Authorizer, request: Bytes) -> Vec<u8> {
    let call = Call { message: Some(request), authority: None };
    let answer = pin!(authorizer.check(call, BUDGET));
    match answer.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("a check waits"),
    }
}

/// What is measured is an allow.
pub(crate) fn allowed(authorizer: &Authorizer, request: &Bytes) {
    let answer = CheckResponse::decode(&*ask(authorizer, request.clone())).expect("an answer");
    assert_eq!(answer.status.expect("a status").code, 0, "not allowed");
}

/// Bare signatures to verify, each once and then again from the first: a processor learns the way
/// through the verification of a single one.
pub(crate) struct Signed {
    key: Key,
    algorithm: Algorithm,
    signed: Vec<(Vec<u8>, Vec<u8>)>,
    next: AtomicUsize,
}

impl Signed {
    pub(crate) fn new(key: &TestKey, count: usize) -> Self {
        let signed = |n: usize| {
            let message = format!("{n:0>600}").into_bytes();
            let signature = key.sign(&message);
            (message, signature)
        };
        Self {
            key: Key::parse(&key.jwk().to_string(), Origin::Network).expect("a key"),
            algorithm: Algorithm::parse(key.alg).expect("an algorithm"),
            signed: (0..count).map(signed).collect(),
            next: AtomicUsize::new(0),
        }
    }

    /// One bare verification.
    pub(crate) fn verify(&self) {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        let (message, signature) = &self.signed[next % self.signed.len()];
        assert!(self.key.verifies(self.algorithm, message, signature));
    }
}
