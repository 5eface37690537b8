//! A small upstream that answers with what reached it.

use std::{io, net::SocketAddr};

use axum::{
    Json, Router,
    http::{HeaderMap, Uri},
};
use serde_json::{Map, Value, json};
use tokio::{net::TcpListener, task::JoinSet};

/// An upstream on loopback. Dropping it ends it.
pub struct Upstream {
    /// Where it listens.
    pub address: SocketAddr,
    _server: JoinSet<()>,
}

impl Upstream {
    /// Starts it on a port of the system's choice.
    ///
    /// # Errors
    /// If no port is to be had.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let mut server = JoinSet::new();
        server.spawn(async move {
            // It ends with the demo.
            let _ = axum::serve(listener, Router::new().fallback(echo)).await;
        });
        Ok(Self { address, _server: server })
    }
}

/// `{"path": …, "headers": {NAME: [VALUE, …]}}`.
async fn echo(uri: Uri, headers: HeaderMap) -> Json<Value> {
    let lines = |name| headers.get_all(name).iter().map(|v| String::from_utf8_lossy(v.as_bytes()));
    let headers: Map<String, Value> =
        headers.keys().map(|name| (name.to_string(), Value::from_iter(lines(name)))).collect();
    Json(json!({ "path": uri.to_string(), "headers": headers }))
}
