//! Names whose addresses change, and proxies of the environment, over real sockets.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinSet,
};

use super::*;
use crate::{
    jwks::fetch::dial::Asking,
    provider::{JwksPlace, KeysAt},
    url::UrlText,
};

/// A server that answers with its name, and keeps its connections open.
async fn site(name: &'static str, server: &mut JoinSet<()>) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    server.spawn(async move {
        let mut open = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let length = name.len();
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{name}");
            stream.write_all(answer.as_bytes()).await.unwrap();
            open.push(stream);
        }
    });
    address
}

/// Gives the next of these answers each time it is asked.
struct Changing(Mutex<VecDeque<Vec<SocketAddr>>>);

impl Changing {
    fn new(answers: &[&[SocketAddr]]) -> Arc<Self> {
        Arc::new(Self(Mutex::new(answers.iter().map(|answer| answer.to_vec()).collect())))
    }

    fn left(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Names for Changing {
    fn addresses(&self, _: reqwest::dns::Name) -> Asking {
        let next = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        Box::pin(async move { Ok(next.expect("asked more often than expected")) })
    }
}

/// No port: the one of the answer counts.
const KEYS: &str = "http://keys.example/";

async fn fetch(url: &str, names: Arc<Changing>, environment: &str) -> Result<String, FetchError> {
    let place = JwksPlace {
        at: KeysAt::Set { uri: UrlText(url.to_owned()) },
        ca: CaFile::None,
        verify_tls: true,
        proxy: None,
        token_file: None,
    };
    let (place, timeout) = (Arc::new(place), Duration::from_secs(5));
    let request = FetchRequest { url: url.to_owned(), place, known: None, timeout };
    let environment = Matcher::builder().all(environment.to_owned()).build();
    match get(&request, Machine { names, environment }).await?.body {
        Body::New(text) => Ok(String::from_utf8(text).unwrap()),
        Body::Unchanged => panic!("unchanged from what?"),
    }
}

fn metadata() -> SocketAddr {
    ([169, 254, 169, 254], 80).into()
}

#[tokio::test]
async fn a_name_that_moves_is_asked_at_its_new_address() {
    let mut servers = JoinSet::new();
    let (old, new) = (site("old", &mut servers).await, site("new", &mut servers).await);
    let names = Changing::new(&[&[old], &[old], &[new], &[new]]);
    for expected in ["old", "old", "new", "new"] {
        assert_eq!(fetch(KEYS, names.clone(), "").await.as_deref(), Ok(expected));
    }
}

#[tokio::test]
async fn a_name_whose_server_is_gone_is_found_where_it_has_moved_to() {
    let (mut dying, mut servers) = (JoinSet::new(), JoinSet::new());
    let (old, new) = (site("old", &mut dying).await, site("new", &mut servers).await);
    let names = Changing::new(&[&[old], &[old], &[new]]);
    assert_eq!(fetch(KEYS, names.clone(), "").await.as_deref(), Ok("old"));
    dying.shutdown().await;
    assert_eq!(fetch(KEYS, names.clone(), "").await, Err(FetchError::Connect));
    assert_eq!(fetch(KEYS, names, "").await.as_deref(), Ok("new"));
}

#[tokio::test]
async fn a_name_that_moves_to_a_metadata_service_is_not_asked() {
    let mut servers = JoinSet::new();
    let good = site("good", &mut servers).await;
    let mapped = ("::ffff:169.254.169.254".parse::<std::net::Ipv6Addr>().unwrap(), 80).into();
    let link_local = ("fe80::1".parse::<std::net::Ipv6Addr>().unwrap(), 80).into();
    let names =
        Changing::new(&[&[good], &[metadata()], &[mapped, link_local], &[metadata(), good]]);
    assert_eq!(fetch(KEYS, names.clone(), "").await.as_deref(), Ok("good"));
    assert_eq!(fetch(KEYS, names.clone(), "").await, Err(FetchError::Forbidden));
    assert_eq!(fetch(KEYS, names.clone(), "").await, Err(FetchError::Forbidden));
    assert_eq!(fetch(KEYS, names, "").await.as_deref(), Ok("good"), "only the good one is dialled");
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_called_so() {
    assert_eq!(fetch(KEYS, Changing::new(&[&[]]), "").await, Err(FetchError::Unresolved));
}

#[tokio::test]
async fn a_proxy_of_the_environment_at_a_metadata_service_is_not_asked() {
    for proxy in [
        "http://169.254.169.254:3128",
        "169.254.169.254:3128",
        "http://user:password@169.254.169.254",
        "http://2852039166:3128",
        "http://0xa9fea9fe",
        "https://[::ffff:169.254.169.254]:3128",
        "http://[fe80::1]:3128",
        "http://[fd00:ec2::254]",
        "socks5://100.100.100.200:1080",
        "http://metadata.google.internal",
    ] {
        for url in [KEYS, "https://keys.example/"] {
            let fetched = fetch(url, Changing::new(&[]), proxy).await;
            assert_eq!(fetched, Err(FetchError::ForbiddenProxy), "{proxy}");
        }
    }
}

#[tokio::test]
async fn a_proxy_whose_name_moves_to_a_metadata_service_is_not_asked() {
    let mut servers = JoinSet::new();
    let good = site("proxy", &mut servers).await;
    let names = Changing::new(&[&[good], &[metadata()]]);
    let proxy = "http://user:password@proxy.example";
    assert_eq!(fetch(KEYS, names.clone(), proxy).await.as_deref(), Ok("proxy"));
    assert_eq!(fetch(KEYS, names.clone(), proxy).await, Err(FetchError::ForbiddenProxy));
    assert_eq!(names.left(), 0);
}

#[tokio::test]
async fn loopback_is_asked_without_the_environments_proxy() {
    let mut servers = JoinSet::new();
    let address = site("here", &mut servers).await;
    let url = format!("http://{address}/");
    let fetched = fetch(&url, Changing::new(&[]), "http://169.254.169.254:3128").await;
    assert_eq!(fetched.as_deref(), Ok("here"));
}
