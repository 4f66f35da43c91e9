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
