//! `claimgate demo`: the whole picture on loopback, with nothing to configure.
//!
//! An issuer, a config, the server and, where there is a binary, Envoy in front of an echo
//! upstream. Nothing in it is simulated: `--check` sends the same requests that it prints.

mod case;
pub mod envoy;
pub mod http;
pub mod issuer;
pub mod upstream;

use std::{io, path::PathBuf, process::ExitCode, sync::Arc};

use clap::Args;
use tempfile::TempDir;

use crate::{
    cli::demo::{
        case::{Case, Tokens},
        envoy::Envoy,
        issuer::Issuer,
        upstream::Upstream,
    },
    clock::Clock,
    jwks::fetch::HttpFetch,
    server::Server,
    settings::{LogFormat, LogLevel, Settings},
    telemetry,
};

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Send the requests, print request, expected and got, and exit
    #[arg(long)]
    check: bool,

    /// An Envoy binary; default: ENVOY_BIN, PATH, target/envoy
    #[arg(long, value_name = "FILE")]
    envoy: Option<PathBuf>,
}

/// Everything that runs. Dropping it ends it all.
struct Demo {
    tokens: Tokens,
    server: Server,
    config: TempDir,
    upstream: Upstream,
    envoy: Option<Envoy>,
    _issuers: [Issuer; 2],
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    telemetry::init(LogFormat::Text, LogLevel::Warn);
    let ran = tokio::runtime::Runtime::new().and_then(|runtime| runtime.block_on(demo(arguments)));
    match ran {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all went as it should.
async fn demo(arguments: &Arguments) -> io::Result<bool> {
    let demo = Demo::start(arguments.envoy.clone().or_else(envoy::find)).await?;
    let cases = case::all(&demo.tokens);
    let good = if arguments.check {
        demo.check(&cases).await?
    } else {
        demo.print(&cases);
        tokio::signal::ctrl_c().await?;
        true
    };
    demo.server.stop().await;
    Ok(good)
}

impl Demo {
    async fn start(envoy: Option<PathBuf>) -> io::Result<Self> {
        let (issuer, foreign) = (Issuer::start("demo-1").await?, Issuer::start("demo-1").await?);
        let config = tempfile::tempdir()?;
        let file = config.path().join("claimgate.yaml");
        std::fs::write(&file, config_for(&issuer))?;
        let settings = Settings::loopback(file);
        let server =
            Server::start(settings, Arc::new(HttpFetch)).await.map_err(io::Error::other)?;
        server.ready().await;
        let upstream = Upstream::start().await?;
        let envoy = match (envoy, server.grpc.first()) {
            (Some(binary), Some(grpc)) => {
                Some(Envoy::start(&binary, &envoy::config(*grpc, upstream.address)).await?)
            }
            _ => None,
        };
        let tokens = Tokens::mint(&issuer, &foreign, Clock::start().now().unix)?;
        Ok(Self { tokens, server, config, upstream, envoy, _issuers: [issuer, foreign] })
    }

    /// Sends every case over gRPC and, where there is one, through Envoy.
    async fn check(&self, cases: &[Case]) -> io::Result<bool> {
        let mut good = true;
        println!("{:6} {:52} {:48} GOT", "VIA", "REQUEST", "EXPECTED");
        for case in cases {
            let mut row = |via: &str, got: String| {
                let expected = case.expected();
                let mark = if got == expected { "ok" } else { "DIFFERS" };
                good &= got == expected;
                println!("{via:6} {:52} {expected:48} {got}  {mark}", case.request());
            };
            for grpc in &self.server.grpc {
                row("gRPC", case.over_grpc(*grpc).await?);
            }
            if let Some(envoy) = &self.envoy {
                row("Envoy", case.through_envoy(envoy.listener).await?);
            }
        }
        if self.envoy.is_none() {
            println!("No Envoy was found, so only gRPC was asked. `envoy/fetch` gets one.");
        }
        println!("{}", if good { "All as expected." } else { "Not all as expected." });
        Ok(good)
    }

    fn print(&self, cases: &[Case]) {
        println!("config    {}", self.config.path().join("claimgate.yaml").display());
        for grpc in &self.server.grpc {
            println!("gRPC      {grpc}");
        }
        println!("status    http://{}/status", self.server.http);
        let Some(envoy) = &self.envoy else {
            println!("\nNo Envoy was found, so there is nothing for curl. `envoy/fetch` gets one;");
            println!("`claimgate demo --check` asks over gRPC without it.");
            return;
        };
        println!("Envoy     http://{} (admin http://{})", envoy.listener, envoy.admin);
        println!("upstream  http://{}\n", self.upstream.address);
        for case in cases {
            println!("# {}: {}", case.request(), case.expected());
            println!("{}\n", case.curl(envoy.listener));
        }
        println!("Ctrl-C ends it.");
    }
}

fn config_for(issuer: &Issuer) -> String {
    let url = &issuer.url;
    format!(
        "\
providers:
- name: demo
  issuer: {url}
  audiences: [demo-api]
  jwks: {{ uri: {url}/jwks.json }}
  claim_to_headers:
  - {{ claim: sub, header: x-auth-subject }}
  - {{ claim: groups, header: x-auth-groups }}
  - {{ value: provider, header: x-auth-provider }}
policies:
- name: orders
  providers: [demo]
  scopes: {{ all_of: [orders.read] }}
- name: mcp
  providers: [demo]
  protected_resource: {{ resource: https://demo.example/mcp }}
- name: default
  providers: [demo]
default_policy: default
"
    )
}
