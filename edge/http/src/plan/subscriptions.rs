//! The subscriptions of one API, found by what clients show: a key, a client id or a certificate.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use ahash::RandomState;
use tidegate_expression::Text;
use tidegate_model::config_snapshot::SubscriptionObject;
use tidegate_policy::SubscriptionFacts;

use super::{KeyHash, parse_key_hash};

/// SHA-256 of a certificate.
type Fingerprint = [u8; 32];

/// Everything the security chain needs of the accepted subscriptions of one API.
///
/// Keys are spread by their hash, which nobody without the pepper can choose.
#[derive(Debug, Default)]
pub struct ApiSubscriptions {
    /// What it was made from, to see whether it may be kept.
    sources: Box<[Arc<SubscriptionObject>]>,
    by_key: HashMap<KeyHash, SubscriptionEntry, RandomState>,
    by_client: ByPlan<Text>,
    by_certificate: ByPlan<Fingerprint>,
}

type ByPlan<K> = HashMap<Text, HashMap<K, SubscriptionEntry, RandomState>, RandomState>;

/// A subscription, or a key with its subscription.
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

impl SubscriptionEntry {
    fn new(source: &SubscriptionObject) -> Self {
        let facts = SubscriptionFacts {
            id: source.id.as_str().into(),
            application: source.application.as_str().into(),
            client_id: source.client_id.as_deref().map(Text::from),
            metadata: source.metadata.clone(),
        };
        Self {
            facts: Arc::new(facts),
            expires_ms: None,
            plan: source.plan.as_str().into(),
            starting_ms: source.starting_ms,
            ending_ms: source.ending_ms,
        }
    }

    fn is_running(&self, now_ms: u64) -> bool {
        self.starting_ms.is_none_or(|starting| starting <= now_ms)
            && self.ending_ms.is_none_or(|ending| now_ms < ending)
    }
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
    /// Indexes subscriptions; unusable keys and fingerprints are left out and reported.
    #[must_use]
    pub fn new(sources: Vec<Arc<SubscriptionObject>>) -> (Self, Vec<SubscriptionRefusal>) {
        let mut refused = Vec::new();
        let mut index = Self::default();
        for source in &sources {
            let entry = SubscriptionEntry::new(source);
            let mut refuse = |path: String| {
                refused.push(SubscriptionRefusal {
                    subscription: source.id.as_str().to_owned(),
                    path,
                });
            };
            for (position, key) in source.keys.iter().enumerate() {
                let Some(hash) = parse_key_hash(&key.hash) else {
                    refuse(format!("keys[{position}].hash"));
                    continue;
                };
                let entry = SubscriptionEntry {
                    expires_ms: key.expires_ms,
                    ..entry.clone()
                };
                index.by_key.insert(hash, entry);
            }
            if let Some(client) = &source.client_id {
                insert(&mut index.by_client, Text::from(client.as_str()), &entry);
            }
            if let Some(certificate) = &source.client_certificate {
                match parse_key_hash(certificate) {
                    Some(fingerprint) => insert(&mut index.by_certificate, fingerprint, &entry),
                    None => refuse("client_certificate".to_owned()),
                }
            }
        }
        index.sources = sources.into();
        (index, refused)
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
    pub fn of_key(&self, hash: &KeyHash, plan: &Text, now_ms: u64) -> Option<&SubscriptionEntry> {
        let found = self.by_key.get(hash);
        found.filter(|entry| entry.plan == *plan && entry.is_running(now_ms))
    }

    /// The subscription of a client id under a plan, if `now_ms` lies between its dates.
    #[must_use]
    pub fn of_client(&self, client: &str, plan: &Text, now_ms: u64) -> Option<&SubscriptionEntry> {
        let found = self.by_client.get(plan)?.get(client);
        found.filter(|entry| entry.is_running(now_ms))
    }

    /// The subscription of a certificate under a plan, if `now_ms` lies between its dates.
    #[must_use]
    pub fn of_certificate(
        &self,
        fingerprint: &Fingerprint,
        plan: &Text,
        now_ms: u64,
    ) -> Option<&SubscriptionEntry> {
        let found = self.by_certificate.get(plan)?.get(fingerprint);
        found.filter(|entry| entry.is_running(now_ms))
    }
}

/// Of two subscriptions of one client to one plan, the one that runs longer counts.
fn insert<K: Hash + Eq>(index: &mut ByPlan<K>, key: K, entry: &SubscriptionEntry) {
    let of_plan = index.entry(entry.plan.clone()).or_default();
    let end = |entry: &SubscriptionEntry| entry.ending_ms.unwrap_or(u64::MAX);
    match of_plan.get(&key) {
        Some(known) if end(known) >= end(entry) => {}
        _ => drop(of_plan.insert(key, entry.clone())),
    }
}
