//! The security chain: which plan a request falls under, and under which subscription.
//! Source: `gravitee-v4.md` §3.4.

mod api_key;
mod key_place;
mod subscriptions;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::StatusCode;
use tidegate_expression::{Condition, Needs, Text, Value};
use tidegate_policy::{Exchange, Failure, PlanFacts, SubscriptionFacts};

use crate::flow::Flows;

pub use api_key::{API_KEY_BYTES_MAX, ApiKeyHasher, KeyHash, parse_key_hash};
pub use key_place::KeyPlace;
pub use subscriptions::{ApiSubscriptions, SubscriptionEntry, SubscriptionRefusal};

/// No plan takes the request.
pub const PLAN_UNRESOLVABLE: &str = "GATEWAY_PLAN_UNRESOLVABLE";
/// The key exists but has expired.
pub const API_KEY_INVALID: &str = "API_KEY_INVALID";

/// Application of clients that did not identify themselves.
const ANONYMOUS_APPLICATION: &str = "1";

/// A published or deprecated plan of an API, compiled.
#[derive(Debug)]
pub struct CompiledPlan {
    /// What expressions, policies and logs know of the plan.
    pub facts: Arc<PlanFacts>,
    /// How clients identify themselves.
    pub security: Security,
    /// Must hold for the plan to be chosen.
    pub selection_rule: Option<Condition>,
    /// The plan's flows.
    pub flows: Flows,
}

/// How the clients of a plan identify themselves.
#[derive(Debug)]
pub enum Security {
    /// They do not.
    KeyLess,
    /// By an API key.
    ApiKey(KeyPlace),
}

impl Security {
    /// Place in the chain: lower first, definition order among equals.
    #[must_use]
    pub fn order(&self) -> i32 {
        match self {
            Security::ApiKey(_) => 500,
            Security::KeyLess => 1000,
        }
    }

    /// True if clients do not identify themselves.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        matches!(self, Security::KeyLess)
    }

    /// Name for logs.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Security::KeyLess => "KEY_LESS",
            Security::ApiKey(_) => "API_KEY",
        }
    }
}

/// The plans of one API in the order in which they are tried.
#[derive(Debug)]
pub struct SecurityChain {
    plans: Box<[CompiledPlan]>,
    needs: Needs,
}

impl SecurityChain {
    /// Orders plans given in definition order.
    #[must_use]
    pub fn new(mut plans: Vec<CompiledPlan>) -> Self {
        plans.sort_by_key(|plan| plan.security.order());
        let rules = plans.iter().filter_map(|plan| plan.selection_rule.as_ref());
        let needs = rules.fold(Needs::NONE, |needs, rule| needs | rule.needs());
        Self {
            plans: plans.into(),
            needs,
        }
    }

    /// Bodies that selection rules read.
    #[must_use]
    pub fn needs(&self) -> Needs {
        self.needs
    }

    /// The plans in chain order.
    #[must_use]
    pub fn plans(&self) -> &[CompiledPlan] {
        &self.plans
    }

    /// Chooses the plan of a request and notes plan and subscription in the exchange.
    ///
    /// The first plan whose credential, rule and subscription fit is the plan, and what its own
    /// check says is final. Key-less plans take only requests without a credential of the plans
    /// before them: a wrong key is never anonymous.
    ///
    /// # Errors
    /// The failure for the client: no plan fits, or the chosen one refuses.
    pub fn authenticate(
        &self,
        exchange: &mut Exchange,
        subscriptions: &ApiSubscriptions,
        hasher: &ApiKeyHasher,
    ) -> Result<&CompiledPlan, Box<Failure>> {
        let mut saw_credential = false;
        for plan in &self.plans {
            match &plan.security {
                Security::KeyLess => {
                    if !saw_credential && rule_holds(plan, exchange) {
                        accept_anonymous(plan, exchange);
                        return Ok(plan);
                    }
                }
                Security::ApiKey(place) => {
                    let Some(key) = place.find(&exchange.request) else {
                        continue;
                    };
                    // A key that no rule lets through is forgotten, one that is refused is not.
                    if !rule_holds(plan, exchange) {
                        continue;
                    }
                    saw_credential = true;
                    let Some(entry) = hasher.hash(key.as_bytes()).and_then(|hash| {
                        let now_ms = exchange.request.timestamp_ms;
                        subscriptions.find(&hash, &plan.facts.id, now_ms)
                    }) else {
                        continue;
                    };
                    let (facts, expires_ms) = (Arc::clone(&entry.facts), entry.expires_ms);
                    return accept_key(plan, exchange, place, &key, facts, expires_ms);
                }
            }
        }
        Err(unauthorized(PLAN_UNRESOLVABLE))
    }
}

fn rule_holds(plan: &CompiledPlan, exchange: &Exchange) -> bool {
    plan.selection_rule
        .as_ref()
        .is_none_or(|rule| rule.holds(exchange))
}

fn accept_anonymous(plan: &CompiledPlan, exchange: &mut Exchange) {
    exchange.plan = Some(Arc::clone(&plan.facts));
    let known = exchange.anonymous.take();
    exchange.subscription = Some(known.unwrap_or_else(|| {
        let address = exchange.request.remote_address.to_string();
        Arc::new(anonymous_subscription(&address))
    }));
}

/// What a client that does not identify itself is taken for: one subscription per address.
pub(crate) fn anonymous_subscription(address: &str) -> SubscriptionFacts {
    SubscriptionFacts {
        id: address.into(),
        application: Text::constant(ANONYMOUS_APPLICATION),
        client_id: None,
        metadata: std::collections::BTreeMap::new(),
    }
}

fn accept_key<'p>(
    plan: &'p CompiledPlan,
    exchange: &mut Exchange,
    place: &KeyPlace,
    key: &Text,
    subscription: Arc<SubscriptionFacts>,
    expires_ms: Option<u64>,
) -> Result<&'p CompiledPlan, Box<Failure>> {
    exchange.plan = Some(Arc::clone(&plan.facts));
    exchange.subscription = Some(subscription);
    let is_expired = expires_ms.is_some_and(|expires| expires <= exchange.request.timestamp_ms);
    if is_expired {
        return Err(unauthorized(API_KEY_INVALID));
    }
    exchange
        .attributes
        .set_platform("api-key", Value::from(key.clone()));
    place.clear(&mut exchange.request);
    Ok(plan)
}

fn unauthorized(key: &'static str) -> Box<Failure> {
    let failure = Failure::new(StatusCode::UNAUTHORIZED);
    Box::new(
        failure
            .with_key(key)
            .with_message(Text::constant("Unauthorized")),
    )
}
