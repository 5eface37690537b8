//! The environment's proxies, in a process of its own.

use std::process::{Child, Command, Stdio};

use crate::support::{
    config,
    keys::ES256,
    remote,
    site::{Site, ok},
};

/// Ends the process with the test.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a proxy is asked by a server with these variables whose keys are at `uri`.
async fn asked(uri: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.yaml");
    let provider = remote("a", "urn:a", uri, "allow_http: true, timeout: 1s");
    std::fs::write(&file, config(&[provider], "providers: [a]")).unwrap();
    let proxy = Site::answering(|_| ok(&ES256.jwks().to_string(), "")).await;
    let at = proxy.address.to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_claimgate"));
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    for (name, value) in variables {
        command.env(name, value.replace("PROXY", &proxy.url).replace("HOST", &at));
    }
    let mut child = command
        .args(["serve", "--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"])
        .args(["--log-format", "text", "--config"])
        .arg(&file)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = child.stderr.take().unwrap();
    let serving = Serving(child);
    // Ready means that the first fetch is over.
    let ready = tokio::task::spawn_blocking(move || {
        let lines = std::io::BufRead::lines(std::io::BufReader::new(log));
        lines.map_while(Result::ok).any(|line| line.contains("ready"))
    });
    assert!(ready.await.unwrap());
    drop(serving);
    proxy.asked()
}

const NOBODY: &str = "http://keys.invalid/keys";

#[tokio::test]
async fn the_environments_proxy_is_asked() {
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        let asked = asked(NOBODY, &[(variable, "PROXY")]).await;
        let head = asked.first().unwrap_or_else(|| panic!("{variable} counts"));
        assert!(head.starts_with("GET http://keys.invalid/keys HTTP/1.1\r\n"), "{head}");
    }
    let asked = asked("https://keys.invalid/keys", &[("HTTPS_PROXY", "PROXY")]).await;
    assert!(asked[0].starts_with("CONNECT keys.invalid:443 "), "{asked:?}");
}

#[tokio::test]
async fn the_environments_proxy_is_told_its_password() {
    let told = "proxy-authorization: Basic dXNlcjpwYXNz\r\n";
    for (uri, variable) in [(NOBODY, "HTTP_PROXY"), ("https://keys.invalid/keys", "HTTPS_PROXY")] {
        let asked = asked(uri, &[(variable, "http://user:pass@HOST")]).await;
        assert!(asked[0].to_lowercase().contains(&told.to_lowercase()), "{asked:?}");
    }
}

#[tokio::test]
async fn hosts_of_no_proxy_are_asked_directly() {
    let variables = [("HTTP_PROXY", "PROXY"), ("NO_PROXY", "other, .invalid")];
    assert!(asked(NOBODY, &variables).await.is_empty());
}

#[tokio::test]
async fn loopback_is_asked_directly() {
    for host in ["127.0.0.1:1", "localhost:1", "[::1]:1"] {
        let uri = format!("http://{host}/keys");
        assert!(asked(&uri, &[("HTTP_PROXY", "PROXY")]).await.is_empty(), "{host}");
    }
}

#[tokio::test]
async fn a_metadata_service_is_not_asked_for_through_a_proxy() {
    let uri = "http://169.254.169.254/keys";
    assert!(asked(uri, &[("HTTP_PROXY", "PROXY")]).await.is_empty());
}
