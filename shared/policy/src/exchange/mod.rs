//! One HTTP request with its response, as policies see and change it.

mod attributes;
mod content;
mod headers;
mod path;
mod query;
mod scope;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::header::{HOST, HeaderMap};
use http::uri::{Authority, PathAndQuery};
use http::{Method, StatusCode, Version};
use tidegate_expression::{Ambient, Text, Value};

pub use attributes::Attributes;
pub use content::Content;
pub use headers::{FieldLine, Headers};
pub use path::RequestPath;
pub use query::{Query, QueryParameter};

use crate::facts::{ApiFacts, NodeFacts, PlanFacts, SubscriptionFacts};
use crate::interceptor::{Interceptor, Reporting};
use crate::outcome::Failure;
use crate::services::Services;

/// One HTTP request with its response.
///
/// An exchange is owned by one worker; nothing in it is locked. It is the scope of expressions.
#[derive(Debug)]
pub struct Exchange {
    /// The request as it stands now.
    pub request: RequestFacts,
    /// The response as it stands now.
    pub response: ResponseFacts,
    /// What policies have set.
    pub attributes: Attributes,
    /// The API the exchange belongs to.
    pub api: Arc<ApiFacts>,
    /// The node that serves the exchange.
    pub node: Arc<NodeFacts>,
    /// The plan, once the security chain has chosen it.
    pub plan: Option<Arc<PlanFacts>>,
    /// The subscription, once the security chain has found it.
    pub subscription: Option<Arc<SubscriptionFacts>>,
    /// What answers the request.
    pub invoker: Invoker,
    /// What stands around the invoker, the last one outermost.
    pub interceptors: Vec<Arc<dyn Interceptor>>,
    /// What policies add to the exchange's record; see [`Exchange::reporting_mut`].
    pub reporting: Option<Box<Reporting>>,
    /// The failure being rendered, for response templates.
    pub error: Option<Box<ErrorFacts>>,
    /// The subscription of a client that does not identify itself, if the worker knows it already.
    pub anonymous: Option<Arc<SubscriptionFacts>>,
    ambient: Arc<dyn Ambient>,
}

impl Exchange {
    /// Begins an exchange: no plan, no attributes, the endpoint as invoker.
    #[must_use]
    #[inline]
    pub fn new(
        request: RequestFacts,
        api: Arc<ApiFacts>,
        node: Arc<NodeFacts>,
        services: &Services,
    ) -> Self {
        Self {
            request,
            response: ResponseFacts::default(),
            attributes: Attributes::default(),
            api,
            node,
            plan: None,
            subscription: None,
            invoker: Invoker::Endpoint,
            interceptors: Vec::new(),
            reporting: None,
            error: None,
            anonymous: None,
            ambient: Arc::clone(&services.ambient),
        }
    }

    /// Returns what policies add to the exchange's record, to add more.
    pub fn reporting_mut(&mut self) -> &mut Reporting {
        self.reporting.get_or_insert_default()
    }

    /// Returns an attribute as expressions see it: set by a policy under this name, then set with
    /// the platform prefix, then a fact of the exchange such as `plan` or `api.name`.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Value {
        scope::attribute(self, name)
    }
}

/// The request half of an exchange.
#[derive(Debug)]
pub struct RequestFacts {
    /// Id of this request.
    pub id: Text,
    /// Id that the client may have given to a chain of requests.
    pub transaction_id: Text,
    /// Method as received.
    pub method: Method,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Host and port the client named, from `Host` or `:authority`.
    ///
    /// The `Host` header is taken out of `headers`; one that is there was set by a policy.
    pub authority: Option<Authority>,
    /// Protocol version of the client.
    pub version: Version,
    /// Path as received, context path, and the rest below it.
    pub path: RequestPath,
    /// Query parameters.
    pub query: Query,
    /// Headers without `Host`.
    pub headers: Headers,
    /// Address of the client, from `X-Forwarded-For` where that is trusted.
    pub remote_address: IpAddr,
    /// Address the request arrived at.
    pub local_address: SocketAddr,
    /// Arrival in milliseconds since the Unix epoch.
    pub timestamp_ms: u64,
    /// Path parameters of the flows' selectors.
    pub path_parameters: Vec<PathParameter>,
    /// TLS facts for `#request.ssl`, built once per connection.
    pub ssl: Option<Value>,
    /// What TLS says of the client, built once per connection.
    pub tls: Option<Arc<TlsFacts>>,
    /// Whether a body follows whose length the client has not said.
    pub has_unmeasured_body: bool,
    /// Limit of a body that streams, set by a policy.
    pub body_limit: Option<Box<BodyLimit>>,
    /// The body if a step needs it.
    pub content: Content,
}

impl RequestFacts {
    /// Makes a request for `target` below `context_path`, all else at its least.
    #[must_use]
    pub fn new(method: Method, target: PathAndQuery, context_path: Arc<str>) -> Self {
        let query = Query::new(target.query());
        Self {
            id: Text::constant(""),
            transaction_id: Text::constant(""),
            method,
            scheme: "http",
            authority: None,
            version: Version::HTTP_11,
            path: RequestPath::new(target, context_path),
            query,
            headers: Headers::default(),
            remote_address: IpAddr::from([127, 0, 0, 1]),
            local_address: SocketAddr::from(([127, 0, 0, 1], 0)),
            timestamp_ms: 0,
            path_parameters: Vec::new(),
            ssl: None,
            tls: None,
            has_unmeasured_body: false,
            body_limit: None,
            content: Content::default(),
        }
    }

    /// Returns the host with its port: as a policy set it, else as the client named it.
    #[must_use]
    pub fn host(&self) -> &str {
        self.headers
            .get(HOST)
            .and_then(|value| value.to_str().ok())
            .or_else(|| self.authority.as_ref().map(Authority::as_str))
            .unwrap_or_default()
    }
}

/// What TLS says of the client.
#[derive(Clone, Debug, Default)]
pub struct TlsFacts {
    /// The client's verified certificate and its chain in DER, its own first; empty without one.
    pub client_certificates: Vec<Bytes>,
    /// Name the client asked for.
    pub server_name: Option<Text>,
    /// Protocol version, such as `TLSv1.3`.
    pub version: &'static str,
    /// Cipher suite by its IANA name.
    pub cipher_suite: &'static str,
}

/// Most bytes of a request body whose length is not known before, and what exceeding it means.
#[derive(Clone, Debug)]
pub struct BodyLimit {
    /// Most bytes.
    pub bytes_max: u64,
    /// The failure of a longer body.
    pub failure: Failure,
}

/// A value taken from the path by a `:name` segment of a flow selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathParameter {
    /// Name without the colon.
    pub name: Arc<str>,
    /// Raw segment of the path.
    pub value: Text,
}

/// The response half of an exchange.
#[derive(Debug, Default)]
pub struct ResponseFacts {
    /// Status of the response.
    pub status: StatusCode,
    /// Headers of the response.
    pub headers: Headers,
    /// The body if a step needs it.
    pub content: Content,
}

/// What answers the request.
#[derive(Debug, Default)]
pub enum Invoker {
    /// The endpoint chosen by routing and load balancing.
    #[default]
    Endpoint,
    /// A fixed answer; request steps after the mock still ran, response steps run on it.
    Mock(Box<MockResponse>),
}

/// The answer of a mock.
#[derive(Clone, Debug)]
pub struct MockResponse {
    /// Status of the answer.
    pub status: StatusCode,
    /// Headers of the answer, content type included.
    pub headers: HeaderMap,
    /// Body of the answer.
    pub content: Bytes,
}

/// A failure as response templates see it.
#[derive(Clone, Debug)]
pub struct ErrorFacts {
    /// Status the failure asked for.
    pub status: StatusCode,
    /// Key of the failure.
    pub key: Option<Text>,
    /// Message of the failure.
    pub message: Option<Text>,
    /// Parameters of the failure.
    pub parameters: Vec<(Text, Value)>,
}
