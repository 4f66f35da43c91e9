//! What a proxy changes between the two sides of an exchange: hop-by-hop fields and the URI.
//! Sources: RFC 9110 §7.6.1, RFC 9112 §9.6; `gravitee-v4.md` §3.11.

mod uri;
#[cfg(test)]
mod tests;

use http::{
    HeaderMap, HeaderValue,
    header::{
        CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderName, PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
    },
};

pub use uri::{TargetPath, upstream_uri};

static KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
static PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Fields a client may not drop by naming them in `Connection`: they decide where a message goes
/// or how long it is.
const NEVER_NOMINATED: [HeaderName; 3] = [HOST, CONTENT_LENGTH, COOKIE];

/// Takes the hop-by-hop fields out of a request; returns the protocol the client wants to switch to.
///
/// Runs when the request arrives, so that a client cannot name in `Connection` what the gateway
/// or a policy adds later.
pub fn strip_request(headers: &mut HeaderMap) -> Option<HeaderValue> {
    let upgrade = strip_connection(headers);
    headers.remove(PROXY_AUTHORIZATION);
    headers.remove(PROXY_AUTHENTICATE);
    headers.remove(TE);
    headers.remove(TRAILER);
    upgrade
}

/// Takes the hop-by-hop fields out of a response. `Trailer` stays: trailers are forwarded.
pub fn strip_response(headers: &mut HeaderMap) {
    strip_connection(headers);
}

/// Asks the upstream to switch to `protocol`, or repeats its agreement to the client.
pub fn set_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
}

/// Removes `Connection`, what it names, and its companions; returns `Upgrade` if it was named.
fn strip_connection(headers: &mut HeaderMap) -> Option<HeaderValue> {
    let mut upgrade_named = false;
    if headers.contains_key(CONNECTION) {
        let values: Vec<HeaderValue> = headers.get_all(CONNECTION).iter().cloned().collect();
        let options = values.iter().filter_map(|value| value.to_str().ok());
        for option in options.flat_map(|value| value.split(',')).map(str::trim) {
            if option.eq_ignore_ascii_case("upgrade") {
                upgrade_named = true;
            } else if !option.eq_ignore_ascii_case("close")
                && let Ok(name) = HeaderName::from_bytes(option.as_bytes())
                && !NEVER_NOMINATED.contains(&name)
            {
                headers.remove(name);
            }
        }
        headers.remove(CONNECTION);
    }
    headers.remove(&KEEP_ALIVE);
    headers.remove(&PROXY_CONNECTION);
    headers.remove(TRANSFER_ENCODING);
    headers.remove(UPGRADE).filter(|_| upgrade_named)
}
