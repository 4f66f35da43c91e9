//! The TCP APIs that are served now.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use crate::routes::Routes;

/// The active configuration. A connection stays on the one it began with, until its API is undeployed.
#[derive(Debug, Default)]
pub struct TcpLive(ArcSwap<Routes>);

impl TcpLive {
    /// Nothing is served yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a configuration active. Connections of APIs that are no longer in it are told to end.
    pub fn store(&self, routes: Arc<Routes>) {
        let now = Arc::clone(&routes);
        let before = self.0.swap(routes);
        for api in before.apis() {
            if now.api(api.id.as_str()).is_none() {
                api.retired.cancel();
            }
        }
    }

    /// The active configuration.
    #[must_use]
    pub fn load(&self) -> Guard<Arc<Routes>> {
        self.0.load()
    }
}
