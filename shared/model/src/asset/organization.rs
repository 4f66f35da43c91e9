//! The flows of the organisation: they stand around the flows of every API.

use crate::{
    api::{Flow, FlowExecution, FlowMode, SHARED_POLICY_GROUP},
    limits,
    read::At,
};

/// The id of the only organisation.
pub const ORGANIZATION_ID: &str = "DEFAULT";
/// Where flows of an organisation have no steps: only requests pass there.
const FOREIGN_PHASES: &[&str] = &["publish", "subscribe", "connect", "interact"];

/// The organisation, as far as edges know of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Organization {
    /// Its name.
    pub name: String,
    /// How flows are chosen.
    pub mode: FlowMode,
    /// Its flows; one with tags runs on edges that accept them.
    pub flows: Vec<Flow>,
}

impl Organization {
    pub(super) fn read(at: &At<'_>) -> Option<Self> {
        at.members()?;
        let id = super::identifier(at, "id");
        if !id.is_empty()
            && id != ORGANIZATION_ID
            && let Some(member) = at.member("id")
        {
            member.fail(format!("{ORGANIZATION_ID}, the only organisation"));
        }
        let flows = at.list("flows", limits::FLOWS);
        for flow in &flows {
            check(flow);
        }
        let execution = at.member("flowExecution");
        let execution = execution.map(|at| FlowExecution::read(&at));
        Some(Self {
            name: at.text("name", limits::NAME).unwrap_or_default(),
            mode: execution.unwrap_or_default().mode,
            flows: flows.iter().filter_map(Flow::read).collect(),
        })
    }
}

fn check(flow: &At<'_>) {
    for phase in FOREIGN_PHASES {
        if let Some(steps) = flow.member(phase)
            && steps
                .value()
                .as_array()
                .is_some_and(|steps| !steps.is_empty())
        {
            steps.fail("no steps: an organisation's flows have request and response");
        }
    }
    let mut seen = Vec::new();
    for selector in flow.list("selectors", limits::SELECTORS) {
        let Some(kind) = selector.member("type") else {
            continue;
        };
        let text = kind.value().as_str().unwrap_or_default().to_lowercase();
        if text == "channel" {
            kind.fail("http or condition");
        }
        if seen.contains(&text) {
            kind.fail("at most one selector of each type");
        }
        seen.push(text);
    }
    for phase in ["request", "response"] {
        for step in flow.list(phase, limits::STEPS) {
            if let Some(policy) = step.member("policy")
                && policy.value() == SHARED_POLICY_GROUP
            {
                policy.fail("a policy that is no shared policy group: those belong to APIs");
            }
        }
    }
}
