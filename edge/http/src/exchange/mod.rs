//! The life of one request on one worker.

mod call;
mod client;
mod failover;
mod forwarded;
mod life;
mod observed;
mod platform;
mod timeout;
mod worker_snapshot;

use std::{
    cell::RefCell,
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    pin::pin,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::FutureExt as _;
use http::{HeaderValue, Method, StatusCode, header::CONTENT_TYPE};
use rand::rngs::SmallRng;
use tidegate_expression::Text;
use tidegate_model::Secret;
use tidegate_policy::{Limiter, LocalLimiter, NodeFacts as PolicyNode, Services};

use crate::{
    Live,
    access_log::AccessLog,
    body::Body,
    clock::{SystemAmbient, now_ms},
    compile::NodeFacts,
    message::{Request, RequestParts, Response},
    metrics::{ApiCounters, WorkerMetrics},
    outbound::{self, OutboundSettings},
    request_id::RequestIds,
    server::{ConnectionFacts, Handler, Refusal, Reply},
    upstream::UpstreamPools,
};

use self::{
    client::AnonymousClients,
    life::Life,
    observed::{Account, Head},
    worker_snapshot::{Route, WorkerSnapshot},
};

/// Body of the answer to a path that belongs to no API.
const NO_CONTEXT_PATH: &str = "No context-path matches the request URI.";

/// What holds for all requests of a worker.
#[derive(Debug, Clone)]
pub struct GatewaySettings {
    /// Time from arrival to the response head; `None` for no limit.
    pub request_timeout: Option<Duration>,
    /// Largest body kept in memory for a step that reads or changes it.
    pub content_bytes_max: u64,
    /// What calls made by policies may reach.
    pub outbound: OutboundSettings,
    /// Settings that policies read by name, such as keys of token issuers.
    pub policy_settings: Secret<Arc<BTreeMap<String, String>>>,
    /// Counts what clients may do. Give all workers the same one: a limit holds for the edge as a whole.
    pub limiter: Arc<dyn Limiter>,
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            // The reference's default for v4 APIs.
            request_timeout: Some(Duration::from_millis(30_000)),
            // A worker holds hundreds of requests at once: this keeps the worst case in gigabytes.
            content_bytes_max: 10 * 1024 * 1024,
            outbound: OutboundSettings::default(),
            policy_settings: Secret::default(),
            limiter: Arc::new(LocalLimiter::default()),
        }
    }
}

/// What a worker's gateway is made of.
#[derive(Debug)]
pub struct GatewayParts<'a> {
    /// Where the active configuration is found.
    pub live: Arc<Live>,
    /// The worker's counters.
    pub metrics: Arc<WorkerMetrics>,
    /// Where records go, if anywhere.
    pub access_log: Option<AccessLog>,
    /// The edge.
    pub node: &'a NodeFacts,
    /// Limits.
    pub settings: GatewaySettings,
    /// Number of workers, which share an endpoint's connections.
    pub workers: usize,
}

/// Answers the requests of one worker.
#[derive(Debug)]
pub struct Gateway {
    live: Arc<Live>,
    current: RefCell<Rc<WorkerSnapshot>>,
    pools: UpstreamPools,
    ids: RefCell<RequestIds>,
    clients: RefCell<AnonymousClients>,
    metrics: Arc<WorkerMetrics>,
    no_api: Arc<ApiCounters>,
    access_log: Option<AccessLog>,
    context: Context,
}

/// What phases use beyond the exchange. Each worker has its own copies, so that counting references
/// to them touches no memory of another worker.
#[derive(Debug)]
struct Context {
    services: Services,
    node: Arc<PolicyNode>,
    settings: GatewaySettings,
}

/// When a request arrived.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    instant: Instant,
    timestamp_ms: u64,
}

impl Gateway {
    /// Makes the gateway of one worker; call it on the worker's thread.
    #[must_use]
    pub fn new(parts: GatewayParts<'_>) -> Self {
        let node = parts.node;
        let exclusions = node.tags.exclusions().iter().map(|tag| format!("!{tag}"));
        let tags = node.tags.inclusions().iter().cloned().chain(exclusions);
        let pools = UpstreamPools::new(parts.workers);
        let ambient = Arc::new(SystemAmbient);
        let services = Services {
            settings: Arc::clone(parts.settings.policy_settings.expose()),
            limiter: Arc::clone(&parts.settings.limiter),
            ..outbound::services(ambient, &pools, &parts.settings.outbound)
        };
        let context = Context {
            services,
            node: Arc::new(PolicyNode {
                id: node.id.as_str().into(),
                version: node.version.as_str().into(),
                tenant: node.tenant.as_deref().map(Text::from),
                sharding_tags: tags.map(Text::from).collect(),
                zone: node.region.as_deref().map(Text::from),
            }),
            settings: parts.settings,
        };
        Self {
            live: parts.live,
            current: RefCell::default(),
            pools,
            ids: RefCell::default(),
            clients: RefCell::default(),
            no_api: parts.metrics.no_api(),
            metrics: parts.metrics,
            access_log: parts.access_log,
            context,
        }
    }

    /// The active configuration, as this worker sees it.
    fn current(&self) -> Rc<WorkerSnapshot> {
        let mut current = self.current.borrow_mut();
        if !self.live.is_current(current.snapshot()) {
            *current = Rc::new(WorkerSnapshot::new(self.live.load()));
        }
        Rc::clone(&current)
    }

    fn random<R>(&self, choose: impl FnOnce(&mut SmallRng) -> R) -> R {
        choose(self.ids.borrow_mut().generator())
    }

    /// Begins to answer for an API.
    #[inline]
    fn begin<'a>(
        &'a self,
        snapshot: &'a WorkerSnapshot,
        route: &Route<'a>,
        request: Request,
        connection: &ConnectionFacts,
    ) -> Unanswered<'a> {
        let arrival = Arrival {
            instant: Instant::now(),
            timestamp_ms: now_ms(),
        };
        let is_recorded = route.served.api.analytics.is_enabled;
        let log = self.access_log.as_ref().filter(|_| is_recorded);
        Unanswered {
            gateway: self,
            counters: snapshot.counters(route, &self.metrics),
            arrival,
            head: log.map(|_| Head::of(&request.parts)),
            life: Life::begin(self, route, request, connection, arrival),
            is_answered: false,
        }
    }

    fn not_found(&self, request: &RequestParts, connection: &ConnectionFacts) -> Reply {
        let arrival = Arrival {
            instant: Instant::now(),
            timestamp_ms: now_ms(),
        };
        let mut response = Response::new(StatusCode::NOT_FOUND, Body::full(NO_CONTEXT_PATH));
        let headers = &mut response.headers;
        headers.set(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        let ids = forwarded::TransactionIds::of(&request.headers, &self.ids);
        ids.write(headers);
        self.metrics.answered(
            &self.no_api,
            StatusCode::NOT_FOUND,
            arrival.instant.elapsed(),
        );
        let reply = Reply::Response(response);
        match &self.access_log {
            Some(log) => {
                let head = Head::of(request);
                let record = head.unrouted(&ids, connection, &self.context.node, arrival);
                let is_head = request.method == Method::HEAD;
                let account = Account::logged(record, log, &self.metrics);
                observed::close_when_sent(reply, account, is_head)
            }
            None => reply,
        }
    }
}

/// A request without an answer yet. Whoever drops it takes the client's place, which has left.
struct Unanswered<'a> {
    gateway: &'a Gateway,
    counters: &'a ApiCounters,
    arrival: Arrival,
    /// Present if the access log hears of the request.
    head: Option<Head>,
    /// Boxed: it is large, and an idle connection does not keep its room.
    life: Box<Life<'a>>,
    is_answered: bool,
}

impl Unanswered<'_> {
    /// The answer: the fields that every one carries, then the accounts.
    fn finish(&mut self, is_head: bool) -> Reply {
        let reply = self.life.finish();
        match self.account(status(&reply)) {
            Some(account) => observed::close_when_sent(reply, account, is_head),
            None => reply,
        }
    }

    /// Counts the request once, and makes its record if one is wanted.
    fn account(&mut self, status: StatusCode) -> Option<Account> {
        self.is_answered = true;
        let duration = self.arrival.instant.elapsed();
        let gateway = self.gateway;
        gateway.metrics.answered(self.counters, status, duration);
        if let Some(plan) = self.life.plan {
            let worker = gateway.metrics.number();
            plan.traffic.count(worker, Some(status), duration);
        }
        let log = gateway.access_log.as_ref().filter(|_| self.head.is_some());
        let head = self.head.take().or_else(|| {
            // Policies that report hear of the request whether or not there is a log.
            let is_reported = self.life.is_reported();
            is_reported.then(|| Head::of_exchange(&self.life.exchange))
        })?;
        let record = head.record(&self.life, status, self.arrival);
        let (metrics, services) = (&gateway.metrics, &gateway.context.services);
        let life = &mut self.life;
        Some(Account::of_exchange(record, life, log, metrics, services))
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if self.is_answered {
            return;
        }
        if let Some(account) = self.account(client_closed_request()) {
            observed::close_abandoned(account);
        }
    }
}

/// The status in accounts of a request whose client did not wait for the answer; nobody receives it.
fn client_closed_request() -> StatusCode {
    StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST)
}

impl Handler for Gateway {
    async fn handle(&self, request: Request, connection: &Rc<ConnectionFacts>) -> Reply {
        let snapshot = self.current();
        let Some(route) = snapshot.route(&request.parts, connection.server_id) else {
            return self.not_found(&request.parts, connection);
        };
        let is_head = request.parts.method == Method::HEAD;
        let mut unanswered = self.begin(&snapshot, &route, request, connection);
        let lived = {
            // Pinned where it is made: it is large.
            let running = pin!(unanswered.life.run(self));
            AssertUnwindSafe(running).catch_unwind().await
        };
        if lived.is_err() {
            unanswered.life.abandon();
        }
        unanswered.finish(is_head)
    }

    fn refused(&self, reason: Refusal) {
        self.metrics.refused(reason);
    }

    fn connection_changed(&self, opened: bool) {
        self.metrics.connection_changed(opened);
    }
}

fn status(reply: &Reply) -> StatusCode {
    match reply {
        Reply::Response(response) => response.status,
        Reply::Upgrade { response, .. } => response.status,
    }
}
