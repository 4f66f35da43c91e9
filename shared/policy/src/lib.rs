//! What a policy is: the phases it runs in, the exchange it sees and changes, the outcome it gives.
//!
//! Policies themselves live in `tidegate-policies`. Nothing here does I/O: time, randomness and later
//! calls, counters and secrets come through [`Services`].

#![warn(missing_docs)]

mod chain;
mod exchange;
mod facts;
mod kind;
mod outcome;
mod phase;
mod services;
#[cfg(test)]
mod testing;

pub use chain::{Chain, CompiledStep};
pub use exchange::{
    Attributes, Content, ErrorFacts, Exchange, Invoker, MockResponse, PathParameter, Query,
    QueryParameter, RequestFacts, RequestPath, ResponseFacts,
};
pub use facts::{ApiFacts, NodeFacts, PlanFacts, SubscriptionFacts};
pub use kind::{
    AsyncPolicy, BoxFuture, CompileContext, Compiled, CompiledPolicy, ConfigError, InlinePolicy,
    PolicyKind, RegisteredPolicy,
};
pub use outcome::{Failure, Outcome, Response};
pub use phase::Phase;
pub use services::Services;
pub use tidegate_expression::Needs;
