//! Health, metrics and node information, on a thread and runtime of its own: a busy data plane or
//! a compilation never delays a probe, and a probe never delays them.

mod metrics;

use std::{
    convert::Infallible,
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tidegate_edge_http::Live;
use tokio::sync::Semaphore;

pub(crate) use self::metrics::registry;
use crate::node_state::NodeState;

/// Connections served at a time: probes and scrapers, nothing else.
const CONNECTIONS_MAX: usize = 64;
/// Time for a request head, also the life of an idle connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);

/// What is told about this edge.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) edge_id: String,
    pub(crate) region: String,
    pub(crate) environment: String,
    pub(crate) tags: Vec<String>,
    pub(crate) state: Arc<NodeState>,
    pub(crate) live: Arc<Live>,
    pub(crate) registry: prometheus_client::registry::Registry,
}

/// Why the technical API cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve the technical API on {address}")]
pub(crate) struct TechnicalError {
    address: SocketAddr,
    #[source]
    source: io::Error,
}

/// Binds and serves until the process ends; gives the address that was taken.
pub(crate) fn start(address: SocketAddr, facts: Facts) -> Result<SocketAddr, TechnicalError> {
    let failed = |source| TechnicalError { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    std::thread::Builder::new()
        .name("technical".to_owned())
        .spawn(move || {
            if let Err(error) = runtime.block_on(serve(listener, Arc::new(facts))) {
                tracing::error!(%error, "technical API ended");
            }
        })
        .map_err(failed)?;
    Ok(bound)
}

async fn serve(listener: TcpListener, facts: Arc<Facts>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let tasks = tidegate_telemetry::tasks::Tasks::new();
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else {
            return Ok(());
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, for example: going on at once would only spin.
                tracing::warn!(%error, "technical API cannot accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let facts = Arc::clone(&facts);
        tasks.spawn("technical connection", async move {
            let service = service_fn(move |request| {
                let response = answer(&facts, &request);
                async move { Ok::<_, Infallible>(response) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                tracing::debug!(%error, "technical connection ended");
            }
            drop(permit);
        });
    }
}

fn answer(facts: &Facts, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    respond(facts, request.method(), request.uri().path())
}

fn respond(facts: &Facts, method: &Method, path: &str) -> Response<Full<Bytes>> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return json_response(
            StatusCode::METHOD_NOT_ALLOWED,
            &json!({"message": "only GET"}),
        );
    }
    match path {
        "/health/live" => json_response(StatusCode::OK, &json!({"status": "UP"})),
        "/health/ready" if facts.state.is_ready() => {
            json_response(StatusCode::OK, &json!({"status": "UP"}))
        }
        "/health/ready" => {
            json_response(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "DOWN"}))
        }
        "/metrics" => metrics::respond(&facts.registry),
        "/_node" => json_response(StatusCode::OK, &node(facts)),
        "/_node/apis" => {
            let apis = facts
                .state
                .active()
                .map(|active| active.apis.clone())
                .unwrap_or_default();
            json_response(StatusCode::OK, &json!(apis))
        }
        "/_node/endpoints" => json_response(StatusCode::OK, &endpoints(facts)),
        "/_node/discovery" => json_response(StatusCode::OK, &discovery(facts)),
        _ => json_response(StatusCode::NOT_FOUND, &json!({"message": "no such path"})),
    }
}

fn node(facts: &Facts) -> serde_json::Value {
    let state = &facts.state;
    let active = state.active().map(|active| {
        json!({
            "viewId": active.view_id,
            "epoch": active.position.epoch,
            "revision": active.position.revision,
            "root": blake3::Hash::from(active.position.root).to_string(),
            "apis": active.apis.len(),
            "subscriptions": active.subscriptions,
            "refused": active.refused,
        })
    });
    json!({
        "id": facts.edge_id,
        "version": env!("CARGO_PKG_VERSION"),
        "region": facts.region,
        "environment": facts.environment,
        "tags": facts.tags,
        "ready": state.is_ready(),
        "connected": state.is_connected(),
        "control": state.control().as_str(),
        "active": active,
        "alarms": state.alarms(),
    })
}

/// The health of endpoints, as far as it is checked.
fn endpoints(facts: &Facts) -> serde_json::Value {
    let reports = tidegate_edge_http::health::report(&facts.live);
    let items = reports.iter().map(|report| {
        json!({
            "api": report.api,
            "group": report.group,
            "endpoint": report.endpoint,
            "status": report.status.as_str(),
        })
    });
    items.collect()
}

/// The groups whose endpoints are discovered, and what was found.
fn discovery(facts: &Facts) -> serde_json::Value {
    let reports = tidegate_edge_http::discovery::report(&facts.live);
    let groups = reports.iter().map(|report| {
        let endpoints = report.instances.iter().map(|instance| {
            json!({
                "name": instance.name,
                "address": instance.address,
                "weight": instance.weight,
                "priority": instance.priority,
                "tenant": instance.tenant,
                "tags": instance.tags,
            })
        });
        json!({
            "api": report.api,
            "group": report.group,
            "source": report.source,
            "status": report.status.as_str(),
            "cause": report.cause,
            "answers": report.answers,
            "failures": report.failures,
            "endpoints": endpoints.collect::<serde_json::Value>(),
        })
    });
    groups.collect()
}

fn json_response(status: StatusCode, body: &serde_json::Value) -> Response<Full<Bytes>> {
    with_type(status, "application/json", body.to_string())
}

fn with_type(
    status: StatusCode,
    content_type: &'static str,
    body: String,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let content_type = http::HeaderValue::from_static(content_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

#[cfg(test)]
mod tests {
    use tidegate_sync::edge::{Alarm, AlarmCode, Position};

    use super::*;
    use crate::node_state::ActiveFacts;

    fn facts() -> Facts {
        let state = Arc::new(NodeState::default());
        let shared = crate::data_plane::Shared::default();
        Facts {
            edge_id: "edge-1".to_owned(),
            region: "eu".to_owned(),
            environment: "DEFAULT".to_owned(),
            tags: vec!["a".to_owned()],
            registry: registry(Arc::clone(&state), &shared),
            state,
            live: shared.live,
        }
    }

    fn status(facts: &Facts, path: &str) -> u16 {
        respond(facts, &Method::GET, path).status().as_u16()
    }

    fn activate(facts: &Facts) {
        facts.state.set_active(ActiveFacts {
            view_id: "DEFAULT/a".to_owned(),
            position: Position {
                epoch: 1,
                revision: 7,
                root: [1; 32],
            },
            apis: Vec::new(),
            subscriptions: 0,
            refused: 0,
        });
    }

    #[test]
    fn an_edge_is_ready_only_with_an_active_view_and_no_stop() {
        let facts = facts();
        assert_eq!(
            (
                status(&facts, "/health/live"),
                status(&facts, "/health/ready")
            ),
            (200, 503)
        );
        activate(&facts);
        assert_eq!(status(&facts, "/health/ready"), 200);
        facts.state.drain();
        assert_eq!(
            (
                status(&facts, "/health/live"),
                status(&facts, "/health/ready")
            ),
            (200, 503)
        );
    }

    #[tokio::test]
    async fn metrics_show_the_revision_and_alarms_by_code() {
        use http_body_util::BodyExt as _;
        let facts = facts();
        activate(&facts);
        facts.state.raise(&Alarm::new(AlarmCode::Rollback, "test"));
        let response = respond(&facts, &Method::GET, "/metrics");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.contains("tidegate_edge_snapshot_revision 7"), "{text}");
        assert!(
            text.contains("tidegate_edge_alarms_total{code=\"ROLLBACK\"} 1"),
            "{text}"
        );
        assert!(
            text.contains("tidegate_edge_alarms_total{code=\"SIGNATURE\"} 0"),
            "{text}"
        );
    }

    #[test]
    fn other_paths_and_methods_are_refused() {
        let facts = facts();
        assert_eq!(status(&facts, "/admin"), 404);
        assert_eq!(
            respond(&facts, &Method::POST, "/_node").status().as_u16(),
            405
        );
    }
}
