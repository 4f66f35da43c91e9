//! What is stored, as protobuf messages. Field numbers are never reused; unknown fields are tolerated.

use std::collections::BTreeMap;

use bytes::Bytes;

/// The envelope of every resource. Its etag is the decimal `revision`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Stored {
    /// Log index of the last change.
    #[prost(uint64, tag = "1")]
    pub revision: u64,
    /// Time of creation, milliseconds since the Unix epoch.
    #[prost(uint64, tag = "2")]
    pub created_ms: u64,
    /// Time of the last change, milliseconds since the Unix epoch.
    #[prost(uint64, tag = "3")]
    pub updated_ms: u64,
    /// Who made the last change.
    #[prost(string, tag = "4")]
    pub actor: String,
    /// The encoded record.
    #[prost(bytes = "bytes", tag = "5")]
    pub value: Bytes,
}

/// The draft of an API.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ApiRecord {
    /// Id of the API.
    #[prost(string, tag = "1")]
    pub id: String,
    /// Name, unique in the environment.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Canonical draft document, JSON.
    #[prost(bytes = "bytes", tag = "3")]
    pub document: Bytes,
    /// Whether edges serve it.
    #[prost(bool, tag = "4")]
    pub started: bool,
    /// Number of the newest deployment, 0 when never deployed. Kept by the rules; what a `PutApi` says is ignored.
    #[prost(uint64, tag = "5")]
    pub deployed_number: u64,
    /// Listener claims in the spelling of the caller, each unique in the environment.
    #[prost(string, repeated, tag = "6")]
    pub claims: Vec<String>,
    /// Ids of all plans, each unique in the environment.
    #[prost(string, repeated, tag = "7")]
    pub plan_ids: Vec<String>,
    /// Sharding tags of the draft.
    #[prost(string, repeated, tag = "8")]
    pub tags: Vec<String>,
    /// Ids of the shared policy groups that steps of the draft name and that exist, each once.
    #[prost(string, repeated, tag = "9")]
    pub groups: Vec<String>,
    /// Ids of the shared policy groups it is deployed with. Kept by the rules.
    #[prost(string, repeated, tag = "10")]
    pub deployed_groups: Vec<String>,
    /// Whether properties are fetched for what is deployed. Kept by the rules.
    #[prost(bool, tag = "11")]
    pub has_feed: bool,
}

/// What an asset is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum AssetKind {
    /// Never written.
    Unspecified = 0,
    /// Steps that several APIs run.
    SharedPolicyGroup = 1,
    /// Values that expressions read.
    Dictionary = 2,
    /// Flows around those of every API.
    Organization = 3,
}

/// Begins what stands for an asset where an API id is expected: ids hold no control characters.
const OWNER_MARK: char = '\u{1}';

impl AssetKind {
    /// Its name in keys and views.
    pub const fn name(self) -> &'static str {
        match self {
            AssetKind::Unspecified => "",
            AssetKind::SharedPolicyGroup => "shared-policy-group",
            AssetKind::Dictionary => "dictionary",
            AssetKind::Organization => "organization",
        }
    }

    /// What stands for the id of an API in the history of an asset. No API has such an id.
    pub fn owner(self, id: &str) -> String {
        format!("{OWNER_MARK}{}/{id}", self.name())
    }

    /// The asset, as `<kind>/<id>`, that such an id stands for.
    pub(crate) fn owned(owner: &str) -> Option<&str> {
        owner.strip_prefix(OWNER_MARK)
    }
}

/// The draft of an asset: what the APIs of an environment share.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct AssetRecord {
    /// An [`AssetKind`].
    #[prost(enumeration = "AssetKind", tag = "1")]
    pub kind: i32,
    /// Id, unique among those of its kind.
    #[prost(string, tag = "2")]
    pub id: String,
    /// Name, unique among those of its kind.
    #[prost(string, tag = "3")]
    pub name: String,
    /// What others call it beside its id, unique among those of its kind; may be empty.
    #[prost(string, tag = "4")]
    pub alias: String,
    /// Canonical draft document, JSON.
    #[prost(bytes = "bytes", tag = "5")]
    pub document: Bytes,
    /// Number of the newest deployment, 0 when never deployed. Kept by the rules.
    #[prost(uint64, tag = "6")]
    pub deployed_number: u64,
    /// Whether it is in views. Kept by the rules.
    #[prost(bool, tag = "7")]
    pub is_deployed: bool,
    /// Whether entries are fetched for what was deployed last. Kept by the rules.
    #[prost(bool, tag = "8")]
    pub has_feed: bool,
}

/// What was fetched for a dictionary or for the properties of an API.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct FeedRecord {
    /// Hash of the object with the newest values, empty before the first. Kept by the rules.
    #[prost(bytes = "bytes", tag = "1")]
    pub object_hash: Bytes,
    /// When the newest values were fetched first, milliseconds since the Unix epoch; 0 before.
    #[prost(uint64, tag = "2")]
    pub fetched_ms: u64,
    /// Why newer attempts failed; empty while they succeed.
    #[prost(string, tag = "3")]
    pub error: String,
    /// When they began to fail so, milliseconds since the Unix epoch; 0 while they succeed.
    #[prost(uint64, tag = "4")]
    pub failing_since_ms: u64,
}

/// One entry of the deployment history.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct DeploymentRecord {
    /// Id of the API, or the [`owner`](AssetKind::owner) that stands for an asset.
    #[prost(string, tag = "1")]
    pub api_id: String,
    /// 1 for the first deployment of the API; grows by one.
    #[prost(uint64, tag = "2")]
    pub number: u64,
    /// Short label.
    #[prost(string, tag = "3")]
    pub label: String,
    /// Longer message.
    #[prost(string, tag = "4")]
    pub message: String,
    /// Who deployed.
    #[prost(string, tag = "5")]
    pub author: String,
    /// When, milliseconds since the Unix epoch.
    #[prost(uint64, tag = "6")]
    pub created_ms: u64,
    /// Log index of the deployment.
    #[prost(uint64, tag = "7")]
    pub revision: u64,
    /// Number whose content was rolled back to, or 0.
    #[prost(uint64, tag = "8")]
    pub rollback_of: u64,
    /// Hash of the published object; its bytes are in [`Table::Object`](crate::Table::Object).
    #[prost(bytes = "bytes", tag = "9")]
    pub object_hash: Bytes,
    /// Hash of the draft document at that time; its bytes are in [`Table::Object`](crate::Table::Object).
    #[prost(bytes = "bytes", tag = "10")]
    pub document_hash: Bytes,
    /// Edges that could not use it, oldest first.
    #[prost(message, repeated, tag = "11")]
    pub refusals: Vec<Refusal>,
    /// Sharding tags of the API as deployed.
    #[prost(string, repeated, tag = "12")]
    pub tags: Vec<String>,
}

/// An edge that could not use a deployed object.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Refusal {
    /// Id of the edge.
    #[prost(string, tag = "1")]
    pub edge_id: String,
    /// Hash of the object it refused.
    #[prost(bytes = "bytes", tag = "2")]
    pub object_hash: Bytes,
    /// Stable code, upper snake case.
    #[prost(string, tag = "3")]
    pub code: String,
    /// Field path inside the object.
    #[prost(string, tag = "4")]
    pub path: String,
    /// Text for people.
    #[prost(string, tag = "5")]
    pub message: String,
    /// When it was recorded, milliseconds since the Unix epoch.
    #[prost(uint64, tag = "6")]
    pub time_ms: u64,
}

/// A consumer of APIs.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ApplicationRecord {
    /// Id of the application.
    #[prost(string, tag = "1")]
    pub id: String,
    /// Name, unique in the environment.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Text for people.
    #[prost(string, tag = "3")]
    pub description: String,
    /// OAuth client id, unique in the environment; empty when unset.
    #[prost(string, tag = "4")]
    pub client_id: String,
    /// PEM certificate for mutual TLS; empty when unset.
    #[prost(string, tag = "5")]
    pub client_certificate: String,
}

/// Where a subscription stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum SubscriptionStatus {
    /// Never written.
    Unspecified = 0,
    /// Waits for a decision.
    Pending = 1,
    /// Gives access.
    Accepted = 2,
    /// Was turned down.
    Rejected = 3,
    /// Gives no access for now.
    Paused = 4,
    /// Has ended.
    Closed = 5,
}

impl SubscriptionStatus {
    /// Says whether the subscription still binds its plan and application.
    pub const fn is_open(self) -> bool {
        match self {
            SubscriptionStatus::Pending
            | SubscriptionStatus::Accepted
            | SubscriptionStatus::Paused => true,
            SubscriptionStatus::Unspecified
            | SubscriptionStatus::Rejected
            | SubscriptionStatus::Closed => false,
        }
    }
}

/// The right of one application to use one plan.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct SubscriptionRecord {
    /// Id of the subscription.
    #[prost(string, tag = "1")]
    pub id: String,
    /// Id of the API.
    #[prost(string, tag = "2")]
    pub api_id: String,
    /// Id of the plan.
    #[prost(string, tag = "3")]
    pub plan_id: String,
    /// Id of the application.
    #[prost(string, tag = "4")]
    pub application_id: String,
    /// A [`SubscriptionStatus`].
    #[prost(enumeration = "SubscriptionStatus", tag = "5")]
    pub status: i32,
    /// First millisecond of validity.
    #[prost(uint64, optional, tag = "6")]
    pub starting_ms: Option<u64>,
    /// End of validity in milliseconds.
    #[prost(uint64, optional, tag = "7")]
    pub ending_ms: Option<u64>,
    /// All keys, revoked ones too.
    #[prost(message, repeated, tag = "8")]
    pub keys: Vec<KeyRecord>,
    /// Free pairs for policies.
    #[prost(btree_map = "string, string", tag = "9")]
    pub metadata: BTreeMap<String, String>,
    /// Hash of the object for views, empty when it belongs in none. Kept by the rules.
    #[prost(bytes = "bytes", tag = "10")]
    pub object_hash: Bytes,
}

/// An API key without its secret.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct KeyRecord {
    /// Id of the key, unique in the environment; not secret.
    #[prost(string, tag = "1")]
    pub id: String,
    /// 64 hexadecimal digits of HMAC-SHA256(pepper, key), unique in the environment.
    #[prost(string, tag = "2")]
    pub hash: String,
    /// Last characters, for recognition.
    #[prost(string, tag = "3")]
    pub hint: String,
    /// When it was made, milliseconds since the Unix epoch.
    #[prost(uint64, tag = "4")]
    pub created_ms: u64,
    /// When it ends, milliseconds since the Unix epoch.
    #[prost(uint64, optional, tag = "5")]
    pub expires_ms: Option<u64>,
    /// When it was revoked, milliseconds since the Unix epoch.
    #[prost(uint64, optional, tag = "6")]
    pub revoked_ms: Option<u64>,
}

/// What the bearer of a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Role {
    /// Never written.
    Unspecified = 0,
    /// Everything.
    Admin = 1,
    /// Reads, without secrets.
    Viewer = 2,
    /// The sync stream, nothing else.
    Edge = 3,
}

/// A bearer token without its secret.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct TokenRecord {
    /// Id of the token.
    #[prost(string, tag = "1")]
    pub id: String,
    /// Name for people.
    #[prost(string, tag = "2")]
    pub name: String,
    /// A [`Role`].
    #[prost(enumeration = "Role", tag = "3")]
    pub role: i32,
    /// BLAKE3 of the secret, unique.
    #[prost(bytes = "bytes", tag = "4")]
    pub secret_hash: Bytes,
    /// When it was made, milliseconds since the Unix epoch.
    #[prost(uint64, tag = "5")]
    pub created_ms: u64,
    /// When it ends, milliseconds since the Unix epoch.
    #[prost(uint64, optional, tag = "6")]
    pub expires_ms: Option<u64>,
    /// For edges: sharding tags it may claim; empty for any.
    #[prost(string, repeated, tag = "7")]
    pub tags: Vec<String>,
}

/// An environment: a space of names, claims and views.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct EnvironmentRecord {
    /// Id of the environment.
    #[prost(string, tag = "1")]
    pub id: String,
    /// HMAC key under which API keys are hashed. Secret; never changes.
    #[prost(bytes = "bytes", tag = "2")]
    pub api_key_pepper: Bytes,
}

/// One version of the keyset.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct KeysetRecord {
    /// 1 for the first; grows by one.
    #[prost(uint64, tag = "1")]
    pub version: u64,
    /// The signed keyset as edges receive it.
    #[prost(bytes = "bytes", tag = "2")]
    pub bytes: Bytes,
}

/// What the cluster is.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ClusterRecord {
    /// Id, fixed at bootstrap.
    #[prost(string, tag = "1")]
    pub cluster_id: String,
    /// Trust domain of manifests, fixed at bootstrap.
    #[prost(string, tag = "2")]
    pub trust_domain: String,
    /// Raised by disaster recovery only.
    #[prost(uint64, tag = "3")]
    pub epoch: u64,
    /// Level that all members have; gates operations. 0 reads as 1.
    #[prost(uint32, tag = "4")]
    pub feature_level: u32,
}

/// A view that edges may follow.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ViewRecord {
    /// `<environment>/<canonical tags>`.
    #[prost(string, tag = "1")]
    pub view_id: String,
    /// Environment of the view.
    #[prost(string, tag = "2")]
    pub environment: String,
    /// Tags it includes.
    #[prost(string, repeated, tag = "3")]
    pub inclusions: Vec<String>,
    /// Tags it excludes.
    #[prost(string, repeated, tag = "4")]
    pub exclusions: Vec<String>,
}

/// The newest signed manifest of a view.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ManifestRecord {
    /// View it describes.
    #[prost(string, tag = "1")]
    pub view_id: String,
    /// Epoch of the cluster when it was published.
    #[prost(uint64, tag = "2")]
    pub epoch: u64,
    /// Log index whose content it describes.
    #[prost(uint64, tag = "3")]
    pub revision: u64,
    /// Root of the view tree, 32 bytes.
    #[prost(bytes = "bytes", tag = "4")]
    pub root: Bytes,
    /// Exact manifest bytes.
    #[prost(bytes = "bytes", tag = "5")]
    pub manifest: Bytes,
    /// Signature over them.
    #[prost(bytes = "bytes", tag = "6")]
    pub signature: Bytes,
    /// Key that signed.
    #[prost(string, tag = "7")]
    pub key_id: String,
}

/// One object that views are made of, with what decides which views.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct LiveRecord {
    /// API the object belongs to; its own id for an API, empty for what belongs to the environment.
    #[prost(string, tag = "1")]
    pub api_id: String,
    /// Hash of the object; its bytes are in [`Table::Object`](crate::Table::Object).
    #[prost(bytes = "bytes", tag = "2")]
    pub object_hash: Bytes,
    /// Length of the object in bytes.
    #[prost(uint64, tag = "3")]
    pub object_len: u64,
    /// Sharding tags of the API as deployed.
    #[prost(string, repeated, tag = "4")]
    pub tags: Vec<String>,
    /// Sharding tags of each deployed plan.
    #[prost(message, repeated, tag = "5")]
    pub plan_tags: Vec<TagSet>,
    /// True for what belongs to the environment rather than to an API: it is in every view.
    #[prost(bool, tag = "6")]
    pub is_everywhere: bool,
}

/// The sharding tags of one plan.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct TagSet {
    /// The tags.
    #[prost(string, repeated, tag = "1")]
    pub tags: Vec<String>,
}

impl From<Vec<String>> for TagSet {
    fn from(tags: Vec<String>) -> TagSet {
        TagSet { tags }
    }
}
