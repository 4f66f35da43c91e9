//! Where requests are sent and how: compiled once when configuration is activated, shared by all workers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use http::HeaderValue;
use parking_lot::Mutex;
use rustls_pki_types::ServerName;

use super::address_rule::AddressRule;
use super::proxy::ProxyOptions;
use super::tls::{TlsError, TlsOptions, client_config};

/// Interned targets are swept when the table has grown by this many since the last sweep.
const SWEEP_EVERY: usize = 64;

/// Everything that makes one upstream differ from another. Equal options share connections.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TargetOptions {
    /// Host name or IP literal (IPv6 without brackets).
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// What the upstream is called in `Host` and in its certificate, if that is not its host.
    pub called: Option<String>,
    /// `Some` for https.
    pub tls: Option<TlsOptions>,
    /// Protocol to speak.
    pub version: UpstreamVersion,
    /// Time for name lookup, connection and handshake, and for a free connection when all are busy.
    pub connect_timeout: Duration,
    /// Time from sending the request to the response head.
    pub read_timeout: Duration,
    /// Longest silence while a response body or an upgraded connection is open.
    pub idle_timeout: Duration,
    /// Whether connections are kept for later requests.
    pub keep_alive: bool,
    /// How long an unused connection is kept.
    pub keep_alive_timeout: Duration,
    /// Most connections of one worker to this target.
    pub connections_max: usize,
    /// The proxy in between, which then looks the name up.
    pub proxy: Option<ProxyOptions>,
    /// Which addresses may be connected to.
    pub addresses: AddressRule,
    /// HTTP/2 settings; `None` means the default of the implementation.
    pub http2: Http2Options,
}

/// Protocol towards an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UpstreamVersion {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2: by ALPN over TLS (HTTP/1.1 if the upstream refuses), by prior knowledge in clear text.
    Http2,
}

/// HTTP/2 settings towards an upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Http2Options {
    /// Most concurrent streams of one connection, below what the upstream allows.
    pub streams_max: Option<usize>,
    /// Flow-control window of the connection in bytes.
    pub connection_window_bytes: Option<u32>,
    /// Flow-control window of a stream in bytes.
    pub stream_window_bytes: Option<u32>,
    /// Largest frame payload in bytes (16384 to 16777215).
    pub frame_bytes_max: Option<u32>,
}

impl TargetOptions {
    /// Options for `host:port` with the defaults of an http-proxy endpoint.
    pub fn new(host: impl Into<String>, port: u16) -> TargetOptions {
        TargetOptions {
            host: host.into(),
            port,
            called: None,
            tls: None,
            version: UpstreamVersion::Http1,
            connect_timeout: Duration::from_millis(3000),
            read_timeout: Duration::from_millis(10_000),
            idle_timeout: Duration::from_millis(60_000),
            keep_alive: true,
            keep_alive_timeout: Duration::from_millis(30_000),
            connections_max: 100,
            proxy: None,
            addresses: AddressRule::Any,
            http2: Http2Options::default(),
        }
    }
}

/// Options that cannot become a target.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The host is empty or holds a character no host has.
    #[error("invalid host")]
    Host,
    /// The TLS material cannot be used.
    #[error("invalid TLS settings")]
    Tls(#[source] TlsError),
}

/// One compiled upstream.
pub struct UpstreamTarget {
    id: u64,
    options: TargetOptions,
    authority: HeaderValue,
    tls: Option<TargetTls>,
}

/// What a handshake needs.
pub(crate) struct TargetTls {
    pub(crate) config: Arc<rustls::ClientConfig>,
    pub(crate) server_name: ServerName<'static>,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);
static INTERNED: Mutex<Option<Interned>> = Mutex::new(None);

#[derive(Default)]
struct Interned {
    targets: HashMap<TargetOptions, Weak<UpstreamTarget>>,
    swept_at: usize,
}

impl UpstreamTarget {
    /// Compiles options, or returns the living target with equal ones, so that connections survive a new
    /// configuration that does not change them. Called when configuration is activated, not per request.
    ///
    /// # Errors
    /// [`TargetError`] if the host or the TLS material is unusable.
    pub fn intern(options: TargetOptions) -> Result<Arc<UpstreamTarget>, TargetError> {
        let mut guard = INTERNED.lock();
        let interned = guard.get_or_insert_default();
        if let Some(target) = interned.targets.get(&options).and_then(Weak::upgrade) {
            return Ok(target);
        }
        let target = Arc::new(UpstreamTarget::compile(options.clone())?);
        if interned.targets.len() >= interned.swept_at + SWEEP_EVERY {
            interned
                .targets
                .retain(|_, target| target.strong_count() > 0);
            interned.swept_at = interned.targets.len();
        }
        interned.targets.insert(options, Arc::downgrade(&target));
        Ok(target)
    }

    fn compile(options: TargetOptions) -> Result<UpstreamTarget, TargetError> {
        let called = options.called.as_ref().unwrap_or(&options.host);
        let host = if called.contains(':') {
            format!("[{called}]")
        } else {
            called.clone()
        };
        let default_port = if options.tls.is_some() { 443 } else { 80 };
        let authority = if options.port == default_port {
            host
        } else {
            format!("{host}:{}", options.port)
        };
        let authority: http::uri::Authority =
            authority.parse().map_err(|_invalid| TargetError::Host)?;
        let authority =
            HeaderValue::from_str(authority.as_str()).map_err(|_invalid| TargetError::Host)?;
        let tls = match &options.tls {
            None => None,
            Some(tls) => {
                let name = tls.server_name.as_deref().unwrap_or(called);
                let server_name =
                    ServerName::try_from(name.to_owned()).map_err(|_invalid| TargetError::Host)?;
                let config = client_config(tls, options.version).map_err(TargetError::Tls)?;
                Some(TargetTls {
                    config,
                    server_name,
                })
            }
        };
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Ok(UpstreamTarget {
            id,
            options,
            authority,
            tls,
        })
    }

    /// Unique in the process; equal for equal options while a target with them lives.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The options it was compiled from.
    pub fn options(&self) -> &TargetOptions {
        &self.options
    }

    /// The `Host` of requests that bring none: host, and port unless it is the scheme's default.
    pub fn authority(&self) -> &HeaderValue {
        &self.authority
    }

    pub(crate) fn tls(&self) -> Option<&TargetTls> {
        self.tls.as_ref()
    }
}

impl std::fmt::Debug for UpstreamTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UpstreamTarget")
            .field("id", &self.id)
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_options_share_a_target_and_different_ones_do_not() {
        let first = UpstreamTarget::intern(TargetOptions::new("interned.test", 80)).unwrap();
        let same = UpstreamTarget::intern(TargetOptions::new("interned.test", 80)).unwrap();
        let other = UpstreamTarget::intern(TargetOptions::new("interned.test", 81)).unwrap();
        assert!(Arc::ptr_eq(&first, &same));
        assert_ne!(first.id(), other.id());
    }

    #[test]
    fn the_authority_names_the_port_only_when_it_is_not_the_default() {
        let check = |host: &str, port, tls: bool, expected: &str| {
            let mut options = TargetOptions::new(host, port);
            options.tls = tls.then(TlsOptions::default);
            let target = UpstreamTarget::intern(options).unwrap();
            assert_eq!(target.authority(), expected);
        };
        check("a.test", 80, false, "a.test");
        check("a.test", 443, false, "a.test:443");
        check("::1", 8080, false, "[::1]:8080");
    }

    #[test]
    fn hosts_that_no_url_can_hold_are_refused() {
        for host in ["", "a b", "a/b", "a\r\nb"] {
            let target = UpstreamTarget::intern(TargetOptions::new(host, 80));
            assert!(matches!(target, Err(TargetError::Host)), "{host:?}");
        }
    }
}
