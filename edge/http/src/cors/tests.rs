use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tidegate_model::api::Cors as CorsRules;

use super::{Cors, CorsRequest};

fn rules() -> CorsRules {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    CorsRules {
        allow_origin: texts(&["https://mydomain.com", r"https://.*\.example\.org"]),
        allow_headers: texts(&["x-gravitee-test", "X-Other"]),
        allow_methods: texts(&["GET", "POST"]),
        expose_headers: texts(&["X-One", "X-Two"]),
        max_age_seconds: Some(60),
        allow_credentials: true,
        run_policies: false,
    }
}

fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    fields
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        })
        .collect()
}

fn asked(origin: &'static str, method: &'static str, names: &'static str) -> HeaderMap {
    let mut asked = headers(&[
        ("origin", origin),
        ("access-control-request-method", method),
    ]);
    if !names.is_empty() {
        asked.insert(
            "access-control-request-headers",
            HeaderValue::from_static(names),
        );
    }
    asked
}

#[test]
fn a_preflight_is_allowed_if_origin_method_and_all_headers_are() {
    let cors = Cors::compile(&rules()).unwrap();
    for (origin, method, names, is_allowed) in [
        ("https://mydomain.com", "GET", "x-gravitee-test", true),
        (
            "HTTPS://MyDomain.com",
            "POST",
            "X-Gravitee-Test, x-other",
            true,
        ),
        ("https://a.example.org", "GET", "", true),
        ("https://mydomain.com", "GET", "", true),
        ("https://mydomain.com.evil", "GET", "", false),
        ("https://a.example.org.evil", "GET", "", false),
        ("null", "GET", "", false),
        ("https://mydomain.com", "PUT", "", false),
        ("https://mydomain.com", "get", "", false),
        (
            "https://mydomain.com",
            "GET",
            "x-gravitee-test, x-secret",
            false,
        ),
    ] {
        let answer = cors.preflight(&asked(origin, method, names));
        assert_eq!(answer.is_ok(), is_allowed, "{origin} {method} {names}");
    }
}

#[test]
fn a_preflight_answer_names_the_origin_and_what_is_allowed() {
    let cors = Cors::compile(&rules()).unwrap();
    let answer = cors
        .preflight(&asked("https://mydomain.com", "GET", ""))
        .unwrap();
    for (name, value) in [
        ("access-control-allow-origin", "https://mydomain.com"),
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-methods", "GET, POST"),
        ("access-control-allow-headers", "x-gravitee-test, X-Other"),
        ("access-control-max-age", "60"),
        ("vary", "Origin"),
    ] {
        assert_eq!(answer[name], value, "{name}");
    }
    let rules = CorsRules {
        max_age_seconds: None,
        allow_credentials: false,
        ..rules()
    };
    let cors = Cors::compile(&rules).unwrap();
    let answer = cors
        .preflight(&asked("https://mydomain.com", "GET", ""))
        .unwrap();
    assert!(!answer.contains_key("access-control-max-age"));
    assert!(!answer.contains_key("access-control-allow-credentials"));
}

#[test]
fn wildcards_and_empty_lists_mean_what_the_reference_says() {
    let any = vec!["*".to_owned()];
    let open = CorsRules {
        allow_origin: any.clone(),
        allow_methods: any.clone(),
        allow_headers: any,
        ..rules()
    };
    let request = asked("https://any.where", "PURGE", "x-anything");
    let answer = Cors::compile(&open).unwrap().preflight(&request).unwrap();
    assert_eq!(answer["access-control-allow-origin"], "https://any.where");
    let every_header = CorsRules {
        allow_headers: Vec::new(),
        ..open.clone()
    };
    assert!(
        Cors::compile(&every_header)
            .unwrap()
            .preflight(&request)
            .is_ok()
    );
    let no_method = CorsRules {
        allow_methods: Vec::new(),
        ..open
    };
    assert!(
        Cors::compile(&no_method)
            .unwrap()
            .preflight(&request)
            .is_err()
    );
}

#[test]
fn only_options_with_both_fields_is_a_preflight() {
    let cors = Cors::compile(&rules()).unwrap();
    let full = asked("https://mydomain.com", "GET", "");
    let origin = headers(&[("origin", "https://mydomain.com")]);
    for (method, fields, expected) in [
        (Method::OPTIONS, &full, None),
        (Method::GET, &full, Some(true)),
        (Method::OPTIONS, &origin, Some(true)),
        (
            Method::GET,
            &headers(&[("origin", "https://evil")]),
            Some(false),
        ),
        (Method::GET, &HeaderMap::new(), Some(false)),
    ] {
        let found = match cors.classify(&method, fields) {
            CorsRequest::Preflight => None,
            CorsRequest::Simple(origin) => Some(origin.is_some()),
        };
        assert_eq!(found, expected, "{method} {fields:?}");
    }
}

#[test]
fn an_answer_says_what_the_rules_say_whatever_the_endpoint_said() {
    let cors = Cors::compile(&rules()).unwrap();
    let endpoint = headers(&[
        ("access-control-allow-origin", "*"),
        ("access-control-expose-headers", "x-secret"),
        ("vary", "accept, origin"),
    ]);
    let mut answer = endpoint.clone();
    cors.finish(
        Some(HeaderValue::from_static("https://mydomain.com")),
        &mut answer,
    );
    assert_eq!(
        answer["access-control-allow-origin"],
        "https://mydomain.com"
    );
    assert_eq!(answer["access-control-expose-headers"], "X-One, X-Two");
    assert_eq!(answer.get_all("vary").iter().count(), 1);
    let mut answer = endpoint;
    cors.finish(None, &mut answer);
    assert_eq!(answer.len(), 1, "{answer:?}");
}

#[test]
fn an_unusable_rule_is_refused_with_its_place() {
    let origin = CorsRules {
        allow_origin: vec!["*.example.com".to_owned()],
        ..rules()
    };
    assert_eq!(Cors::compile(&origin).unwrap_err().0, "allowOrigin[0]");
    let header = CorsRules {
        expose_headers: vec!["a b".to_owned()],
        ..rules()
    };
    assert_eq!(Cors::compile(&header).unwrap_err().0, "exposeHeaders[0]");
}
