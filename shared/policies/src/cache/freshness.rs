//! How long a response says it may be kept. Source: RFC 9111 §4.2 and §5.2.2.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{CACHE_CONTROL, EXPIRES, VARY};

/// What a response says about being kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// Nothing.
    Unsaid,
    /// So long.
    For(Duration),
    /// Not at all.
    Never,
}

/// Reads `Cache-Control`, `Expires` and `Vary` at an instant in milliseconds since the Unix epoch.
pub(super) fn freshness(headers: &HeaderMap, now_ms: u64) -> Freshness {
    if headers.get_all(VARY).iter().any(|value| value == "*") {
        return Freshness::Never;
    }
    let mut age = None;
    let mut shared_age = None;
    for value in headers.get_all(CACHE_CONTROL) {
        for directive in value.to_str().unwrap_or_default().split(',') {
            let (name, argument) = directive.split_once('=').unwrap_or((directive, ""));
            let seconds = || argument.trim().trim_matches('"').parse::<u64>().ok();
            match name.trim().to_ascii_lowercase().as_str() {
                "no-store" | "no-cache" | "private" => return Freshness::Never,
                "max-age" => age = seconds().or(age),
                "s-maxage" => shared_age = seconds().or(shared_age),
                _ => {}
            }
        }
    }
    match shared_age.or(age) {
        Some(0) => Freshness::Never,
        Some(seconds) => Freshness::For(Duration::from_secs(seconds)),
        None => expires(headers, now_ms),
    }
}

fn expires(headers: &HeaderMap, now_ms: u64) -> Freshness {
    let Some(value) = headers.get(EXPIRES) else {
        return Freshness::Unsaid;
    };
    let now = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(now_ms));
    let end = value
        .to_str()
        .ok()
        .and_then(|text| httpdate::parse_http_date(text).ok());
    match (now, end) {
        (Some(now), Some(end)) => match end.duration_since(now) {
            Ok(left) if !left.is_zero() => Freshness::For(left),
            _ => Freshness::Never,
        },
        // A date that cannot be read is in the past (RFC 9111 §5.3).
        _ => Freshness::Never,
    }
}
