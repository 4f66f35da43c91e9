//! Shared policy groups: steps of one phase that flows of several APIs run in place.

use crate::{
    api::{ApiKind, SHARED_POLICY_GROUP, Step},
    limits,
    read::{At, Label},
};

/// Steps that several APIs run; a change that is deployed takes effect in all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedPolicyGroup {
    /// Unique in the environment; empty while the document has none.
    pub id: String,
    /// A second identifier, the same in every environment; may be empty.
    pub cross_id: String,
    /// Its name.
    pub name: String,
    /// Text for people.
    pub description: String,
    /// The type of the APIs that may use it.
    pub api_kind: ApiKind,
    /// The phase of the flows that may use it.
    pub phase: GroupPhase,
    /// Its steps, in order.
    pub steps: Vec<Step>,
}

/// The phase of a flow that a group is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupPhase {
    /// `request`
    Request,
    /// `response`
    Response,
    /// `publish`
    Publish,
    /// `subscribe`
    Subscribe,
    /// `connect`
    Connect,
    /// `interact`
    Interact,
}

impl Label for GroupPhase {
    const LABELS: &'static [(&'static str, Self)] = &[
        ("request", Self::Request),
        ("response", Self::Response),
        ("publish", Self::Publish),
        ("subscribe", Self::Subscribe),
        ("connect", Self::Connect),
        ("interact", Self::Interact),
    ];
}

impl GroupPhase {
    /// The member of a flow whose steps may use the group.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.label()
    }

    fn is_of(self, kind: ApiKind) -> bool {
        match self {
            Self::Request | Self::Response => kind != ApiKind::Native,
            Self::Publish | Self::Subscribe => kind != ApiKind::Proxy,
            Self::Connect | Self::Interact => kind == ApiKind::Native,
        }
    }
}

impl SharedPolicyGroup {
    pub(super) fn read(at: &At<'_>) -> Option<Self> {
        at.members()?;
        for required in ["apiType", "phase"] {
            if at.member(required).is_none() {
                let names = match required {
                    "phase" => GroupPhase::names(),
                    _ => ApiKind::names(),
                };
                at.missing(required, &names);
            }
        }
        let group = Self {
            id: super::identifier(at, "id"),
            cross_id: super::identifier(at, "crossId"),
            name: at.required_text("name", limits::NAME),
            description: at
                .text("description", limits::LONG_TEXT)
                .unwrap_or_default(),
            api_kind: at.label("apiType", ApiKind::Proxy),
            phase: at.label("phase", GroupPhase::Request),
            steps: at
                .list("steps", limits::STEPS)
                .iter()
                .filter_map(|step| {
                    let read = Step::read(step)?;
                    // Groups that use groups could use each other in a circle.
                    if read.policy == SHARED_POLICY_GROUP {
                        step.fail("a policy that is no shared policy group: groups do not nest");
                    }
                    Some(read)
                })
                .collect(),
        };
        if !group.phase.is_of(group.api_kind)
            && let Some(phase) = at.member("phase")
        {
            phase.fail(format!(
                "a phase of APIs of type {}",
                group.api_kind.as_str()
            ));
        }
        Some(group)
    }
}
