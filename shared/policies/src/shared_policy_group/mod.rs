//! `shared-policy-group-policy`: runs the steps of a shared policy group in place.
//!
//! A group is compiled into every API that uses it, so that what its policies count or keep is the API's own.
//! Source: `gravitee-v4.md` §1.6 and §4.3.

mod config;
#[cfg(test)]
mod tests;

use futures::FutureExt as _;
use http::StatusCode;
use tidegate_model::asset::{GroupPhase, SharedPolicyGroup};
use tidegate_policy::{
    AsyncPolicy, Chain, CompileContext, Compiled, CompiledPolicy, ConfigError, Exchange, Failure,
    Needs, Outcome, Phase, PolicyKind, Progress, Services,
};

pub use config::SharedPolicyGroupConfig;

/// The groups that steps may name.
pub trait PolicyGroups {
    /// The deployed group that an API calls `reference`.
    fn find(&self, reference: &str) -> Option<&SharedPolicyGroup>;
}

/// Where no group is known, such as inside of one.
#[derive(Clone, Copy, Debug)]
pub struct NoGroups;

impl PolicyGroups for NoGroups {
    fn find(&self, _reference: &str) -> Option<&SharedPolicyGroup> {
        None
    }
}

/// The kind of policy.
///
/// A step of it is compiled together with its group (see [`compile_steps`](crate::compile_steps)); what this makes on
/// its own fails every request, because it does not know its steps.
#[derive(Debug)]
pub struct SharedPolicyGroupPolicy;

impl PolicyKind for SharedPolicyGroupPolicy {
    const NAME: &'static str = tidegate_model::api::SHARED_POLICY_GROUP;
    const PHASES: &'static [Phase] = &[
        Phase::Request,
        Phase::Response,
        Phase::MessageRequest,
        Phase::MessageResponse,
        Phase::Connect,
        Phase::Interact,
    ];
    type Config = SharedPolicyGroupConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let id = config.shared_policy_group_id.unwrap_or_default();
        if id.trim().is_empty() {
            let expected = "the id or cross id of a shared policy group";
            return Err(ConfigError::new("sharedPolicyGroupId", id, expected));
        }
        Ok(Compiled::asynchronous(Missing, Needs::NONE))
    }
}

#[derive(Debug)]
struct Missing;

impl AsyncPolicy for Missing {
    fn on_request<'a>(&'a self, _: &'a mut Exchange, _: &'a Services) -> Progress<'a> {
        Progress::fail(Failure::new(StatusCode::INTERNAL_SERVER_ERROR))
    }

    fn on_response<'a>(&'a self, _: &'a mut Exchange, _: &'a Services) -> Progress<'a> {
        Progress::fail(Failure::new(StatusCode::INTERNAL_SERVER_ERROR))
    }
}

/// The steps of a group, compiled for one phase of one API.
#[derive(Debug)]
pub(crate) struct Group {
    chain: Chain,
    /// None of its steps waits, so that running it needs no future.
    is_inline: bool,
}

impl Group {
    pub(crate) fn new(chain: Chain) -> Self {
        let mut policies = chain.steps().iter().map(|step| &step.policy);
        let is_inline = policies.all(|policy| matches!(policy, CompiledPolicy::Inline(_)));
        Self { chain, is_inline }
    }

    fn run<'a>(
        &'a self,
        phase: Phase,
        exchange: &'a mut Exchange,
        services: &'a Services,
    ) -> Progress<'a> {
        if !self.is_inline {
            return Progress::waiting(self.chain.run(phase, exchange, services));
        }
        let outcome = self.chain.run(phase, exchange, services).now_or_never();
        // Inline steps never wait; had one done so, the request could not go on without it.
        Progress::Done(
            outcome
                .unwrap_or_else(|| Outcome::fail(Failure::new(StatusCode::INTERNAL_SERVER_ERROR))),
        )
    }
}

impl AsyncPolicy for Group {
    fn on_request<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &'a Services,
    ) -> Progress<'a> {
        self.run(Phase::Request, exchange, services)
    }

    fn on_response<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &'a Services,
    ) -> Progress<'a> {
        self.run(Phase::Response, exchange, services)
    }
}

/// The phase of the steps of a group.
pub(crate) const fn phase_of(phase: GroupPhase) -> Phase {
    match phase {
        GroupPhase::Request => Phase::Request,
        GroupPhase::Response => Phase::Response,
        GroupPhase::Publish => Phase::MessageRequest,
        GroupPhase::Subscribe => Phase::MessageResponse,
        GroupPhase::Connect => Phase::Connect,
        GroupPhase::Interact => Phase::Interact,
    }
}
