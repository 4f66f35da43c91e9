//! The operator API, `tidegate.admin.v1`: one folder per noun, and what they share.
//!
//! A read runs on a consistent view after a read-index round. A write is decided on such a view and
//! proposed with the revisions it relied on; when one of them moved it is decided again.

mod apis;
mod applications;
mod assets;
mod call;
mod cluster;
mod edges;
mod fault;
mod lookup;
mod mint;
mod page;
mod reach;
mod store;
mod subscriptions;
mod tokens;
mod watch;

pub(crate) use self::{
    apis::ApiService,
    applications::ApplicationService,
    assets::AssetService,
    call::{Call, ENVIRONMENT_DEFAULT, Intent, bounded, environment},
    cluster::ClusterService,
    edges::EdgeService,
    fault::{EditConflict, Fault},
    mint::Mint,
    page::Page,
    store::{Committed, Decision, Store},
    subscriptions::SubscriptionService,
    tokens::TokenService,
    watch::WatchService,
};
