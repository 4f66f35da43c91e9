//! Ways to be allowed in.

use std::collections::BTreeSet;

use serde_json::Value;

use super::flow::{self, Flow};
use crate::{
    PlanId, Violation,
    read::{Fields, Report},
};

/// One plan of an API.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Identifier, unique in the environment.
    pub id: PlanId,
    /// Identity across environments, may be empty.
    pub cross_id: String,
    /// Unique in the API is wise, not required.
    pub name: String,
    /// For people.
    pub description: String,
    /// Pulled by clients, or pushed to subscribers.
    pub mode: PlanMode,
    /// How callers prove who they are; `None` for push plans.
    pub security: Option<PlanSecurity>,
    /// Where in its life it is.
    pub status: PlanStatus,
    /// Expression that must hold for the plan to be chosen.
    pub selection_rule: Option<String>,
    /// Sharding tags; empty to follow the API.
    pub tags: BTreeSet<String>,
    /// Policy chains for subscribers of this plan.
    pub flows: Vec<Flow>,
    /// `AUTO` accepts subscriptions at once, `MANUAL` waits for a person.
    pub manual_validation: bool,
}

/// How callers of a plan prove who they are.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanSecurity {
    /// The mechanism.
    pub kind: SecurityKind,
    /// Configuration of its policy.
    pub configuration: Value,
}

/// Mechanism of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecurityKind {
    /// Client certificates.
    Mtls,
    /// Signed tokens.
    Jwt,
    /// Tokens checked by their issuer.
    OAuth2,
    /// Keys of subscriptions.
    ApiKey,
    /// Nobody has to prove anything.
    KeyLess,
}

impl SecurityKind {
    /// All labels, as documents spell them.
    pub const LABELS: &'static [(&'static str, Self)] = &[
        ("key-less", Self::KeyLess),
        ("keyless", Self::KeyLess),
        ("api-key", Self::ApiKey),
        ("jwt", Self::Jwt),
        ("oauth2", Self::OAuth2),
        ("mtls", Self::Mtls),
    ];

    /// The id of the policy that implements it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mtls => "mtls",
            Self::Jwt => "jwt",
            Self::OAuth2 => "oauth2",
            Self::ApiKey => "api-key",
            Self::KeyLess => "key-less",
        }
    }

    /// Place in the security chain: lower is asked first.
    #[must_use]
    pub const fn order(self) -> i32 {
        match self {
            Self::Mtls => -100,
            Self::Jwt => 0,
            Self::OAuth2 => 100,
            Self::ApiKey => 500,
            Self::KeyLess => 1000,
        }
    }
}

/// Who opens the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum PlanMode {
    /// The client.
    #[default]
    Standard,
    /// The gateway.
    Push,
}

impl PlanMode {
    /// All labels, as documents spell them.
    pub const LABELS: &'static [(&'static str, Self)] =
        &[("standard", Self::Standard), ("push", Self::Push)];
}

/// Where in its life a plan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum PlanStatus {
    /// Not yet available.
    #[default]
    Staging,
    /// Available.
    Published,
    /// Available to its subscribers only.
    Deprecated,
    /// Gone.
    Closed,
}

impl PlanStatus {
    /// All labels, as documents spell them.
    pub const LABELS: &'static [(&'static str, Self)] = &[
        ("staging", Self::Staging),
        ("published", Self::Published),
        ("deprecated", Self::Deprecated),
        ("closed", Self::Closed),
    ];

    /// The label of the runtime spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Staging => "staging",
            Self::Published => "published",
            Self::Deprecated => "deprecated",
            Self::Closed => "closed",
        }
    }

    /// True if gateways serve plans of this status.
    #[must_use]
    pub const fn is_served(self) -> bool {
        matches!(self, Self::Published | Self::Deprecated)
    }
}

/// Members of a plan that concern management only.
const MANAGEMENT_MEMBERS: &[&str] = &[
    "apiId",
    "characteristics",
    "closedAt",
    "commentMessage",
    "commentRequired",
    "comment_required",
    "createdAt",
    "definitionVersion",
    "environmentId",
    "excludedGroups",
    "excluded_groups",
    "generalConditions",
    "needRedeployAt",
    "order",
    "publishedAt",
    "type",
    "updatedAt",
    crate::PLAN_KEY_MEMBER,
];

pub(super) fn read(value: &Value, path: &str, report: &Report) -> Option<Plan> {
    let mut fields = Fields::of(value, path, report)?;
    fields.skip(MANAGEMENT_MEMBERS);
    let id = match PlanId::parse(fields.required_text("id")) {
        Ok(id) => id,
        Err(error) => {
            let shown = format!("{:?}", value["id"].as_str().unwrap_or_default());
            report.violation(Violation::new(
                fields.path_of("id"),
                shown,
                error.to_string(),
            ));
            return None;
        }
    };
    let plan = Plan {
        id,
        cross_id: fields.text("crossId").unwrap_or_default(),
        name: fields.required_text("name"),
        description: fields.text("description").unwrap_or_default(),
        mode: fields.label("mode", PlanMode::LABELS).unwrap_or_default(),
        security: read_security(&mut fields),
        status: fields
            .label("status", PlanStatus::LABELS)
            .unwrap_or_default(),
        selection_rule: fields
            .text("selectionRule")
            .filter(|rule| !rule.trim().is_empty()),
        tags: fields.texts("tags").into_iter().collect(),
        flows: fields.each("flows", flow::read),
        manual_validation: fields
            .label("validation", &[("AUTO", false), ("MANUAL", true)])
            .unwrap_or(false),
    };
    fields.finish();
    Some(plan)
}

fn read_security(fields: &mut Fields<'_, '_>) -> Option<PlanSecurity> {
    let value = fields.value("security")?;
    let mut security = Fields::of(value, fields.path_of("security"), fields.report())?;
    let kind = match security.value("type") {
        Some(_) => security.label("type", SecurityKind::LABELS),
        None => None,
    };
    let configuration = security.configuration("configuration");
    security.finish();
    Some(PlanSecurity {
        kind: kind?,
        configuration,
    })
}
