//! The config is a mounted ConfigMap, which the kubelet replaces under a server that answers.

use crate::support::{
    atomic_writer::AtomicWriter,
    claims,
    keys::{ES256, TestKey},
    provider,
    request::TestRequest,
    server::TestServer,
};

const A: &str = "https://a.example";
const B: &str = "https://b.example";

/// A config of one provider and a policy that names it.
fn trusting(name: &str, issuer: &str) -> String {
    let provider = provider(name, issuer, &ES256.jwks());
    format!(
        "providers:\n{provider}policies: [{{ name: p, providers: [{name}] }}]\ndefault_policy: p\n"
    )
}

fn from(issuer: &str) -> TestRequest {
    TestRequest::bearer(&ES256.token(&claims(issuer)))
}

/// Serves the file of that name in the volume, or the volume as a folder where there is none.
async fn serve(volume: &AtomicWriter, file: &str) -> TestServer {
    let path = if file.is_empty() { volume.path() } else { volume.path().join(file) };
    TestServer::serving(path).await
}

async fn generation(server: &TestServer, number: u64) -> serde_json::Value {
    server.status_until(|status| status["generation"].as_u64() >= Some(number)).await
}

async fn check_swaps(file: &str) {
    let (a, b) = (trusting("a", A), trusting("b", B));
    let mut volume = AtomicWriter::mount(&[("claimgate.yaml", &a)]);
    let server = serve(&volume, file).await;
    server.expect(from(A), 200, "").await;
    for (number, text, good, bad) in [(2, &b, B, A), (3, &a, A, B), (4, &b, B, A)] {
        volume.write(&[("claimgate.yaml", text)]);
        let status = generation(&server, number).await;
        assert_eq!(status["generation"], number, "one swap is one reload");
        server.expect(from(good), 200, "").await;
        server.expect(from(bad), 401, "issuer_not_allowed").await;
    }
}

#[tokio::test]
async fn each_swap_of_a_mounted_file_is_served_once() {
    check_swaps("claimgate.yaml").await;
}

#[tokio::test]
async fn each_swap_of_a_mounted_folder_is_served_once() {
    check_swaps("").await;
}

#[tokio::test]
async fn files_of_a_mounted_folder_come_and_go() {
    let (a, policy) = (
        format!("providers:\n{}", provider("a", A, &ES256.jwks())),
        "policies: [{ name: p, providers: [a, b] }]\ndefault_policy: p\n",
    );
    let b = format!("providers:\n{}", provider("b", B, &ES256.jwks()));
    let mut volume = AtomicWriter::mount(&[("a.yaml", &a), ("policies.yaml", policy)]);
    let server = serve(&volume, "").await;
    server.expect(from(B), 401, "issuer_not_allowed").await;
    volume.write(&[("a.yaml", &a), ("b.yaml", &b), ("policies.yaml", policy)]);
    generation(&server, 2).await;
    server.expect(from(B), 200, "").await;
    volume.write(&[("b.yaml", &b), ("policies.yaml", policy)]);
    generation(&server, 3).await;
    server.expect(from(A), 401, "issuer_not_allowed").await;
    server.expect(from(B), 200, "").await;
}

#[tokio::test]
async fn a_key_that_is_deleted_from_the_map_changes_nothing_and_is_reported() {
    let mut volume = AtomicWriter::mount(&[("claimgate.yaml", &trusting("a", A))]);
    let server = serve(&volume, "claimgate.yaml").await;
    volume.write(&[("other.yaml", "x")]);
    let status = server.status_until(|status| !status["last_reload_error"].is_null()).await;
    assert_eq!(status["generation"], 1);
    server.expect(from(A), 200, "").await;
    volume.write(&[("claimgate.yaml", &trusting("b", B))]);
    generation(&server, 2).await;
    server.expect(from(A), 401, "issuer_not_allowed").await;
}

#[tokio::test]
async fn keys_in_a_map_of_their_own_are_followed() {
    let old = TestKey::with_kid("ES256", "old");
    let mut keys = AtomicWriter::mount(&[("keys.json", &old.jwks().to_string())]);
    let file = keys.path().join("keys.json");
    let text = format!(
        "providers: [{{ name: a, issuer: '{A}', audiences: [test-api], jwks: {{ file: {} }} }}]\n\
         policies: [{{ name: p, providers: [a] }}]\ndefault_policy: p\n",
        file.display()
    );
    let volume = AtomicWriter::mount(&[("claimgate.yaml", &text)]);
    let server = serve(&volume, "claimgate.yaml").await;
    let with_old = || TestRequest::bearer(&old.token(&claims(A)));
    server.expect(with_old(), 200, "").await;
    keys.write(&[("keys.json", &ES256.jwks().to_string())]);
    let status = generation(&server, 2).await;
    assert_eq!(status["changes"]["providers"]["changed"][0], "a");
    server.expect(from(A), 200, "").await;
    // It was cached; its key is gone.
    server.expect(with_old(), 401, "key_unknown").await;
}
