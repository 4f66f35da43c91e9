//! Metrics of the control side of an edge, next to those of its data plane.

use std::{fmt::Error, sync::Arc};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, NoLabelSet, text::encode},
    metrics::MetricType,
    registry::Registry,
};
use tidegate_edge_http::{
    discovery::DiscoveryMetrics, health::HealthMetrics, traffic::TrafficMetrics,
};
use tidegate_sync::edge::AlarmCode;
use tidegate_telemetry::names;

use super::with_type;
use crate::{data_plane::Shared, node_state::NodeState};

/// Content type of the OpenMetrics text format, which Prometheus reads.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics of this edge.
pub(crate) fn registry(state: Arc<NodeState>, data_plane: &Shared) -> Registry {
    let mut registry = Registry::default();
    let live = || Arc::clone(&data_plane.live);
    registry.register_collector(Box::new(data_plane.metrics.clone()));
    registry.register_collector(Box::new(data_plane.tcp_metrics.clone()));
    registry.register_collector(Box::new(HealthMetrics::new(live())));
    registry.register_collector(Box::new(DiscoveryMetrics::new(live())));
    registry.register_collector(Box::new(TrafficMetrics::new(live())));
    registry.register_collector(Box::new(ControlSide { state }));
    registry
}

pub(super) fn respond(registry: &Registry) -> Response<Full<Bytes>> {
    let mut text = String::new();
    match encode(&mut text, registry) {
        Ok(()) => with_type(StatusCode::OK, CONTENT_TYPE, text),
        Err(_full) => with_type(
            StatusCode::INTERNAL_SERVER_ERROR,
            "text/plain",
            String::new(),
        ),
    }
}

/// Reads the shared state at every scrape.
#[derive(Debug)]
struct ControlSide {
    state: Arc<NodeState>,
}

impl Collector for ControlSide {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let active = self.state.active();
        let revision = active.as_ref().map_or(0, |active| active.position.revision);
        let refused = active.as_ref().map_or(0, |active| active.refused as u64);
        gauge(
            &mut encoder,
            names::EDGE_SNAPSHOT_REVISION,
            "Revision of the active configuration",
            revision,
        )?;
        gauge(
            &mut encoder,
            names::EDGE_SYNC_OBJECTS_REFUSED,
            "Objects of the active configuration that could not be used",
            refused,
        )?;
        gauge(
            &mut encoder,
            names::EDGE_SYNC_CONNECTED,
            "1 while the stream to the control plane is up",
            u64::from(self.state.is_connected()),
        )?;
        encoder
            .encode_descriptor(
                names::EDGE_SYNC_FULL,
                "Full transfers received",
                None,
                MetricType::Counter,
            )?
            .encode_counter::<NoLabelSet, _, u64>(&self.state.full_transfers(), None)?;
        by_code(
            &mut encoder,
            names::EDGE_ALARMS,
            "Alarms raised, by code",
            |code| self.state.alarms().get(code).copied().unwrap_or_default(),
        )?;
        by_code(
            &mut encoder,
            names::EDGE_SYNC_REFUSALS,
            "Views refused as a whole",
            |code| self.state.refusals().get(code).copied().unwrap_or_default(),
        )
    }
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: u64,
) -> Result<(), Error> {
    let value = i64::try_from(value).unwrap_or(i64::MAX);
    encoder
        .encode_descriptor(name, help, None, MetricType::Gauge)?
        .encode_gauge(&value)
}

/// Every code from the start, so that a rate is defined before the first alarm.
fn by_code(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    count: impl Fn(&str) -> u64,
) -> Result<(), Error> {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for code in AlarmCode::ALL {
        family
            .encode_family(&[("code", code.as_str())])?
            .encode_counter::<NoLabelSet, _, u64>(&count(code.as_str()), None)?;
    }
    Ok(())
}
