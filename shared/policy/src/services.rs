//! What policies may use beyond the exchange.

use std::sync::Arc;

use tidegate_expression::Ambient;

/// Capabilities handed to policies; a simulation hands out its own.
#[derive(Clone, Debug)]
pub struct Services {
    /// Time and randomness.
    pub ambient: Arc<dyn Ambient>,
}
