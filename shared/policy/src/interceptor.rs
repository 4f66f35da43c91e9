//! What policies put around the call of the endpoint, and what they ask to happen with the exchange later.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use tidegate_expression::{Text, Value};

use crate::exchange::Exchange;
use crate::kind::BoxFuture;
use crate::outcome::Failure;
use crate::services::Services;

/// Stands around the invoker: may answer in its place, call it again or watch it.
///
/// A request step adds one to [`Exchange::interceptors`]; the last one added is the outermost. The
/// request's headers and content stay in the exchange after a call, so that it can be repeated; who repeats it declares
/// that it needs the content.
pub trait Interceptor: Send + Sync + fmt::Debug {
    /// Leaves a response in the exchange.
    fn around<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &'a Services,
        inner: &'a mut dyn Invocation,
    ) -> BoxFuture<'a, Result<(), Box<Failure>>>;
}

/// What an interceptor stands around.
pub trait Invocation {
    /// Calls what is inside and leaves the response's head in the exchange; its body streams to the client
    /// unless [`Invocation::read_response`] takes it.
    fn call<'a>(
        &'a mut self,
        exchange: &'a mut Exchange,
    ) -> BoxFuture<'a, Result<(), Box<Failure>>>;

    /// Reads the response's body into `exchange.response.content`, if it is not there yet.
    fn read_response<'a>(
        &'a mut self,
        exchange: &'a mut Exchange,
    ) -> BoxFuture<'a, Result<(), Box<Failure>>>;

    /// Drops the response of the last call, its body included, before another call or an own answer.
    fn discard_response(&mut self, exchange: &mut Exchange);
}

/// What the exchange's record carries besides the platform's own facts.
#[derive(Debug, Default)]
pub struct Reporting {
    /// Metrics set by policies, in order; a later one of the same name replaces the earlier.
    pub metrics: Vec<(Text, Value)>,
    /// Masks of logged headers and bodies, applied in order.
    pub masks: Vec<Arc<dyn LogMask>>,
    /// Told about the exchange when its response is complete.
    pub reporters: Vec<Arc<dyn Reporter>>,
}

/// Hides parts of what is logged. What is sent is never touched.
pub trait LogMask: Send + Sync + fmt::Debug {
    /// Returns the value to log for a header.
    fn header<'a>(&self, name: &str, value: &'a str) -> Cow<'a, str>;

    /// Returns the body to log.
    fn body<'a>(&self, content_type: Option<&str>, body: &'a str) -> Cow<'a, str>;
}

/// Is told about finished exchanges.
pub trait Reporter: Send + Sync + fmt::Debug {
    /// Takes the record of an exchange as JSON; work that waits goes to `services.tasks`.
    fn report(&self, record: &serde_json::Value, services: &Services);
}
