//! The configuration that is served now.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::compile::CompiledSnapshot;

/// The active configuration; workers look at it once per request, a change swaps it whole.
///
/// A request ends on the configuration it began with, whatever is stored meanwhile.
#[derive(Debug, Default)]
pub struct Live(ArcSwapOption<CompiledSnapshot>);

impl Live {
    /// Nothing is served yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a configuration active; returns the one before it.
    pub fn store(&self, snapshot: Arc<CompiledSnapshot>) -> Option<Arc<CompiledSnapshot>> {
        self.0.swap(Some(snapshot))
    }

    /// The active configuration.
    #[must_use]
    pub fn load(&self) -> Option<Arc<CompiledSnapshot>> {
        self.0.load_full()
    }

    /// Whether `known` is still the active configuration: no shared counter is touched.
    pub(crate) fn is_current(&self, known: Option<&Arc<CompiledSnapshot>>) -> bool {
        match (&*self.0.load(), known) {
            (Some(active), Some(known)) => Arc::ptr_eq(active, known),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}
