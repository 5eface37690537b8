//! An issuer that rotates while good tokens are checked.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::{
    load::{ask, client, connect},
    pairs::issuers,
    server::Claimgate,
    support::{
        claims, config,
        issuer::TestIssuer,
        keys::{ES256, TestKey, set},
        remote,
        request::TestRequest,
    },
};

const ROTATIONS: usize = 10;
/// Longer than the cool-down: the figure is of rotations that come one at a time.
const BETWEEN: Duration = Duration::from_millis(1500);
const CONNECTIONS: usize = 8;

pub(crate) fn run() {
    let runtime = issuers();
    let start = async {
        let issuer = TestIssuer::serving(&ES256.jwks()).await;
        let a = remote("a", &issuer.url, &issuer.jwks_uri(), "refresh_cooldown: 1s");
        let server = Claimgate::serving(&config(&[a], "providers: [a]")).await;
        (issuer, server)
    };
    let (issuer, server) = runtime.block_on(start);
    let tokens = Arc::new(Mutex::new(vec![ES256.token(&claims(&issuer.url))]));
    let (asked, failed) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<String>>>::default());
    let done = Arc::new(AtomicBool::new(false));
    let askers: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let load = Load {
                server: server.grpc(),
                tokens: tokens.clone(),
                asked: asked.clone(),
                failed: failed.clone(),
                done: done.clone(),
            };
            client(|| load.run())
        })
        .collect();
    let mut old = None;
    for n in 0..ROTATIONS {
        let new = TestKey::with_kid("ES256", &format!("rotated-{n}"));
        issuer.now_serves(&set(&[old.as_ref().unwrap_or(&*ES256), &new]));
        let token = new.token(&claims(&issuer.url));
        // Tokens of the last two keys are good: the issuer still lists both.
        let mut tokens = tokens.lock().unwrap();
        *tokens = vec![tokens.last().unwrap().clone(), token];
        drop(tokens);
        old = Some(new);
        runtime.block_on(async { tokio::time::sleep(BETWEEN).await });
    }
    done.store(true, Ordering::Relaxed);
    askers.into_iter().for_each(|asker| asker.join().unwrap());
    let (asked, failed) = (asked.load(Ordering::Relaxed), failed.lock().unwrap());
    println!(
        "rotation: {ROTATIONS} new keys under {asked} checks: {} good tokens failed\n",
        failed.len()
    );
    assert!(failed.is_empty(), "{:?}", &failed[..failed.len().min(5)]);
}

struct Load {
    server: SocketAddr,
    tokens: Arc<Mutex<Vec<String>>>,
    asked: Arc<AtomicUsize>,
    failed: Arc<Mutex<Vec<String>>>,
    done: Arc<AtomicBool>,
}

impl Load {
    async fn run(self) {
        let mut client = connect(self.server).await;
        while !self.done.load(Ordering::Relaxed) {
            let tokens = self.tokens.lock().unwrap().clone();
            for token in tokens {
                let (status, reason) = ask(&mut client, TestRequest::bearer(&token).build()).await;
                self.asked.fetch_add(1, Ordering::Relaxed);
                // One that was taken off the list while it was asked about is not good any more.
                let still_good = self.tokens.lock().unwrap().contains(&token);
                if status != 200 && still_good {
                    self.failed.lock().unwrap().push(reason);
                }
            }
        }
    }
}
