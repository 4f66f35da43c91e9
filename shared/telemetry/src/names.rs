//! Metric names, in one place so that documentation and dashboards can be checked against them.
//!
//! Shape: `tidegate_<edge|control>_<subject>_<unit>[_total]`, base units seconds and bytes.

/// Requests served, by API and status class.
pub const EDGE_HTTP_REQUESTS: &str = "tidegate_edge_http_requests";
/// Time from the first byte of a request to the last byte of its response head.
pub const EDGE_HTTP_REQUEST_DURATION: &str = "tidegate_edge_http_request_duration_seconds";
/// Client connections open now.
pub const EDGE_HTTP_CONNECTIONS: &str = "tidegate_edge_http_connections";
/// Requests refused before routing, by reason.
pub const EDGE_HTTP_REJECTED: &str = "tidegate_edge_http_rejected";
/// Failed attempts to reach an upstream, by kind of failure.
pub const EDGE_UPSTREAM_ERRORS: &str = "tidegate_edge_upstream_errors";
/// 1 while health checks let requests through to an endpoint, by API, group and endpoint.
pub const EDGE_ENDPOINT_UP: &str = "tidegate_edge_endpoint_up";
/// Requests answered, by API, plan and status class.
pub const EDGE_PLAN_REQUESTS: &str = "tidegate_edge_plan_requests";
/// Calls of endpoints, by API, group, endpoint and status class; `none` without an answer.
pub const EDGE_ENDPOINT_REQUESTS: &str = "tidegate_edge_endpoint_requests";
/// Time spent waiting for the response heads of endpoints, by API, group and endpoint.
pub const EDGE_ENDPOINT_SECONDS: &str = "tidegate_edge_endpoint_response_seconds";
/// Endpoints found for a discovered group, by API, group and kind of source.
pub const EDGE_DISCOVERY_ENDPOINTS: &str = "tidegate_edge_discovery_endpoints";
/// 1 while the source of a discovered group answers, by API, group and kind of source.
pub const EDGE_DISCOVERY_CURRENT: &str = "tidegate_edge_discovery_current";
/// Failures of the source of a discovered group, by API, group and kind of source.
pub const EDGE_DISCOVERY_FAILURES: &str = "tidegate_edge_discovery_failures";
/// Revision of the active configuration.
pub const EDGE_SNAPSHOT_REVISION: &str = "tidegate_edge_snapshot_revision";
/// Views refused as a whole, by code.
pub const EDGE_SYNC_REFUSALS: &str = "tidegate_edge_sync_refusals";
/// Objects the edge could not use.
pub const EDGE_SYNC_OBJECTS_REFUSED: &str = "tidegate_edge_sync_objects_refused";
/// 1 while the stream to the control plane is up.
pub const EDGE_SYNC_CONNECTED: &str = "tidegate_edge_sync_connected";
/// Full transfers received, by reason.
pub const EDGE_SYNC_FULL: &str = "tidegate_edge_sync_full_transfers";
/// Named alarms raised since the start, by code.
pub const EDGE_ALARMS: &str = "tidegate_edge_alarms";
/// Access-log records dropped because the writer was behind.
pub const EDGE_ACCESS_LOG_DROPPED: &str = "tidegate_edge_access_log_dropped";
/// TCP client connections open now, by API.
pub const EDGE_TCP_CONNECTIONS: &str = "tidegate_edge_tcp_connections";
/// TCP connections that found their API and ended, by API and ending.
pub const EDGE_TCP_ENDED: &str = "tidegate_edge_tcp_ended";
/// TCP client connections that came to nothing, by reason.
pub const EDGE_TCP_REFUSED: &str = "tidegate_edge_tcp_refused";
/// Bytes passed by TCP connections that have ended, by API and receiver.
pub const EDGE_TCP_BYTES: &str = "tidegate_edge_tcp_bytes";
/// Access-log records of TCP connections dropped because the writer was behind.
pub const EDGE_TCP_ACCESS_LOG_DROPPED: &str = "tidegate_edge_tcp_access_log_dropped";
