//! Operations: one file per aggregate says what its operations hold and how each applies.

mod api;
mod application;
mod asset;
mod cluster;
mod deployment;
mod environment;
mod feed;
mod live;
mod refusal;
mod subscription;
mod token;
mod view;

pub use api::{DeleteApi, PutApi};
pub use application::{DeleteApplication, PutApplication};
pub use asset::{DeleteAsset, DeployAsset, PutAsset, WithdrawAsset};
pub use cluster::{PutCluster, PutKeyset, SetFeatureLevel};
pub use deployment::{Deploy, SetApiState};
pub use environment::PutEnvironment;
pub use feed::PutFeed;
pub use refusal::RecordRefusal;
pub use subscription::PutSubscription;
pub use token::{DeleteToken, PutToken};
pub use view::{PublishView, RegisterView, UnregisterView};

use crate::{draft::Draft, rejection::OpError};

/// One operation of a transaction.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Op {
    /// Writes the draft of an API.
    #[prost(message, tag = "1")]
    PutApi(PutApi),
    /// Removes an API and all that hangs on it.
    #[prost(message, tag = "2")]
    DeleteApi(DeleteApi),
    /// Publishes an API under a new number.
    #[prost(message, tag = "3")]
    Deploy(Deploy),
    /// Starts or stops an API.
    #[prost(message, tag = "4")]
    SetApiState(SetApiState),
    /// Writes an application.
    #[prost(message, tag = "5")]
    PutApplication(PutApplication),
    /// Removes an application and its subscriptions.
    #[prost(message, tag = "6")]
    DeleteApplication(DeleteApplication),
    /// Writes a subscription with its keys.
    #[prost(message, tag = "7")]
    PutSubscription(PutSubscription),
    /// Writes a token.
    #[prost(message, tag = "8")]
    PutToken(PutToken),
    /// Removes a token.
    #[prost(message, tag = "9")]
    DeleteToken(DeleteToken),
    /// Makes an environment.
    #[prost(message, tag = "10")]
    PutEnvironment(PutEnvironment),
    /// Adds a keyset version.
    #[prost(message, tag = "11")]
    PutKeyset(PutKeyset),
    /// Names the cluster, or raises its epoch.
    #[prost(message, tag = "12")]
    PutCluster(PutCluster),
    /// Makes a view.
    #[prost(message, tag = "13")]
    RegisterView(RegisterView),
    /// Publishes a manifest of a view.
    #[prost(message, tag = "14")]
    PublishView(PublishView),
    /// Records that an edge could not use a deployment.
    #[prost(message, tag = "15")]
    RecordRefusal(RecordRefusal),
    /// Removes a view and its manifest.
    #[prost(message, tag = "16")]
    UnregisterView(UnregisterView),
    /// Raises the feature level of the cluster.
    #[prost(message, tag = "17")]
    SetFeatureLevel(SetFeatureLevel),
    /// Writes the draft of an asset.
    #[prost(message, tag = "18")]
    PutAsset(PutAsset),
    /// Removes an asset.
    #[prost(message, tag = "19")]
    DeleteAsset(DeleteAsset),
    /// Publishes an asset under a new number.
    #[prost(message, tag = "20")]
    DeployAsset(DeployAsset),
    /// Takes an asset out of all views.
    #[prost(message, tag = "21")]
    WithdrawAsset(WithdrawAsset),
    /// Records what was fetched.
    #[prost(message, tag = "22")]
    PutFeed(PutFeed),
}

macro_rules! into_op {
    ($($name:ident),* $(,)?) => {
        $(impl From<$name> for Op {
            fn from(op: $name) -> Op {
                Op::$name(op)
            }
        })*
    };
}

into_op!(
    PutApi,
    DeleteApi,
    Deploy,
    SetApiState,
    PutApplication,
    DeleteApplication,
    PutSubscription,
    PutToken,
    DeleteToken,
    PutEnvironment,
    PutKeyset,
    PutCluster,
    RegisterView,
    PublishView,
    RecordRefusal,
    UnregisterView,
    SetFeatureLevel,
    PutAsset,
    DeleteAsset,
    DeployAsset,
    WithdrawAsset,
    PutFeed,
);

/// Protobuf cannot repeat a oneof: each operation travels in a message of its own.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct OpEnvelope {
    #[prost(
        oneof = "Op",
        tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22"
    )]
    pub(crate) kind: Option<Op>,
}

/// Applies one operation to the draft of the next state.
pub(crate) fn run(draft: &mut Draft<'_>, op: &Op) -> Result<(), OpError> {
    match op {
        Op::PutApi(op) => api::put(draft, op),
        Op::DeleteApi(op) => api::delete(draft, op),
        Op::Deploy(op) => deployment::deploy(draft, op),
        Op::SetApiState(op) => deployment::set_state(draft, op),
        Op::PutApplication(op) => application::put(draft, op),
        Op::DeleteApplication(op) => application::delete(draft, op),
        Op::PutSubscription(op) => subscription::put(draft, op),
        Op::PutToken(op) => token::put(draft, op),
        Op::DeleteToken(op) => token::delete(draft, op),
        Op::PutEnvironment(op) => environment::put(draft, op),
        Op::PutKeyset(op) => cluster::put_keyset(draft, op),
        Op::PutCluster(op) => cluster::put(draft, op),
        Op::RegisterView(op) => view::register(draft, op),
        Op::UnregisterView(op) => view::unregister(draft, op),
        Op::PublishView(op) => view::publish(draft, op),
        Op::RecordRefusal(op) => refusal::record(draft, op),
        Op::SetFeatureLevel(op) => cluster::set_feature_level(draft, op),
        Op::PutAsset(op) => asset::put(draft, op),
        Op::DeleteAsset(op) => asset::delete(draft, op),
        Op::DeployAsset(op) => asset::deploy(draft, op),
        Op::WithdrawAsset(op) => asset::withdraw(draft, op),
        Op::PutFeed(op) => feed::put(draft, op),
    }
}
