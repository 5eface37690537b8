//! 200 providers, of which 50 hang, 50 refuse and 50 answer garbage, and the other 50.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::net::TcpSocket;

use crate::{
    load::{PAIRS, ask, beside, connect, good, ratio, servers},
    support::{
        claims, config,
        issuer::{Behaviour, TestIssuer},
        keys::ES256,
        remote,
        request::TestRequest,
        server::TestServer,
    },
};

const EACH: usize = 50;
/// Short, so that hanging fetches come and go while it is measured.
const JWKS: &str = "timeout: 1s, refresh_cooldown: 1s";

/// A server, and the issuers of its providers.
struct World {
    server: TestServer,
    healthy: Vec<TestIssuer>,
    bad: Vec<String>,
    _bad: Vec<TestIssuer>,
    _refusing: Vec<TcpSocket>,
}

pub(crate) fn run() {
    let (runtime, other) = (servers(), servers());
    let alone = runtime.block_on(world(&[]));
    let garbage = Behaviour::Serve("<html>it works!</html>".to_owned());
    let crowded = other.block_on(world(&[Behaviour::Hang, garbage]));
    let mut pairs = Vec::new();
    for _ in 0..PAIRS {
        let ask_healthy = |world: &World| {
            let tokens = world.healthy.iter().map(|i| ES256.token(&claims(&i.url))).collect();
            let seen = good(world.server.server.grpc[0], tokens).join().unwrap();
            assert!(seen.failed.is_empty(), "healthy providers failed: {:?}", seen.failed);
            seen
        };
        let quiet = ask_healthy(&alone);
        let (address, bad) = (crowded.server.server.grpc[0], crowded.bad.clone());
        let beside = beside(move |done| ask_the_bad(address, bad, done), || ask_healthy(&crowded));
        pairs.push((beside.p99(), quiet.p99()));
    }
    println!(
        "isolation: p99 of {EACH} healthy providers beside {EACH} that hang, {EACH} that refuse"
    );
    println!("  and {EACH} that answer garbage, as a ratio to alone: {}", ratio(&pairs));
}

async fn world(behaviours: &[Behaviour]) -> World {
    let (mut healthy, mut bad, mut bad_urls) = (Vec::new(), Vec::new(), Vec::new());
    let mut refusing = Vec::new();
    for _ in 0..EACH {
        healthy.push(TestIssuer::serving(&ES256.jwks()).await);
        for behaviour in behaviours {
            bad.push(TestIssuer::behaving(behaviour.clone()).await);
        }
        if !behaviours.is_empty() {
            // Bound and never listening: it refuses, and nobody else gets its port.
            let deaf = TcpSocket::new_v4().unwrap();
            deaf.bind(([127, 0, 0, 1], 0).into()).unwrap();
            bad_urls.push(format!("http://{}", deaf.local_addr().unwrap()));
            refusing.push(deaf);
        }
    }
    bad_urls.extend(bad.iter().map(|issuer| issuer.url.clone()));
    let urls = healthy.iter().map(|issuer| &issuer.url).chain(&bad_urls).enumerate();
    let providers: Vec<_> =
        urls.map(|(n, url)| remote(&format!("p{n}"), url, &format!("{url}/jwks"), JWKS)).collect();
    let names: Vec<_> = (0..providers.len()).map(|n| format!("p{n}")).collect();
    let policy = format!("providers: [{}]", names.join(", "));
    let server = TestServer::start(&config(&providers, &policy)).await;
    World { server, healthy, bad: bad_urls, _bad: bad, _refusing: refusing }
}

/// One token of each in turn, a hundred a second, so that somebody always waits for their keys.
async fn ask_the_bad(server: SocketAddr, issuers: Vec<String>, done: &AtomicBool) {
    let client = connect(server).await;
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    for issuer in issuers.iter().cycle().take_while(|_| !done.load(Ordering::Relaxed)) {
        ticks.tick().await;
        let request = TestRequest::bearer(&ES256.token(&claims(issuer))).build();
        let mut client = client.clone();
        tokio::spawn(async move { assert_eq!(ask(&mut client, request).await.0, 503) });
    }
}
