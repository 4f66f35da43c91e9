//! What operators see of discovery.

use std::{fmt::Error, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _, NoLabelSet},
    metrics::{MetricType, gauge::ConstGauge},
};
use tidegate_telemetry::names;

use super::{DiscoveryStatus, state::Found};
use crate::Live;

/// One discovered group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscoveryReport {
    /// Id of its API.
    pub api: String,
    /// Its name.
    pub group: String,
    /// Kind of its source: `consul`, `kubernetes` or `dns`.
    pub source: &'static str,
    /// How well it is known.
    pub status: DiscoveryStatus,
    /// Why the source failed last time; empty if it did not.
    pub cause: String,
    /// Answers of the source so far.
    pub answers: u64,
    /// Its failures so far.
    pub failures: u64,
    /// What was found.
    pub instances: Vec<InstanceReport>,
}

/// One endpoint that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceReport {
    /// Its name among the endpoints of the group.
    pub name: String,
    /// Its host and port.
    pub address: String,
    /// Its share of requests.
    pub weight: u32,
    /// 0 for a primary one.
    pub priority: u16,
    /// Its tenant, if it has one.
    pub tenant: Option<String>,
    /// What its source says about it.
    pub tags: Vec<String>,
}

/// The discovered groups of the active configuration.
#[must_use]
pub fn report(live: &Live) -> Vec<DiscoveryReport> {
    let Some(snapshot) = live.load() else {
        return Vec::new();
    };
    let mut reports = Vec::new();
    for served in snapshot.apis() {
        for group in served.api.endpoints.groups() {
            let Some(discovery) = group.discovery() else {
                continue;
            };
            let progress = discovery.progress();
            let (answers, failures) = discovery.counts();
            reports.push(DiscoveryReport {
                api: served.api.id.to_string(),
                group: group.name().to_owned(),
                source: discovery.source().kind(),
                status: progress.status,
                cause: progress.cause,
                answers,
                failures,
                instances: discovery.active().found().iter().map(instance).collect(),
            });
        }
    }
    reports
}

fn instance(found: &Found) -> InstanceReport {
    let Found { instance, endpoint } = found;
    let host = &instance.host;
    InstanceReport {
        name: endpoint.name.to_string(),
        address: if host.contains(':') {
            format!("[{host}]:{}", instance.port)
        } else {
            format!("{host}:{}", instance.port)
        },
        weight: instance.weight.max(1),
        priority: instance.priority,
        tenant: instance.tenant.as_deref().map(str::to_owned),
        tags: instance.tags.iter().map(ToString::to_string).collect(),
    }
}

/// Discovery as metrics.
#[derive(Debug)]
pub struct DiscoveryMetrics {
    live: Arc<Live>,
}

impl DiscoveryMetrics {
    /// Reads the active configuration at every scrape.
    #[must_use]
    pub fn new(live: Arc<Live>) -> Self {
        Self { live }
    }
}

impl Collector for DiscoveryMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let reports = report(&self.live);
        if reports.is_empty() {
            return Ok(());
        }
        gauge(
            &mut encoder,
            names::EDGE_DISCOVERY_ENDPOINTS,
            "Endpoints found for a group",
            &reports,
            |report| i64::try_from(report.instances.len()).unwrap_or(i64::MAX),
        )?;
        gauge(
            &mut encoder,
            names::EDGE_DISCOVERY_CURRENT,
            "1 while the source of a group's endpoints answers",
            &reports,
            |report| i64::from(report.status == DiscoveryStatus::Current),
        )?;
        let help = "Failures of the sources of endpoints, by group";
        let name = names::EDGE_DISCOVERY_FAILURES;
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for report in &reports {
            family
                .encode_family(&labels(report))?
                .encode_counter::<NoLabelSet, _, u64>(&report.failures, None)?;
        }
        Ok(())
    }
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    reports: &[DiscoveryReport],
    value: impl Fn(&DiscoveryReport) -> i64,
) -> Result<(), Error> {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for report in reports {
        let labels = labels(report);
        ConstGauge::new(value(report)).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn labels(report: &DiscoveryReport) -> [(&'static str, &str); 3] {
    [
        ("api", report.api.as_str()),
        ("group", report.group.as_str()),
        ("source", report.source),
    ]
}
