//! What a policy is: the phases it runs in, the exchange it sees and changes, the outcome it gives.
//!
//! Policies themselves live in `tidegate-policies`. Nothing here does I/O: time, randomness and later
//! calls, counters and secrets come through [`Services`].

#![warn(missing_docs)]

mod chain;
mod exchange;
mod facts;
mod interceptor;
mod kind;
mod limiter;
mod outbound;
mod outcome;
mod phase;
mod resource;
mod services;
#[cfg(test)]
mod testing;

pub use chain::{Chain, CompiledStep};
pub use exchange::{
    Attributes, BodyLimit, Content, ErrorFacts, Exchange, FieldLine, Headers, Invoker,
    MockResponse, PathParameter, Query, QueryParameter, RequestFacts, RequestPath, ResponseFacts,
    TlsFacts,
};
pub use facts::{ApiFacts, NodeFacts, PlanFacts, SubscriptionFacts};
pub use interceptor::{Interceptor, Invocation, LogMask, Reporter, Reporting};
pub use kind::{
    AsyncPolicy, BoxFuture, CompileContext, Compiled, CompiledPolicy, ConfigError, Files,
    InlinePolicy, PolicyKind, Progress, RegisteredPolicy,
};
pub use limiter::{
    Decision, LimitRequest, Limiter, LimiterUnavailable, LocalLimiter, Take, Window,
};
pub use outbound::{CallError, CallOptions, HttpClient, NameResolver, OutboundCall};
pub use outcome::{Failure, Outcome, Response};
pub use phase::Phase;
pub use resource::{
    AuthenticationProvider, Cache, ContentProvider, Identity, Introspection, OAuth2Provider,
    Resource, ResourceError, Resources,
};
pub use services::{Overloaded, Services, Tasks};
pub use tidegate_expression::Needs;
