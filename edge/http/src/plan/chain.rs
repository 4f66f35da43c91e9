//! Trying the plans of an API, one after the other.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use http::{HeaderName, StatusCode};
use tidegate_expression::{Needs, Text, Value};
use tidegate_policies::{
    bearer_token,
    jwt::{JwtVerifier, Token, Verification},
    mtls,
    oauth2::OAuth2Verifier,
};
use tidegate_policy::{Exchange, Failure, ResourceError, Services, SubscriptionFacts};

use super::{
    API_KEY_INVALID, ApiKeyHasher, ApiSubscriptions, CompiledPlan, KeyPlace,
    PLAN_RESOLUTION_FAILURE, PLAN_UNRESOLVABLE, Security,
};

/// Application of clients that did not identify themselves.
const ANONYMOUS_APPLICATION: &str = "1";

/// Setting of the node: whether plans of tokens need a subscription of the token's client. Default true.
const VALIDATE_SUBSCRIPTION: &str = "api.validateSubscription";

/// Attribute with a token that has not been checked, for selection rules.
const UNVERIFIED_TOKEN: &str = "jwt";

/// The plans of one API in the order in which they are tried.
#[derive(Debug)]
pub struct SecurityChain {
    plans: Box<[CompiledPlan]>,
    needs: Needs,
}

/// What one plan says of a request.
enum Decision {
    /// The plan is not for this request.
    Passes,
    /// There is a credential for the plan, but it fits nothing.
    Refuses,
    /// Whether the plan takes the request cannot be told now.
    Undecided(String),
    /// The plan is chosen; what its own check says is final.
    Chosen(Result<(), Box<Failure>>),
}

/// What the decision about a plan is made with.
struct Attempt<'a> {
    exchange: &'a mut Exchange,
    subscriptions: &'a ApiSubscriptions,
    hasher: &'a ApiKeyHasher,
    services: &'a Services,
}

impl SecurityChain {
    /// Orders plans given in definition order.
    #[must_use]
    pub fn new(mut plans: Vec<CompiledPlan>) -> Self {
        plans.sort_by_key(|plan| plan.security.order());
        let needs = plans.iter().fold(Needs::NONE, |needs, plan| {
            let rule = plan.selection_rule.as_ref();
            needs | plan.security.needs() | rule.map_or(Needs::NONE, |rule| rule.needs())
        });
        Self {
            plans: plans.into(),
            needs,
        }
    }

    /// Bodies that selection rules and checks read.
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
    /// before them: a wrong key is never anonymous. Waits for others only where a plan has to ask
    /// an issuer.
    ///
    /// # Errors
    /// The failure for the client: no plan fits, or the chosen one refuses.
    pub async fn authenticate(
        &self,
        exchange: &mut Exchange,
        subscriptions: &ApiSubscriptions,
        hasher: &ApiKeyHasher,
        services: &Services,
    ) -> Result<&CompiledPlan, Box<Failure>> {
        let mut attempt = Attempt {
            exchange,
            subscriptions,
            hasher,
            services,
        };
        let (mut saw_credential, mut undecided) = (false, None);
        for plan in &self.plans {
            let decision = match &plan.security {
                Security::KeyLess if saw_credential => Decision::Passes,
                Security::KeyLess => attempt.anonymous(plan),
                Security::ApiKey(place) => attempt.key(plan, place),
                Security::Mtls => attempt.certificate(plan),
                Security::Jwt(verifier) => attempt.jwt(plan, verifier).await,
                // Boxed so that requests to other plans do not carry its room.
                Security::OAuth2(verifier) => Box::pin(attempt.oauth2(plan, verifier)).await,
            };
            match decision {
                Decision::Passes => {}
                Decision::Refuses => saw_credential = true,
                Decision::Undecided(cause) => (saw_credential, undecided) = (true, Some(cause)),
                Decision::Chosen(checked) => return checked.map(|()| plan),
            }
        }
        Err(match undecided {
            None => unauthorized(PLAN_UNRESOLVABLE),
            Some(cause) => undecidable(cause),
        })
    }
}

impl Attempt<'_> {
    fn rule_holds(&self, plan: &CompiledPlan) -> bool {
        plan.selection_rule
            .as_ref()
            .is_none_or(|rule| rule.holds(self.exchange))
    }

    fn choose(&mut self, plan: &CompiledPlan, subscription: Arc<SubscriptionFacts>) {
        self.exchange.plan = Some(Arc::clone(&plan.facts));
        self.exchange.subscription = Some(subscription);
    }

    /// Chooses the plan for the client of a token; tells whether it is for it.
    fn choose_for_client(&mut self, plan: &CompiledPlan, client: &str) -> bool {
        let subscription = self.subscription_of(client, plan).or_else(|| {
            let is_taken = self.takes_unsubscribed();
            is_taken.then(|| Arc::new(unsubscribed(client)))
        });
        match subscription {
            Some(subscription) => {
                self.choose(plan, subscription);
                true
            }
            None => false,
        }
    }

    /// Whether this node takes tokens whose clients have no subscription: their issuer knows who may call.
    fn takes_unsubscribed(&self) -> bool {
        let setting = self.services.settings.get(VALIDATE_SUBSCRIPTION);
        setting.is_some_and(|text| text.trim().eq_ignore_ascii_case("false"))
    }

    fn anonymous(&mut self, plan: &CompiledPlan) -> Decision {
        if !self.rule_holds(plan) {
            return Decision::Passes;
        }
        let known = self.exchange.anonymous.take();
        let subscription = known.unwrap_or_else(|| {
            let address = self.exchange.request.remote_address.to_string();
            Arc::new(anonymous_subscription(&address))
        });
        self.choose(plan, subscription);
        Decision::Chosen(Ok(()))
    }

    fn key(&mut self, plan: &CompiledPlan, place: &KeyPlace) -> Decision {
        let Some(key) = place.find(&self.exchange.request) else {
            return Decision::Passes;
        };
        // A key that no rule lets through is forgotten, one that is refused is not.
        if !self.rule_holds(plan) {
            return Decision::Passes;
        }
        let now_ms = self.exchange.request.timestamp_ms;
        let Some(entry) = self.hasher.hash(key.as_bytes()).and_then(|hash| {
            let found = self.subscriptions.of_key(&hash, &plan.facts.id, now_ms);
            found.cloned()
        }) else {
            return Decision::Refuses;
        };
        self.choose(plan, entry.facts);
        if entry.expires_ms.is_some_and(|expires| expires <= now_ms) {
            return Decision::Chosen(Err(unauthorized(API_KEY_INVALID)));
        }
        let attributes = &mut self.exchange.attributes;
        attributes.set_platform("api-key", Value::from(key));
        place.clear(&mut self.exchange.request);
        Decision::Chosen(Ok(()))
    }

    fn certificate(&mut self, plan: &CompiledPlan) -> Decision {
        let Some(certificate) = self.client_certificate() else {
            return Decision::Passes;
        };
        if !self.rule_holds(plan) {
            return Decision::Passes;
        }
        let (fingerprint, now_ms) = (
            mtls::fingerprint(&certificate),
            self.exchange.request.timestamp_ms,
        );
        let found = self
            .subscriptions
            .of_certificate(&fingerprint, &plan.facts.id, now_ms);
        let Some(subscription) = found.map(|entry| Arc::clone(&entry.facts)) else {
            return Decision::Refuses;
        };
        self.choose(plan, subscription);
        Decision::Chosen(Ok(()))
    }

    /// The certificate of the connection, else the one that a proxy in front passed on.
    fn client_certificate(&self) -> Option<Bytes> {
        let request = &self.exchange.request;
        let shown = request
            .tls
            .as_ref()
            .and_then(|tls| tls.client_certificates.first());
        if let Some(shown) = shown {
            return Some(shown.clone());
        }
        let header = self.services.settings.get(mtls::HEADER_SETTING)?;
        let header = HeaderName::from_bytes(header.as_bytes()).ok()?;
        mtls::certificate_in_header(request, &header)
    }

    async fn jwt(&mut self, plan: &CompiledPlan, verifier: &JwtVerifier) -> Decision {
        let Some(text) = bearer_token(&self.exchange.request) else {
            return Decision::Passes;
        };
        let Some(token) = Token::parse(text) else {
            return Decision::Refuses;
        };
        let Some(client) = verifier.client_id(&token) else {
            return Decision::Refuses;
        };
        if plan.selection_rule.is_some() {
            let attributes = &mut self.exchange.attributes;
            attributes.set_platform(UNVERIFIED_TOKEN, token.unverified());
            let holds = self.rule_holds(plan);
            // What has not been checked is for rules alone.
            let attributes = &mut self.exchange.attributes;
            attributes.set_platform(UNVERIFIED_TOKEN, Value::Null);
            if !holds {
                return Decision::Passes;
            }
        }
        if !self.choose_for_client(plan, &client) {
            return Decision::Refuses;
        }
        let verification = verifier.verify(token, self.exchange, self.services);
        Decision::Chosen(match verification {
            Verification::Done(checked) => checked,
            Verification::Waiting(checked) => checked.await,
        })
    }

    async fn oauth2(&mut self, plan: &CompiledPlan, verifier: &OAuth2Verifier) -> Decision {
        let token = match bearer_token(&self.exchange.request) {
            None => return Decision::Passes,
            Some(blank) if blank.is_empty() => return Decision::Refuses,
            Some(token) => token,
        };
        let asked = verifier.introspect(&token, self.exchange, self.services);
        let answer = match asked.await {
            Ok(answer) if answer.is_active => answer,
            Err(error @ ResourceError::Unavailable(_)) => {
                return Decision::Undecided(error.to_string());
            }
            Ok(_) | Err(ResourceError::Unknown { .. } | ResourceError::Unexpected(_)) => {
                return Decision::Refuses;
            }
        };
        let Some(client) = verifier.client_id(&answer) else {
            return Decision::Refuses;
        };
        if !self.rule_holds(plan) {
            return Decision::Passes;
        }
        if !self.choose_for_client(plan, &client) {
            return Decision::Refuses;
        }
        Decision::Chosen(verifier.accept(token, &answer, self.exchange))
    }

    fn subscription_of(&self, client: &str, plan: &CompiledPlan) -> Option<Arc<SubscriptionFacts>> {
        let now_ms = self.exchange.request.timestamp_ms;
        let found = self
            .subscriptions
            .of_client(client, &plan.facts.id, now_ms)?;
        Some(Arc::clone(&found.facts))
    }
}

/// What a client that does not identify itself is taken for: one subscription per address.
pub(crate) fn anonymous_subscription(address: &str) -> SubscriptionFacts {
    SubscriptionFacts {
        id: address.into(),
        application: Text::constant(ANONYMOUS_APPLICATION),
        client_id: None,
        metadata: BTreeMap::new(),
    }
}

/// What the client of a token is taken for on a node that asks for no subscription: counters and caches still tell
/// clients apart.
fn unsubscribed(client: &str) -> SubscriptionFacts {
    SubscriptionFacts {
        id: client.into(),
        application: client.into(),
        client_id: Some(client.into()),
        metadata: BTreeMap::new(),
    }
}

fn unauthorized(key: &'static str) -> Box<Failure> {
    let failure = Failure::new(StatusCode::UNAUTHORIZED);
    Box::new(
        failure
            .with_key(key)
            .with_message(Text::constant("Unauthorized")),
    )
}

fn undecidable(cause: String) -> Box<Failure> {
    let failure = Failure::new(StatusCode::SERVICE_UNAVAILABLE);
    let failure = failure
        .with_key(PLAN_RESOLUTION_FAILURE)
        .with_message(Text::constant("Temporarily Unavailable"));
    Box::new(failure.with_cause(cause))
}
