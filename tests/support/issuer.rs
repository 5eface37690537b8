//! A JWKS endpoint on loopback that answers, fails or hangs as the test says.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{Router, extract::State, http::StatusCode, response::IntoResponse as _, routing::get};
use serde_json::Value;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

/// What the endpoint does with a request.
#[derive(Clone)]
pub(crate) enum Behaviour {
    /// 200 with this body.
    Serve(String),
    /// This status and body.
    Fail(u16, String),
    /// 302 to this URL.
    Redirect(String),
    /// No answer until the behaviour changes; then as that says.
    Hang,
}

/// The endpoint. Dropping it ends it.
pub(crate) struct TestIssuer {
    /// `http://127.0.0.1:PORT`: the `iss` of its tokens.
    pub(crate) url: String,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    _server: JoinSet<()>,
}

struct Shared {
    behaviour: watch::Sender<Behaviour>,
    fetches: watch::Sender<u32>,
    paths: Mutex<Vec<String>>,
}

impl TestIssuer {
    /// An endpoint that serves `jwks`.
    pub(crate) async fn serving(jwks: &Value) -> Self {
        Self::behaving(Behaviour::Serve(jwks.to_string())).await
    }

    /// An endpoint that behaves so.
    pub(crate) async fn behaving(behaviour: Behaviour) -> Self {
        let shared = Arc::new(Shared {
            behaviour: watch::Sender::new(behaviour),
            fetches: watch::Sender::new(0),
            paths: Mutex::default(),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Router::new().route("/jwks", get(answer)).with_state(shared.clone());
        let mut server = JoinSet::new();
        server.spawn(async move {
            let _ = axum::serve(listener, routes).await;
        });
        Self { url: format!("http://{address}"), address, shared, _server: server }
    }

    /// The URL of its set.
    pub(crate) fn jwks_uri(&self) -> String {
        format!("{}/jwks", self.url)
    }

    /// Behaves so from now on, also for requests that hang.
    pub(crate) fn now(&self, behaviour: Behaviour) {
        self.shared.behaviour.send_replace(behaviour);
    }

    /// Serves this set from now on.
    pub(crate) fn now_serves(&self, jwks: &Value) {
        self.now(Behaviour::Serve(jwks.to_string()));
    }

    /// How many requests have come so far.
    pub(crate) fn fetches(&self) -> u32 {
        *self.shared.fetches.borrow()
    }

    /// Waits until that many requests have come in all.
    pub(crate) async fn fetched(&self, times: u32) {
        self.shared.fetches.subscribe().wait_for(|count| *count >= times).await.unwrap();
    }
}

async fn answer(State(shared): State<Arc<Shared>>) -> axum::response::Response {
    shared.fetches.send_modify(|count| *count += 1);
    let mut behaviour = shared.behaviour.subscribe();
    let settled = behaviour.wait_for(|b| !matches!(b, Behaviour::Hang)).await.unwrap().clone();
    match settled {
        Behaviour::Serve(body) => body.into_response(),
        Behaviour::Fail(status, body) => {
            (StatusCode::from_u16(status).unwrap(), body).into_response()
        }
        Behaviour::Redirect(to) => (StatusCode::FOUND, [("location", to)]).into_response(),
        Behaviour::Hang => unreachable!("waited for another"),
    }
}
