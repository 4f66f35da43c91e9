//! Summing the workers up for a scrape.

use std::{collections::BTreeMap, fmt::Error, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, NoLabelSet},
    metrics::MetricType,
};
use tidegate_telemetry::names;

use super::{DURATION_BOUNDS_US, Metrics, STATUS_CLASSES, Tally, UPSTREAM_ERRORS, WorkerMetrics};

const MICROS_PER_SECOND: f64 = 1_000_000.0;

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let workers = self.workers.lock().clone();
        encode_requests(&mut encoder, &workers)?;
        encode_durations(&mut encoder, &workers)?;
        encode_connections(&mut encoder, &workers)?;
        encode_refusals(&mut encoder, &workers)?;
        encode_upstream_errors(&mut encoder, &workers)?;
        let dropped = total(&workers, |worker| &worker.access_log_dropped);
        let name = names::EDGE_ACCESS_LOG_DROPPED;
        let help = "Access-log records dropped because the writer was behind";
        encoder
            .encode_descriptor(name, help, None, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, u64>(&dropped, None)
    }
}

fn total(workers: &[Arc<WorkerMetrics>], part: impl Fn(&WorkerMetrics) -> &Tally) -> u64 {
    workers.iter().map(|worker| part(worker).get()).sum()
}

fn encode_requests(
    encoder: &mut DescriptorEncoder<'_>,
    workers: &[Arc<WorkerMetrics>],
) -> Result<(), Error> {
    let mut sums: BTreeMap<Box<str>, [u64; STATUS_CLASSES.len()]> = BTreeMap::new();
    for worker in workers {
        for (api, counters) in worker.apis.lock().iter() {
            let sum = sums.entry(api.clone()).or_default();
            for (sum, tally) in sum.iter_mut().zip(&counters.0) {
                *sum += tally.get();
            }
        }
    }
    let mut family = encoder.encode_descriptor(
        names::EDGE_HTTP_REQUESTS,
        "Requests answered, by API and status class",
        None,
        MetricType::Counter,
    )?;
    for (api, counts) in &sums {
        for (class, count) in STATUS_CLASSES
            .iter()
            .zip(counts)
            .filter(|(_, count)| **count > 0)
        {
            family
                .encode_family(&[("api", &**api), ("status", *class)])?
                .encode_counter::<NoLabelSet, _, u64>(count, None)?;
        }
    }
    Ok(())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "seconds are reported as floating point numbers"
)]
fn encode_durations(
    encoder: &mut DescriptorEncoder<'_>,
    workers: &[Arc<WorkerMetrics>],
) -> Result<(), Error> {
    let bounds = DURATION_BOUNDS_US
        .iter()
        .map(|&bound| bound as f64 / MICROS_PER_SECOND);
    let buckets: Vec<(f64, u64)> = bounds
        .chain([f64::INFINITY])
        .enumerate()
        .map(|(index, bound)| {
            (
                bound,
                total(workers, |worker| &worker.durations.buckets[index]),
            )
        })
        .collect();
    let count = buckets.iter().map(|(_, count)| count).sum();
    let sum = total(workers, |worker| &worker.durations.sum_us) as f64 / MICROS_PER_SECOND;
    encoder
        .encode_descriptor(
            names::EDGE_HTTP_REQUEST_DURATION,
            "Time from the first byte of a request to its response head",
            None,
            MetricType::Histogram,
        )?
        .encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
}

fn encode_connections(
    encoder: &mut DescriptorEncoder<'_>,
    workers: &[Arc<WorkerMetrics>],
) -> Result<(), Error> {
    let opened = total(workers, |worker| &worker.opened);
    let closed = total(workers, |worker| &worker.closed);
    let open = i64::try_from(opened.saturating_sub(closed)).unwrap_or(i64::MAX);
    let mut gauge = encoder.encode_descriptor(
        names::EDGE_HTTP_CONNECTIONS,
        "Client connections open now",
        None,
        MetricType::Gauge,
    )?;
    gauge.encode_gauge(&open)
}

fn encode_refusals(
    encoder: &mut DescriptorEncoder<'_>,
    workers: &[Arc<WorkerMetrics>],
) -> Result<(), Error> {
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for worker in workers {
        for (reason, count) in worker.refused.lock().iter() {
            *sums.entry(reason).or_default() += count;
        }
    }
    let mut family = encoder.encode_descriptor(
        names::EDGE_HTTP_REJECTED,
        "Requests refused before routing, by reason",
        None,
        MetricType::Counter,
    )?;
    for (reason, count) in &sums {
        family
            .encode_family(&[("reason", *reason)])?
            .encode_counter::<NoLabelSet, _, u64>(count, None)?;
    }
    Ok(())
}

fn encode_upstream_errors(
    encoder: &mut DescriptorEncoder<'_>,
    workers: &[Arc<WorkerMetrics>],
) -> Result<(), Error> {
    let mut family = encoder.encode_descriptor(
        names::EDGE_UPSTREAM_ERRORS,
        "Failed attempts to reach an upstream, by kind of failure",
        None,
        MetricType::Counter,
    )?;
    for (index, kind) in UPSTREAM_ERRORS.iter().enumerate() {
        let count = total(workers, |worker| &worker.upstream_errors[index]);
        family
            .encode_family(&[("kind", *kind)])?
            .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
    }
    Ok(())
}
