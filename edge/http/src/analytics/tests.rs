use std::{borrow::Cow, pin::Pin, sync::Arc, task::Context};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body::Body as _;
use serde_json::json;
use tidegate_model::api::Analytics as AnalyticsRules;
use tidegate_policy::LogMask;

use super::{Analytics, Capture, Parts};
use crate::body::Body;

const ALL: Parts = Parts {
    entrypoint: true,
    endpoint: true,
    request: true,
    response: true,
    headers: true,
    payload: true,
};

#[derive(Debug)]
struct Digits;

impl LogMask for Digits {
    fn header<'a>(&self, name: &str, value: &'a str) -> Cow<'a, str> {
        if name == "x-card" {
            Cow::Borrowed("masked")
        } else {
            Cow::Borrowed(value)
        }
    }

    fn body<'a>(&self, content_type: Option<&str>, body: &'a str) -> Cow<'a, str> {
        assert_eq!(content_type, Some("text/plain"));
        Cow::Owned(body.replace(|c: char| c.is_ascii_digit(), "#"))
    }
}

#[test]
fn nothing_is_logged_without_a_mode_and_a_phase() {
    for (logging, is_logging) in [
        (json!({}), false),
        (json!({"mode": {"entrypoint": true}}), false),
        (
            json!({"phase": {"request": true}, "content": {"headers": true}}),
            false,
        ),
        (
            json!({"mode": {"endpoint": true}, "phase": {"response": true}}),
            true,
        ),
    ] {
        for enabled in [true, false] {
            let rules = AnalyticsRules {
                enabled,
                logging: logging.clone(),
                ..AnalyticsRules::default()
            };
            let compiled = Analytics::compile(&rules, Vec::new()).unwrap();
            assert_eq!(compiled.is_enabled, enabled);
            assert_eq!(
                compiled.logging.is_some(),
                is_logging && enabled,
                "{logging}"
            );
        }
    }
    let rules = AnalyticsRules {
        logging: json!({"condition": "{#"}),
        ..AnalyticsRules::default()
    };
    assert!(Analytics::compile(&rules, Vec::new()).is_err());
}

#[test]
fn logs_hide_credentials_and_pass_through_every_mask() {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("authorization", "Bearer secret"),
        ("x-my-key", "secret"),
        ("cookie", "secret"),
        ("x-card", "4711"),
        ("content-type", "text/plain"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let mut capture = Capture::new(ALL, [HeaderName::from_static("x-my-key")].into());
    let body = capture.entrypoint_request((&Method::POST, "/p"), &headers, Body::full("card 4711"));
    assert!(body.is_replayable(), "content in memory stays so");
    let log = capture.finish(&[Arc::new(Digits)]);
    let text = serde_json::to_string(&log).unwrap();
    assert!(!text.contains("secret") && !text.contains("4711"), "{text}");
    let request = log.entrypoint_request.unwrap();
    assert_eq!(request.body.as_deref(), Some("card ####"));
    assert_eq!(request.uri.as_deref(), Some("/p"));
    assert!(log.endpoint_request.is_none() && log.entrypoint_response.is_none());
}

/// Yields its pieces.
struct Pieces(Vec<Bytes>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = crate::body::BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Ready(self.0.pop().map(|piece| Ok(http_body::Frame::data(piece))))
    }
}

#[test]
fn the_log_of_a_body_is_bounded_and_leaves_out_what_is_no_text() {
    for (content_type, expected) in [("text/plain", Some(64 * 1024)), ("image/png", None)] {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static(content_type));
        let mut capture = Capture::new(ALL, [HeaderName::from_static("x-my-key")].into());
        let pieces = vec![Bytes::from(vec![b'x'; 40 * 1024]); 3];
        let mut body =
            capture.endpoint_response(StatusCode::OK, &headers, Body::stream(Pieces(pieces)));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut passed = 0;
        while let std::task::Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut cx)
        {
            passed += frame.data_ref().map_or(0, Bytes::len);
        }
        assert_eq!(passed, 120 * 1024, "what is sent is never cut");
        let logged = capture.finish(&[]).endpoint_response.unwrap();
        assert_eq!(logged.status, Some(200));
        assert_eq!(logged.body.map(|body| body.len()), expected);
    }
}
