//! What is recorded about traffic.

use serde_json::Value;

use crate::read::Fields;

/// Recording settings of an API.
#[derive(Debug, Clone, PartialEq)]
pub struct Analytics {
    /// False to record nothing.
    pub enabled: bool,
    /// Which messages of a message API are recorded.
    pub message_sampling: Option<MessageSampling>,
    /// What is logged of requests and messages; `None` when no mode is on.
    pub logging: Option<Logging>,
    /// Whether requests are traced.
    pub tracing: bool,
    /// Whether traces name every policy.
    pub tracing_verbose: bool,
}

impl Default for Analytics {
    fn default() -> Self {
        Self {
            enabled: true,
            message_sampling: None,
            logging: None,
            tracing: false,
            tracing_verbose: false,
        }
    }
}

/// Which messages are recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct MessageSampling {
    /// `count`, `probability` or `temporal`.
    pub kind: String,
    /// A count, a probability, or an ISO 8601 duration.
    pub value: String,
}

/// What is logged.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Logging {
    /// Expression that must hold.
    pub condition: Option<String>,
    /// Expression over each message that must hold.
    pub message_condition: Option<String>,
    /// The client's side.
    pub entrypoint: bool,
    /// The backend's side.
    pub endpoint: bool,
    /// The request phase.
    pub request: bool,
    /// The response phase.
    pub response: bool,
    /// Headers.
    pub headers: bool,
    /// Bodies.
    pub payload: bool,
    /// Headers of messages.
    pub message_headers: bool,
    /// Bodies of messages.
    pub message_payload: bool,
    /// Metadata of messages.
    pub message_metadata: bool,
}

pub(super) fn read(fields: &mut Fields<'_, '_>) -> Analytics {
    let Some(mut analytics) = open(fields, "analytics") else {
        return Analytics::default();
    };
    let mut read = Analytics {
        enabled: analytics.flag("enabled", true),
        message_sampling: read_sampling(&mut analytics),
        logging: read_logging(&mut analytics),
        ..Analytics::default()
    };
    if let Some(mut tracing) = open(&mut analytics, "tracing") {
        read.tracing = tracing.flag("enabled", false);
        read.tracing_verbose = tracing.flag("verbose", false);
        tracing.finish();
    }
    analytics.finish();
    read
}

fn read_sampling(analytics: &mut Fields<'_, '_>) -> Option<MessageSampling> {
    let name = if analytics.value("messageSampling").is_some() {
        "messageSampling"
    } else {
        "sampling"
    };
    let mut sampling = open(analytics, name)?;
    let kind = sampling.required_text("type").to_lowercase();
    let value = match sampling.value("value") {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    sampling.finish();
    Some(MessageSampling { kind, value })
}

fn read_logging(analytics: &mut Fields<'_, '_>) -> Option<Logging> {
    let mut logging = open(analytics, "logging")?;
    let mut read = Logging {
        condition: logging
            .text("condition")
            .filter(|text| !text.trim().is_empty()),
        message_condition: logging
            .text("messageCondition")
            .filter(|text| !text.trim().is_empty()),
        ..Logging::default()
    };
    if let Some(mut mode) = open(&mut logging, "mode") {
        read.entrypoint = mode.flag("entrypoint", false);
        read.endpoint = mode.flag("endpoint", false);
        mode.finish();
    }
    if let Some(mut phase) = open(&mut logging, "phase") {
        read.request = phase.flag("request", false);
        read.response = phase.flag("response", false);
        phase.finish();
    }
    if let Some(mut content) = open(&mut logging, "content") {
        read.headers = content.flag("headers", false);
        read.payload = content.flag("payload", false);
        read.message_headers = content.flag("messageHeaders", false);
        read.message_payload = content.flag("messagePayload", false);
        read.message_metadata = content.flag("messageMetadata", false);
        content.finish();
    }
    logging.finish();
    (read.entrypoint || read.endpoint).then_some(read)
}

fn open<'v, 'r>(fields: &mut Fields<'v, 'r>, name: &'static str) -> Option<Fields<'v, 'r>> {
    let value = fields.value(name)?;
    Fields::of(value, fields.path_of(name), fields.report())
}
