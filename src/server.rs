//! The wiring: config, keys, ports, readiness, drain.
//!
//! It decides nothing about requests; everything long-lived starts here or in `jwks/refresh.rs`.

mod connection;
mod executor;
mod frame;
mod listen;
mod running;
mod stream;

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use thiserror::Error;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
};
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::{
    admin::{self, status::Status},
    clock::Clock,
    config::{load::load, problem::Problems, watch::WatchState},
    grpc::{Authorizer, SERVICE},
    jwks::fetch::FetchJwks,
    server::{
        listen::Listener,
        running::{RunningConfig, follow_files},
    },
    settings::{GrpcAddress, Settings},
};

/// Why a server does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The config is not good; every problem is in it.
    #[error("{0}")]
    Config(Problems),
    /// Ports are not to be had.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Listen(Vec<ListenError>),
    /// The state folder is not to be had, or not this user's alone.
    #[error("--state-dir {}: {source}; a folder of this user is accepted", .path.display())]
    StateDir {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// Two metrics have one name.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// An address that cannot be listened at.
#[derive(Debug, Error)]
#[error("cannot listen on {address}: {source}")]
pub struct ListenError {
    address: GrpcAddress,
    source: io::Error,
}

/// Every port, bound; nothing answers yet.
struct Bound {
    grpc: Vec<Listener>,
    http: TcpListener,
}

impl Bound {
    async fn to(settings: &Settings) -> Result<Self, StartError> {
        let (mut grpc, mut failed) = (Vec::new(), Vec::new());
        for address in &settings.grpc_listen {
            match Listener::bind(address, settings.socket_mode).await {
                Ok(listener) => grpc.push(listener),
                Err(source) => failed.push(ListenError { address: address.clone(), source }),
            }
        }
        let address = GrpcAddress::Tcp(settings.http_listen);
        match TcpListener::bind(settings.http_listen).await {
            Ok(http) if failed.is_empty() => return Ok(Self { grpc, http }),
            Ok(_) => {}
            Err(source) => failed.push(ListenError { address, source }),
        }
        Err(StartError::Listen(failed))
    }
}

/// A server that answers.
pub struct Server {
    /// Where Envoy asks, with the ports that the system chose.
    pub listens_at: Vec<GrpcAddress>,
    /// The TCP ports among them.
    pub grpc: Vec<SocketAddr>,
    /// Where operators look.
    pub http: SocketAddr,
    settings: Settings,
    health: HealthReporter,
    ready: watch::Sender<bool>,
    stop: watch::Sender<bool>,
    readiness: Option<JoinHandle<()>>,
    tasks: JoinSet<()>,
    background: JoinSet<()>,
}

impl Server {
    /// Loads the config, binds the ports and begins to answer. It is ready once every enabled
    /// provider was fetched once, or `ready_timeout` has passed.
    ///
    /// # Errors
    /// [`StartError`] if the first config or a port is not to be had.
    pub async fn start(settings: Settings, fetch: Arc<dyn FetchJwks>) -> Result<Self, StartError> {
        let clock = Clock::start();
        let loaded = load(&settings.config).map_err(StartError::Config)?;
        let watched = WatchState::from(&loaded);
        let first = loaded.into_snapshot(1, clock.wall());
        let config = Arc::new(RunningConfig::new(first, &settings, fetch, clock)?);
        let mut server = Self::listen(settings, &config.authorizer).await?;
        config.begin();
        let path = server.settings.config.clone();
        server.background.spawn(follow_files(path, watched, config.clone()));
        server.readiness = Some(tokio::spawn(server.become_ready(config)));
        Ok(server)
    }

    /// Binds every port, then answers on all of them.
    async fn listen(settings: Settings, authorizer: &Arc<Authorizer>) -> Result<Self, StartError> {
        let (health, health_server) = tonic_health::server::health_reporter();
        set_health(&health, ServingStatus::NotServing).await;
        let Bound { grpc: listeners, http: listener } = Bound::to(&settings).await?;
        let listens_at: Vec<_> =
            listeners.iter().map(|listener| listener.address.clone()).collect();
        let http = listener.local_addr().map_err(|source| {
            let address = GrpcAddress::Tcp(settings.http_listen);
            StartError::Listen(vec![ListenError { address, source }])
        })?;

        let (stop, stopped) = watch::channel(false);
        let (ready, readiness) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for listener in listeners {
            let (authorizer, health) = (authorizer.clone(), health_server.clone());
            tasks.spawn(listener.serve(authorizer, health, stopped.clone()));
        }
        let mut background = JoinSet::new();
        let status = Status { authorizer: authorizer.clone(), ready: readiness };
        background.spawn(admin::serve(listener, status));
        let grpc = listens_at.iter().filter_map(GrpcAddress::tcp).collect();
        Ok(Self {
            listens_at,
            grpc,
            http,
            settings,
            health,
            ready,
            stop,
            readiness: None,
            tasks,
            background,
        })
    }

    /// Says ready once the keys are there, or there was time enough for them.
    fn become_ready(
        &self,
        config: Arc<RunningConfig>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (ready, health) = (self.ready.clone(), self.health.clone());
        let timeout = self.settings.ready_timeout;
        async move {
            if tokio::time::timeout(timeout, config.refresher.fetched_once()).await.is_err() {
                tracing::warn!("an issuer has not answered yet; ready without its keys");
            }
            for name in config.without_keys() {
                tracing::warn!(provider = name, "ready, but this provider has no keys");
            }
            ready.send_replace(true);
            set_health(&health, ServingStatus::Serving).await;
            tracing::info!("ready");
        }
    }

    /// Waits until the server is ready.
    pub async fn ready(&self) {
        // The sender lives in `self`.
        let _ = self.ready.subscribe().wait_for(|ready| *ready).await;
    }

    /// Stops: not ready, `drain_settle`, GOAWAY, what is in flight; all within `drain_timeout`.
    pub async fn stop(mut self) {
        let stopping = async {
            if let Some(readiness) = self.readiness.take() {
                // Once it has ended, nobody says ready any more.
                readiness.abort();
                let _ = readiness.await;
            }
            self.ready.send_replace(false);
            set_health(&self.health, ServingStatus::NotServing).await;
            tokio::time::sleep(self.settings.drain_settle).await;
            self.stop.send_replace(true);
            // Ends the streams of those who watch, so that nobody waits for them.
            self.health.clear_service_status("").await;
            self.health.clear_service_status(SERVICE).await;
            while self.tasks.join_next().await.is_some() {}
        };
        if tokio::time::timeout(self.settings.drain_timeout, stopping).await.is_err() {
            tracing::warn!("drain timed out; checks that were in flight are lost");
        }
        tracing::info!("stopped");
    }
}

async fn set_health(health: &HealthReporter, status: ServingStatus) {
    health.set_service_status("", status).await;
    health.set_service_status(SERVICE, status).await;
}

#[cfg(test)]
mod tests;
