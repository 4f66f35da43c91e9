//! Where clients reach an API.

use serde_json::Value;

use crate::{
    Violation,
    read::{Fields, Report, find_label},
};

/// One way in.
#[derive(Debug, Clone, PartialEq)]
pub enum Listener {
    /// HTTP paths and virtual hosts.
    Http(HttpListener),
    /// Subscriptions that are pushed to (webhook).
    Subscription(SubscriptionListener),
    /// TLS server names of raw TCP.
    Tcp(TcpListener),
    /// A Kafka host.
    Kafka(KafkaListener),
}

impl Listener {
    /// The label of the listener's type.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Subscription(_) => "subscription",
            Self::Tcp(_) => "tcp",
            Self::Kafka(_) => "kafka",
        }
    }

    /// What speaks to the clients.
    #[must_use]
    pub fn entrypoints(&self) -> &[Entrypoint] {
        match self {
            Self::Http(listener) => &listener.entrypoints,
            Self::Subscription(listener) => &listener.entrypoints,
            Self::Tcp(listener) => &listener.entrypoints,
            Self::Kafka(listener) => &listener.entrypoints,
        }
    }
}

/// Paths, with or without a host.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpListener {
    /// At least one.
    pub paths: Vec<HttpPath>,
    /// Patterns such as `/products/:id`, for analytics.
    pub path_mappings: Vec<String>,
    /// Cross-origin rules; `None` when absent or disabled.
    pub cors: Option<Cors>,
    /// Servers of the gateway to bind to; empty for all.
    pub servers: Vec<String>,
    /// What speaks to the clients.
    pub entrypoints: Vec<Entrypoint>,
}

/// One path of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpPath {
    /// Normalised: begins and ends with `/`, no `//`.
    pub path: String,
    /// Virtual host in lower case, perhaps with a port.
    pub host: Option<String>,
    /// Marks the address shown to consumers.
    pub override_access: bool,
}

/// Cross-origin rules (the fetch standard's CORS protocol).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// Origins, or patterns when they contain `(`, `[` or `*`.
    pub allow_origin: Vec<String>,
    /// Request headers; empty for any.
    pub allow_headers: Vec<String>,
    /// Methods; `*` for any.
    pub allow_methods: Vec<String>,
    /// Response headers scripts may read.
    pub expose_headers: Vec<String>,
    /// Seconds a preflight may be cached; -1 to say nothing.
    pub max_age: i64,
    /// Whether credentials are allowed.
    pub allow_credentials: bool,
    /// Whether flows run for a preflight.
    pub run_policies: bool,
}

/// Subscriptions that are pushed to.
#[derive(Debug, Clone, PartialEq)]
pub struct SubscriptionListener {
    /// Servers of the gateway; empty for all.
    pub servers: Vec<String>,
    /// What speaks to the subscribers.
    pub entrypoints: Vec<Entrypoint>,
}

/// TLS server names.
#[derive(Debug, Clone, PartialEq)]
pub struct TcpListener {
    /// At least one, lower case.
    pub hosts: Vec<String>,
    /// Servers of the gateway; empty for all.
    pub servers: Vec<String>,
    /// What speaks to the clients.
    pub entrypoints: Vec<Entrypoint>,
}

/// A Kafka host.
#[derive(Debug, Clone, PartialEq)]
pub struct KafkaListener {
    /// Lower case.
    pub host: String,
    /// Port; the gateway's own when absent.
    pub port: Option<u16>,
    /// Servers of the gateway; empty for all.
    pub servers: Vec<String>,
    /// What speaks to the clients.
    pub entrypoints: Vec<Entrypoint>,
}

/// What speaks to clients on a listener.
#[derive(Debug, Clone, PartialEq)]
pub struct Entrypoint {
    /// Plugin id, such as `http-proxy`.
    pub kind: String,
    /// Configuration of the plugin.
    pub configuration: Value,
    /// Delivery guarantee of message APIs.
    pub qos: Qos,
    /// Endpoint, or group, that takes messages nobody could deliver.
    pub dead_letter_endpoint: Option<String>,
}

/// Delivery guarantee.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Qos {
    /// Newest messages only, no acknowledgement.
    None,
    /// May lose or repeat.
    Auto,
    /// Acknowledged before processing.
    AtMostOnce,
    /// Acknowledged after delivery.
    AtLeastOnce,
}

impl Qos {
    /// All labels, as documents spell them.
    pub const LABELS: &'static [(&'static str, Self)] = &[
        ("none", Self::None),
        ("auto", Self::Auto),
        ("at-most-once", Self::AtMostOnce),
        ("at-least-once", Self::AtLeastOnce),
    ];
}

/// Types of listeners, as documents spell them.
pub(crate) const LISTENER_LABELS: &[(&str, &str)] = &[
    ("http", "http"),
    ("subscription", "subscription"),
    ("tcp", "tcp"),
    ("kafka", "kafka"),
];

pub(super) fn read(value: &Value, path: &str, report: &Report) -> Option<Listener> {
    let mut fields = Fields::of(value, path, report)?;
    let kind = fields.required_text("type");
    let Some(kind) = find_label(&kind, LISTENER_LABELS) else {
        let expected = "one of http, subscription, tcp, kafka";
        report.violation(Violation::new(
            fields.path_of("type"),
            format!("{kind:?}"),
            expected,
        ));
        return None;
    };
    let servers = fields.texts("servers");
    let entrypoints = fields.each("entrypoints", read_entrypoint);
    let listener = match kind {
        "http" => Listener::Http(HttpListener {
            paths: fields.each("paths", read_path),
            path_mappings: fields.texts("pathMappings"),
            cors: read_cors(&mut fields),
            servers,
            entrypoints,
        }),
        "tcp" => Listener::Tcp(TcpListener {
            hosts: fields
                .texts("hosts")
                .iter()
                .map(|host| host.to_lowercase())
                .collect(),
            servers,
            entrypoints,
        }),
        "kafka" => Listener::Kafka(KafkaListener {
            host: fields.required_text("host").to_lowercase(),
            port: read_port(&mut fields),
            servers,
            entrypoints,
        }),
        _ => Listener::Subscription(SubscriptionListener {
            servers,
            entrypoints,
        }),
    };
    fields.finish();
    Some(listener)
}

fn read_port(fields: &mut Fields<'_, '_>) -> Option<u16> {
    let number = fields.number("port")?;
    let port = u16::try_from(number).ok().filter(|port| *port > 0);
    if port.is_none() {
        let path = fields.path_of("port");
        fields
            .report()
            .violation(Violation::new(path, number, "a port, 1 to 65535"));
    }
    port
}

fn read_path(value: &Value, path: &str, report: &Report) -> Option<HttpPath> {
    let mut fields = Fields::of(value, path, report)?;
    let host = fields.text("host").filter(|host| !host.trim().is_empty());
    let read = HttpPath {
        path: normalise(&fields.text("path").unwrap_or_default()),
        host: host.map(|host| host.trim().to_lowercase()),
        override_access: fields.flag("overrideAccess", false),
    };
    fields.finish();
    Some(read)
}

/// Adds the leading and trailing slash and collapses repeated ones.
#[must_use]
pub(crate) fn normalise(path: &str) -> String {
    let segments = path.trim().split('/').filter(|segment| !segment.is_empty());
    let mut normal = String::from("/");
    for segment in segments {
        normal.push_str(segment);
        normal.push('/');
    }
    normal
}

fn read_cors(fields: &mut Fields<'_, '_>) -> Option<Cors> {
    let value = fields.value("cors")?;
    let mut cors = Fields::of(value, fields.path_of("cors"), fields.report())?;
    let enabled = cors.flag("enabled", false);
    let read = Cors {
        allow_origin: cors.texts("allowOrigin"),
        allow_headers: cors.texts("allowHeaders"),
        allow_methods: cors.texts("allowMethods"),
        expose_headers: cors.texts("exposeHeaders"),
        max_age: cors.number("maxAge").unwrap_or(-1),
        allow_credentials: cors.flag("allowCredentials", false),
        run_policies: cors.flag("runPolicies", false),
    };
    cors.finish();
    enabled.then_some(read)
}

fn read_entrypoint(value: &Value, path: &str, report: &Report) -> Option<Entrypoint> {
    let mut fields = Fields::of(value, path, report)?;
    let kind = fields.required_text("type");
    let dead_letter = fields.value("dlq").and_then(|dlq| {
        let mut dlq = Fields::of(dlq, fields.path_of("dlq"), report)?;
        let endpoint = dlq.text("endpoint");
        dlq.finish();
        endpoint
    });
    let entrypoint = Entrypoint {
        kind: current_kind(&kind).to_owned(),
        configuration: fields.configuration("configuration"),
        qos: match fields.value("qos") {
            // Some files carry the whole capability here instead of its label.
            Some(Value::Object(_)) | None => Qos::Auto,
            Some(_) => fields.label("qos", Qos::LABELS).unwrap_or(Qos::Auto),
        },
        dead_letter_endpoint: dead_letter,
    };
    fields.finish();
    Some(entrypoint)
}

/// Ids that older definitions used with a suffix.
fn current_kind(kind: &str) -> &str {
    kind.strip_suffix("-advanced").unwrap_or(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised() {
        for (given, expected) in [
            ("", "/"),
            ("/", "/"),
            ("a", "/a/"),
            ("//a///b", "/a/b/"),
            ("/a/b/", "/a/b/"),
        ] {
            assert_eq!(normalise(given), expected);
        }
    }
}
