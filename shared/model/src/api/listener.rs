//! Listeners: where an API accepts clients, and the entrypoints that say how it talks to them.

use serde_json::Value;

use crate::{
    limits,
    read::{At, Label},
};

/// Where an API accepts clients.
#[derive(Clone, Debug, PartialEq)]
pub enum Listener {
    /// HTTP, on paths and virtual hosts.
    Http(HttpListener),
    /// Subscriptions of push plans: Tidegate calls the consumer.
    Subscription(SubscriptionListener),
    /// TCP with TLS, by the name the client asks for.
    Tcp(TcpListener),
    /// Kafka with TLS, by the name the client asks for.
    Kafka(KafkaListener),
}

/// An HTTP listener.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpListener {
    /// The paths it accepts, normalised.
    pub paths: Vec<HttpPath>,
    /// Patterns such as `/products/:id`, for analytics only.
    pub path_mappings: Vec<String>,
    /// Cross-origin rules; `None` when absent or disabled.
    pub cors: Option<Cors>,
    /// Servers of the gateway it may bind to; empty means all.
    pub servers: Vec<String>,
    /// How it talks to clients.
    pub entrypoints: Vec<Entrypoint>,
}

/// One path an HTTP listener accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpPath {
    /// The path with a slash at both ends and no repeated slashes.
    pub path: String,
    /// The virtual host, perhaps with a port; `None` accepts every host.
    pub host: Option<String>,
    /// Whether it is the one shown to consumers.
    pub override_access: bool,
}

/// Cross-origin rules of an HTTP listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// Origins, `*`, or regular expressions.
    pub allow_origin: Vec<String>,
    /// Request headers scripts may send.
    pub allow_headers: Vec<String>,
    /// Methods scripts may use.
    pub allow_methods: Vec<String>,
    /// Response headers scripts may read.
    pub expose_headers: Vec<String>,
    /// Seconds a preflight answer may be kept; `None` leaves the header out.
    pub max_age_seconds: Option<u32>,
    /// Whether credentials are allowed.
    pub allow_credentials: bool,
    /// Whether a preflight request runs through the policies.
    pub run_policies: bool,
}

/// A listener for push plans.
#[derive(Clone, Debug, PartialEq)]
pub struct SubscriptionListener {
    /// Servers of the gateway; empty means all.
    pub servers: Vec<String>,
    /// How messages are delivered.
    pub entrypoints: Vec<Entrypoint>,
}

/// A TCP listener.
#[derive(Clone, Debug, PartialEq)]
pub struct TcpListener {
    /// TLS server names, lower case.
    pub hosts: Vec<String>,
    /// Servers of the gateway; empty means all.
    pub servers: Vec<String>,
    /// How it talks to clients.
    pub entrypoints: Vec<Entrypoint>,
}

/// A Kafka listener.
#[derive(Clone, Debug, PartialEq)]
pub struct KafkaListener {
    /// The host prefix, lower case.
    pub host: String,
    /// The port shown to clients; `None` takes the gateway's.
    pub port: Option<u16>,
    /// Servers of the gateway; empty means all.
    pub servers: Vec<String>,
    /// How it talks to clients.
    pub entrypoints: Vec<Entrypoint>,
}

/// How a listener talks to clients.
#[derive(Clone, Debug, PartialEq)]
pub struct Entrypoint {
    /// The connector: `http-proxy`, `sse` …
    pub kind: String,
    /// The delivery guarantee of message APIs.
    pub qos: Qos,
    /// The endpoint or group that takes messages which cannot be delivered.
    pub dead_letter_endpoint: Option<String>,
    /// The connector's own configuration.
    pub configuration: Value,
}

/// How often a message may be delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Qos {
    /// No acknowledgement, newest messages only.
    None,
    /// Acknowledged automatically: may lose or repeat.
    #[default]
    Auto,
    /// Acknowledged before delivery.
    AtMostOnce,
    /// Acknowledged after delivery.
    AtLeastOnce,
}

impl Label for Qos {
    const LABELS: &'static [(&'static str, Self)] = &[
        ("none", Self::None),
        ("auto", Self::Auto),
        ("at-most-once", Self::AtMostOnce),
        ("at-least-once", Self::AtLeastOnce),
    ];
}

/// The types of listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListenerKind {
    /// See [`Listener::Http`].
    Http,
    /// See [`Listener::Subscription`].
    Subscription,
    /// See [`Listener::Tcp`].
    Tcp,
    /// See [`Listener::Kafka`].
    Kafka,
}

impl Label for ListenerKind {
    const LABELS: &'static [(&'static str, Self)] = &[
        ("http", Self::Http),
        ("subscription", Self::Subscription),
        ("tcp", Self::Tcp),
        ("kafka", Self::Kafka),
    ];
}

impl ListenerKind {
    /// The canonical name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.label()
    }
}

impl Listener {
    /// The type of the listener.
    #[must_use]
    pub fn kind(&self) -> ListenerKind {
        match self {
            Self::Http(_) => ListenerKind::Http,
            Self::Subscription(_) => ListenerKind::Subscription,
            Self::Tcp(_) => ListenerKind::Tcp,
            Self::Kafka(_) => ListenerKind::Kafka,
        }
    }

    /// The entrypoints of the listener.
    #[must_use]
    pub fn entrypoints(&self) -> &[Entrypoint] {
        match self {
            Self::Http(listener) => &listener.entrypoints,
            Self::Subscription(listener) => &listener.entrypoints,
            Self::Tcp(listener) => &listener.entrypoints,
            Self::Kafka(listener) => &listener.entrypoints,
        }
    }

    pub(crate) fn read(at: &At<'_>) -> Option<Self> {
        at.members()?;
        let Some(kind) = at.optional_label::<ListenerKind>("type") else {
            if at.member("type").is_none() {
                at.missing("type", &ListenerKind::names());
            }
            return None;
        };
        let servers = at.texts("servers", limits::LISTENER_ITEMS, limits::SHORT_TEXT);
        let entrypoints: Vec<_> = at
            .list("entrypoints", limits::ENTRYPOINTS)
            .iter()
            .filter_map(Entrypoint::read)
            .collect();
        Some(match kind {
            ListenerKind::Http => Self::Http(HttpListener {
                paths: at
                    .list("paths", limits::PATHS)
                    .iter()
                    .filter_map(HttpPath::read)
                    .collect(),
                path_mappings: at.texts("pathMappings", limits::LISTENER_ITEMS, limits::URL),
                cors: at.member("cors").and_then(|cors| Cors::read(&cors)),
                servers,
                entrypoints,
            }),
            ListenerKind::Subscription => Self::Subscription(SubscriptionListener {
                servers,
                entrypoints,
            }),
            ListenerKind::Tcp => Self::Tcp(TcpListener {
                hosts: at.texts("hosts", limits::PATHS, limits::SHORT_TEXT),
                servers,
                entrypoints,
            }),
            ListenerKind::Kafka => Self::Kafka(KafkaListener {
                host: at.required_text("host", limits::SHORT_TEXT),
                port: u16::try_from(at.natural("port", (1, 65_535), 0))
                    .ok()
                    .filter(|port| *port > 0),
                servers,
                entrypoints,
            }),
        })
    }
}

impl HttpPath {
    fn read(at: &At<'_>) -> Option<Self> {
        at.members()?;
        let path = at.text("path", limits::URL).unwrap_or_default();
        Some(Self {
            path: normal_path(&path),
            host: at
                .text("host", limits::SHORT_TEXT)
                .filter(|host| !host.trim().is_empty()),
            override_access: at.flag("overrideAccess", false),
        })
    }
}

/// Adds a slash at both ends and collapses repeated slashes.
#[must_use]
pub fn normal_path(path: &str) -> String {
    let mut normal = String::with_capacity(path.len() + 2);
    normal.push('/');
    for character in path.trim().chars().chain(['/']) {
        if character != '/' || !normal.ends_with('/') {
            normal.push(character);
        }
    }
    normal
}

impl Cors {
    fn read(at: &At<'_>) -> Option<Self> {
        at.members()?;
        if !at.flag("enabled", false) {
            return None;
        }
        let list = |name| at.texts(name, limits::LISTENER_ITEMS, limits::SHORT_TEXT);
        let max_age = at.integer("maxAge", (-1, i64::from(u32::MAX)), -1);
        Some(Self {
            allow_origin: list("allowOrigin"),
            allow_headers: list("allowHeaders"),
            allow_methods: list("allowMethods"),
            expose_headers: list("exposeHeaders"),
            max_age_seconds: u32::try_from(max_age).ok(),
            allow_credentials: at.flag("allowCredentials", false),
            run_policies: at.flag("runPolicies", false),
        })
    }
}

impl Entrypoint {
    fn read(at: &At<'_>) -> Option<Self> {
        at.members()?;
        let dead_letter = at.member("dlq");
        Some(Self {
            kind: at.required_text("type", limits::NAME),
            qos: at.label("qos", Qos::default()),
            dead_letter_endpoint: dead_letter.and_then(|dlq| dlq.text("endpoint", limits::NAME)),
            configuration: at.object("configuration"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::normal_path;

    #[test]
    fn paths_get_a_slash_at_both_ends_and_none_twice() {
        for (path, normal) in [
            ("", "/"),
            ("/", "/"),
            ("a", "/a/"),
            ("//a///b", "/a/b/"),
            ("/a/", "/a/"),
        ] {
            assert_eq!(normal_path(path), normal, "{path:?}");
        }
    }
}
