//! The security chain: which plan a request falls under, and under which subscription.
//! Source: `gravitee-v4.md` §3.4.

mod api_key;
mod chain;
mod key_place;
mod subscriptions;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tidegate_expression::{Condition, Needs};
use tidegate_policies::{jwt::JwtVerifier, oauth2::OAuth2Verifier};
use tidegate_policy::PlanFacts;

use crate::{flow::Flows, traffic::Traffic};

pub use api_key::{API_KEY_BYTES_MAX, ApiKeyHasher, KeyHash, parse_key_hash};
pub use chain::SecurityChain;
pub(crate) use chain::anonymous_subscription;
pub use key_place::KeyPlace;
pub use subscriptions::{ApiSubscriptions, SubscriptionEntry, SubscriptionRefusal};

/// No plan takes the request.
pub const PLAN_UNRESOLVABLE: &str = "GATEWAY_PLAN_UNRESOLVABLE";
/// No plan takes the request, and one could not be decided.
pub const PLAN_RESOLUTION_FAILURE: &str = "GATEWAY_PLAN_RESOLUTION_FAILURE";
/// The key exists but has expired.
pub const API_KEY_INVALID: &str = "API_KEY_INVALID";

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
    /// How its requests were answered.
    pub traffic: Traffic,
}

/// How the clients of a plan identify themselves.
#[derive(Debug)]
pub enum Security {
    /// They do not.
    KeyLess,
    /// By an API key.
    ApiKey(KeyPlace),
    /// By a signed token.
    Jwt(Box<JwtVerifier>),
    /// By a token that its issuer is asked about.
    OAuth2(Box<OAuth2Verifier>),
    /// By a client certificate.
    Mtls,
}

impl Security {
    /// Place in the chain: lower first, definition order among equals.
    #[must_use]
    pub fn order(&self) -> i32 {
        match self {
            Security::Mtls => -100,
            Security::Jwt(_) => 0,
            Security::OAuth2(_) => 100,
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
            Security::Jwt(_) => "JWT",
            Security::OAuth2(_) => "OAUTH2",
            Security::Mtls => "MTLS",
        }
    }

    /// Bodies that the check reads.
    fn needs(&self) -> Needs {
        match self {
            Security::KeyLess | Security::ApiKey(_) | Security::Mtls => Needs::NONE,
            Security::Jwt(verifier) => verifier.needs(),
            Security::OAuth2(verifier) => verifier.needs(),
        }
    }
}
