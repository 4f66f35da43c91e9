//! `policy-graphql-ratelimit`: counts what GraphQL queries cost instead of requests.

mod config;
mod cost;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use tidegate_expression::Text;
use tidegate_policy::{
    AsyncPolicy, CompileContext, Compiled, ConfigError, Decision, Exchange, Failure,
    LimiterUnavailable, Needs, Outcome, Phase, PolicyKind, Progress, Services, Window,
};

pub use config::GraphqlRatelimitConfig;

use crate::counting::{Allowance, Counting, WindowConfig, Words};
use crate::rate_limit::ShortUnit;
use cost::{CostError, Query, cost};

/// Key of the failure when one query costs too much.
pub const MAX_COST_KEY: &str = "GRAPHQL_RATE_LIMIT_REACH_MAX_COST";

const WORDS: Words = Words {
    member: "",
    suffix: ":grl",
    too_many: "GRAPHQL_RATE_LIMIT_TOO_MANY_REQUESTS",
    server_error: "GRAPHQL_RATE_LIMIT_SERVER_ERROR",
    blocked: "GRAPHQL_RATE_LIMIT_BLOCK_ON_INTERNAL_ERROR",
    blocked_message: "Rate limit blocked the query due to internal error",
};

/// Most queries in one batch.
const BATCH_MAX: usize = 100;

/// The kind of policy.
#[derive(Debug)]
pub struct GraphqlRatelimit;

impl PolicyKind for GraphqlRatelimit {
    const NAME: &'static str = "policy-graphql-ratelimit";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = GraphqlRatelimitConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let window = WindowConfig {
            limit: config.limit,
            period_time: config.period_time,
            period_time_unit: config.period_time_unit,
            ..WindowConfig::default()
        };
        let (counting, _) =
            Counting::compile(&WORDS, &window, config.is_async, config.error_strategy)?;
        let max = config.max_cost.map_or(0, |max| max.0);
        let policy = Step {
            counting,
            cost_max: (max > 0).then_some(max),
        };
        let needs = Needs {
            request_content: true,
            response_content: false,
        };
        Ok(Compiled::asynchronous(policy, needs))
    }
}

#[derive(Debug)]
struct Step {
    counting: Counting<ShortUnit>,
    cost_max: Option<u64>,
}

impl AsyncPolicy for Step {
    fn on_request<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &'a Services,
    ) -> Progress<'a> {
        let weight = match request_cost(exchange) {
            Ok(weight) => weight,
            Err(error) => {
                return Progress::fail(
                    Failure::new(StatusCode::BAD_REQUEST)
                        .with_message(Text::constant("Invalid GraphQL query"))
                        .with_cause(error),
                );
            }
        };
        if let Some(max) = self.cost_max.filter(|max| weight > *max) {
            return Progress::fail(too_expensive(weight, max));
        }
        let allowance = match self.counting.allowance(exchange) {
            Ok(allowance) => allowance,
            Err(failure) => return Progress::Done(Outcome::Fail(failure)),
        };
        let window = allowance.window().unwrap_or(Window::Millis(u64::MAX));
        self.counting.count_weight(
            exchange,
            services,
            (allowance.limit, window, weight),
            move |_exchange, decision| self.finish(allowance, decision),
        )
    }
}

impl Step {
    fn finish(
        &self,
        allowance: Allowance<ShortUnit>,
        decision: Result<Decision, LimiterUnavailable>,
    ) -> Outcome {
        match decision {
            Err(LimiterUnavailable) => self.counting.uncounted(),
            Ok(decision) if decision.is_allowed => Outcome::Continue,
            Ok(_) => {
                let message = format!(
                    "Rate limit exceeded! You reached the limit of {}",
                    allowance.sentence()
                );
                Outcome::fail(self.counting.exceeded(message, allowance))
            }
        }
    }
}

fn too_expensive(cost: u64, max: u64) -> Failure {
    let mut failure = Failure::new(StatusCode::BAD_REQUEST)
        .with_key(MAX_COST_KEY)
        .with_message(format!(
            "The query costs {cost}, at most {max} are allowed."
        ));
    failure.parameters = vec![
        (Text::constant("cost"), cost.into()),
        (Text::constant("max_cost"), max.into()),
    ];
    failure
}

/// What the request costs; one that carries no query costs 1.
fn request_cost(exchange: &Exchange) -> Result<u64, CostError> {
    let request = &exchange.request;
    let body = request.content.bytes().filter(|body| !body.is_empty());
    let Some(body) = body else {
        return match request.query.first("query") {
            None => Ok(1),
            Some(raw) => cost_of_parameters(exchange, raw),
        };
    };
    let content_type = request.headers.get(CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next());
    if essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/graphql")) {
        return cost(Query {
            text: text(body)?,
            operation: None,
            variables: None,
        });
    }
    let body: Value =
        serde_json::from_slice(body).map_err(|error| CostError::Syntax(error.to_string()))?;
    match &body {
        Value::Array(batch) if batch.len() > BATCH_MAX => {
            Err(CostError::Syntax(format!("more than {BATCH_MAX} queries")))
        }
        Value::Array(batch) => batch.iter().try_fold(0_u64, |total, query| {
            Ok(total.saturating_add(cost_of_json(query)?))
        }),
        one => cost_of_json(one),
    }
}

fn text(body: &Bytes) -> Result<&str, CostError> {
    std::str::from_utf8(body).map_err(|error| CostError::Syntax(error.to_string()))
}

fn cost_of_json(query: &Value) -> Result<u64, CostError> {
    match query.get("query").and_then(Value::as_str) {
        None => Ok(1),
        Some(text) => cost(Query {
            text,
            operation: query.get("operationName").and_then(Value::as_str),
            variables: query.get("variables"),
        }),
    }
}

fn cost_of_parameters(exchange: &Exchange, raw: &str) -> Result<u64, CostError> {
    let decoded = |raw: &str| {
        let raw = raw.replace('+', " ");
        percent_decode_str(&raw).decode_utf8().map(Cow::into_owned)
    };
    let query = &exchange.request.query;
    let invalid = |error: std::str::Utf8Error| CostError::Syntax(error.to_string());
    let text = decoded(raw).map_err(invalid)?;
    let operation = query.first("operationName").map(decoded);
    let operation = operation.transpose().map_err(invalid)?;
    let variables = query.first("variables").map(decoded);
    let variables = variables.transpose().map_err(invalid)?;
    let variables: Option<Value> =
        variables.and_then(|variables| serde_json::from_str(&variables).ok());
    cost(Query {
        text: &text,
        operation: operation.as_deref().filter(|name| !name.is_empty()),
        variables: variables.as_ref(),
    })
}
