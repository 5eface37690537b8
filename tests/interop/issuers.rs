//! Issuers that others wrote: discovery, their tokens, and a rotation while checks run.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use crate::{
    program::Program,
    support::{AUDIENCE, claims, config, keys::TestKey, request::TestRequest, server::TestServer},
};

const OIDC_PROVIDER: &str = "by_oidc_provider.mjs";
const CANAILLE: &str = "by_canaille.py";

/// An issuer and a server that knows nothing of it but its name and an audience.
struct Pair {
    issuer: Program,
    url: String,
    server: Arc<TestServer>,
}

impl Pair {
    async fn start(mut issuer: Program) -> Self {
        let url = issuer.line().await;
        let provider = format!(
            "- name: a\n  issuer: {url}\n  audiences: [{AUDIENCE}]\n  \
             jwks: {{ refresh_cooldown: 1s }}\n  \
             claim_to_headers: [{{ claim: sub, header: x-auth-subject }}]\n"
        );
        let server = TestServer::start(&config(&[provider], "providers: [a]")).await;
        Self { issuer, url, server: Arc::new(server) }
    }

    async fn token(&mut self) -> String {
        self.issuer.ask("token").await
    }

    async fn rotate(&mut self, step: &str) {
        assert_eq!(self.issuer.ask(step).await, "done");
    }
}

/// Asks with every good token in turn, again and again, until it is dropped.
struct Load {
    tokens: Arc<Mutex<Vec<String>>>,
    asked: Arc<AtomicU32>,
    failed: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Load {
    fn on(server: &Arc<TestServer>, token: String) -> Self {
        let tokens = Arc::new(Mutex::new(vec![token]));
        let (asked, failed) = (Arc::<AtomicU32>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (server, all) = (server.clone(), tokens.clone());
        let (count, bad) = (asked.clone(), failed.clone());
        let task = tokio::spawn(async move {
            loop {
                let good = all.lock().unwrap().clone();
                for token in good {
                    let answer = server.check(TestRequest::bearer(&token)).await;
                    if answer.status != 200 {
                        bad.lock().unwrap().push(answer.reason().to_owned());
                    }
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Self { tokens, asked, failed, task }
    }

    fn also(&self, token: String) {
        self.tokens.lock().unwrap().push(token);
    }

    /// Until that many more checks have been answered.
    async fn goes_on(&self, checks: u32) {
        let end = self.asked.load(Ordering::Relaxed) + checks;
        while self.asked.load(Ordering::Relaxed) < end {
            tokio::task::yield_now().await;
        }
    }

    #[track_caller]
    fn has_not_failed(&self) {
        assert_eq!(*self.failed.lock().unwrap(), [""; 0], "good tokens that were refused");
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A rotation as operators do it: publish the new key, sign with it, take the old one back.
async fn check_rotation(issuer: Program, subject: &str) {
    let mut pair = Pair::start(issuer).await;
    let old = pair.token().await;
    let answer = pair.server.expect(TestRequest::bearer(&old), 200, "").await;
    assert_eq!(answer.header("x-auth-subject"), subject);
    let load = Load::on(&pair.server, old.clone());
    load.goes_on(20).await;
    pair.rotate("publish").await;
    load.goes_on(20).await;
    pair.rotate("sign").await;
    load.also(pair.token().await);
    load.goes_on(20).await;
    pair.rotate("retire").await;
    load.also(pair.token().await);
    load.goes_on(20).await;
    load.has_not_failed();
    drop(load);
    is_refused_in_the_end(&pair, &old).await;
    let new = pair.token().await;
    pair.server.expect(TestRequest::bearer(&new), 200, "").await;
}

/// Once a refresh has seen that the issuer took the key back.
async fn is_refused_in_the_end(pair: &Pair, token: &str) {
    let foreign = TestKey::with_kid("ES256", "no key of this issuer").token(&claims(&pair.url));
    loop {
        pair.server.expect(TestRequest::bearer(&foreign), 401, "key_unknown").await;
        let answer = pair.server.check(TestRequest::bearer(token)).await;
        if answer.status != 200 {
            assert_eq!((answer.status, answer.reason()), (401, "key_unknown"));
            return;
        }
    }
}

#[tokio::test]
async fn oidc_provider_rotates_while_checks_run_and_no_good_token_fails() {
    check_rotation(Program::start(OIDC_PROVIDER), "shop").await;
}

#[tokio::test]
async fn canaille_rotates_while_checks_run_and_no_good_token_fails() {
    check_rotation(Program::start(CANAILLE), "alice").await;
}

#[tokio::test]
async fn an_opaque_token_is_malformed() {
    let mut pair = Pair::start(Program::start(CANAILLE)).await;
    let opaque = pair.issuer.ask("opaque").await;
    assert!(!opaque.contains(['.', ' ']), "a token that is no JWT");
    pair.server.expect(TestRequest::bearer(&opaque), 401, "token_malformed").await;
}

#[tokio::test]
async fn a_token_for_another_audience_is_refused() {
    let mut pair = Pair::start(Program::start(OIDC_PROVIDER)).await;
    let token = pair.token().await;
    let narrow = TestRequest::bearer(&token).extension("claimgate.providers", "a");
    pair.server.expect(narrow.clone(), 200, "").await;
    let other = narrow.extension("claimgate.audiences", "other-api");
    pair.server.expect(other, 401, "audience_not_allowed").await;
}
