//! `status-code`: maps the status of the response.

mod config;
#[cfg(test)]
mod tests;

use http::StatusCode;
use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, InlinePolicy, Needs, Outcome, Phase,
    PolicyKind,
};

pub use config::{StatusCodeConfig, StatusMappingConfig};

/// The kind of policy.
#[derive(Debug)]
pub struct StatusCodePolicy;

impl PolicyKind for StatusCodePolicy {
    const NAME: &'static str = "status-code";
    const PHASES: &'static [Phase] = &[Phase::Response];
    type Config = StatusCodeConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let mut mappings: Vec<(StatusCode, StatusCode)> = Vec::new();
        for (index, mapping) in config.status_mappings.iter().enumerate() {
            let path = format!("statusMappings[{index}]");
            let from = status(mapping.input_status_code, 100, || {
                format!("{path}.inputStatusCode")
            })?;
            let to = status(mapping.output_status_code, 200, || {
                format!("{path}.outputStatusCode")
            })?;
            match mappings.iter_mut().find(|(known, _)| *known == from) {
                Some(known) => known.1 = to,
                None => mappings.push((from, to)),
            }
        }
        mappings.sort_unstable();
        Ok(Compiled::inline(Mappings(mappings.into()), Needs::NONE))
    }
}

fn status(number: u16, least: u16, path: impl Fn() -> String) -> Result<StatusCode, ConfigError> {
    let expected = || format!("a status from {least} to 599");
    StatusCode::from_u16(number)
        .ok()
        .filter(|_| (least..=599).contains(&number))
        .ok_or_else(|| ConfigError::new(path(), number.to_string(), expected()))
}

/// What each status becomes, sorted by the status.
#[derive(Debug)]
struct Mappings(Box<[(StatusCode, StatusCode)]>);

impl InlinePolicy for Mappings {
    fn on_response(&self, exchange: &mut Exchange) -> Outcome {
        let status = &mut exchange.response.status;
        if let Ok(found) = self.0.binary_search_by_key(status, |(from, _)| *from) {
            *status = self.0[found].1;
        }
        Outcome::Continue
    }
}
