//! What policies and resources of one worker reach beyond their exchange: other systems over HTTP,
//! addresses of names, and work that goes on beside the requests.

mod background;
mod client;
mod names;
mod redirect;
#[cfg(test)]
mod tests;

use std::{rc::Rc, sync::Arc};

use tidegate_expression::Ambient;
use tidegate_policy::Services;

use self::{background::BackgroundTasks, client::PooledClient, names::CachedNames};
use crate::upstream::{AddressRule, ProxyOptions, UpstreamPools};

/// What calls made by policies may reach.
#[derive(Clone, Debug)]
pub struct OutboundSettings {
    /// Addresses that may be called. Policies send requests to places that requests can influence: by
    /// default they do not reach the credentials that clouds serve on link-local addresses.
    pub addresses: AddressRule,
    /// The proxy of calls that ask for the system's.
    pub system_proxy: Option<ProxyOptions>,
}

impl Default for OutboundSettings {
    fn default() -> Self {
        Self {
            addresses: AddressRule::NotLinkLocal,
            system_proxy: None,
        }
    }
}

/// The services of one worker, whose connections its endpoints' pools keep.
pub(crate) fn services(
    ambient: Arc<dyn Ambient>,
    pools: &UpstreamPools,
    settings: &OutboundSettings,
) -> Services {
    Services {
        http: Rc::new(PooledClient::new(pools.clone(), settings.clone())),
        names: Rc::new(CachedNames::default()),
        tasks: Rc::new(BackgroundTasks::default()),
        ..Services::isolated(ambient)
    }
}
