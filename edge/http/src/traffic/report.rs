//! Traffic of plans and endpoints as metrics. Labels come from the configuration, and their number is bounded.

use std::{collections::BTreeMap, fmt::Error, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, NoLabelSet},
    metrics::MetricType,
};
use tidegate_telemetry::names;

use super::{Counts, OUTCOMES};
use crate::{Live, metrics::OTHER_APIS};

/// Plans, and endpoints, that are told apart; traffic of further ones is summed up as `_other`.
const SERIES_MAX: usize = 4096;

const MICROS_PER_SECOND: f64 = 1_000_000.0;

/// Reads the active configuration at every scrape.
#[derive(Debug)]
pub struct TrafficMetrics {
    live: Arc<Live>,
}

type Series<const LABELS: usize> = BTreeMap<[String; LABELS], Counts>;

impl TrafficMetrics {
    /// Makes a collector of what `live` holds.
    #[must_use]
    pub fn new(live: Arc<Live>) -> Self {
        Self { live }
    }
}

/// Adds counts to the series of their labels, or to the one for the rest.
fn add<const LABELS: usize>(
    series: &mut Series<LABELS>,
    labels: [&str; LABELS],
    counts: Option<Counts>,
) {
    let Some(counts) = counts else { return };
    let labels = labels.map(str::to_owned);
    let is_full = series.len() >= SERIES_MAX && !series.contains_key(&labels);
    let labels = if is_full {
        [const { OTHER_APIS }; LABELS].map(str::to_owned)
    } else {
        labels
    };
    series.entry(labels).or_default().add(counts);
}

impl Collector for TrafficMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let Some(snapshot) = self.live.load() else {
            return Ok(());
        };
        let (mut plans, mut endpoints) = (Series::<2>::new(), Series::<3>::new());
        for served in snapshot.apis() {
            let api = served.api.id.as_str();
            for plan in served.api.security.plans() {
                let labels = [api, plan.facts.id.as_str()];
                add(&mut plans, labels, plan.traffic.counts());
            }
            for group in served.api.endpoints.groups() {
                for endpoint in group.endpoints() {
                    let labels = [api, group.name(), &*endpoint.name];
                    add(&mut endpoints, labels, endpoint.traffic.counts());
                }
            }
        }
        let encoder = &mut encoder;
        encode_outcomes(
            encoder,
            names::EDGE_PLAN_REQUESTS,
            "Requests answered, by API, plan and status class",
            ["api", "plan"],
            &plans,
        )?;
        encode_outcomes(
            encoder,
            names::EDGE_ENDPOINT_REQUESTS,
            "Calls of endpoints, by API, group, endpoint and status class; none without an answer",
            ["api", "group", "endpoint"],
            &endpoints,
        )?;
        encode_seconds(
            encoder,
            names::EDGE_ENDPOINT_SECONDS,
            "Time spent waiting for the response heads of endpoints, by API, group and endpoint",
            ["api", "group", "endpoint"],
            &endpoints,
        )
    }
}

fn encode_outcomes<const LABELS: usize>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    labels: [&str; LABELS],
    series: &Series<LABELS>,
) -> Result<(), Error> {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (values, counts) in series {
        for (outcome, count) in OUTCOMES.iter().zip(&counts.outcomes) {
            if *count == 0 {
                continue;
            }
            let mut pairs = pairs(labels, values);
            pairs.push(("status", outcome));
            family
                .encode_family(&pairs)?
                .encode_counter::<NoLabelSet, _, u64>(count, None)?;
        }
    }
    Ok(())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "seconds are reported as floating point numbers"
)]
fn encode_seconds<const LABELS: usize>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    labels: [&str; LABELS],
    series: &Series<LABELS>,
) -> Result<(), Error> {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (values, counts) in series {
        let seconds = counts.micros as f64 / MICROS_PER_SECOND;
        family
            .encode_family(&pairs(labels, values))?
            .encode_counter::<NoLabelSet, _, u64>(&seconds, None)?;
    }
    Ok(())
}

fn pairs<'a, const LABELS: usize>(
    labels: [&'a str; LABELS],
    values: &'a [String; LABELS],
) -> Vec<(&'a str, &'a str)> {
    let values = values.iter().map(String::as_str);
    labels.into_iter().zip(values).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_series_is_bounded_and_nothing_is_lost() {
        let mut series = Series::<2>::new();
        let one = Counts {
            outcomes: [0, 1, 0, 0, 0, 0, 0],
            micros: 1,
        };
        for plan in 0..SERIES_MAX + 10 {
            add(&mut series, ["api", &plan.to_string()], Some(one));
        }
        add(&mut series, ["api", "idle"], None);
        assert_eq!(series.len(), SERIES_MAX + 1);
        let total: u64 = series.values().map(|counts| counts.outcomes[1]).sum();
        assert_eq!(total, SERIES_MAX as u64 + 10);
        let rest = [OTHER_APIS, OTHER_APIS].map(str::to_owned);
        assert_eq!(series[&rest].micros, 10);
    }
}
