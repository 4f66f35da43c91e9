//! What operators see of the health of endpoints.

use std::{fmt::Error, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, gauge::ConstGauge},
};
use tidegate_telemetry::names;

use super::HealthStatus;
use crate::Live;

/// The health of one checked endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointReport {
    /// Id of its API.
    pub api: String,
    /// Its group.
    pub group: String,
    /// Its name.
    pub endpoint: String,
    /// What checks found.
    pub status: HealthStatus,
}

/// The health of all checked endpoints of the active configuration.
#[must_use]
pub fn report(live: &Live) -> Vec<EndpointReport> {
    let Some(snapshot) = live.load() else {
        return Vec::new();
    };
    let mut reports = Vec::new();
    for served in snapshot.apis() {
        for group in served.api.endpoints.groups() {
            for endpoint in group.endpoints() {
                if let Some(health) = &endpoint.health {
                    reports.push(EndpointReport {
                        api: served.api.id.to_string(),
                        group: group.name().to_owned(),
                        endpoint: endpoint.name.to_string(),
                        status: health.status(),
                    });
                }
            }
        }
    }
    reports
}

/// Health as metrics: 1 for an endpoint that gets requests, 0 for one that is down.
#[derive(Debug)]
pub struct HealthMetrics {
    live: Arc<Live>,
}

impl HealthMetrics {
    /// Reads the active configuration at every scrape.
    #[must_use]
    pub fn new(live: Arc<Live>) -> Self {
        Self { live }
    }
}

impl Collector for HealthMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let reports = report(&self.live);
        if reports.is_empty() {
            return Ok(());
        }
        let help = "1 while health checks let requests through to an endpoint";
        let mut family =
            encoder.encode_descriptor(names::EDGE_ENDPOINT_UP, help, None, MetricType::Gauge)?;
        for report in &reports {
            let labels = [
                ("api", report.api.as_str()),
                ("group", report.group.as_str()),
                ("endpoint", report.endpoint.as_str()),
            ];
            let is_up = i64::from(report.status != HealthStatus::Down);
            ConstGauge::new(is_up).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
