//! Key sets over TLS: whose certificate is believed, and how loudly one is not asked for.

use std::{
    io,
    net::SocketAddr,
    process::Stdio,
    sync::{Arc, Mutex},
};

use axum::{Router, routing::get};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    process::Command,
    task::JoinSet,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{CertificateDer, PrivatePkcs8KeyDer},
    },
    server::TlsStream,
};

use crate::support::{
    answer::Answer,
    claims, config,
    keys::{ES256, TestKey},
    remote,
    request::TestRequest,
    server::TestServer,
};

const ISSUER: &str = "https://issuer.example";

/// A JWKS endpoint behind a certificate of a CA that nobody knows.
struct TlsIssuer {
    uri: String,
    ca_pem: String,
    acceptor: Arc<Mutex<TlsAcceptor>>,
    _server: JoinSet<()>,
}

impl TlsIssuer {
    async fn start() -> Self {
        Self::showing(|_| {}).await
    }

    /// With this change to the certificate.
    async fn showing(change: impl Fn(&mut CertificateParams)) -> Self {
        let (ca_pem, config) = changed_certificates(change);
        let tcp = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let uri = format!("https://{}/jwks", tcp.local_addr().unwrap());
        let jwks = ES256.jwks().to_string();
        let routes = Router::new().route("/jwks", get(async move || jwks.clone()));
        let acceptor = Arc::new(Mutex::new(TlsAcceptor::from(Arc::new(config))));
        let listener = Listener { tcp, tls: acceptor.clone() };
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { uri, ca_pem, acceptor, _server: server }
    }

    /// Shows the certificate of another authority from now on.
    fn now_is_another(&self) {
        *self.acceptor.lock().unwrap() = TlsAcceptor::from(Arc::new(certificates().1));
    }
}

/// The PEM of a new authority, and a server with a certificate of it for 127.0.0.1.
pub(crate) fn certificates() -> (String, ServerConfig) {
    changed_certificates(|_| {})
}

fn changed_certificates(change: impl Fn(&mut CertificateParams)) -> (String, ServerConfig) {
    let mut ca = CertificateParams::new([]).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let mut leaf = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    change(&mut leaf);
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let chain = vec![CertificateDer::from(leaf.der().to_vec())];
    let config = ServerConfig::builder().with_no_client_auth();
    (pem(ca_certificate.der()), config.with_single_cert(chain, key.into()).unwrap())
}

fn pem(der: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let lines: Vec<_> = STANDARD.encode(der).into_bytes();
    let body: Vec<_> = lines.chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", body.join("\n"))
}

struct Listener {
    tcp: TcpListener,
    tls: Arc<Mutex<TlsAcceptor>>,
}

impl axum::serve::Listener for Listener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let (stream, address) = self.tcp.accept().await.unwrap();
            // A client that does not believe us hangs up.
            let tls = self.tls.lock().unwrap().clone();
            if let Ok(stream) = tls.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// A server whose one provider has these further `jwks` options.
async fn serve(issuer: &TlsIssuer, options: &str) -> TestServer {
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, &issuer.ca_pem).unwrap();
    let options = options.replace("CA", &ca_file.display().to_string());
    let uri = &issuer.uri;
    TestServer::start(&format!(
        "providers:\n- name: a\n  issuer: {ISSUER}\n  audiences: any\n  jwks: {{ uri: '{uri}', {options} }}\npolicies: [{{ name: p, providers: [a] }}]\ndefault_policy: p\n"
    ))
    .await
}

async fn ask(server: &TestServer) -> Answer {
    server.check(TestRequest::bearer(&ES256.token(&claims(ISSUER)))).await
}

#[tokio::test]
async fn an_unknown_authority_is_not_believed() {
    let issuer = TlsIssuer::start().await;
    let server = serve(&issuer, "").await;
    assert_eq!(ask(&server).await.reason(), "keys_unavailable");
    let provider = &server.status().await["providers"][0];
    assert_eq!(provider["state"], "unavailable");
    assert_eq!(provider["last_error"], "server certificate of an unknown authority");
}

async fn check_refused(change: impl Fn(&mut CertificateParams), expected: &str) {
    let issuer = TlsIssuer::showing(change).await;
    let server = serve(&issuer, "ca_file: 'CA'").await;
    assert_eq!(ask(&server).await.reason(), "keys_unavailable");
    assert_eq!(server.status().await["providers"][0]["last_error"], expected);
    let failed = "claimgate_jwks_fetches_total{provider=\"a\",result=\"tls_certificate\"}";
    assert!(server.metric(failed).await >= Some(1.0));
}

#[tokio::test]
async fn the_status_says_what_is_wrong_with_a_certificate() {
    let past = |leaf: &mut CertificateParams| leaf.not_after = rcgen::date_time_ymd(2020, 1, 1);
    check_refused(past, "server certificate expired").await;
    let future = |leaf: &mut CertificateParams| leaf.not_before = rcgen::date_time_ymd(3000, 1, 1);
    check_refused(future, "server certificate not valid yet").await;
    let other = |leaf: &mut CertificateParams| {
        leaf.subject_alt_names =
            CertificateParams::new(["a.example".to_owned()]).unwrap().subject_alt_names;
    };
    check_refused(other, "server certificate of another host").await;
    let authority = |leaf: &mut CertificateParams| {
        leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    };
    check_refused(authority, "server certificate refused").await;
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_called_so() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let uri = format!("https://{}/jwks?secret=hush", listener.local_addr().unwrap());
    let mut plain = JoinSet::new();
    plain.spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            // A close before all is read would be a reset.
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    });
    let server = serve(&TlsIssuer { uri, ..TlsIssuer::start().await }, "").await;
    assert_eq!(ask(&server).await.reason(), "keys_unavailable");
    assert_eq!(server.status().await["providers"][0]["last_error"], "TLS handshake failed");
}

#[tokio::test]
async fn ca_file_makes_its_authority_believed() {
    let issuer = TlsIssuer::start().await;
    let server = serve(&issuer, "ca_file: 'CA'").await;
    assert_eq!(ask(&server).await.status, 200);
    let off = server.metric("claimgate_tls_verification_disabled{provider=\"a\"}").await;
    assert_eq!(off, None);
}

#[tokio::test]
async fn the_ca_file_with_file_authority_changes_nothing() {
    let (issuer, other) = (TlsIssuer::start().await, TlsIssuer::start().await);
    let mixed = TlsIssuer { ca_pem: other.ca_pem, ..issuer };
    let server = serve(&mixed, "ca_file: 'CA'").await;
    assert_eq!(ask(&server).await.reason(), "keys_unavailable");
}

#[tokio::test]
async fn a_certificate_that_is_not_believed_any_more_leaves_the_good_keys() {
    let issuer = TlsIssuer::start().await;
    let server = serve(&issuer, "ca_file: 'CA'").await;
    issuer.now_is_another();
    let unknown = TestKey::with_kid("ES256", "new").token(&claims(ISSUER));
    server.expect(TestRequest::bearer(&unknown), 503, "keys_unavailable").await;
    assert_eq!(ask(&server).await.status, 200);
    let provider = &server.status().await["providers"][0];
    assert_eq!(provider["state"], "stale");
    assert_eq!(provider["last_error"], "server certificate of an unknown authority");
}

#[tokio::test]
async fn skipped_verification_works_and_is_loud() {
    let issuer = TlsIssuer::start().await;
    let server = serve(&issuer, "skip_tls_verification: true").await;
    assert_eq!(ask(&server).await.status, 200);
    let status = server.status().await;
    assert_eq!(status["providers"][0]["skip_tls_verification"], true);
    assert!(status["warnings"][0].as_str().unwrap().contains("skip_tls_verification"));
    let off = server.metric("claimgate_tls_verification_disabled{provider=\"a\"}").await;
    assert_eq!(off, Some(1.0));
}

/// Whether a process with these system roots believes the issuer.
async fn believed(issuer: &TlsIssuer, roots: &str, options: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (system, own) = (write("system.pem", roots), write("ca.pem", &issuer.ca_pem));
    let options = options.replace("CA", &own.display().to_string());
    let provider = remote("a", ISSUER, &issuer.uri, &options);
    let file = write("c.yaml", &config(&[provider], "providers: [a]"));
    let mut explain = Command::new(env!("CARGO_BIN_EXE_claimgate"))
        .args(["explain", "--config"])
        .arg(file)
        .env("SSL_CERT_FILE", system)
        .env_remove("SSL_CERT_DIR")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let token = ES256.token(&claims(ISSUER));
    explain.stdin.take().unwrap().write_all(token.as_bytes()).await.unwrap();
    explain.wait_with_output().await.unwrap().status.success()
}

#[tokio::test]
async fn the_systems_roots_are_believed_and_ca_file_is_added_to_them() {
    let issuer = TlsIssuer::start().await;
    let (other, with_file) = (certificates().0, "ca_file: 'CA'");
    assert!(believed(&issuer, &issuer.ca_pem, "").await);
    assert!(!believed(&issuer, &other, "").await);
    assert!(believed(&issuer, &other, with_file).await);
    let elsewhere =
        TlsIssuer { ca_pem: other, uri: issuer.uri.clone(), ..TlsIssuer::start().await };
    assert!(!believed(&elsewhere, &elsewhere.ca_pem, "").await);
    assert!(believed(&elsewhere, &issuer.ca_pem, with_file).await, "both count");
}
