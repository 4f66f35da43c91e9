//! The layer in front of every service of the gRPC port: load limit, deadline, identity, permission.
//!
//! A call that passes carries an [`super::Identity`] (unless its method is public) and a [`Deadline`] in
//! its extensions. Denied by default: a method without a rule is refused.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderMap, Request, Response};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tonic::{Status, body::Body};
use tower::{Layer, Service};

use super::{
    AuthError, Authenticator,
    rules::{self, Access},
};

/// Calls in progress on one node; more are refused at once rather than queued without bound.
const CALLS_MAX: usize = 1024;
/// Time a call gets when the client names none.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// Longest time a client may ask for one answer.
const TIMEOUT_MAX: Duration = Duration::from_secs(600);

/// When the client stops waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deadline {
    at: Instant,
    /// True if the client named it.
    given: bool,
}

impl Deadline {
    /// Reads `grpc-timeout`; a missing or unreadable one gives the default.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let given = headers
            .get("grpc-timeout")
            .and_then(|value| value.to_str().ok())
            .and_then(parse_timeout);
        let timeout = given.unwrap_or(TIMEOUT_DEFAULT).min(TIMEOUT_MAX);
        Self {
            at: Instant::now() + timeout,
            given: given.is_some(),
        }
    }

    /// The same moment for a call whose client named one, else `timeout` from now.
    pub(crate) fn or(self, timeout: Duration) -> Self {
        if self.given {
            self
        } else {
            Self {
                at: Instant::now() + timeout,
                given: false,
            }
        }
    }

    /// The moment itself.
    pub(crate) fn at(self) -> Instant {
        self.at
    }

    /// Time left; zero when it is over.
    pub(crate) fn left(self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }
}

/// Parses the value of `grpc-timeout`: at most 8 digits and a unit (gRPC over HTTP/2).
fn parse_timeout(text: &str) -> Option<Duration> {
    let unit = text.chars().next_back()?;
    let digits = text.strip_suffix(unit)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    Some(match unit {
        'H' => Duration::from_secs(amount * 3600),
        'M' => Duration::from_secs(amount * 60),
        'S' => Duration::from_secs(amount),
        'm' => Duration::from_millis(amount),
        'u' => Duration::from_micros(amount),
        'n' => Duration::from_nanos(amount),
        _ => return None,
    })
}

/// Makes the gate around a set of services.
#[derive(Debug, Clone)]
pub(crate) struct GateLayer {
    gate: Arc<Gate>,
}

impl GateLayer {
    pub(crate) fn new(authenticator: Authenticator) -> Self {
        Self {
            gate: Arc::new(Gate {
                authenticator,
                calls: Arc::new(Semaphore::new(CALLS_MAX)),
            }),
        }
    }
}

impl<S> Layer<S> for GateLayer {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Gated {
            inner,
            gate: Arc::clone(&self.gate),
        }
    }
}

#[derive(Debug)]
struct Gate {
    authenticator: Authenticator,
    calls: Arc<Semaphore>,
}

impl Gate {
    fn admit(&self, request: &mut Request<Body>) -> Result<OwnedSemaphorePermit, Status> {
        let permit = Arc::clone(&self.calls)
            .try_acquire_owned()
            .map_err(|_full| AuthError::Overloaded.status())?;
        let access =
            rules::rule(request.uri().path()).ok_or_else(|| AuthError::UnknownMethod.status())?;
        let deadline = Deadline::of(request.headers());
        if access != Access::Public {
            let identity = self
                .authenticator
                .identify(request.headers())
                .map_err(|error| error.status())?;
            if !access.allows(identity.role) {
                return Err(AuthError::Role(identity.role).status());
            }
            request.extensions_mut().insert(identity);
        }
        request.extensions_mut().insert(deadline);
        Ok(permit)
    }
}

/// A service behind the gate.
#[derive(Debug, Clone)]
pub(crate) struct Gated<S> {
    inner: S,
    gate: Arc<Gate>,
}

impl<S> Service<Request<Body>> for Gated<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let permit = match self.gate.admit(&mut request) {
            Ok(permit) => permit,
            Err(status) => return Box::pin(async move { Ok(status.into_http()) }),
        };
        let clone = self.inner.clone();
        // The instance that was polled ready must take the call; its clone waits for the next one.
        let mut ready = std::mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            let answer = ready.call(request).await;
            drop(permit);
            answer
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_the_protocol_writes_them() {
        let check = |text: &str, expected: Option<Duration>| {
            assert_eq!(parse_timeout(text), expected, "{text:?}");
        };
        check("1H", Some(Duration::from_secs(3600)));
        check("2M", Some(Duration::from_secs(120)));
        check("3S", Some(Duration::from_secs(3)));
        check("4m", Some(Duration::from_millis(4)));
        check("5u", Some(Duration::from_micros(5)));
        check("6n", Some(Duration::from_nanos(6)));
        check("99999999S", Some(Duration::from_secs(99_999_999)));
        for wrong in ["", "S", "1", "1s", "-1S", "123456789S", "1 S", "é"] {
            check(wrong, None);
        }
    }

    #[test]
    fn a_deadline_is_bounded_and_has_a_default() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", http::HeaderValue::from_static(value));
            Deadline::of(&headers)
        };
        assert!(with("99999999H").left() <= TIMEOUT_MAX);
        assert!(with("1S").left() <= Duration::from_secs(1));
        let default = Deadline::of(&HeaderMap::new());
        assert!(default.left() <= TIMEOUT_DEFAULT && default.left() > Duration::from_secs(8));
        let long = Duration::from_secs(100);
        assert!(default.or(long).left() > Duration::from_secs(98));
        assert!(with("1S").or(long).left() <= Duration::from_secs(1));
    }
}
