//! The phases of one request, in the order of `gravitee-v4.md` §3.1.

use std::{pin::pin, sync::Arc};

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_LENGTH, header::HOST};
use http_body::Body as _;
use tidegate_expression::Text;
use tidegate_policy::{Exchange, Failure, Outcome, Phase, RequestFacts};

use super::{
    Arrival, Context, Gateway,
    call::{self, Transfer},
    client::{CLIENT_IDENTIFIER, combined},
    forwarded::{TransactionIds, client_address},
    timeout::{Elapsed, within},
    worker_snapshot::Route,
};
use crate::{
    body::Body,
    compile::{CompiledApi, CompiledSnapshot, ServedApi},
    cors::{CorsRequest, take_without_security},
    error_response,
    flow::{Flows, Selection},
    message::{Request, Response},
    plan::CompiledPlan,
    server::{ConnectionFacts, Reply},
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
    /// Identifier of the client's address.
    anonymous: HeaderValue,
    pub(super) client_identifier: Option<HeaderValue>,
    pub(super) plan: Option<&'s CompiledPlan>,
    pub(super) error: Option<Box<Failure>>,
    pub(super) transfer: Transfer,
    /// Present if the API has cross-origin rules.
    cors: Option<CorsRequest>,
    /// The organisation's flows that run for this exchange.
    pub(super) platform: Selection,
    /// Whether the fields that every answer carries are written.
    pub(super) is_marked: bool,
    served: &'s ServedApi,
    pub(super) snapshot: &'s CompiledSnapshot,
}

impl<'s> Life<'s> {
    /// Pre-platform: ids, the client's address, and the request as policies see it.
    #[inline]
    pub(super) fn begin(
        gateway: &Gateway,
        route: &Route<'s>,
        request: Request,
        connection: &ConnectionFacts,
        arrival: Arrival,
    ) -> Box<Self> {
        let Request { mut parts, body } = request;
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
        if let Some(tls) = &connection.tls {
            facts.tls = Some(Arc::clone(&tls.shared));
            facts.ssl = tls.ssl();
        }
        facts.authority = parts
            .headers
            .find_shared(&HOST)
            .and_then(|host| Authority::from_maybe_shared(host).ok());
        parts.headers.discard(&HOST);
        facts.version = parts.version;
        facts.remote_address = client_address(&parts.headers, connection.remote.ip());
        facts.local_address = connection.local;
        facts.timestamp_ms = arrival.timestamp_ms;
        facts.has_unmeasured_body =
            !body.is_end_stream() && !parts.headers.contains_key(CONTENT_LENGTH);
        ids.write(&mut parts.headers);
        facts.headers = parts.headers;
        let Context { services, node, .. } = &gateway.context;
        let mut exchange = Exchange::new(facts, route.facts.clone(), node.clone(), services);
        let client = exchange.request.remote_address;
        let anonymous = gateway.clients.borrow_mut().of_address(client).clone();
        exchange.anonymous = Some(anonymous.subscription);
        Box::new(Self {
            exchange,
            anonymous: anonymous.identifier,
            ids,
            client_identifier: None,
            plan: None,
            error: None,
            transfer: Transfer {
                request_body: body,
                ..Transfer::default()
            },
            cors: None,
            platform: Selection::default(),
            is_marked: false,
            served: route.served,
            snapshot: route.snapshot,
        })
    }

    /// Whether a policy wants to hear of the exchange.
    pub(super) fn is_reported(&self) -> bool {
        let reporting = self.exchange.reporting.as_ref();
        self.served.api.analytics.is_enabled
            && reporting.is_some_and(|reporting| !reporting.reporters.is_empty())
    }

    /// Begins to copy the messages if the API wants them logged and there is a log.
    fn begin_log(&mut self, gateway: &Gateway) {
        let Some(logging) = &self.served.api.analytics.logging else {
            return;
        };
        if gateway.access_log.is_none() {
            return;
        }
        self.transfer.capture = logging.begin(&self.exchange);
        if let Some(capture) = &mut self.transfer.capture {
            let request = &self.exchange.request;
            let line = (&request.method, request.path.raw());
            let body = std::mem::take(&mut self.transfer.request_body);
            self.transfer.request_body = capture.entrypoint_request(line, &request.headers, body);
        }
    }

    /// Everything up to the response head, within the request timeout.
    pub(super) async fn run(&mut self, gateway: &Gateway) {
        self.begin_log(gateway);
        self.run_api(gateway).await;
        if !self.platform.is_empty() {
            Box::pin(self.leave_platform(gateway)).await;
        }
    }

    async fn run_api(&mut self, gateway: &Gateway) {
        let limit = gateway.context.settings.request_timeout;
        let lived = {
            let phases = pin!(self.phases(gateway));
            within(limit, phases).await
        };
        let interruption = match lived {
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
        self.transfer.upgrade = None;
        match interruption {
            Interruption::Answered(response) => {
                self.exchange.response.status = response.status;
                self.exchange.response.headers = response.headers.into();
                self.transfer.response_body = Body::full(response.body);
            }
            Interruption::Failed(failure) => self.fail(failure),
        }
    }

    /// The phases up to the response of the API; the organisation's flows on it (12) follow whatever happens here.
    /// Whether there is something to wait for is asked before a step is made: most requests have few steps.
    async fn phases(&mut self, gateway: &Gateway) -> Result<(), Interruption> {
        let ServedApi {
            api, subscriptions, ..
        } = self.served;
        let context = &gateway.context;
        // 1 the organisation's flows
        if !self.snapshot.platform().is_empty() {
            // Boxed: its room would otherwise be part of every exchange.
            Box::pin(self.enter_platform(gateway)).await?;
        }
        self.map_path(api);
        // 2 CORS
        let is_preflight = self.answer_preflight(api)?;
        // 3 security chain
        if !is_preflight {
            if api.security.needs().request_content {
                self.buffer_request(context).await?;
            }
            let hasher = self.snapshot.hasher();
            // The plan is known even when its own check fails, for logs and templates.
            let plan = api
                .security
                .authenticate(&mut self.exchange, subscriptions, hasher, &context.services)
                .await?;
            self.plan = Some(plan);
        }
        let no_flows = Flows::default();
        let of_plan = self.plan.map_or(&no_flows, |plan| &plan.flows);
        // 4 before the API: path parameters, client identifier
        of_plan.collect_parameters(&mut self.exchange);
        api.flows.collect_parameters(&mut self.exchange);
        self.client_identifier = Some(self.identify());
        // 6 and 7 flows on the request; plan first, each chain chosen once
        let selectors = of_plan.selector_needs() | api.flows.selector_needs();
        if selectors.request_content {
            self.buffer_request(context).await?;
        }
        let plan_flows = of_plan.select(&self.exchange);
        let mut needs = of_plan.needs(&plan_flows);
        if needs.request_content {
            self.buffer_request(context).await?;
        }
        if !plan_flows.is_empty() {
            self.run_flows(context, of_plan, &plan_flows, Phase::Request)
                .await?;
        }
        let api_flows = api.flows.select(&self.exchange);
        if api.is_match_required && plan_flows.is_empty() && api_flows.is_empty() {
            let failure = Failure::new(StatusCode::NOT_FOUND);
            return Err(Box::new(failure.with_key("FLOW_EXECUTION_FLOW_MATCHED_FAILURE")).into());
        }
        needs |= api.flows.needs(&api_flows);
        if needs.request_content {
            self.buffer_request(context).await?;
        }
        if !api_flows.is_empty() {
            self.run_flows(context, &api.flows, &api_flows, Phase::Request)
                .await?;
        }
        // 8 the endpoint, or what a policy put in its place
        if !is_preflight {
            call::invoke(self, gateway, api).await?;
        }
        // 9 and 10 flows on the response, in the same order
        if needs.response_content {
            self.buffer_response(context).await?;
        }
        if !plan_flows.is_empty() {
            self.run_flows(context, of_plan, &plan_flows, Phase::Response)
                .await?;
        }
        if !api_flows.is_empty() {
            self.run_flows(context, &api.flows, &api_flows, Phase::Response)
                .await?;
        }
        Ok(())
    }

    /// Names the path for records and policies.
    fn map_path(&mut self, api: &CompiledApi) {
        if let Some(mapped) = api.path_mappings.find(self.exchange.request.path.info()) {
            let mapped = Arc::clone(mapped);
            self.exchange.attributes.set_platform("mapped-path", mapped);
        }
    }

    /// Answers a preflight request, unless the API's flows may add to the answer: then the answer
    /// stands in the exchange, and `true` says that neither plan nor endpoint take part.
    fn answer_preflight(&mut self, api: &CompiledApi) -> Result<bool, Interruption> {
        let Some(cors) = &api.cors else {
            return Ok(false);
        };
        let request = &self.exchange.request;
        let met = self
            .cors
            .insert(cors.classify(&request.method, &request.headers));
        if matches!(met, CorsRequest::Simple(_)) {
            return Ok(false);
        }
        let headers = cors.preflight(&request.headers)?;
        take_without_security(&mut self.exchange);
        if cors.runs_policies() {
            self.exchange.response.headers = headers.into();
            return Ok(true);
        }
        Err(Interruption::Answered(Box::new(
            tidegate_policy::Response {
                status: StatusCode::OK,
                headers,
                body: Bytes::new(),
            },
        )))
    }

    pub(super) async fn run_flows(
        &mut self,
        context: &Context,
        flows: &Flows,
        selection: &Selection,
        phase: Phase,
    ) -> Result<(), Interruption> {
        match flows
            .run(selection, phase, &mut self.exchange, &context.services)
            .await
        {
            Outcome::Continue => Ok(()),
            Outcome::Respond(response) => Err(Interruption::Answered(response)),
            Outcome::Fail(failure) => Err(Interruption::Failed(failure)),
        }
    }

    /// Reads the request body into memory, once.
    pub(super) async fn buffer_request(&mut self, context: &Context) -> Result<(), Interruption> {
        let bytes_max = context.settings.content_bytes_max;
        let read = self.transfer.read_request(&mut self.exchange, bytes_max);
        Ok(read.await?)
    }

    pub(super) async fn buffer_response(&mut self, context: &Context) -> Result<(), Interruption> {
        let bytes_max = context.settings.content_bytes_max;
        let read = self.transfer.read_response(&mut self.exchange, bytes_max);
        Ok(read.await?)
    }

    fn identify(&self) -> HeaderValue {
        let request = &self.exchange.request;
        let known = match (&self.exchange.subscription, self.plan) {
            (Some(subscription), Some(plan)) if !plan.security.is_anonymous() => {
                HeaderValue::from_str(&subscription.id).ok()
            }
            _ => None,
        };
        let computed = known.unwrap_or_else(|| self.anonymous.clone());
        combined(
            request.headers.find_value(&CLIENT_IDENTIFIER),
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
        if self.transfer.called.is_none() && !own.has_none() {
            keep_own(&mut parts.headers, own.into_map());
        }
        self.exchange.response.status = parts.status;
        self.exchange.response.headers = parts.headers.into();
        self.exchange.response.content.take();
        self.transfer.response_body = body;
    }

    /// Answers a request whose code panicked; nothing of the exchange is trusted but its ids.
    pub(super) fn abandon(&mut self) {
        tracing::error!(
            tidegate.api.id = self.exchange.api.id.as_str(),
            "request panicked"
        );
        self.transfer.upgrade = None;
        self.is_marked = false;
        let failure = Failure::new(StatusCode::INTERNAL_SERVER_ERROR);
        self.fail(Box::new(failure.with_message("Internal Server Error")));
    }

    /// 11, after the API: the fields that every answer carries, and CORS.
    pub(super) fn mark_response(&mut self) {
        if std::mem::replace(&mut self.is_marked, true) {
            return;
        }
        let headers = &mut self.exchange.response.headers;
        self.ids.write(headers);
        if let Some(identifier) = self.client_identifier.clone() {
            headers.set(CLIENT_IDENTIFIER.clone(), identifier);
        }
        if let (Some(cors), Some(CorsRequest::Simple(origin))) =
            (&self.served.api.cors, self.cors.take())
        {
            cors.finish(origin, headers);
        }
    }

    /// The answer.
    pub(super) fn finish(&mut self) -> Reply {
        self.mark_response();
        let facts = &mut self.exchange.response;
        let mut headers = std::mem::take(&mut facts.headers);
        if let Some(upstream) = self.transfer.upgrade.take() {
            let response = Response {
                status: StatusCode::SWITCHING_PROTOCOLS,
                headers,
                body: (),
            };
            return Reply::Upgrade { response, upstream };
        }
        let body = match facts.content.take() {
            Some(content) => {
                headers.discard(&CONTENT_LENGTH);
                Body::full(content)
            }
            None => std::mem::take(&mut self.transfer.response_body),
        };
        let body = match &mut self.transfer.capture {
            Some(capture) => capture.entrypoint_response(facts.status, &headers, body),
            None => body,
        };
        Reply::Response(Response {
            status: facts.status,
            headers,
            body,
        })
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
