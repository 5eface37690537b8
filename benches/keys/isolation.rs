//! 200 providers, of which 50 hang, 50 refuse and 50 answer garbage, and the other 50.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::net::TcpSocket;

use crate::{
    load::{ask, beside, connect},
    pairs::{PAIRS, good, issuers, print},
    server::Claimgate,
    support::{
        claims, config,
        issuer::{Behaviour, TestIssuer},
        keys::ES256,
        remote,
        request::TestRequest,
    },
};

const EACH: usize = 50;
/// As often as a config permits, so that fetches come and go while it is measured.
const OFTEN: &str = "timeout: 1s, refresh_cooldown: 1s";

/// A server, and the issuers of its providers.
struct World {
    server: Claimgate,
    healthy: Vec<TestIssuer>,
    bad: Vec<String>,
    _bad: Vec<TestIssuer>,
    _refusing: Vec<TcpSocket>,
}

pub(crate) fn run() {
    println!("isolation: {EACH} healthy providers beside {EACH} that hang, {EACH} that refuse and");
    println!("{EACH} that answer garbage, of which tokens are asked about too, 100/s");
    compare("default times", "");
    compare("fetches as often as a config permits", OFTEN);
}

fn compare(name: &str, jwks: &'static str) {
    let runtime = issuers();
    let garbage = Behaviour::Serve("<html>it works!</html>".to_owned());
    let alone = runtime.block_on(world(&[], jwks));
    alone.server.stand_still();
    let crowded = runtime.block_on(world(&[Behaviour::Hang, garbage], jwks));
    crowded.server.stand_still();
    let ask_healthy = |world: &World| {
        let tokens: Vec<_> =
            world.healthy.iter().map(|issuer| ES256.token(&claims(&issuer.url))).collect();
        good(&world.server, &runtime, &tokens)
    };
    let mut pairs = Vec::new();
    for _ in 0..PAIRS {
        crowded.server.go_on();
        // What was due while it stood still is not what is measured.
        runtime.block_on(async { tokio::time::sleep(Duration::from_secs(2)).await });
        let (address, bad) = (crowded.server.grpc(), crowded.bad.clone());
        let with = beside(move |done| ask_the_bad(address, bad, done), || ask_healthy(&crowded));
        crowded.server.stand_still();
        alone.server.go_on();
        pairs.push((with, ask_healthy(&alone)));
        alone.server.stand_still();
    }
    let fetches: f64 = pairs.iter().map(|(with, _)| with.fetches()).sum::<f64>() / PAIRS as f64;
    println!("  {name}, {fetches:.0} fetches in each half of a pair");
    print(&pairs, "alone");
}

async fn world(behaviours: &[Behaviour], jwks: &str) -> World {
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
        urls.map(|(n, url)| remote(&format!("p{n}"), url, &format!("{url}/jwks"), jwks)).collect();
    let names: Vec<_> = (0..providers.len()).map(|n| format!("p{n}")).collect();
    let policy = format!("providers: [{}]", names.join(", "));
    let server = Claimgate::serving(&config(&providers, &policy)).await;
    World { server, healthy, bad: bad_urls, _bad: bad, _refusing: refusing }
}

/// One token of each in turn, a hundred a second, so that somebody always waits for their keys.
async fn ask_the_bad(server: SocketAddr, issuers: Vec<String>, done: &AtomicBool) {
    let client = connect(server).await;
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    // Signed before, since that takes longer than to be refused.
    let signed = issuers.iter().map(|issuer| ES256.token(&claims(issuer)));
    let requests: Vec<_> = signed.map(|token| TestRequest::bearer(&token).build()).collect();
    for request in requests.iter().cycle().take_while(|_| !done.load(Ordering::Relaxed)) {
        ticks.tick().await;
        let (mut client, request) = (client.clone(), request.clone());
        tokio::spawn(async move { assert_eq!(ask(&mut client, request).await.0, 503) });
    }
}
