//! One worker of an edge that serves an API definition, without a control plane. Used to count what a
//! request costs.
//!
//! `gateway LISTEN DEFINITION`, where the definition is canonical JSON; for example
//! `gateway 127.0.0.1:8082 keyless.json`.

use std::net::SocketAddr;
use std::sync::Arc;

use tidegate_edge_http::bind::{Binds, start_workers};
use tidegate_edge_http::compile::{NodeFacts, ServerIds, compile};
use tidegate_edge_http::metrics::Metrics;
use tidegate_edge_http::server::Limits;
use tidegate_edge_http::{Gateway, GatewayParts, GatewaySettings, Live};
use tidegate_model::{ApiId, ApiObject, ConfigSnapshot, Epoch, Revision, Secret, TagSelector};
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let listen: SocketAddr = arguments.next().ok_or("missing LISTEN")?.parse()?;
    let file = arguments.next().ok_or("missing DEFINITION")?;
    let definition: serde_json::Value = serde_json::from_slice(&std::fs::read(file)?)?;
    let api = ApiObject {
        id: ApiId::parse(definition["id"].as_str().ok_or("missing id")?)?,
        environment: "DEFAULT".to_owned(),
        definition,
        started: true,
        deployment_number: 1,
        deployed_ms: 0,
        groups: Default::default(),
    };
    let configuration = ConfigSnapshot {
        environment: "DEFAULT".to_owned(),
        epoch: Epoch(1),
        revision: Revision(1),
        root: [0; 32],
        apis: vec![Arc::new(api)],
        subscriptions: Vec::new(),
        shared: Default::default(),
        api_key_pepper: Secret::new(vec![0; 32]),
    };
    let node = NodeFacts {
        id: "edge".to_owned(),
        tags: TagSelector::parse::<&str>(&[])?,
        tenant: None,
        region: None,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        system_proxy: None,
        servers: ServerIds::default(),
    };
    let compilation = compile(&configuration, None, &node);
    if let Some(refused) = compilation.refused.first() {
        return Err(format!("{refused:?}").into());
    }
    let live = Arc::new(Live::new());
    live.store(Arc::new(compilation.snapshot));
    let metrics = Metrics::new();
    let make = move |_| {
        Gateway::new(GatewayParts {
            live: Arc::clone(&live),
            metrics: metrics.worker(),
            access_log: None,
            node: &node,
            settings: GatewaySettings::default(),
            workers: 1,
        })
    };
    let binds = Binds {
        http: Some(listen),
        https: None,
    };
    start_workers(
        1,
        &binds,
        make,
        &Limits::default(),
        CancellationToken::new(),
    )?
    .join();
    Ok(())
}
