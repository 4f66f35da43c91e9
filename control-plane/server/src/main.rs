//! One node of the Tidegate control plane.

mod admin;
mod auth;
mod bootstrap;
mod config;
mod edges;
mod feeds;
mod ports;
mod private_file;
mod startup;
mod sync;
mod tls;
mod views;

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Parser as _;

use self::config::{Config, RawConfig};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs one node of the Tidegate control plane.
#[derive(Debug, clap::Parser)]
#[command(name = "tidegate-control", version)]
struct Arguments {
    #[command(flatten)]
    settings: RawConfig,
    /// TOML file with the same settings; flags and variables win over it.
    #[arg(long, env = "TIDEGATE_CONFIG")]
    config: Option<PathBuf>,
    /// Prints the settings in effect and ends; secrets are never part of them.
    #[arg(long)]
    check_config: bool,
    /// Ends this process when the one that started it ends.
    #[arg(long, hide = true)]
    parent_bound: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match start(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Logging may not be up yet, so the reason goes to standard error directly.
            let _ = writeln!(io::stderr().lock(), "tidegate-control: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: Arguments) -> anyhow::Result<()> {
    let config = Config::load(arguments.settings, arguments.config.as_deref())?;
    if arguments.check_config {
        return io::stdout()
            .lock()
            .write_all(config.describe().as_bytes())
            .context("cannot print the settings");
    }
    if arguments.parent_bound {
        nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGTERM)
            .context("cannot bind this process to its parent")?;
    }
    // openraft tells every step of its state at this level.
    tidegate_telemetry::init(config.log_format, "info,openraft=warn")?;
    // An error means that a provider is installed already, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(startup::run(config))
}
