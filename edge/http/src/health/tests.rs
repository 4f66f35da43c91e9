use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;
use tidegate_expression::Condition;
use tidegate_model::api::{HTTP_HEALTH_CHECK, Service};

use super::{CheckTemplate, CheckedHealth, HealthStatus, scope::CheckScope};
use crate::{
    forward::TargetPath,
    upstream::{TargetOptions, UpstreamTarget},
};

fn health(success_threshold: u32, failure_threshold: u32) -> CheckedHealth {
    let service = Service {
        kind: HTTP_HEALTH_CHECK.to_owned(),
        enabled: true,
        override_configuration: false,
        configuration: json!({"schedule": "* * * * * *", "target": "/",
                              "successThreshold": success_threshold,
                              "failureThreshold": failure_threshold}),
    };
    let target = UpstreamTarget::intern(TargetOptions::new("health.test", 80)).unwrap();
    let scope = scope(200, &HEADERS);
    let base = TargetPath::default();
    let template = CheckTemplate::compile(&service, &[], "", &scope).unwrap();
    CheckedHealth::new(template.for_endpoint(&target, &base).unwrap())
}

static HEADERS: std::sync::LazyLock<HeaderMap> = std::sync::LazyLock::new(|| {
    let mut headers = HeaderMap::new();
    headers.insert("x-state", HeaderValue::from_static("fine"));
    headers
});

fn scope(status: u16, headers: &HeaderMap) -> CheckScope<'_> {
    CheckScope {
        status: StatusCode::from_u16(status).unwrap(),
        headers,
        content: br#"{"status":"UP"}"#,
    }
}

#[test]
fn an_endpoint_falls_and_comes_back_by_thresholds() {
    use HealthStatus::{Down, TransitionallyDown, TransitionallyUp, Up};
    for (thresholds, results) in [
        (
            (2, 2),
            vec![
                (true, Up),
                (false, TransitionallyDown),
                (true, Up),
                (false, TransitionallyDown),
                (false, Down),
                (false, Down),
                (true, TransitionallyUp),
                (false, Down),
                (true, TransitionallyUp),
                (true, Up),
            ],
        ),
        ((1, 1), vec![(false, Down), (true, Up)]),
        (
            (1, 3),
            vec![
                (false, TransitionallyDown),
                (false, TransitionallyDown),
                (false, Down),
                (true, Up),
            ],
        ),
    ] {
        let health = health(thresholds.0, thresholds.1);
        for (is_success, expected) in results {
            let (_, after) = health.record(is_success);
            assert_eq!(after, expected);
            assert_eq!(health.is_usable(), expected != Down);
        }
    }
}

#[test]
fn assertions_see_status_fields_and_content() {
    for (assertion, expected) in [
        ("{#response.status == 200}", true),
        ("#response.status < 300", true),
        ("{#response.headers['X-State'][0] == 'fine'}", true),
        ("{#jsonPath(#response.content, '$.status') == 'UP'}", true),
        ("{#response.status == 204}", false),
        ("{#request.method == 'GET'}", false),
    ] {
        let condition = Condition::compile(assertion).unwrap();
        assert_eq!(
            condition.holds(&scope(200, &HEADERS)),
            expected,
            "{assertion}"
        );
    }
}
