//! The typed configuration of a `tcp-proxy` endpoint. Source: `gravitee-v4.md` §1.4.

use serde_json::Value;

use super::{Endpoint, EndpointGroup, HttpProxy, SslOptions};
use crate::{
    limits,
    read::{At, Findings},
    violation::Violation,
};

/// Stands for parts that are absent.
static EMPTY: Value = Value::Null;

/// The connector of TCP proxy APIs.
pub const TCP_PROXY: &str = "tcp-proxy";

const CONNECT_TIMEOUT_MS: u32 = 3_000;
const RECONNECT_ATTEMPTS: u32 = 3;
const RECONNECT_INTERVAL_MS: u32 = 1_000;
/// Longest time or wait in milliseconds: a day.
const DURATION_MS_MAX: u32 = 86_400_000;
/// Most attempts at one connection: with their waits they must end before a client gives up.
const ATTEMPTS_MAX: u32 = 20;

/// How a backend is reached over TCP.
#[derive(Clone, Debug, PartialEq)]
pub struct TcpEndpointConfiguration {
    /// Name or address of the backend.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether it speaks TLS.
    pub secured: bool,
    /// Milliseconds for one attempt to connect.
    pub connect_timeout_ms: u32,
    /// Further attempts after a failed one.
    pub reconnect_attempts: u32,
    /// Milliseconds between attempts.
    pub reconnect_interval_ms: u32,
    /// Milliseconds without a byte in either direction after which a connection ends; 0 for never.
    pub idle_timeout_ms: u32,
    /// The same for bytes from the backend.
    pub read_idle_timeout_ms: u32,
    /// The same for bytes to the backend.
    pub write_idle_timeout_ms: u32,
    /// How the backend's certificate is checked and which one is shown to it.
    pub ssl: SslOptions,
    /// The proxy on the way.
    pub proxy: HttpProxy,
}

impl Endpoint {
    /// The typed configuration of a `tcp-proxy` endpoint, with every default filled in.
    ///
    /// # Errors
    /// Lists everything that is wrong; paths are relative to the endpoint (or to its group for inherited parts).
    pub fn tcp_configuration(
        &self,
        group: &EndpointGroup,
    ) -> Result<TcpEndpointConfiguration, Vec<Violation>> {
        let findings = Findings::default();
        let own = At::new(&self.configuration, "configuration", &findings);
        let shared_name = if self.inherit_configuration {
            "sharedConfiguration"
        } else {
            "sharedConfigurationOverride"
        };
        let shared = self.effective_shared_configuration(group);
        let shared = At::new(shared, shared_name, &findings);
        let configuration = TcpEndpointConfiguration::read(&own, &shared);
        findings.finish(configuration)
    }
}

impl TcpEndpointConfiguration {
    fn read(own: &At<'_>, shared: &At<'_>) -> Self {
        let target = part(own, "target");
        if target.is_none() {
            own.missing("target", "an object with host and port");
        }
        let target = target.unwrap_or_else(|| own.replaced_by(&EMPTY));
        if target.member("port").is_none() {
            target.missing("port", "a port from 1 to 65535");
        }
        let tcp = part(shared, "tcp").unwrap_or_else(|| shared.replaced_by(&EMPTY));
        let duration = |name, default| tcp.natural(name, (0, DURATION_MS_MAX), default);
        Self {
            host: target.required_text("host", limits::SHORT_TEXT),
            port: u16::try_from(target.natural("port", (1, 65_535), 1)).unwrap_or(1),
            secured: target.flag("secured", false),
            connect_timeout_ms: duration("connectTimeout", CONNECT_TIMEOUT_MS),
            reconnect_attempts: tcp.natural(
                "reconnectAttempts",
                (0, ATTEMPTS_MAX),
                RECONNECT_ATTEMPTS,
            ),
            reconnect_interval_ms: duration("reconnectInterval", RECONNECT_INTERVAL_MS),
            idle_timeout_ms: duration("idleTimeout", 0),
            read_idle_timeout_ms: duration("readIdleTimeout", 0),
            write_idle_timeout_ms: duration("writeIdleTimeout", 0),
            ssl: SslOptions::read(
                &part(shared, "ssl").unwrap_or_else(|| shared.replaced_by(&EMPTY)),
            ),
            proxy: part(shared, "proxy")
                .map(|proxy| HttpProxy::read(&proxy))
                .unwrap_or_default(),
        }
    }
}

fn part<'a>(at: &At<'a>, name: &str) -> Option<At<'a>> {
    at.member(name).filter(|part| part.members().is_some())
}
