//! Signature Version 4 of AWS. Source: "AWS Signature Version 4 for API requests", IAM user guide.

use std::fmt::Write as _;

use aws_lc_rs::{digest, hmac};
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use time::OffsetDateTime;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DATE: HeaderName = HeaderName::from_static("x-amz-date");

/// Who signs, and for what.
pub(super) struct Signer<'s> {
    pub(super) access_key: &'s str,
    pub(super) secret_key: &'s str,
    pub(super) region: &'s str,
    pub(super) service: &'s str,
}

impl Signer<'_> {
    /// Signs all headers, the query and the body of a request and adds the signature to its headers.
    ///
    /// The request has an absolute URI without a port of its own unless the server expects one in `Host`.
    /// `None` if the instant or a key cannot be written.
    pub(super) fn sign<B: AsRef<[u8]>>(&self, request: &mut Request<B>, now_ms: u64) -> Option<()> {
        let instant = Instant::new(now_ms)?;
        let host = HeaderValue::from_str(request.uri().authority()?.as_str()).ok()?;
        request.headers_mut().insert(HOST, host);
        let date = HeaderValue::from_str(&instant.full).ok()?;
        request.headers_mut().insert(DATE, date);
        let scope = format!(
            "{}/{}/{}/aws4_request",
            instant.day, self.region, self.service
        );
        let (canonical, signed) = canonical(request)?;
        let to_sign = format!(
            "{ALGORITHM}\n{}\n{scope}\n{}",
            instant.full,
            hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref())
        );
        let signature = hex(mac(&self.key(&instant.day), to_sign.as_bytes()).as_ref());
        let authorization = format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={signed}, Signature={signature}",
            self.access_key
        );
        let mut value = HeaderValue::from_str(&authorization).ok()?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
        Some(())
    }

    /// The key of a day, region and service.
    fn key(&self, day: &str) -> hmac::Tag {
        let secret = format!("AWS4{}", self.secret_key);
        let parts = [day, self.region, self.service, "aws4_request"];
        let first = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let mut tag = hmac::sign(&first, parts[0].as_bytes());
        for part in &parts[1..] {
            tag = mac(&tag, part.as_bytes());
        }
        tag
    }
}

struct Instant {
    /// As `20150830T123600Z`.
    full: String,
    /// As `20150830`.
    day: String,
}

impl Instant {
    fn new(now_ms: u64) -> Option<Self> {
        let seconds = i64::try_from(now_ms / 1000).ok()?;
        let at = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
        let day = format!("{:04}{:02}{:02}", at.year(), u8::from(at.month()), at.day());
        let full = format!(
            "{day}T{:02}{:02}{:02}Z",
            at.hour(),
            at.minute(),
            at.second()
        );
        Some(Self { full, day })
    }
}

/// Writes a request in its canonical form, and the names of the headers in it.
fn canonical<B: AsRef<[u8]>>(request: &Request<B>) -> Option<(String, String)> {
    let mut text = format!("{}\n", request.method());
    // The path as it is sent is encoded once more, as for every service but S3.
    encode(request.uri().path(), "/", &mut text);
    text.push('\n');
    text.push_str(&canonical_query(request.uri().query().unwrap_or_default()));
    text.push('\n');
    let names = header_names(request.headers());
    for name in &names {
        let values: Option<Vec<String>> = request
            .headers()
            .get_all(name)
            .iter()
            .map(|value| Some(collapsed(value.to_str().ok()?)))
            .collect();
        let _ = writeln!(text, "{name}:{}", values?.join(","));
    }
    let signed = names
        .iter()
        .map(HeaderName::as_str)
        .collect::<Vec<_>>()
        .join(";");
    let body = digest::digest(&digest::SHA256, request.body().as_ref());
    let _ = write!(text, "\n{signed}\n{}", hex(body.as_ref()));
    Some((text, signed))
}

fn header_names(headers: &HeaderMap) -> Vec<HeaderName> {
    let mut names: Vec<HeaderName> = headers
        .keys()
        .filter(|name| **name != AUTHORIZATION)
        .cloned()
        .collect();
    names.sort_unstable_by(|left, right| left.as_str().cmp(right.as_str()));
    names
}

/// Sorts the parameters by name, then by value. They are encoded as they are sent.
fn canonical_query(query: &str) -> String {
    let mut parameters: Vec<(&str, &str)> = query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
        .collect();
    parameters.sort_unstable();
    let parameters: Vec<String> = parameters
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    parameters.join("&")
}

/// Trims a header value and makes one blank of several.
fn collapsed(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// Appends text with all but unreserved characters (RFC 3986 §2.3) and those of `kept` percent-encoded.
pub(super) fn encode(text: &str, kept: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric()
            || b"-._~".contains(&byte)
            || kept.as_bytes().contains(&byte)
        {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

fn mac(key: &hmac::Tag, data: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()), data)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys and instant of the published examples.
    fn signer(service: &'static str) -> Signer<'static> {
        Signer {
            access_key: "AKIDEXAMPLE",
            secret_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            region: "us-east-1",
            service,
        }
    }

    const NOW_MS: u64 = 1_440_938_160_000;

    /// Source: the AWS Signature Version 4 test suite, by the names of its cases.
    #[test]
    fn requests_of_the_published_test_suite_have_the_published_signatures() {
        for (case, method, uri, expected) in [
            (
                "get-vanilla",
                "GET",
                "https://example.amazonaws.com/",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "get-vanilla-query-order-key-case",
                "GET",
                "https://example.amazonaws.com/?Param2=value2&Param1=value1",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "post-vanilla",
                "POST",
                "https://example.amazonaws.com/",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
        ] {
            let request = Request::builder().method(method).uri(uri);
            let mut request = request.body("").unwrap();
            signer("service").sign(&mut request, NOW_MS).unwrap();
            let expected = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                 SignedHeaders=host;x-amz-date, Signature={expected}"
            );
            assert_eq!(request.headers()["authorization"], expected, "{case}");
        }
    }

    /// Source: the worked example of the IAM user guide, `ListUsers`.
    #[test]
    fn the_worked_example_has_its_key_and_its_signature() {
        let key = signer("iam").key("20150830");
        assert_eq!(
            hex(key.as_ref()),
            "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"
        );
        let mut request = Request::builder()
            .uri("https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08")
            .header(
                "content-type",
                "application/x-www-form-urlencoded;   charset=utf-8 ",
            )
            .body("")
            .unwrap();
        signer("iam").sign(&mut request, NOW_MS).unwrap();
        let authorization = request.headers()["authorization"].to_str().unwrap();
        assert!(authorization.contains("SignedHeaders=content-type;host;x-amz-date"));
        assert!(authorization.ends_with(
            "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        ));
    }

    #[test]
    fn a_path_is_encoded_once_more_than_it_is_sent() {
        let request = Request::builder()
            .uri("https://a/functions/arn%3Aaws/x")
            .body("")
            .unwrap();
        let (canonical, _) = canonical(&request).unwrap();
        assert!(canonical.starts_with("GET\n/functions/arn%253Aaws/x\n"));
    }
}
