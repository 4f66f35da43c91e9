//! `cloud-events`: gives messages the form of CloudEvents. Source: CloudEvents 1.0.2.
//!
//! The policy is for phases of message APIs, which no edge serves yet: here its configuration is checked, so that such
//! APIs are kept and corrected like others.

mod config;
#[cfg(test)]
mod tests;

use tidegate_expression::Needs;
use tidegate_policy::{CompileContext, Compiled, ConfigError, InlinePolicy, Phase, PolicyKind};

pub use config::CloudEventsConfig;

/// Longest name of an attribute that producers should use (CloudEvents §3).
const NAME_BYTES_MAX: usize = 20;

/// Attributes that extensions cannot replace.
const CORE: [&str; 9] = [
    "id",
    "source",
    "specversion",
    "type",
    "datacontenttype",
    "dataschema",
    "subject",
    "time",
    "data",
];

/// The kind of policy.
#[derive(Debug)]
pub struct CloudEvents;

impl PolicyKind for CloudEvents {
    const NAME: &'static str = "cloud-events";
    const PHASES: &'static [Phase] = &[Phase::MessageRequest, Phase::MessageResponse];
    type Config = CloudEventsConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let members = [
            ("id", &config.id),
            ("type", &config.kind),
            ("source", &config.source),
            ("subject", &config.subject),
        ];
        for (path, source) in members {
            if let Some(source) = source {
                ConfigError::template(path, source)?;
            }
        }
        for (name, source) in &config.extensions {
            let path = format!("extensions.{name}");
            let is_name = !name.is_empty()
                && name.len() <= NAME_BYTES_MAX
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
            if !is_name || CORE.contains(&name.as_str()) {
                let expected = format!(
                    "lower-case letters and digits, at most {NAME_BYTES_MAX}, and none of the core's names"
                );
                return Err(ConfigError::new(path, format!("{name:?}"), expected));
            }
            ConfigError::template(path, source)?;
        }
        Ok(Compiled::inline(Checked, Needs::NONE))
    }
}

/// A configuration that was checked. No phase of HTTP APIs runs it.
#[derive(Debug)]
struct Checked;

impl InlinePolicy for Checked {}
