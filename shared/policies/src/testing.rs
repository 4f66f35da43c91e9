//! An exchange for tests, and running the examples of the READMEs.

use std::sync::Arc;

use futures::executor::block_on;
use http::Method;
use http::uri::PathAndQuery;
use serde_json::Value;
use tidegate_expression::{Ambient, ValueMap};
use tidegate_policy::{
    ApiFacts, Chain, CompileContext, CompiledStep, ConfigError, Exchange, Failure, NodeFacts,
    Outcome, Phase, RequestFacts, Services,
};

use crate::registry::find;

#[derive(Debug)]
struct FixedAmbient;

impl Ambient for FixedAmbient {
    fn now_ms(&self) -> u64 {
        1_700_000_000_000
    }

    fn nanos(&self) -> u64 {
        0
    }

    fn random(&self) -> u64 {
        42
    }
}

/// Services without an outside; a test replaces single ones.
pub(crate) fn services() -> Services {
    Services::isolated(Arc::new(FixedAmbient))
}

/// `GET /shop/items?page=2` of the API `shop`.
pub(crate) fn exchange() -> Exchange {
    let target = PathAndQuery::from_static("/shop/items?page=2");
    let mut request = RequestFacts::new(Method::GET, target, Arc::from("/shop/"));
    request.headers.insert("x-tenant", "acme".parse().unwrap());
    let api = ApiFacts {
        id: "shop".into(),
        name: "Shop".into(),
        version: "1".into(),
        organization: "DEFAULT".into(),
        environment: "DEFAULT".into(),
        properties: Arc::new(ValueMap::from_iter([("limit", "10")])),
        endpoints: Arc::new(ValueMap::new()),
        targets: Arc::default(),
        dictionaries: Arc::new(ValueMap::new()),
        resources: Arc::default(),
    };
    let node = NodeFacts {
        id: "edge-1".into(),
        version: "0".into(),
        tenant: None,
        sharding_tags: Vec::new(),
        zone: None,
    };
    Exchange::new(request, Arc::new(api), Arc::new(node), &services())
}

/// Compiles one step.
pub(crate) fn compile(
    policy: &str,
    configuration: &Value,
    phase: Phase,
) -> Result<CompiledStep, ConfigError> {
    let ctx = CompileContext {
        phase,
        environment: "DEFAULT",
        api: "shop",
        files: None,
    };
    let compiled = find(policy).unwrap().compile(configuration, &ctx)?;
    Ok(CompiledStep {
        name: policy.into(),
        policy: compiled.policy,
        condition: None,
        needs: compiled.needs,
    })
}

/// Compiles and runs one step.
pub(crate) fn run(
    policy: &str,
    configuration: &Value,
    phase: Phase,
    exchange: &mut Exchange,
) -> Outcome {
    run_with(policy, configuration, phase, exchange, &services())
}

/// Compiles and runs one step with given services.
pub(crate) fn run_with(
    policy: &str,
    configuration: &Value,
    phase: Phase,
    exchange: &mut Exchange,
    services: &Services,
) -> Outcome {
    let chain = chain(policy, configuration, phase);
    block_on(chain.run(phase, exchange, services))
}

/// Compiles one step, to run it more than once.
pub(crate) fn chain(policy: &str, configuration: &Value, phase: Phase) -> Chain {
    Chain::new(vec![compile(policy, configuration, phase).unwrap()])
}

/// The failure that an outcome must be.
pub(crate) fn failure(outcome: Outcome) -> Failure {
    match outcome {
        Outcome::Fail(failure) => *failure,
        other => panic!("no failure: {other:?}"),
    }
}

/// Compiles one step that must be refused.
pub(crate) fn refusal(policy: &str, configuration: &Value) -> ConfigError {
    compile(policy, configuration, Phase::Request).unwrap_err()
}

/// Returns the JSON example of a README: its first fenced block marked `json`.
pub(crate) fn example(readme: &str) -> Value {
    let start = readme.find("```json\n").unwrap() + "```json\n".len();
    let end = start + readme[start..].find("```").unwrap();
    serde_json::from_str(&readme[start..end]).unwrap()
}
