//! The phases of one request, in the order of `gravitee-v4.md` §3.1.

use http::uri::{Authority, PathAndQuery};
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode, header::CONTENT_LENGTH, header::HOST,
};
use tidegate_expression::Text;
use tidegate_policy::{Exchange, Failure, Outcome, Phase, RequestFacts};

use super::{
    Arrival, Context, Gateway,
    call::{self, Called},
    client::{CLIENT_IDENTIFIER, combined},
    forwarded::{TransactionIds, client_address},
    timeout::{Elapsed, within},
    worker_snapshot::Route,
};
use crate::{
    body::{Body, BodyError},
    compile::{CompiledSnapshot, ServedApi},
    error_response,
    flow::Selection,
    plan::CompiledPlan,
    server::{ConnectionFacts, Reply},
    upstream::UpgradedIo,
};

/// How a chain of steps ended a request early.
pub(super) enum Interruption {
    /// A step gave the response; nothing failed.
    Answered(Box<tidegate_policy::Response>),
    /// The client gets an error.
    Failed(Box<Failure>),
}

impl From<Box<Failure>> for Interruption {
    fn from(failure: Box<Failure>) -> Self {
        Self::Failed(failure)
    }
}

/// One request from its arrival to its answer.
pub(super) struct Life<'s> {
    pub(super) exchange: Exchange,
    pub(super) ids: TransactionIds,
    pub(super) client_identifier: Option<HeaderValue>,
    pub(super) plan: Option<&'s CompiledPlan>,
    pub(super) called: Option<Called>,
    pub(super) error: Option<Box<Failure>>,
    pub(super) request_body: Body,
    pub(super) response_body: Body,
    pub(super) upgrade: Option<UpgradedIo>,
    served: &'s ServedApi,
    snapshot: &'s CompiledSnapshot,
}

impl<'s> Life<'s> {
    /// Pre-platform: ids, the client's address, and the request as policies see it.
    pub(super) fn begin(
        gateway: &Gateway,
        route: &Route<'s>,
        request: Request<Body>,
        connection: &ConnectionFacts,
        arrival: Arrival,
    ) -> Self {
        let (mut parts, body) = request.into_parts();
        let ids = TransactionIds::of(&parts.headers, &gateway.ids);
        let target = parts.uri.into_parts().path_and_query;
        let target = target.unwrap_or(PathAndQuery::from_static("/"));
        let context_path = route.context_path.clone();
        let mut facts = RequestFacts::new(parts.method, target, context_path);
        facts.id = ids
            .request
            .to_str()
            .map(Text::from)
            .unwrap_or(Text::constant(""));
        facts.transaction_id = if ids.transaction == ids.request {
            facts.id.clone()
        } else {
            ids.transaction
                .to_str()
                .map(Text::from)
                .unwrap_or(Text::constant(""))
        };
        facts.scheme = if connection.tls.is_some() {
            "https"
        } else {
            "http"
        };
        facts.authority = parts
            .headers
            .remove(HOST)
            .and_then(|host| Authority::try_from(host.as_bytes()).ok());
        facts.version = parts.version;
        facts.remote_address = client_address(&parts.headers, connection.remote.ip());
        facts.local_address = connection.local;
        facts.timestamp_ms = arrival.timestamp_ms;
        ids.write(&mut parts.headers);
        facts.headers = parts.headers;
        let Context { services, node, .. } = &gateway.context;
        Self {
            exchange: Exchange::new(facts, route.facts.clone(), node.clone(), services),
            ids,
            client_identifier: None,
            plan: None,
            called: None,
            error: None,
            request_body: body,
            response_body: Body::Empty,
            upgrade: None,
            served: route.served,
            snapshot: route.snapshot,
        }
    }

    /// Everything up to the response head, within the request timeout.
    pub(super) async fn run(&mut self, gateway: &Gateway) {
        let limit = gateway.context.settings.request_timeout;
        let interruption = match within(limit, self.phases(gateway)).await {
            Ok(Ok(())) => return,
            Ok(Err(interruption)) => interruption,
            Err(Elapsed) => {
                let failure = Failure::new(StatusCode::GATEWAY_TIMEOUT);
                let failure = failure
                    .with_key("REQUEST_TIMEOUT")
                    .with_message("Request timeout");
                Interruption::Failed(Box::new(failure))
            }
        };
        self.upgrade = None;
        match interruption {
            Interruption::Answered(response) => {
                self.exchange.response.status = response.status;
                self.exchange.response.headers = response.headers;
                self.response_body = Body::full(response.body);
            }
            Interruption::Failed(failure) => self.fail(failure),
        }
    }

    /// The phases. Organisation flows (1, 12) and CORS (2, 11) will stand around them.
    async fn phases(&mut self, gateway: &Gateway) -> Result<(), Interruption> {
        let ServedApi {
            api, subscriptions, ..
        } = self.served;
        let context = &gateway.context;
        // 3 security chain
        self.buffer_request(context, api.security.needs().request_content)
            .await?;
        let hasher = self.snapshot.hasher();
        // The plan is known even when its own check fails, for logs and templates.
        let authenticated = api
            .security
            .authenticate(&mut self.exchange, subscriptions, hasher);
        let plan = authenticated?;
        self.plan = Some(plan);
        // 4 before the API: path parameters, client identifier
        plan.flows.collect_parameters(&mut self.exchange);
        api.flows.collect_parameters(&mut self.exchange);
        self.client_identifier = Some(self.identify(gateway));
        // 6 and 7 flows on the request; plan first, each chain chosen once
        let selectors = plan.flows.selector_needs() | api.flows.selector_needs();
        self.buffer_request(context, selectors.request_content)
            .await?;
        let plan_flows = plan.flows.select(&self.exchange);
        let mut needs = plan.flows.needs(&plan_flows);
        self.buffer_request(context, needs.request_content).await?;
        self.run_flows(context, &plan.flows, &plan_flows, Phase::Request)
            .await?;
        let api_flows = api.flows.select(&self.exchange);
        if api.is_match_required && plan_flows.is_empty() && api_flows.is_empty() {
            let failure = Failure::new(StatusCode::NOT_FOUND);
            return Err(Box::new(failure.with_key("FLOW_EXECUTION_FLOW_MATCHED_FAILURE")).into());
        }
        needs |= api.flows.needs(&api_flows);
        self.buffer_request(context, needs.request_content).await?;
        self.run_flows(context, &api.flows, &api_flows, Phase::Request)
            .await?;
        // 8 the endpoint, or what a policy put in its place
        call::invoke(self, gateway, api).await?;
        // 9 and 10 flows on the response, in the same order
        self.buffer_response(context, needs.response_content)
            .await?;
        self.run_flows(context, &plan.flows, &plan_flows, Phase::Response)
            .await?;
        self.run_flows(context, &api.flows, &api_flows, Phase::Response)
            .await
    }

    async fn run_flows(
        &mut self,
        context: &Context,
        flows: &crate::flow::Flows,
        selection: &Selection,
        phase: Phase,
    ) -> Result<(), Interruption> {
        if selection.is_empty() {
            return Ok(());
        }
        match flows
            .run(selection, phase, &mut self.exchange, &context.services)
            .await
        {
            Outcome::Continue => Ok(()),
            Outcome::Respond(response) => Err(Interruption::Answered(response)),
            Outcome::Fail(failure) => Err(Interruption::Failed(failure)),
        }
    }

    /// Reads the request body into memory, once, if something reads it.
    pub(super) async fn buffer_request(
        &mut self,
        context: &Context,
        wanted: bool,
    ) -> Result<(), Interruption> {
        if !wanted || self.exchange.request.content.bytes().is_some() {
            return Ok(());
        }
        let body = std::mem::take(&mut self.request_body);
        let content = body
            .collect(context.settings.content_bytes_max)
            .await
            .map_err(|error| {
                let failure = match &error {
                    BodyError::TooLarge { .. } => Failure::new(StatusCode::PAYLOAD_TOO_LARGE),
                    BodyError::ClientAborted => call::client_aborted(),
                    _ => Failure::new(StatusCode::BAD_REQUEST),
                };
                Box::new(failure.with_cause(error))
            })?;
        self.exchange.request.content.set(content);
        Ok(())
    }

    async fn buffer_response(
        &mut self,
        context: &Context,
        wanted: bool,
    ) -> Result<(), Interruption> {
        if !wanted || self.upgrade.is_some() || self.exchange.response.content.bytes().is_some() {
            return Ok(());
        }
        let body = std::mem::take(&mut self.response_body);
        let content = body
            .collect(context.settings.content_bytes_max)
            .await
            .map_err(|error| Box::new(call::connection_error().with_cause(error)))?;
        self.exchange.response.content.set(content);
        Ok(())
    }

    fn identify(&self, gateway: &Gateway) -> HeaderValue {
        let request = &self.exchange.request;
        let known = match (&self.exchange.subscription, self.plan) {
            (Some(subscription), Some(plan)) if !plan.security.is_anonymous() => {
                HeaderValue::from_str(&subscription.id).ok()
            }
            _ => None,
        };
        let computed = known.unwrap_or_else(|| {
            gateway
                .clients
                .borrow_mut()
                .of_address(request.remote_address)
        });
        combined(
            request.headers.get(&CLIENT_IDENTIFIER),
            computed,
            &self.ids.transaction,
        )
    }

    fn fail(&mut self, failure: Box<Failure>) {
        if let Some(cause) = &failure.cause {
            let api = self.exchange.api.id.as_str();
            tracing::debug!(cause, tidegate.api.id = api, "request failed");
        }
        let templates = &self.served.api.templates;
        let response = error_response::render(&mut self.exchange, templates, (*failure).clone());
        self.error = Some(failure);
        let (mut parts, body) = response.into_parts();
        let own = std::mem::take(&mut self.exchange.response.headers);
        if self.called.is_none() {
            keep_own(&mut parts.headers, own);
        }
        self.exchange.response.status = parts.status;
        self.exchange.response.headers = parts.headers;
        self.exchange.response.content.take();
        self.response_body = body;
    }

    /// Answers a request whose code panicked; nothing of the exchange is trusted but its ids.
    pub(super) fn abandon(&mut self) {
        tracing::error!(
            tidegate.api.id = self.exchange.api.id.as_str(),
            "request panicked"
        );
        self.upgrade = None;
        let failure = Failure::new(StatusCode::INTERNAL_SERVER_ERROR);
        self.fail(Box::new(failure.with_message("Internal Server Error")));
    }

    /// After the API: the fields that every answer carries.
    pub(super) fn finish(&mut self) -> Reply {
        let facts = &mut self.exchange.response;
        let mut headers = std::mem::take(&mut facts.headers);
        self.ids.write(&mut headers);
        if let Some(identifier) = self.client_identifier.clone() {
            headers.insert(&CLIENT_IDENTIFIER, identifier);
        }
        if let Some(upstream) = self.upgrade.take() {
            let mut response = Response::new(());
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            *response.headers_mut() = headers;
            return Reply::Upgrade { response, upstream };
        }
        let body = match facts.content.take() {
            Some(content) => {
                headers.remove(CONTENT_LENGTH);
                Body::full(content)
            }
            None => std::mem::take(&mut self.response_body),
        };
        let mut response = Response::new(body);
        *response.status_mut() = facts.status;
        *response.headers_mut() = headers;
        Reply::Response(response)
    }
}

/// What request steps put on the response, such as the headers of a rate limit, stays on an error; what
/// describes a body that is not sent does not.
fn keep_own(error: &mut HeaderMap, own: HeaderMap) {
    for (name, value) in own {
        if let Some(name) = name
            && !name.as_str().starts_with("content-")
            && !error.contains_key(&name)
        {
            error.insert(name, value);
        }
    }
}
