//! Flows of an API, a plan or the organisation, compiled.

use http::Method;
use tidegate_expression::Condition;
use tidegate_model::api::{Flow, PathOperator, Selector, Step};
use tidegate_policies::{compile_steps, shared_policy_group::PolicyGroups};
use tidegate_policy::{Chain, CompileContext, Phase};

use super::{
    api::{RefusedApi, refusal},
    files::NodeFiles,
};
use crate::flow::{CompiledFlow, Coverage, FlowMode, Flows, HttpSelector, PathPattern};

/// What flows are compiled for.
#[derive(Clone, Copy)]
pub(super) struct FlowContext<'a> {
    /// Environment of the view.
    pub(super) environment: &'a str,
    /// Id of the API; empty for flows of all APIs.
    pub(super) api: &'a str,
    /// The groups that steps may name.
    pub(super) groups: &'a dyn PolicyGroups,
}

pub(super) fn compile_flows(
    flows: &[Flow],
    path: &str,
    mode: FlowMode,
    ctx: &FlowContext<'_>,
) -> Result<Flows, RefusedApi> {
    let enabled = flows.iter().enumerate().filter(|(_, flow)| flow.enabled);
    let compiled: Result<Vec<CompiledFlow>, RefusedApi> = enabled
        .map(|(index, flow)| compile_flow(flow, &format!("{path}[{index}]"), ctx))
        .collect();
    Ok(Flows::new(compiled?, mode))
}

fn compile_flow(
    flow: &Flow,
    path: &str,
    ctx: &FlowContext<'_>,
) -> Result<CompiledFlow, RefusedApi> {
    let mut compiled = CompiledFlow {
        http: None,
        condition: None,
        is_foreign: false,
        request: steps(&flow.request, Phase::Request, path, ctx)?,
        response: steps(&flow.response, Phase::Response, path, ctx)?,
    };
    for (index, selector) in flow.selectors.iter().enumerate() {
        let place = format!("{path}.selectors[{index}]");
        match selector {
            Selector::Http {
                path: pattern,
                path_operator,
                methods,
            } => {
                let coverage = match path_operator {
                    PathOperator::Equals => Coverage::Whole,
                    PathOperator::StartsWith => Coverage::Beginning,
                };
                compiled.http = Some(HttpSelector {
                    path: PathPattern::compile(pattern, coverage)
                        .map_err(|error| refusal(&format!("{place}.path"), &error))?,
                    methods: methods
                        .iter()
                        .map(|method| Method::from_bytes(method.as_bytes()))
                        .collect::<Result<_, _>>()
                        .map_err(|error| refusal(&format!("{place}.methods"), &error))?,
                });
            }
            Selector::Condition { condition: source } => {
                compiled.condition = Some(condition(source, &format!("{place}.condition"))?);
            }
            Selector::Channel { .. } | Selector::Other(_) => compiled.is_foreign = true,
        }
    }
    Ok(compiled)
}

fn steps(
    steps: &[Step],
    phase: Phase,
    path: &str,
    ctx: &FlowContext<'_>,
) -> Result<Chain, RefusedApi> {
    let policies = CompileContext {
        phase,
        environment: ctx.environment,
        api: ctx.api,
        files: Some(&NodeFiles),
    };
    let path = format!("{path}.{}", phase.flow_member());
    compile_steps(steps, &path, &policies, ctx.groups).map_err(RefusedApi::from)
}

pub(super) fn condition(source: &str, path: &str) -> Result<Condition, RefusedApi> {
    Condition::compile(source).map_err(|error| refusal(path, &error))
}
