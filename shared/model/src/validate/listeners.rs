//! Listeners and their entrypoints.

use std::collections::BTreeSet;

use super::messages::is_token;
use crate::{
    api::{Api, ApiKind, Entrypoint, HttpListener, Listener, ListenerKind, Qos},
    read::{At, Findings, Label},
};

/// Longest host name (RFC 1035 §2.3.4), in bytes.
const HOST_BYTES_MAX: usize = 255;
/// Longest label of a host name.
const LABEL_BYTES_MAX: usize = 63;
/// Longest first label of a Kafka host: the gateway puts `broker-<id>-` in front of it.
const KAFKA_LABEL_BYTES_MAX: usize = 49;

/// What is known about an entrypoint id: the API it is for, its listener, the guarantees it can give.
struct EntrypointFacts {
    id: &'static str,
    api: ApiKind,
    listener: ListenerKind,
    qos: &'static [Qos],
}

const ENTRYPOINTS: &[EntrypointFacts] = &[
    facts(
        "http-proxy",
        ApiKind::Proxy,
        ListenerKind::Http,
        &[Qos::None, Qos::Auto, Qos::AtMostOnce, Qos::AtLeastOnce],
    ),
    facts(
        "tcp-proxy",
        ApiKind::Proxy,
        ListenerKind::Tcp,
        &[Qos::None, Qos::Auto, Qos::AtMostOnce, Qos::AtLeastOnce],
    ),
    // Management offers no `none` here, but gateways run definitions that ask for it.
    facts(
        "http-get",
        ApiKind::Message,
        ListenerKind::Http,
        &[Qos::None, Qos::Auto, Qos::AtMostOnce, Qos::AtLeastOnce],
    ),
    facts(
        "http-post",
        ApiKind::Message,
        ListenerKind::Http,
        &[Qos::None, Qos::Auto],
    ),
    facts(
        "sse",
        ApiKind::Message,
        ListenerKind::Http,
        &[Qos::None, Qos::Auto, Qos::AtMostOnce, Qos::AtLeastOnce],
    ),
    facts(
        "websocket",
        ApiKind::Message,
        ListenerKind::Http,
        &[Qos::None, Qos::Auto],
    ),
    facts(
        "webhook",
        ApiKind::Message,
        ListenerKind::Subscription,
        &[Qos::None, Qos::Auto, Qos::AtMostOnce, Qos::AtLeastOnce],
    ),
    facts(
        "native-kafka",
        ApiKind::Native,
        ListenerKind::Kafka,
        &[Qos::None, Qos::Auto, Qos::AtMostOnce, Qos::AtLeastOnce],
    ),
];

const fn facts(
    id: &'static str,
    api: ApiKind,
    listener: ListenerKind,
    qos: &'static [Qos],
) -> EntrypointFacts {
    EntrypointFacts {
        id,
        api,
        listener,
        qos,
    }
}

pub(super) fn check(root: &At<'_>, api: &Api, findings: &Findings) {
    if root.list("listeners", usize::MAX).is_empty() {
        root.missing("listeners", "at least one listener");
    }
    let mut seen = BTreeSet::new();
    for (index, listener) in api.listeners.iter().enumerate() {
        let path = format!("listeners[{index}]");
        let kind = listener.kind();
        let type_path = format!("{path}.type");
        if !seen.insert(kind) {
            findings.report_text(
                &type_path,
                kind.as_str(),
                "at most one listener of each type",
            );
        }
        if !allowed_listeners(api.kind).contains(&kind) {
            let names: Vec<_> = allowed_listeners(api.kind)
                .iter()
                .map(|kind| kind.as_str())
                .collect();
            let expected = format!(
                "{} for an API of type {}",
                names.join(" or "),
                api.kind.as_str()
            );
            findings.report_text(&type_path, kind.as_str(), expected);
        }
        check_entrypoints(api, listener, &path, findings);
        match listener {
            Listener::Http(http) => check_http(http, &path, findings),
            Listener::Tcp(tcp) => {
                if tcp.hosts.is_empty() {
                    findings.report_text(format!("{path}.hosts"), "", "at least one host");
                }
                for (i, host) in tcp.hosts.iter().enumerate() {
                    check_host(
                        host,
                        &format!("{path}.hosts[{i}]"),
                        LABEL_BYTES_MAX,
                        findings,
                    );
                }
            }
            Listener::Kafka(kafka) => {
                if !kafka.host.is_empty() {
                    let path = format!("{path}.host");
                    check_host(&kafka.host, &path, KAFKA_LABEL_BYTES_MAX, findings);
                }
            }
            Listener::Subscription(_) => {}
        }
    }
}

fn allowed_listeners(kind: ApiKind) -> &'static [ListenerKind] {
    match kind {
        ApiKind::Proxy => &[ListenerKind::Http, ListenerKind::Tcp],
        ApiKind::Message => &[ListenerKind::Http, ListenerKind::Subscription],
        ApiKind::Native => &[ListenerKind::Kafka],
    }
}

fn check_entrypoints(api: &Api, listener: &Listener, path: &str, findings: &Findings) {
    if listener.entrypoints().is_empty() {
        findings.report_text(format!("{path}.entrypoints"), "", "at least one entrypoint");
    }
    let mut seen = BTreeSet::new();
    for (index, entrypoint) in listener.entrypoints().iter().enumerate() {
        let path = format!("{path}.entrypoints[{index}]");
        if !entrypoint.kind.is_empty() && !seen.insert(&entrypoint.kind) {
            findings.report_text(
                format!("{path}.type"),
                &entrypoint.kind,
                "an entrypoint the listener does not have twice",
            );
        }
        check_entrypoint(api, listener.kind(), entrypoint, &path, findings);
    }
}

/// Unknown entrypoints are left to deployment: they may belong to a plugin this version does not have.
fn check_entrypoint(
    api: &Api,
    listener: ListenerKind,
    entrypoint: &Entrypoint,
    path: &str,
    findings: &Findings,
) {
    let Some(facts) = ENTRYPOINTS.iter().find(|facts| facts.id == entrypoint.kind) else {
        return;
    };
    let type_path = format!("{path}.type");
    if facts.listener != listener {
        let expected = format!("a {} listener for this entrypoint", facts.listener.as_str());
        findings.report_text(&type_path, &entrypoint.kind, expected);
    } else if facts.api != api.kind {
        let expected = format!("an entrypoint for an API of type {}", api.kind.as_str());
        findings.report_text(&type_path, &entrypoint.kind, expected);
    }
    if api.kind == ApiKind::Message && !facts.qos.contains(&entrypoint.qos) {
        let names: Vec<_> = facts.qos.iter().map(|qos| qos.label()).collect();
        findings.report_text(
            format!("{path}.qos"),
            entrypoint.qos.label(),
            names.join(", "),
        );
    }
    if let Some(target) = &entrypoint.dead_letter_endpoint {
        let exists = api.endpoint_groups.iter().any(|group| {
            group.name == *target
                || group
                    .endpoints
                    .iter()
                    .any(|endpoint| endpoint.name == *target)
        });
        if !exists {
            let expected = "the name of an endpoint or endpoint group";
            findings.report_text(format!("{path}.dlq.endpoint"), target, expected);
        }
    }
}

fn check_http(listener: &HttpListener, path: &str, findings: &Findings) {
    if listener.paths.is_empty() {
        findings.report_text(format!("{path}.paths"), "", "at least one path");
    }
    for (index, entry) in listener.paths.iter().enumerate() {
        let path = format!("{path}.paths[{index}]");
        if !is_url_path(&entry.path) {
            let expected =
                "a URL path: no blanks, '?', '#', control characters or broken % escapes";
            findings.report_text(format!("{path}.path"), &entry.path, expected);
        }
        if let Some(host) = &entry.host {
            let name = match host.rsplit_once(':') {
                Some((name, port)) if port.parse::<u16>().is_ok_and(|port| port > 0) => name,
                _ => host,
            };
            check_host(
                &name.to_lowercase(),
                &format!("{path}.host"),
                LABEL_BYTES_MAX,
                findings,
            );
        }
    }
    check_cors(listener, path, findings);
}

fn check_cors(listener: &HttpListener, path: &str, findings: &Findings) {
    let Some(cors) = &listener.cors else { return };
    let lists = [
        ("allowMethods", &cors.allow_methods),
        ("allowHeaders", &cors.allow_headers),
        ("exposeHeaders", &cors.expose_headers),
    ];
    for (name, items) in lists {
        for (index, item) in items.iter().enumerate().filter(|(_, item)| !is_token(item)) {
            findings.report_text(
                format!("{path}.cors.{name}[{index}]"),
                item,
                "a name of a header or method, or *",
            );
        }
    }
}

/// The path of a URL in its raw form (RFC 3986 §3.3); letters beyond ASCII are tolerated.
fn is_url_path(path: &str) -> bool {
    let mut rest = path;
    while let Some(index) = rest.find('%') {
        let digits = rest.as_bytes().get(index + 1..index + 3);
        if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
            return false;
        }
        rest = &rest[index + 1..];
    }
    let is_forbidden = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || matches!(c, '?' | '#' | '\\' | '"' | '<' | '>' | '^' | '`')
    };
    let is_dots = |segment: &str| segment == "." || segment == "..";
    !path.contains(is_forbidden) && !path.split('/').any(is_dots)
}

/// A host name of lower-case labels (RFC 1123 §2.1), underscores allowed.
fn check_host(host: &str, path: &str, first_label_max: usize, findings: &Findings) {
    let is_label_byte =
        |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    let is_label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(is_label_byte)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if host.is_empty() || host.len() > HOST_BYTES_MAX || !host.split('.').all(is_label) {
        findings.report_text(
            path,
            host,
            "a host name: lower-case letters, digits, '-', '_' and dots",
        );
        return;
    }
    if host
        .split('.')
        .next()
        .is_some_and(|label| label.len() > first_label_max)
    {
        let expected = format!("a first label of at most {first_label_max} characters");
        findings.report_text(path, host, expected);
    }
}
