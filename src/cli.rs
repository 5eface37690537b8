//! The command line: one file a command.

pub mod demo;
mod explain;
mod serve;
mod validate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::settings::Settings;

/// Decides, for Envoy, whose token this is and what the upstream may know about it.
#[derive(Debug, Parser)]
#[command(name = "claimgate", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    #[command(after_help = "Example:\n  claimgate serve --config /etc/claimgate/config.yaml")]
    Serve(Box<Settings>),
    /// Load the config as `serve` does, and print every problem
    #[command(after_help = "Example:\n  claimgate validate --config config.yaml")]
    Validate(validate::Arguments),
    /// Read tokens on stdin, one a line, and say what `serve` would make of each, and why
    #[command(
        after_help = "Example:\n  claimgate explain --config config.yaml --provider okta < token.txt"
    )]
    Explain(Box<explain::Arguments>),
    /// Show the whole picture on loopback, with nothing to configure
    #[command(after_help = "Example:\n  claimgate demo --check")]
    Demo(demo::Arguments),
}

impl Cli {
    /// Runs the command and says how it ended: 0 well, 1 not well, 2 for a usage error.
    #[must_use]
    pub fn run(self) -> ExitCode {
        match self.command {
            Command::Serve(settings) => serve::run(*settings),
            Command::Validate(arguments) => validate::run(&arguments),
            Command::Explain(arguments) => explain::run(&arguments),
            Command::Demo(arguments) => demo::run(&arguments),
        }
    }
}
