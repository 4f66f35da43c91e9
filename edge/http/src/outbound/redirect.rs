//! Following redirects (RFC 9110 §15.4).

use bytes::Bytes;
use http::{
    HeaderMap, Method, Request, Response, StatusCode, Uri,
    header::{
        AUTHORIZATION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_LOCATION,
        CONTENT_TYPE, COOKIE, HOST, LOCATION, PROXY_AUTHORIZATION, TRANSFER_ENCODING,
    },
};
use url::Url;

/// The request that follows `response` to `sent`; `None` if the response is no redirect that can be followed.
pub(super) fn following(
    mut sent: Request<Bytes>,
    response: &Response<Bytes>,
) -> Option<Request<Bytes>> {
    let becomes_get = match response.status() {
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => sent.method() == Method::POST,
        StatusCode::SEE_OTHER => sent.method() != Method::HEAD,
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => false,
        _ => return None,
    };
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    let base = Url::parse(&sent.uri().to_string()).ok()?;
    let mut url = base.join(location).ok()?;
    url.set_fragment(None);
    let is_downgrade = base.scheme() == "https" && url.scheme() != "https";
    if is_downgrade || !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    let uri: Uri = url.as_str().parse().ok()?;
    if base.origin() != url.origin() {
        forget_credentials(sent.headers_mut());
    }
    *sent.uri_mut() = uri;
    if becomes_get {
        *sent.method_mut() = Method::GET;
        *sent.body_mut() = Bytes::new();
        for name in [
            CONTENT_TYPE,
            CONTENT_LENGTH,
            CONTENT_ENCODING,
            CONTENT_LANGUAGE,
            CONTENT_LOCATION,
            TRANSFER_ENCODING,
        ] {
            sent.headers_mut().remove(name);
        }
    }
    Some(sent)
}

/// What was meant for one origin is not shown to another.
fn forget_credentials(headers: &mut HeaderMap) {
    for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, HOST] {
        headers.remove(name);
    }
}
