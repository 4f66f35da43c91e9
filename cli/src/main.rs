//! The `tidegate` command: everything people do with a cluster, over the operator API only, and
//! `tidegate dev`, which runs a whole local system.

mod args;
mod commands;
mod connection;
mod dev;
mod failure;
mod output;
mod render;
mod timestamp;

use std::process::ExitCode;

use clap::Parser as _;

use crate::{args::Cli, failure::Failure};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::complain(&failure);
            failure.exit_code()
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_provider| Failure::refused("a TLS provider is installed already"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::refused(format!("cannot start the runtime: {error}")))?;
    runtime.block_on(commands::run(cli))
}
