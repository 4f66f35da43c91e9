//! `transform-queryparams`: clears, sets and removes query parameters, in this order.

mod config;
#[cfg(test)]
mod tests;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use tidegate_expression::{Needs, Template, Text};
use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, InlinePolicy, Outcome, Phase, PolicyKind,
};

pub use config::{QueryParameterConfig, TransformQueryparamsConfig};

/// What cannot stand in a value: it would end the query or begin another parameter.
const VALUE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'&')
    .add(b'<')
    .add(b'>');

/// A name ends at `=` besides.
const NAME: &AsciiSet = &VALUE.add(b'=');

/// The kind of policy.
#[derive(Debug)]
pub struct TransformQueryparams;

impl PolicyKind for TransformQueryparams {
    const NAME: &'static str = "transform-queryparams";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = TransformQueryparamsConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let mut needs = Needs::NONE;
        let mut set = Vec::with_capacity(config.add_query_parameters.len());
        for (index, parameter) in config.add_query_parameters.iter().enumerate() {
            let (false, Some(value)) = (parameter.name.trim().is_empty(), &parameter.value) else {
                continue;
            };
            let path = format!("addQueryParameters[{index}].value");
            let value = ConfigError::template(path, value)?;
            needs |= value.needs();
            set.push(Parameter {
                name: encoded(&parameter.name, NAME),
                value,
                keeps_values: parameter.append_to_existing_array,
            });
        }
        let remove = config.remove_query_parameters.iter();
        let policy = Transformation {
            clears: config.clear_all,
            set: set.into(),
            remove: remove
                .filter(|name| !config.clear_all && !name.trim().is_empty())
                .map(|name| name.as_str().into())
                .collect(),
        };
        Ok(Compiled::inline(policy, needs))
    }
}

#[derive(Debug)]
struct Transformation {
    clears: bool,
    set: Box<[Parameter]>,
    remove: Box<[Box<str>]>,
}

#[derive(Debug)]
struct Parameter {
    name: Text,
    value: Template,
    keeps_values: bool,
}

impl InlinePolicy for Transformation {
    /// Each value sees the parameters as the ones before it left them.
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        if self.clears {
            exchange.request.query.clear();
        }
        for parameter in &self.set {
            // A value that fails is left out: the reference engine lets the request go on as well.
            let Ok(Some(value)) = parameter.value.evaluate_text(exchange) else {
                continue;
            };
            let value = Some(encoded(&value, VALUE));
            let query = &mut exchange.request.query;
            if parameter.keeps_values {
                query.append(parameter.name.clone(), value);
            } else {
                query.set(&parameter.name, value);
            }
        }
        for name in &self.remove {
            exchange.request.query.remove(name);
        }
        Outcome::Continue
    }
}

fn encoded(text: &str, set: &'static AsciiSet) -> Text {
    Text::from(utf8_percent_encode(text, set).to_string())
}
