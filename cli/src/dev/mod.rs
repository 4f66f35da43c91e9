//! `tidegate dev`: a whole local system of real processes, with its own CA and a sample upstream.

mod layout;
mod pki;
mod plan;
mod process;
mod sample;
pub(crate) mod sample_upstream;

use std::{path::PathBuf, time::Duration};

use futures::{StreamExt as _, stream::FuturesUnordered};
use serde_json::json;
use tidegate_proto::admin::v1::{ListEdgesRequest, edge_service_client::EdgeServiceClient};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::Instant,
};

use self::{layout::Layout, plan::Plan, process::Process};
use crate::{
    args::{DevArgs, Global},
    connection::{self, home},
    failure::Failure,
    output,
};

/// How long a child may take until it is ready; a first start creates keys and databases.
const READY_DEADLINE: Duration = Duration::from_secs(60);
/// How long edges may take to find the control plane, and the sample to reach them.
const WAIT: Duration = Duration::from_secs(30);
/// How long a child may take to end after it was asked to.
const STOP_DEADLINE: Duration = Duration::from_secs(15);

/// Where `tidegate dev` keeps everything unless told otherwise.
pub(crate) fn default_data_dir() -> Result<PathBuf, Failure> {
    let base = match std::env::var_os("XDG_DATA_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => home()?.join(".local").join("share"),
    };
    Ok(base.join("tidegate").join("dev"))
}

/// Starts the system, prints how to use it, and stops it on Ctrl-C or SIGTERM.
pub(crate) async fn run(args: DevArgs) -> Result<(), Failure> {
    if args.parent_bound {
        bind_to_parent()?;
    }
    let temporary = match args.ephemeral {
        true => Some(tempfile::tempdir()?),
        false => None,
    };
    let data_dir = match (&temporary, &args.data_dir) {
        (Some(folder), _) => folder.path().to_owned(),
        (None, Some(folder)) => folder.clone(),
        (None, None) => default_data_dir()?,
    };
    let layout = Layout::open(&data_dir)?;
    let plan = Plan::prepare(&layout, &args)?;
    pki::ensure(&layout, plan.control.len())?;

    let mut processes = Vec::new();
    let outcome = tokio::select! {
        result = start(&layout, &plan, &args, &mut processes) => result,
        () = interrupted()? => Err(Failure::refused("interrupted while starting")),
    };
    let outcome = match outcome {
        Ok(()) => {
            output::line(&banner(&layout, &plan))?;
            supervise(&mut processes).await
        }
        Err(failure) => Err(failure),
    };
    layout.forget_endpoints();
    output::remark("stopping");
    stop(processes).await;
    outcome
}

/// Asks the kernel for a SIGTERM when the parent process ends.
fn bind_to_parent() -> Result<(), Failure> {
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGTERM)
        .map_err(|error| Failure::refused(format!("cannot watch the parent process: {error}")))
}

async fn start(
    layout: &Layout,
    plan: &Plan,
    args: &DevArgs,
    processes: &mut Vec<Process>,
) -> Result<(), Failure> {
    processes.push(process::start_upstream(layout, plan)?);
    for node in 1..=plan.control.len() {
        processes.push(process::start_control(layout, plan, node)?);
    }
    // Nodes form a quorum together, so all are started before the first is waited for.
    for started in processes.iter_mut() {
        started.wait_until_ready(READY_DEADLINE).await?;
    }
    let first_edge = processes.len();
    for number in 1..=plan.edges.len() {
        processes.push(process::start_edge(layout, plan, number)?);
    }
    for started in &mut processes[first_edge..] {
        started.wait_until_ready(READY_DEADLINE).await?;
    }
    let servers = plan
        .control
        .iter()
        .map(|node| node.grpc.to_string())
        .collect();
    let cluster = Global::for_nodes(servers, layout.ca_certificate(), layout.admin_token(), WAIT);
    await_edges(&cluster, plan.edges.len()).await?;
    if !args.no_sample && !layout.sample_was_deployed() {
        sample::deploy(cluster, plan.upstream).await?;
        layout.remember_sample()?;
    }
    layout.write_endpoints(&plan.endpoints(layout))?;
    Ok(())
}

/// Waits until the control plane serves every edge: from then on a deployment that waits waits for all of them.
async fn await_edges(cluster: &Global, count: usize) -> Result<(), Failure> {
    let deadline = Instant::now() + WAIT;
    loop {
        let mut client = EdgeServiceClient::new(connection::connect(cluster).await?);
        let edges = client
            .list_edges(ListEdgesRequest {})
            .await?
            .into_inner()
            .edges;
        let connected = edges.iter().filter(|edge| edge.connected).count();
        if connected >= count {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(Failure::refused(format!(
                "only {connected} of {count} edges have found the control plane"
            )));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits for Ctrl-C, SIGTERM, or the end of the last process.
async fn supervise(processes: &mut [Process]) -> Result<(), Failure> {
    let mut ends: FuturesUnordered<_> = processes.iter_mut().map(Process::ended).collect();
    let interrupted = interrupted()?;
    tokio::pin!(interrupted);
    loop {
        tokio::select! {
            () = &mut interrupted => return Ok(()),
            end = ends.next() => match end {
                Some(end) => output::remark(&end),
                None => return Err(Failure::refused("every process has ended")),
            },
        }
    }
}

async fn stop(mut processes: Vec<Process>) {
    // Edges first: they drain while the control plane can still tell them to move.
    for process in processes.iter().rev() {
        process.ask_to_stop();
    }
    for process in processes.iter_mut().rev() {
        process.wait_until_gone(STOP_DEADLINE).await;
    }
}

fn interrupted() -> Result<impl Future<Output = ()>, Failure> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

fn banner(layout: &Layout, plan: &Plan) -> String {
    let mut lines = vec!["Tidegate is ready.".to_owned(), String::new()];
    for (index, node) in plan.control.iter().enumerate() {
        lines.push(format!(
            "  control plane {}   https://{}",
            index + 1,
            node.grpc
        ));
    }
    for (index, edge) in plan.edges.iter().enumerate() {
        let tags = if edge.tags.is_empty() {
            String::new()
        } else {
            format!("  tags {}", edge.tags)
        };
        lines.push(format!(
            "  edge {}            http://{}  https://{}  technical http://{}{tags}",
            index + 1,
            edge.http,
            edge.https,
            edge.technical
        ));
    }
    lines.push(format!("  sample upstream   http://{}", plan.upstream));
    lines.push(format!("  data              {}", layout.root().display()));
    lines.push(String::new());
    lines.push("Try:".to_owned());
    if let Some(edge) = plan.edges.first() {
        lines.push(format!("  curl http://{}/echo/hello", edge.http));
    }
    let tidegate = std::env::current_exe().map_or_else(
        |_unknown| "tidegate".to_owned(),
        |path| path.display().to_string(),
    );
    let endpoints = match default_data_dir() {
        Ok(default) if default == layout.root() => String::new(),
        _ => format!(" --endpoints {}", layout.endpoints().display()),
    };
    lines.push(format!("  {tidegate}{endpoints} history Echo"));
    lines.push(format!("  {tidegate}{endpoints} edges"));
    lines.push(String::new());
    lines.push("Ctrl-C stops everything.".to_owned());
    lines.join("\n")
}

/// The content of `endpoints.json`, which scripts rely on.
impl Plan {
    fn endpoints(&self, layout: &Layout) -> serde_json::Value {
        let control = self.control.iter().enumerate().map(|(index, node)| {
            json!({
                "id": index + 1,
                "grpc": node.grpc.to_string(),
                "raft": node.raft.to_string(),
            })
        });
        let edges = self.edges.iter().enumerate().map(|(index, edge)| {
            json!({
                "id": format!("edge-{}", index + 1),
                "http": edge.http.to_string(),
                "https": edge.https.to_string(),
                "technical": edge.technical.to_string(),
            })
        });
        json!({
            "control": control.collect::<Vec<_>>(),
            "edges": edges.collect::<Vec<_>>(),
            "upstream": self.upstream.to_string(),
            "admin_token_file": layout.admin_token(),
            "ca_file": layout.ca_certificate(),
        })
    }
}
