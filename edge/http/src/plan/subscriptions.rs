//! The subscriptions of one API, found by the hash of a key.

use std::{collections::HashMap, sync::Arc};

use ahash::RandomState;
use tidegate_expression::Text;
use tidegate_model::config_snapshot::SubscriptionObject;
use tidegate_policy::SubscriptionFacts;

use super::{KeyHash, parse_key_hash};

/// Everything the security chain needs of the accepted subscriptions of one API.
///
/// One entry per key. Keys are spread by their hash, which nobody without the pepper can choose.
#[derive(Debug, Default)]
pub struct ApiSubscriptions {
    /// What it was made from, to see whether it may be kept.
    sources: Box<[Arc<SubscriptionObject>]>,
    by_key: HashMap<KeyHash, SubscriptionEntry, RandomState>,
}

/// A key with its subscription.
#[derive(Debug, Clone)]
pub struct SubscriptionEntry {
    /// What expressions and logs know of the subscription.
    pub facts: Arc<SubscriptionFacts>,
    /// End of the key's life, milliseconds since 1970.
    pub expires_ms: Option<u64>,
    plan: Text,
    starting_ms: Option<u64>,
    ending_ms: Option<u64>,
}

/// A subscription that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionRefusal {
    /// Id of the subscription.
    pub subscription: String,
    /// Place in the object.
    pub path: String,
}

impl ApiSubscriptions {
    /// Indexes subscriptions; unusable keys are left out and reported.
    #[must_use]
    pub fn new(sources: Vec<Arc<SubscriptionObject>>) -> (Self, Vec<SubscriptionRefusal>) {
        let mut refused = Vec::new();
        let mut by_key = HashMap::default();
        for source in &sources {
            let facts = Arc::new(SubscriptionFacts {
                id: source.id.as_str().into(),
                application: source.application.as_str().into(),
                client_id: source.client_id.as_deref().map(Text::from),
                metadata: source.metadata.clone(),
            });
            for (index, key) in source.keys.iter().enumerate() {
                let Some(hash) = parse_key_hash(&key.hash) else {
                    refused.push(SubscriptionRefusal {
                        subscription: source.id.as_str().to_owned(),
                        path: format!("keys[{index}].hash"),
                    });
                    continue;
                };
                by_key.insert(
                    hash,
                    SubscriptionEntry {
                        facts: Arc::clone(&facts),
                        expires_ms: key.expires_ms,
                        plan: source.plan.as_str().into(),
                        starting_ms: source.starting_ms,
                        ending_ms: source.ending_ms,
                    },
                );
            }
        }
        (
            Self {
                sources: sources.into(),
                by_key,
            },
            refused,
        )
    }

    /// True if it was made from exactly these objects.
    #[must_use]
    pub fn is_made_from(&self, sources: &[Arc<SubscriptionObject>]) -> bool {
        self.sources.len() == sources.len()
            && self
                .sources
                .iter()
                .zip(sources)
                .all(|(known, new)| Arc::ptr_eq(known, new) || known == new)
    }

    /// The subscription of a key under a plan, if `now_ms` lies between its dates.
    #[must_use]
    pub fn find(&self, hash: &KeyHash, plan: &Text, now_ms: u64) -> Option<&SubscriptionEntry> {
        self.by_key.get(hash).filter(|entry| {
            entry.plan == *plan
                && entry.starting_ms.is_none_or(|starting| starting <= now_ms)
                && entry.ending_ms.is_none_or(|ending| now_ms < ending)
        })
    }
}
