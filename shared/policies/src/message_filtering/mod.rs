//! `message-filtering`: lets only messages through for which a condition holds.
//!
//! The policy is for phases of message APIs, which no edge serves yet: here its configuration is checked, so that such
//! APIs are kept and corrected like others.

mod config;
#[cfg(test)]
mod tests;

use tidegate_expression::Needs;
use tidegate_policy::{CompileContext, Compiled, ConfigError, InlinePolicy, Phase, PolicyKind};

pub use config::MessageFilteringConfig;

/// The kind of policy.
#[derive(Debug)]
pub struct MessageFiltering;

impl PolicyKind for MessageFiltering {
    const NAME: &'static str = "message-filtering";
    const PHASES: &'static [Phase] = &[Phase::MessageRequest, Phase::MessageResponse];
    type Config = MessageFilteringConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        if config.filter.trim().is_empty() {
            return Err(ConfigError::new("filter", "nothing", "a condition"));
        }
        ConfigError::condition("filter", &config.filter)?;
        Ok(Compiled::inline(Checked, Needs::NONE))
    }
}

/// A configuration that was checked. No phase of HTTP APIs runs it.
#[derive(Debug)]
struct Checked;

impl InlinePolicy for Checked {}
