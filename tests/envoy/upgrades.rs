//! A WebSocket behind a cookie: a browser opens it for any page, so the page's origin decides.

use claimgate::cli::demo::envoy::Envoy;
use http::{Request as Http, StatusCode};
use hyper::{client::conn::http2, ext::Protocol};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::{
    binary::binary,
    credentials::{ISSUER, good},
    listener::Listener,
    support::{self, keys::ES256, server::TestServer},
};

const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nx-subject: alice\r\n\r\n";

/// Envoy before an upstream that switches protocols and then sends back what it gets.
struct Sockets {
    envoy: Envoy,
    _claimgate: TestServer,
    _upstream: JoinSet<()>,
}

impl Sockets {
    async fn start() -> Option<Self> {
        let binary = binary()?;
        let tcp = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let upstream = tcp.local_addr().unwrap();
        let mut servers = JoinSet::new();
        servers.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = tcp.accept().await {
                connections.spawn(switch(stream));
            }
        });
        let demo = support::provider("demo", ISSUER, &ES256.jwks());
        let policy = "{ name: page, providers: [demo], token_from: [{ cookie: sid }] }";
        let config = format!("providers:\n{demo}policies:\n- {policy}\n");
        let claimgate = TestServer::start(&config).await;
        let listener = Listener::default()
            .metadata("/socket", &json!({ "policy": "page" }))
            .manager("upgrade_configs: [{ upgrade_type: websocket }]\nhttp2_protocol_options: { allow_connect: true }");
        let config = listener.config(claimgate.server.grpc[0], upstream);
        let envoy = Envoy::start(binary, &config).await.unwrap();
        Some(Self { envoy, _claimgate: claimgate, _upstream: servers })
    }

    /// The status of an attempt with these lines; where it is 101, the socket carries bytes both
    /// ways.
    async fn open(&self, lines: &[(&str, &str)]) -> u16 {
        let mut stream = TcpStream::connect(self.envoy.listener).await.unwrap();
        let mut head = "GET /socket HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n".to_owned();
        for (name, value) in lines {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
        let head = head_of(&mut stream).await;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        if status == 101 {
            assert!(head.contains("x-subject: alice"), "{head}");
            stream.write_all(b"ping").await.unwrap();
            let mut echoed = [0; 4];
            stream.read_exact(&mut echoed).await.unwrap();
            assert_eq!(&echoed, b"ping");
        }
        status
    }

    /// The status of the same over HTTP/2 (RFC 8441), as browsers ask where they can.
    async fn connect(&self, lines: &[(&str, &str)]) -> StatusCode {
        let stream = TcpStream::connect(self.envoy.listener).await.unwrap();
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (mut client, connection) = handshake.unwrap();
        tokio::spawn(connection);
        let mut request = Http::connect("http://localhost/socket");
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        let mut request = request.body(String::new()).unwrap();
        request.extensions_mut().insert(Protocol::from_static("websocket"));
        client.ready().await.unwrap();
        client.send_request(request).await.unwrap().status()
    }
}

/// Everything up to the empty line.
async fn head_of(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// Switches for whom claimgate knows as alice, and then sends everything back.
async fn switch(mut stream: TcpStream) {
    let head = head_of(&mut stream).await;
    let known =
        head.contains("x-auth-subject: alice\r\n") && head.contains("upgrade: websocket\r\n");
    let answer = if known { SWITCHED } else { "HTTP/1.1 500 x\r\ncontent-length: 0\r\n\r\n" };
    stream.write_all(answer.as_bytes()).await.unwrap();
    let (mut from, mut to) = stream.split();
    // It ends with its client.
    let _ = tokio::io::copy(&mut from, &mut to).await;
}

const OWN: (&str, &str) = ("origin", "http://localhost");
const EVIL: (&str, &str) = ("origin", "http://evil.example");

#[tokio::test]
async fn a_socket_opens_for_pages_of_its_own_origin_alone() {
    let Some(sockets) = Sockets::start().await else { return };
    let cookie = format!("sid={}", good());
    let cookie = ("cookie", cookie.as_str());
    assert_eq!(sockets.open(&[cookie, OWN]).await, 101);
    assert_eq!(sockets.open(&[cookie, ("sec-fetch-site", "same-origin")]).await, 101);
    for foreign in [
        &[cookie][..],
        &[cookie, EVIL],
        &[cookie, ("origin", "null")],
        &[cookie, ("origin", "https://localhost:8443")],
        &[cookie, OWN, ("sec-fetch-site", "cross-site")],
        &[cookie, EVIL, ("sec-fetch-site", "same-origin")],
        // Envoy hands this line on, and a further proxy would take the subject off.
        &[cookie, OWN, ("connection", "x-auth-subject")],
    ] {
        assert_eq!(sockets.open(foreign).await, 400, "{:?}", &foreign[1..]);
    }
    assert_eq!(sockets.open(&[OWN]).await, 401);
    assert_eq!(sockets.open(&[("cookie", "sid=forged"), OWN]).await, 401);
}

#[tokio::test]
async fn a_socket_over_http_2_is_no_way_round() {
    let Some(sockets) = Sockets::start().await else { return };
    let cookie = format!("sid={}", good());
    let cookie = ("cookie", cookie.as_str());
    assert_eq!(sockets.connect(&[cookie, OWN]).await, 200);
    for foreign in [&[cookie][..], &[cookie, EVIL], &[cookie, ("sec-fetch-site", "same-site")]] {
        assert_eq!(sockets.connect(foreign).await, 400, "{:?}", &foreign[1..]);
    }
    assert_eq!(sockets.connect(&[OWN]).await, 401);
}
