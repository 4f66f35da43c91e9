//! `xml-threat-protection`: bounds the structure of XML bodies.

mod config;
mod entities;
mod scan;
#[cfg(test)]
mod tests;

use tidegate_expression::Needs;
use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, InlinePolicy, Outcome, Phase, PolicyKind,
};

pub use config::XmlThreatProtectionConfig;

use crate::half::Half;
use crate::threat::{limit, media_type, refusal};
use scan::{Limits, Threat};

/// The kind of policy.
#[derive(Debug)]
pub struct XmlThreatProtection;

impl PolicyKind for XmlThreatProtection {
    const NAME: &'static str = "xml-threat-protection";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = XmlThreatProtectionConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let limits = Limits {
            elements: limit(config.max_elements),
            depth: limit(config.max_depth),
            length: limit(config.max_length),
            attributes: limit(config.max_attributes_per_element),
            attribute_length: limit(config.max_attribute_value_length),
            children: limit(config.max_children_per_element),
            text_length: limit(config.max_text_value_length),
            entities: limit(config.max_entities),
            entity_depth: limit(config.max_entity_depth),
            allows_external: config.allow_external_entities.unwrap_or(false),
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
        let is_xml = Half::Request.content_type(exchange).is_some_and(|kind| {
            let kind = media_type(kind).as_bytes();
            kind.len() >= 3 && kind[kind.len() - 3..].eq_ignore_ascii_case(b"xml")
        });
        if !is_xml {
            return Outcome::Continue;
        }
        let body = Half::Request.body(exchange).map_or(&[][..], |body| body);
        let checked = std::str::from_utf8(body)
            .map_err(|_error| Threat::Malformed)
            .and_then(|text| self.limits.check(text));
        match checked {
            Ok(()) => Outcome::Continue,
            Err(threat) => refusal(threat.key(), threat),
        }
    }
}
