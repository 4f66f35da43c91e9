//! Key sets behind a URL (RFC 7517 §5): fetched when needed, shared by all workers, read without a lock.
//!
//! One call is under way at a time for a source, whoever needs it waits for that one. A key id that is
//! not in the set asks again, but only after a pause, so that invented ids cost the issuer nothing. While
//! the issuer is down the last set goes on being used.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use futures::channel::oneshot;
use http::{Request, Uri, header::ACCEPT};
use parking_lot::Mutex;
use tidegate_expression::{Needs, Template};
use tidegate_policy::{CallOptions, ConfigError, Exchange, OutboundCall, Services};

use super::algorithm::Signature;
use super::config::JwtConfig;
use super::key::{Jwk, VerificationKey};
use super::keys::Tried;
use super::token::Token;

/// After this time a set is fetched anew, while it goes on being used.
const FRESH_MS: u64 = 5 * 60 * 1000;

/// After this time without a successful call a set is used no more: a key may have been revoked.
const USABLE_MS: u64 = 24 * 60 * 60 * 1000;

/// Least time between two calls when the first one succeeded.
const PAUSE_MS: u64 = 10 * 1000;

/// Least time between two calls when the first one failed.
const PAUSE_AFTER_FAILURE_MS: u64 = 1000;

/// Longest key set in bytes.
const SET_BYTES_MAX: u64 = 512 * 1024;

/// Most keys of a set.
const KEYS_MAX: usize = 128;

/// Most URLs that one expression may lead to.
const SOURCES_MAX: usize = 32;

const REDIRECTS_MAX: u8 = 5;

const DEFAULT_TIMEOUT_MS: u64 = 2000;

/// Longest timeout that can be configured.
const TIMEOUT_MS_MAX: u64 = 60 * 1000;

/// The sources of one verifier.
pub(super) struct KeySets {
    place: Place,
    signature: Signature,
    options: Arc<CallOptions>,
}

enum Place {
    Fixed(Arc<KeySource>),
    Computed(Template, ArcSwap<Vec<Arc<KeySource>>>),
}

impl KeySets {
    pub(super) fn compile(parameter: &str, config: &JwtConfig) -> Result<Self, ConfigError> {
        let time = |configured: Option<u64>| {
            let ms = configured.unwrap_or(DEFAULT_TIMEOUT_MS);
            Duration::from_millis(ms.clamp(1, TIMEOUT_MS_MAX))
        };
        let options = Arc::new(CallOptions {
            connect_timeout: time(config.connect_timeout),
            timeout: time(config.request_timeout),
            response_bytes_max: SET_BYTES_MAX,
            redirects_max: if config.follow_redirects == Some(true) {
                REDIRECTS_MAX
            } else {
                0
            },
            use_system_proxy: config.use_system_proxy == Some(true),
            ..CallOptions::default()
        });
        let template = ConfigError::template("resolverParameter", parameter)?;
        let place = match template.as_literal() {
            Some(text) => {
                let url = absolute(text).ok_or_else(|| {
                    ConfigError::new(
                        "resolverParameter",
                        format!("{text:?}"),
                        "an absolute URL with http or https",
                    )
                })?;
                Place::Fixed(Arc::new(KeySource::new(url)))
            }
            None => Place::Computed(template, ArcSwap::default()),
        };
        Ok(Self {
            place,
            signature: config.signature,
            options,
        })
    }

    pub(super) fn needs(&self) -> Needs {
        match &self.place {
            Place::Fixed(_) => Needs::NONE,
            Place::Computed(template, _) => template.needs(),
        }
    }

    pub(super) fn check(&self, token: &Token, exchange: &Exchange, services: &Services) -> Tried {
        let source = match &self.place {
            Place::Fixed(source) => source,
            Place::Computed(template, known) => &match computed(template, known, exchange) {
                Ok(source) => source,
                Err(cause) => return Tried::Bad(cause),
            },
        };
        let now_ms = services.ambient.now_ms();
        let known = source.set.load();
        let set = known
            .as_ref()
            .filter(|set| !set.is_older(USABLE_MS, now_ms));
        let Some(set) = set else {
            return Tried::Unknown(Arc::clone(source));
        };
        if set.is_older(FRESH_MS, now_ms) {
            self.refresh_beside(source, services);
        }
        match set.verifies(token) {
            Some(true) => Tried::Good,
            Some(false) => Tried::Bad("the signature does not fit".to_owned()),
            None => Tried::Unknown(Arc::clone(source)),
        }
    }

    /// Fetches the set, or waits for whoever is fetching it. Returns at once if it is too early to ask
    /// again.
    pub(super) async fn refresh(&self, source: &Arc<KeySource>, services: &Services) {
        let arrival = match source.arrive(services.ambient.now_ms()) {
            Turn::TooEarly => return,
            Turn::Wait(arrival) => arrival,
            Turn::Fetch(arrival) => {
                // In a task of its own: clients that leave do not end it for those who wait.
                let task = self.fetch(source, services);
                if services.tasks.spawn(Box::pin(task)).is_err() {
                    self.fetch(source, services).await;
                }
                arrival
            }
        };
        // Cancelled or done, the set is looked at again.
        let _: Result<(), oneshot::Canceled> = arrival.await;
    }

    fn refresh_beside(&self, source: &Arc<KeySource>, services: &Services) {
        if let Turn::Fetch(_) = source.arrive(services.ambient.now_ms()) {
            let task = self.fetch(source, services);
            if services.tasks.spawn(Box::pin(task)).is_err() {
                drop(Landing(Arc::clone(source)));
            }
        }
    }

    fn fetch(
        &self,
        source: &Arc<KeySource>,
        services: &Services,
    ) -> impl Future<Output = ()> + 'static {
        let (source, services) = (Arc::clone(source), services.clone());
        let (options, signature) = (Arc::clone(&self.options), self.signature);
        async move {
            let _landing = Landing(Arc::clone(&source));
            match download(&source.url, options, &services, signature).await {
                Ok(keys) => {
                    let fetched_ms = services.ambient.now_ms();
                    source
                        .set
                        .store(Some(Arc::new(KeySet { keys, fetched_ms })));
                    source.flight.lock().has_failed = false;
                }
                Err(cause) => source.flight.lock().cause = Some(cause),
            }
        }
    }
}

fn computed(
    template: &Template,
    known: &ArcSwap<Vec<Arc<KeySource>>>,
    exchange: &Exchange,
) -> Result<Arc<KeySource>, String> {
    let text = template
        .evaluate_text(exchange)
        .map_err(|error| format!("URL of the keys: {error}"))?
        .ok_or("the URL of the keys evaluates to null")?;
    let url = absolute(&text).ok_or("the URL of the keys is not absolute")?;
    let find = |sources: &[Arc<KeySource>]| {
        let found = sources.iter().find(|source| source.url == url);
        found.cloned()
    };
    if let Some(source) = find(&known.load()) {
        return Ok(source);
    }
    let new = Arc::new(KeySource::new(url.clone()));
    known.rcu(|sources| {
        let mut sources = Vec::clone(sources);
        if find(&sources).is_none() && sources.len() < SOURCES_MAX {
            sources.push(Arc::clone(&new));
        }
        sources
    });
    find(&known.load()).ok_or_else(|| "too many URLs of keys".to_owned())
}

fn absolute(text: &str) -> Option<Uri> {
    let url: Uri = text.trim().parse().ok()?;
    let is_http = matches!(url.scheme_str(), Some("http" | "https"));
    (is_http && url.host().is_some()).then_some(url)
}

async fn download(
    url: &Uri,
    options: Arc<CallOptions>,
    services: &Services,
    signature: Signature,
) -> Result<Vec<NamedKey>, String> {
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = url.clone();
    let accepted = http::HeaderValue::from_static("application/json, application/jwk-set+json");
    request.headers_mut().insert(ACCEPT, accepted);
    let answer = services.http.send(OutboundCall { request, options }).await;
    let answer = answer.map_err(|error| error.to_string())?;
    if !answer.status().is_success() {
        return Err(format!("status {}", answer.status()));
    }
    let keys = parse_set(answer.body(), signature)?;
    if keys.is_empty() {
        return Err(format!("no key for {}", signature.name()));
    }
    Ok(keys)
}

/// Reads the keys that fit the algorithm; others, and forms that are not known, are left out
/// (RFC 7517 §5).
fn parse_set(content: &[u8], signature: Signature) -> Result<Vec<NamedKey>, String> {
    #[derive(serde::Deserialize)]
    struct Set {
        keys: Vec<serde_json::Value>,
    }
    let set: Set = serde_json::from_slice(content).map_err(|error| error.to_string())?;
    let keys = set.keys.into_iter().take(KEYS_MAX).filter_map(|key| {
        let jwk: Jwk = serde_json::from_value(key).ok()?;
        let key = VerificationKey::from_jwk(&jwk, signature).ok()?;
        Some(NamedKey { id: jwk.kid, key })
    });
    Ok(keys.collect())
}

struct NamedKey {
    id: Option<String>,
    key: VerificationKey,
}

struct KeySet {
    keys: Vec<NamedKey>,
    fetched_ms: u64,
}

impl KeySet {
    fn is_older(&self, than_ms: u64, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.fetched_ms) > than_ms
    }

    /// Checks a token; `None` if its key is not here. A token that names no key is tried with all.
    fn verifies(&self, token: &Token) -> Option<bool> {
        let (signed, signature) = (token.signed(), token.signature.as_slice());
        let Some(id) = token.header.kid.as_deref() else {
            let mut keys = self.keys.iter();
            return Some(keys.any(|named| named.key.verifies(signed, signature)));
        };
        let named = |named: &&NamedKey| named.id.as_deref() == Some(id);
        let mut found = self.keys.iter().filter(named).peekable();
        found.peek()?;
        Some(found.any(|named| named.key.verifies(signed, signature)))
    }
}

/// One URL with the set it gave last.
pub(super) struct KeySource {
    url: Uri,
    set: ArcSwapOption<KeySet>,
    flight: Mutex<Flight>,
}

/// The call under way, and when the last one began.
#[derive(Default)]
struct Flight {
    waiting: Option<Vec<oneshot::Sender<()>>>,
    begun_ms: Option<u64>,
    has_failed: bool,
    cause: Option<String>,
}

enum Turn {
    Fetch(oneshot::Receiver<()>),
    Wait(oneshot::Receiver<()>),
    TooEarly,
}

impl KeySource {
    fn new(url: Uri) -> Self {
        Self {
            url,
            set: ArcSwapOption::empty(),
            flight: Mutex::default(),
        }
    }

    /// Why there is no key, for the log.
    pub(super) fn cause(&self) -> String {
        let cause = self.flight.lock().cause.clone();
        cause.unwrap_or_else(|| "the key is not in the set".to_owned())
    }

    fn arrive(&self, now_ms: u64) -> Turn {
        let mut flight = self.flight.lock();
        let (sender, receiver) = oneshot::channel();
        if let Some(waiting) = &mut flight.waiting {
            waiting.push(sender);
            return Turn::Wait(receiver);
        }
        let pause = if flight.has_failed {
            PAUSE_AFTER_FAILURE_MS
        } else {
            PAUSE_MS
        };
        if flight
            .begun_ms
            .is_some_and(|begun| now_ms.saturating_sub(begun) < pause)
        {
            return Turn::TooEarly;
        }
        flight.waiting = Some(vec![sender]);
        flight.begun_ms = Some(now_ms);
        // Until it succeeds: a call that is cut off has failed too.
        flight.has_failed = true;
        flight.cause = None;
        Turn::Fetch(receiver)
    }
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySource")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// Wakes whoever waits when the call is over, however it ended.
struct Landing(Arc<KeySource>);

impl Drop for Landing {
    fn drop(&mut self) {
        let waiting = self.0.flight.lock().waiting.take();
        for sender in waiting.into_iter().flatten() {
            // Whoever left needs no answer.
            let _: Result<(), ()> = sender.send(());
        }
    }
}
