//! What a scrape shows.

use std::{io, time::Duration};

use http::StatusCode;
use prometheus_client::{encoding::text::encode, registry::Registry};
use tidegate_model::ApiId;

use super::{APIS_COUNTED_MAX, Metrics};
use crate::{server::Refusal, upstream::UpstreamError};

fn scrape(metrics: &Metrics) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(metrics.clone()));
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    text
}

fn id(text: &str) -> ApiId {
    ApiId::parse(text).unwrap()
}

#[test]
fn workers_are_summed_up() {
    let metrics = Metrics::new();
    for _ in 0..2 {
        let worker = metrics.worker();
        let api = worker.api(&id("a"), |_| true);
        worker.answered(&api, StatusCode::OK, Duration::from_millis(2));
        worker.answered(&api, StatusCode::BAD_GATEWAY, Duration::from_secs(60));
        worker.answered(&worker.no_api(), StatusCode::NOT_FOUND, Duration::ZERO);
        worker.refused(Refusal::Chunk);
        worker.upstream_failed(&UpstreamError::Connect(
            io::ErrorKind::ConnectionRefused.into(),
        ));
        worker.connection_changed(true);
        worker.connection_changed(true);
        worker.connection_changed(false);
    }
    let text = scrape(&metrics);
    for line in [
        r#"tidegate_edge_http_requests_total{api="a",status="2xx"} 2"#,
        r#"tidegate_edge_http_requests_total{api="a",status="5xx"} 2"#,
        r#"tidegate_edge_http_requests_total{api="_none",status="4xx"} 2"#,
        r#"tidegate_edge_http_request_duration_seconds_count 6"#,
        r#"tidegate_edge_http_request_duration_seconds_bucket{le="0.0005"} 2"#,
        r#"tidegate_edge_http_request_duration_seconds_bucket{le="0.0025"} 4"#,
        r#"tidegate_edge_http_request_duration_seconds_bucket{le="+Inf"} 6"#,
        r#"tidegate_edge_http_connections 2"#,
        r#"tidegate_edge_http_rejected_total{reason="chunk"} 2"#,
        r#"tidegate_edge_upstream_errors_total{kind="connect"} 2"#,
        r#"tidegate_edge_access_log_dropped_total 0"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
}

#[test]
fn apis_beyond_the_bound_share_one_label_and_dead_ones_make_room() {
    let metrics = Metrics::new();
    let worker = metrics.worker();
    let last = id(&format!("api-{}", APIS_COUNTED_MAX + 1));
    for number in 0..=APIS_COUNTED_MAX {
        let api = worker.api(&id(&format!("api-{number}")), |_| true);
        worker.answered(&api, StatusCode::OK, Duration::ZERO);
    }
    assert!(scrape(&metrics).contains(r#"{api="_other",status="2xx"} 1"#));
    let api = worker.api(&last, |_| false);
    worker.answered(&api, StatusCode::OK, Duration::ZERO);
    let text = scrape(&metrics);
    assert!(
        text.contains(&format!(r#"{{api="{last}",status="2xx"}} 1"#)),
        "{text}"
    );
    assert!(!text.contains(r#"api="api-1""#), "{text}");
}
