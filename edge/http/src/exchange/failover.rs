//! Calling the endpoints of an API with failover. Source: `gravitee-v4.md` §1.5.

use http::StatusCode;
use tidegate_policy::Failure;

use super::{
    Gateway,
    call::{AttemptError, attempt},
    life::{Interruption, Life},
};
use crate::{
    endpoint::{Endpoints, Failover},
    upstream::UpstreamError,
};

/// Attempts until an endpoint answers, each on the endpoint whose turn it is then.
///
/// Every status is an answer; only connections that fail and silence are not.
pub(super) async fn call(
    life: &mut Life<'_>,
    gateway: &Gateway,
    endpoints: &Endpoints,
    failover: &Failover,
) -> Result<(), Interruption> {
    let caller = caller(life, failover);
    let Some(permit) = failover.admit(&caller) else {
        return Err(exhausted("the circuit is open"));
    };
    // What was sent must be there to be sent again.
    life.buffer_request(&gateway.context, true).await?;
    let mut attempts = 0;
    loop {
        let limit = Some(failover.slow_call);
        let error = match attempt(life, gateway, endpoints, limit).await {
            Ok(()) => {
                permit.succeeded();
                return Ok(());
            }
            Err(AttemptError::Request(interruption)) => return Err(interruption),
            Err(error) => error,
        };
        let cause = described(&error);
        tracing::debug!(
            tidegate.api.id = life.exchange.api.id.as_str(),
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

/// Whose circuit guards the call: the subscription's, or the address of a client without one.
fn caller(life: &Life<'_>, failover: &Failover) -> String {
    if !failover.is_per_caller {
        return String::new();
    }
    match (&life.exchange.subscription, life.plan) {
        (Some(subscription), Some(plan)) if !plan.security.is_anonymous() => {
            subscription.id.to_string()
        }
        _ => life.exchange.request.remote_address.to_string(),
    }
}

/// The reference answers 502 without key and body.
fn exhausted(cause: &str) -> Interruption {
    Box::new(Failure::new(StatusCode::BAD_GATEWAY).with_cause(cause)).into()
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
