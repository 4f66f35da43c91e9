//! Flows: which policies run, when, and in what order.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    limits,
    read::{At, Label},
};

/// A list of policies per phase, with the rules that decide whether they run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flow {
    /// Its id; may be empty.
    pub id: String,
    /// Its name; may be empty.
    pub name: String,
    /// Whether it is looked at.
    pub enabled: bool,
    /// All must match; none matches everything.
    pub selectors: Vec<Selector>,
    /// Run on the request.
    pub request: Vec<Step>,
    /// Run on the response.
    pub response: Vec<Step>,
    /// Run on each published message.
    pub publish: Vec<Step>,
    /// Run on each delivered message.
    pub subscribe: Vec<Step>,
    /// Run on a new native connection.
    pub connect: Vec<Step>,
    /// Run on every native request.
    pub interact: Vec<Step>,
    /// Informational only.
    pub tags: BTreeSet<String>,
}

/// Decides whether a flow runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Selector {
    /// By path and method.
    Http {
        /// The path, which may hold `:parameters`.
        path: String,
        /// How the path is compared.
        path_operator: PathOperator,
        /// The methods, upper case; empty means any.
        methods: Vec<String>,
    },
    /// By channel of a message API.
    Channel {
        /// The channel.
        channel: String,
        /// How the channel is compared.
        channel_operator: PathOperator,
        /// `publish`, `subscribe`; empty means both.
        operations: Vec<String>,
        /// The entrypoint ids; empty means all.
        entrypoints: Vec<String>,
    },
    /// By expression.
    Condition {
        /// An expression that gives true or false.
        condition: String,
    },
    /// A kind this version does not know: it is kept and never matches.
    Other(Value),
}

/// How a path or channel is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PathOperator {
    /// The beginning must match, not bound to a segment.
    #[default]
    StartsWith,
    /// All of it must match.
    Equals,
}

impl Label for PathOperator {
    const LABELS: &'static [(&'static str, Self)] =
        &[("STARTS_WITH", Self::StartsWith), ("EQUALS", Self::Equals)];
}

/// One use of a policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The policy's id.
    pub policy: String,
    /// A name for people; may be empty.
    pub name: String,
    /// A description for people; may be empty.
    pub description: String,
    /// Whether it runs.
    pub enabled: bool,
    /// The policy's configuration.
    pub configuration: Value,
    /// An expression on the request: the step runs only if it holds.
    pub condition: Option<String>,
    /// An expression on each message.
    pub message_condition: Option<String>,
}

/// The member of such a step's configuration that names the group.
const GROUP_REFERENCE: &str = "sharedPolicyGroupId";
/// The policy of a step that runs the steps of a shared policy group.
pub const SHARED_POLICY_GROUP: &str = "shared-policy-group-policy";

/// The phases of a flow with the member each has in a document.
pub const PHASE_MEMBERS: &[&str] = &[
    "request",
    "response",
    "publish",
    "subscribe",
    "connect",
    "interact",
];

impl Flow {
    pub(crate) fn read(at: &At<'_>) -> Option<Self> {
        at.members()?;
        let steps = |phase: &str| {
            at.list(phase, limits::STEPS)
                .iter()
                .filter_map(Step::read)
                .collect::<Vec<_>>()
        };
        Some(Self {
            id: at.text("id", limits::NAME).unwrap_or_default(),
            name: at.text("name", limits::NAME).unwrap_or_default(),
            enabled: at.flag("enabled", true),
            selectors: at
                .list("selectors", limits::SELECTORS)
                .iter()
                .filter_map(Selector::read)
                .collect(),
            request: steps("request"),
            response: steps("response"),
            publish: steps("publish"),
            subscribe: steps("subscribe"),
            connect: steps("connect"),
            interact: steps("interact"),
            tags: at
                .texts("tags", limits::TAGS, limits::NAME)
                .into_iter()
                .collect(),
        })
    }

    /// The steps of every phase, with the phase's member name, in the order of a request's life.
    pub fn phases(&self) -> [(&'static str, &[Step]); 6] {
        [
            ("connect", &self.connect),
            ("interact", &self.interact),
            ("request", &self.request),
            ("publish", &self.publish),
            ("response", &self.response),
            ("subscribe", &self.subscribe),
        ]
    }
}

impl Selector {
    fn read(at: &At<'_>) -> Option<Self> {
        at.members()?;
        let Some(kind) = at.text("type", limits::NAME) else {
            if at.member("type").is_none() {
                at.missing("type", "http, channel or condition");
            }
            return None;
        };
        let operator = |name| at.label(name, PathOperator::default());
        let items = |name| at.texts(name, limits::SELECTOR_ITEMS, limits::SHORT_TEXT);
        Some(match kind.to_ascii_lowercase().as_str() {
            "http" => Self::Http {
                path: at
                    .text("path", limits::URL)
                    .unwrap_or_else(|| "/".to_owned()),
                path_operator: operator("pathOperator"),
                methods: items("methods")
                    .iter()
                    .map(|method| method.to_ascii_uppercase())
                    .collect(),
            },
            "channel" => Self::Channel {
                channel: at
                    .text("channel", limits::URL)
                    .unwrap_or_else(|| "/".to_owned()),
                channel_operator: operator("channelOperator"),
                operations: items("operations")
                    .iter()
                    .map(|name| name.to_ascii_lowercase())
                    .collect(),
                entrypoints: items("entrypoints"),
            },
            "condition" => Self::Condition {
                condition: at.required_text("condition", limits::LONG_TEXT),
            },
            _ => Self::Other(at.value().clone()),
        })
    }

    /// The name of the selector's type.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Http { .. } => "http",
            Self::Channel { .. } => "channel",
            Self::Condition { .. } => "condition",
            Self::Other(value) => value
                .get("type")
                .and_then(Value::as_str)
                .unwrap_or_default(),
        }
    }
}

impl Step {
    pub(crate) fn read(at: &At<'_>) -> Option<Self> {
        at.members()?;
        // The operator writes a reference instead of policy and configuration.
        let reference = at.member("sharedPolicyGroupRef");
        if let Some(reference) = reference.filter(|_| at.member("policy").is_none()) {
            let name = reference.required_text("name", limits::NAME);
            return Some(Self {
                policy: SHARED_POLICY_GROUP.to_owned(),
                configuration: serde_json::json!({ GROUP_REFERENCE: name }),
                ..Self::read_named(at, String::new())
            });
        }
        let policy = at.required_text("policy", limits::NAME);
        Some(Self::read_named(at, policy))
    }

    /// What a step of a shared policy group calls that group; empty when it names none.
    ///
    /// `None` for a step of any other policy.
    #[must_use]
    pub fn shared_policy_group(&self) -> Option<&str> {
        let reference = || self.configuration.get(GROUP_REFERENCE)?.as_str();
        (self.policy == SHARED_POLICY_GROUP).then(|| reference().unwrap_or_default().trim())
    }

    fn read_named(at: &At<'_>, policy: String) -> Self {
        Self {
            policy,
            name: at.text("name", limits::NAME).unwrap_or_default(),
            description: at
                .text("description", limits::LONG_TEXT)
                .unwrap_or_default(),
            enabled: at.flag("enabled", true),
            configuration: at.object("configuration"),
            condition: expression(at, "condition"),
            message_condition: expression(at, "messageCondition"),
        }
    }
}

/// The expression `name`; a blank one is as good as none.
fn expression(at: &At<'_>, name: &str) -> Option<String> {
    at.text(name, limits::LONG_TEXT)
        .filter(|text| !text.trim().is_empty())
}
