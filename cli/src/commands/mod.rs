//! One module per noun; each command is one function from arguments to printed result.

mod apis;
mod applications;
mod apply;
mod assets;
mod cluster;
mod deployments;
mod edges;
mod keys;
mod lint;
mod login;
mod plans;
mod resources;
mod sources;
mod subscriptions;
mod tokens;
mod watch;

use clap::CommandFactory as _;

use crate::{
    args::{Cli, Command},
    dev,
    failure::Failure,
};

/// Runs one command.
pub(crate) async fn run(cli: Cli) -> Result<(), Failure> {
    let global = &cli.global;
    match cli.command {
        Command::Dev(args) => dev::run(args).await,
        Command::SampleUpstream { listen } => dev::sample_upstream::run(listen).await,
        Command::Login => login::login(global).await,
        Command::Whoami => login::whoami(global).await,
        Command::Token(command) => tokens::run(global, command).await,
        Command::Apply(args) => apply::apply(global, args).await,
        Command::Diff(args) => apply::diff(global, args).await,
        Command::Export(args) => apis::export(global, args).await,
        Command::Get { kind, name } => resources::get(global, kind, name).await,
        Command::Describe { kind, name } => resources::describe(global, kind, name).await,
        Command::Delete {
            kind,
            name,
            close_plans,
        } => resources::delete(global, kind, name, close_plans).await,
        Command::Watch { kind, after } => watch::run(global, kind, after).await,
        Command::Deploy(args) => deployments::deploy(global, args).await,
        Command::Undeploy(what) => assets::undeploy(global, what).await,
        Command::History(what) => deployments::history(global, what).await,
        Command::Compare { api, from, to } => deployments::compare(global, api, from, to).await,
        Command::Rollback(args) => deployments::rollback(global, args).await,
        Command::Start(what) => apis::start(global, what).await,
        Command::Stop(what) => apis::stop(global, what).await,
        Command::Edges { command } => edges::run(global, command).await,
        Command::Tags => edges::tags(global).await,
        Command::Cluster(command) => cluster::run(global, command).await,
        Command::Plan(command) => plans::run(global, command).await,
        Command::App(command) => applications::run(global, command).await,
        Command::Subscription(command) => subscriptions::run(global, command).await,
        Command::Key(command) => keys::run(global, command).await,
        Command::Lint(args) => lint::run(&args),
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "tidegate", &mut script);
            crate::output::raw(&script)
        }
    }
}

/// A key under which a retried write happens once.
fn idempotency_key() -> String {
    uuid::Uuid::new_v4().to_string()
}
