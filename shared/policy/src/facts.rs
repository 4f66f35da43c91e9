//! What is known about the API, plan, subscription and node of an exchange; shared between exchanges.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_expression::{Text, Value, ValueMap};

use crate::resource::Resources;

/// The API an exchange belongs to, compiled once per configuration.
#[derive(Clone, Debug)]
pub struct ApiFacts {
    /// Id of the API.
    pub id: Text,
    /// Name of the API.
    pub name: Text,
    /// Version of the API.
    pub version: Text,
    /// Organisation, `DEFAULT` where nothing else is known.
    pub organization: Text,
    /// Environment the API is deployed in.
    pub environment: Text,
    /// Properties by key.
    pub properties: Arc<ValueMap>,
    /// Endpoint and group names by themselves, as `#endpoints` sees them: name → `name:`.
    pub endpoints: Arc<ValueMap>,
    /// URLs of HTTP endpoints by name, for calls beside the exchange.
    pub targets: Arc<BTreeMap<Text, Text>>,
    /// Environment dictionaries: name → key → value.
    pub dictionaries: Arc<ValueMap>,
    /// Enabled resources by name.
    pub resources: Arc<Resources>,
}

/// The plan chosen by the security chain.
#[derive(Clone, Debug)]
pub struct PlanFacts {
    /// Id of the plan.
    pub id: Text,
    /// Name of the plan.
    pub name: Text,
}

/// The subscription found by the security chain.
#[derive(Clone, Debug)]
pub struct SubscriptionFacts {
    /// Id; the remote address for a key-less plan.
    pub id: Text,
    /// Application id; `1` for a key-less plan.
    pub application: Text,
    /// Client id of the application, if it has one.
    pub client_id: Option<Text>,
    /// Metadata of the subscription.
    pub metadata: BTreeMap<String, String>,
}

/// The gateway node.
#[derive(Clone, Debug)]
pub struct NodeFacts {
    /// Id of the node.
    pub id: Text,
    /// Version of the program.
    pub version: Text,
    /// Tenant of the node, if any.
    pub tenant: Option<Text>,
    /// Sharding tags as configured, exclusions with `!`.
    pub sharding_tags: Vec<Text>,
    /// Zone of the node, if any.
    pub zone: Option<Text>,
}

impl NodeFacts {
    /// Returns the sharding tags as a value.
    pub(crate) fn tags(&self) -> Value {
        Value::list(self.sharding_tags.iter().cloned().map(Value::from))
    }
}
