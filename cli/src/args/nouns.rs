//! Commands below a noun, such as `subscription create`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use super::duration;
use crate::timestamp;

#[derive(Debug, Subcommand)]
pub(crate) enum EdgesCommand {
    /// Show one edge with its refusals and alarms
    Describe { name: String },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// Leader, term, revision
    Status,
    /// Members of the control plane
    Members,
    /// Move leadership
    TransferLeader {
        /// Node to move it to; any other node when left out
        #[arg(long, default_value_t = 0)]
        to: u64,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PlanCommand {
    /// Make a plan available at the next deployment
    Publish(PlanArgs),
    /// Keep a plan for its subscribers, but accept no new ones
    Deprecate(PlanArgs),
    /// Withdraw a plan and close its subscriptions
    Close(PlanArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct PlanArgs {
    /// Id or name
    pub plan: String,
    #[arg(long)]
    pub api: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ApplicationCommand {
    /// Create an application
    Create {
        name: String,
        #[arg(long, default_value = "")]
        description: String,
        /// OAuth client id
        #[arg(long, default_value = "")]
        client_id: String,
        /// PEM file with the client certificate, for mTLS plans
        #[arg(long)]
        client_certificate: Option<PathBuf>,
    },
    /// List applications
    List,
    /// Delete an application
    Delete { name: String },
}

#[derive(Debug, Subcommand)]
pub(crate) enum SubscriptionCommand {
    /// Subscribe an application to a plan; prints the new API key once
    Create {
        #[arg(long)]
        api: String,
        #[arg(long)]
        plan: String,
        #[arg(long)]
        app: String,
        /// RFC 3339 time
        #[arg(long, value_parser = timestamp::parse)]
        starting_at: Option<u64>,
        /// RFC 3339 time
        #[arg(long, value_parser = timestamp::parse)]
        ending_at: Option<u64>,
        /// Own key instead of a random one, 8 to 64 visible ASCII characters
        #[arg(long)]
        api_key: Option<String>,
    },
    /// List subscriptions
    List {
        #[arg(long, default_value = "")]
        api: String,
        #[arg(long, default_value = "")]
        app: String,
    },
    /// Accept a pending subscription
    Accept { id: String },
    /// Reject a pending subscription
    Reject { id: String },
    /// Stop a subscription from being used, for now
    Pause { id: String },
    /// Let a paused subscription be used again
    Resume { id: String },
    /// End a subscription
    Close { id: String },
    /// Change the dates of a subscription
    Update {
        id: String,
        /// RFC 3339 time
        #[arg(long, value_parser = timestamp::parse)]
        starting_at: Option<u64>,
        /// RFC 3339 time
        #[arg(long, value_parser = timestamp::parse)]
        ending_at: Option<u64>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// List the keys of a subscription
    List {
        #[arg(long)]
        subscription: String,
    },
    /// Make a new key; older ones expire after a grace period
    Renew {
        #[arg(long)]
        subscription: String,
        /// Own key instead of a random one
        #[arg(long)]
        api_key: Option<String>,
    },
    /// Make a key invalid at once
    Revoke {
        /// Key id, or the key itself
        key: String,
    },
    /// Let a key end at a given time
    Expire {
        /// Key id, or the key itself
        key: String,
        /// RFC 3339 time
        #[arg(long, value_parser = timestamp::parse)]
        at: u64,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Create a token; prints it once
    Create {
        name: String,
        #[arg(long, alias = "kind", value_enum)]
        role: Role,
        /// Lifetime such as 24h; no expiry when left out
        #[arg(long, value_parser = duration)]
        ttl: Option<std::time::Duration>,
        /// Sharding tags an edge may claim; any when left out
        #[arg(long, value_delimiter = ',')]
        tags: Vec<String>,
    },
    /// List tokens
    List,
    /// Make a token invalid
    Revoke { id: String },
}

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    Admin,
    Viewer,
    Edge,
}
