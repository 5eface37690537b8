//! `claimgate validate`: what `serve` would say of a config, without serving it.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use crate::config::load::load;

/// Arguments of `validate`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The config: a YAML or JSON file, or a folder of them
    #[arg(long, env = "CLAIMGATE_CONFIG", value_name = "PATH")]
    config: PathBuf,
}

/// Prints the hash of a good config, or every problem of a bad one.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match load(&arguments.config) {
        Ok(loaded) => {
            for warning in &loaded.compiled.warnings {
                eprintln!("warning: {warning}");
            }
            println!("config_hash: {}", loaded.config_hash);
            ExitCode::SUCCESS
        }
        Err(problems) => {
            println!("{problems}");
            ExitCode::FAILURE
        }
    }
}
