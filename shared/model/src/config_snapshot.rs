//! What one edge runs: the objects of one view at one point in time.
//!
//! Objects travel and are hashed as JSON; members unknown to an older edge are ignored.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ApiId, ApplicationId, Epoch, PlanId, Revision, Secret, SubscriptionId};

/// What an object of a view is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// An [`ApiObject`].
    Api,
    /// A [`SubscriptionObject`].
    Subscription,
    /// A [`SharedPolicyGroupObject`].
    SharedPolicyGroup,
    /// A [`DictionaryObject`].
    Dictionary,
    /// An [`OrganizationObject`].
    Organization,
    /// A [`PropertiesObject`].
    Properties,
}

impl ObjectKind {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::Api,
        Self::Subscription,
        Self::SharedPolicyGroup,
        Self::Dictionary,
        Self::Organization,
        Self::Properties,
    ];

    /// The name used in views and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Subscription => "subscription",
            Self::SharedPolicyGroup => "shared-policy-group",
            Self::Dictionary => "dictionary",
            Self::Organization => "organization",
            Self::Properties => "properties",
        }
    }
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A kind of object that this build does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown object kind {0:?}")]
pub struct UnknownObjectKind(pub String);

impl FromStr for ObjectKind {
    type Err = UnknownObjectKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownObjectKind(text.to_owned()))
    }
}

/// A deployed API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApiObject {
    /// Identifier of the API.
    pub id: ApiId,
    /// Environment it belongs to.
    pub environment: String,
    /// Canonical document with published and deprecated plans only, without members that only
    /// matter to management.
    pub definition: Value,
    /// False for an API that is deployed but stopped.
    pub started: bool,
    /// Number of the deployment.
    pub deployment_number: u64,
    /// When it was deployed, Unix milliseconds.
    pub deployed_ms: u64,
    /// The shared policy groups its steps name: what they call each → its id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, String>,
}

/// A deployed shared policy group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SharedPolicyGroupObject {
    /// Identifier of the group.
    pub id: String,
    /// Its canonical document.
    pub definition: Value,
    /// Number of the deployment.
    pub deployment_number: u64,
}

/// A deployed dictionary with its entries.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DictionaryObject {
    /// Identifier of the dictionary.
    pub id: String,
    /// What expressions call it.
    pub key: String,
    /// Its entries.
    pub entries: BTreeMap<String, String>,
}

/// Entries may be secrets.
impl fmt::Debug for DictionaryObject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DictionaryObject")
            .field("id", &self.id)
            .field("entries", &self.entries.len())
            .finish_non_exhaustive()
    }
}

/// The deployed flows of the organisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrganizationObject {
    /// Identifier of the organisation.
    pub id: String,
    /// Its canonical document.
    pub definition: Value,
    /// Number of the deployment.
    pub deployment_number: u64,
}

/// Properties of an API that were fetched since it was deployed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PropertiesObject {
    /// The API.
    pub api: ApiId,
    /// Its fetched properties; those of its definition come first.
    pub entries: BTreeMap<String, String>,
}

/// Properties may be secrets.
impl fmt::Debug for PropertiesObject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PropertiesObject")
            .field("api", &self.api)
            .field("entries", &self.entries.len())
            .finish_non_exhaustive()
    }
}

/// An accepted subscription with its usable keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionObject {
    /// Identifier of the subscription.
    pub id: SubscriptionId,
    /// API the plan belongs to.
    pub api: ApiId,
    /// Plan that was subscribed to.
    pub plan: PlanId,
    /// Application that subscribed.
    pub application: ApplicationId,
    /// OAuth client id of the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Client certificate of the application: 64 hexadecimal digits of the SHA-256 of its DER.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<String>,
    /// Valid from, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starting_ms: Option<u64>,
    /// Valid until, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending_ms: Option<u64>,
    /// Free text of the subscriber.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Keys that are not revoked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<KeyObject>,
}

/// An API key, as its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyObject {
    /// Identifier, not secret.
    pub id: String,
    /// 64 lower-case hexadecimal digits of HMAC-SHA256(pepper of the environment, key).
    pub hash: String,
    /// Usable until, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
}

/// Everything an edge needs to serve, at one (epoch, revision).
#[derive(Debug, Clone)]
pub struct ConfigSnapshot {
    /// Environment of the view.
    pub environment: String,
    /// Epoch of the manifest.
    pub epoch: Epoch,
    /// Revision of the manifest.
    pub revision: Revision,
    /// Root of the view; names the content exactly.
    pub root: [u8; 32],
    /// Deployed APIs.
    pub apis: Vec<Arc<ApiObject>>,
    /// Accepted subscriptions.
    pub subscriptions: Vec<Arc<SubscriptionObject>>,
    /// What APIs share.
    pub shared: SharedObjects,
    /// HMAC key under which API keys are hashed.
    pub api_key_pepper: Secret<Vec<u8>>,
}

/// What the APIs of a view share, and what was fetched for them.
#[derive(Debug, Clone, Default)]
pub struct SharedObjects {
    /// Deployed shared policy groups.
    pub groups: Vec<Arc<SharedPolicyGroupObject>>,
    /// Deployed dictionaries.
    pub dictionaries: Vec<Arc<DictionaryObject>>,
    /// Fetched properties of APIs.
    pub properties: Vec<Arc<PropertiesObject>>,
    /// The flows of the organisation, if it has some.
    pub organization: Option<Arc<OrganizationObject>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_a_newer_control_plane_are_ignored() {
        let text = r#"{"id":"s","api":"a","plan":"p","application":"x","fromTheFuture":1}"#;
        let subscription: SubscriptionObject = serde_json::from_str(text).unwrap();
        assert_eq!(subscription.keys, []);
    }

    #[test]
    fn kinds_survive_a_round_trip() {
        for kind in ObjectKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert!("unheard-of".parse::<ObjectKind>().is_err());
    }
}
