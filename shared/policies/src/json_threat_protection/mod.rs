//! `json-threat-protection`: bounds the structure of JSON bodies.

mod config;
mod scan;
#[cfg(test)]
mod tests;

use tidegate_expression::Needs;
use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, InlinePolicy, Outcome, Phase, PolicyKind,
};

pub use config::JsonThreatProtectionConfig;

use crate::half::Half;
use crate::threat::{limit, media_type, refusal};
use scan::Limits;

/// The kind of policy.
#[derive(Debug)]
pub struct JsonThreatProtection;

impl PolicyKind for JsonThreatProtection {
    const NAME: &'static str = "json-threat-protection";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = JsonThreatProtectionConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let limits = Limits {
            entries: limit(config.max_entries),
            array_size: limit(config.max_array_size),
            depth: limit(config.max_depth),
            name_length: limit(config.max_name_length),
            value_length: limit(config.max_value_length),
            unique_names: config.prevent_duplicate_key.unwrap_or(true),
        };
        let needs = Needs {
            request_content: true,
            ..Needs::NONE
        };
        Ok(Compiled::inline(Protection { limits }, needs))
    }
}

#[derive(Debug)]
struct Protection {
    limits: Limits,
}

impl InlinePolicy for Protection {
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        let is_json = Half::Request
            .content_type(exchange)
            .is_some_and(|kind| media_type(kind).eq_ignore_ascii_case("application/json"));
        let Some(body) = Half::Request.body(exchange).filter(|_| is_json) else {
            return Outcome::Continue;
        };
        match self.limits.check(body) {
            Ok(()) => Outcome::Continue,
            Err(threat) => refusal(threat.key(), threat),
        }
    }
}
