//! Plans: under which terms an application may use an API.

use std::collections::BTreeSet;

use serde_json::Value;

use super::flow::Flow;
use crate::{
    id::PlanId,
    limits,
    read::{At, Label},
};

/// The terms under which an API is used.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Unique in the environment; `unassigned-<index>` while the document has none.
    pub id: PlanId,
    /// The identity it had elsewhere.
    pub cross_id: Option<String>,
    /// Its name.
    pub name: String,
    /// Who calls whom.
    pub mode: PlanMode,
    /// How clients prove who they are; none for push plans.
    pub security: Option<PlanSecurity>,
    /// Where it is in its life.
    pub status: PlanStatus,
    /// An expression: the plan is chosen only if it holds.
    pub selection_rule: Option<String>,
    /// Sharding tags.
    pub tags: BTreeSet<String>,
    /// Flows of its clients, before those of the API.
    pub flows: Vec<Flow>,
}

/// How clients of a plan prove who they are.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanSecurity {
    /// The method.
    pub kind: SecurityKind,
    /// The method's configuration.
    pub configuration: Value,
}

/// Who calls whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlanMode {
    /// Clients call.
    #[default]
    Standard,
    /// The gateway calls the consumer.
    Push,
}

impl Label for PlanMode {
    const LABELS: &'static [(&'static str, Self)] =
        &[("standard", Self::Standard), ("push", Self::Push)];
}

/// The method by which clients prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecurityKind {
    /// Not at all.
    KeyLess,
    /// By an API key.
    ApiKey,
    /// By a JSON web token.
    Jwt,
    /// By an access token, checked at its issuer.
    OAuth2,
    /// By a client certificate.
    Mtls,
}

impl Label for SecurityKind {
    const LABELS: &'static [(&'static str, Self)] = &[
        ("key-less", Self::KeyLess),
        ("api-key", Self::ApiKey),
        ("jwt", Self::Jwt),
        ("oauth2", Self::OAuth2),
        ("mtls", Self::Mtls),
    ];
}

impl SecurityKind {
    /// The canonical name, which is also the id of the security policy.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.label()
    }
}

/// Where a plan is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlanStatus {
    /// Not visible yet.
    #[default]
    Staging,
    /// Open for subscriptions.
    Published,
    /// Still served, closed for new subscriptions.
    Deprecated,
    /// No longer served.
    Closed,
}

impl Label for PlanStatus {
    const LABELS: &'static [(&'static str, Self)] = &[
        ("staging", Self::Staging),
        ("published", Self::Published),
        ("deprecated", Self::Deprecated),
        ("closed", Self::Closed),
    ];
}

impl PlanStatus {
    /// The canonical name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.label()
    }

    /// Whether edges serve such a plan.
    #[must_use]
    pub fn is_served(self) -> bool {
        matches!(self, Self::Published | Self::Deprecated)
    }
}

impl Plan {
    pub(crate) fn read(at: &At<'_>, index: usize) -> Option<Self> {
        at.members()?;
        Some(Self {
            id: read_id(at, index)?,
            cross_id: at.text("crossId", limits::NAME),
            name: at.required_text("name", limits::NAME),
            mode: at.label("mode", PlanMode::default()),
            security: at
                .member("security")
                .and_then(|security| PlanSecurity::read(&security)),
            status: at.label("status", PlanStatus::default()),
            selection_rule: at
                .text("selectionRule", limits::LONG_TEXT)
                .filter(|rule| !rule.trim().is_empty()),
            tags: at
                .texts("tags", limits::TAGS, limits::NAME)
                .into_iter()
                .collect(),
            flows: at
                .list("flows", limits::FLOWS)
                .iter()
                .filter_map(Flow::read)
                .collect(),
        })
    }
}

fn read_id(at: &At<'_>, index: usize) -> Option<PlanId> {
    let text = at
        .text("id", limits::NAME)
        .unwrap_or_else(|| format!("{}-{index}", super::UNASSIGNED));
    let id = PlanId::parse(text);
    if let (Err(error), Some(member)) = (&id, at.member("id")) {
        member.fail(format!("an identifier: {error}"));
    }
    id.ok()
}

impl PlanSecurity {
    fn read(at: &At<'_>) -> Option<Self> {
        at.members()?;
        let configuration = at.object("configuration");
        if at.member("type").is_none() {
            at.missing("type", &SecurityKind::names());
        }
        Some(Self {
            kind: at.optional_label("type")?,
            configuration,
        })
    }
}
