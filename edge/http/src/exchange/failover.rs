//! Calling the endpoints of an API with failover. Source: `gravitee-v4.md` §1.5.

use http::StatusCode;
use tidegate_policy::{Exchange, Failure};

use super::{
    Gateway,
    call::{AttemptError, Transfer, attempt},
};
use crate::{
    endpoint::{Endpoints, Failover},
    upstream::UpstreamError,
};

/// Attempts until an endpoint answers, each on the endpoint whose turn it is then.
///
/// Every status is an answer; only connections that fail and silence are not.
pub(super) async fn call(
    exchange: &mut Exchange,
    transfer: &mut Transfer,
    gateway: &Gateway,
    endpoints: &Endpoints,
    failover: &Failover,
) -> Result<(), Box<Failure>> {
    let caller = caller(exchange, failover);
    let Some(permit) = failover.admit(&caller) else {
        return Err(exhausted("the circuit is open"));
    };
    // What was sent must be there to be sent again.
    let bytes_max = gateway.context.settings.content_bytes_max;
    transfer.read_request(exchange, bytes_max).await?;
    let mut attempts = 0;
    loop {
        let limit = Some(failover.slow_call);
        let error = match attempt(exchange, transfer, gateway, endpoints, limit).await {
            Ok(()) => {
                permit.succeeded();
                return Ok(());
            }
            Err(AttemptError::Request(failure)) => return Err(failure),
            Err(error) => error,
        };
        let cause = described(&error);
        tracing::debug!(
            tidegate.api.id = exchange.api.id.as_str(),
            cause,
            attempt = attempts,
            "attempt failed"
        );
        if attempts >= failover.retries_max {
            permit.failed();
            return Err(exhausted(&cause));
        }
        attempts += 1;
    }
}

/// Whose circuit guards the call: the subscription's, which for a client without one is its address.
fn caller(exchange: &Exchange, failover: &Failover) -> String {
    if !failover.is_per_caller {
        return String::new();
    }
    match &exchange.subscription {
        Some(subscription) => subscription.id.to_string(),
        None => exchange.request.remote_address.to_string(),
    }
}

/// The reference answers 502 without key and body.
fn exhausted(cause: &str) -> Box<Failure> {
    Box::new(Failure::new(StatusCode::BAD_GATEWAY).with_cause(cause))
}

fn described(error: &AttemptError) -> String {
    match error {
        AttemptError::NoEndpoint => "no endpoint is alive".to_owned(),
        AttemptError::Request(_) => "the request cannot be sent".to_owned(),
        AttemptError::Slow => "no response head within the slow call duration".to_owned(),
        AttemptError::Upstream(error) => chain(error),
    }
}

fn chain(error: &UpstreamError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
