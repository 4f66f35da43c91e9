//! What the access log says about a connection, in the form it has for requests.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tidegate_edge_http::access_log::AccessRecord;
use uuid::Uuid;

use crate::{connection::canonical, metrics::Ending, pipe::Passed, routes::TcpApi, target::Target};

/// A connection that has ended.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) api: &'a TcpApi,
    /// The name the client asked for.
    pub(crate) name: String,
    pub(crate) endpoint: Option<&'a Target>,
    pub(crate) passed: Passed,
    pub(crate) ending: Ending,
    pub(crate) lasted: Duration,
    pub(crate) remote: SocketAddr,
    pub(crate) local: Option<IpAddr>,
    pub(crate) edge_id: &'a Arc<str>,
}

/// Written when a connection ends: only then is known what passed. There is neither method nor status.
pub(crate) fn record(facts: Facts<'_>) -> Box<AccessRecord> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let begun = now.unwrap_or_default().saturating_sub(facts.lasted);
    let id = Uuid::new_v4().to_string();
    Box::new(AccessRecord {
        timestamp: u64::try_from(begun.as_millis()).unwrap_or(u64::MAX),
        request_id: id.clone(),
        transaction_id: id,
        api_id: Some(facts.api.id.as_str().into()),
        api_name: Some(Arc::clone(&facts.api.name)),
        host: facts.name,
        http_version: "",
        scheme: "tcp",
        remote_address: Some(canonical(facts.remote.ip()).to_string()),
        local_address: facts.local.map(canonical),
        endpoint: facts.endpoint.map(Target::address),
        gateway_response_time_ms: facts.lasted.as_secs_f64() * 1000.0,
        request_content_length: Some(facts.passed.to_endpoint),
        response_content_length: Some(facts.passed.to_client),
        error_key: facts.ending.error_key().map(str::to_owned),
        gateway: Arc::clone(facts.edge_id),
        ..AccessRecord::default()
    })
}
