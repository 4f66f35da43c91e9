//! Signatures made here from the draft's own rules, and everything that must not be accepted.

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tidegate_expression::ValueMap;
use tidegate_policy::{Exchange, Phase};

use super::{INVALID_SIGNATURE, milliseconds, with_decimals};
use crate::testing::{example, exchange, failure, refusal, run};

const NAME: &str = "http-signature";
const NOW_S: u64 = 1_700_000_000;

fn sign(algorithm: hmac::Algorithm, secret: &str, text: &str) -> String {
    let key = hmac::Key::new(algorithm, secret.as_bytes());
    STANDARD.encode(hmac::sign(&key, text.as_bytes()))
}

/// A request with a date, a host and a signature.
fn signed(header: &'static str, signature: &str) -> Exchange {
    let mut exchange = exchange();
    let request = &mut exchange.request;
    request.authority = Some("api.test".parse().unwrap());
    for (name, value) in [("date", "today"), (header, signature)] {
        request.headers.append(name, value.parse().unwrap());
    }
    exchange
}

fn accepts(configuration: &Value, exchange: &mut Exchange) -> bool {
    let outcome = run(NAME, configuration, Phase::Request, exchange);
    if outcome.is_continue() {
        return true;
    }
    let failure = failure(outcome);
    assert_eq!(failure.status, 401);
    assert_eq!(failure.key.as_deref(), Some(INVALID_SIGNATURE));
    assert_eq!(failure.message.as_deref(), Some("Invalid HTTP Signature"));
    false
}

#[test]
fn the_example_of_the_readme_runs() {
    let expires = NOW_S + 3;
    let text =
        format!("(request-target): get /shop/items?page=2\n(expires): {expires}\nhost: api.test");
    let signature = sign(hmac::HMAC_SHA256, "s3cret", &text);
    let header = format!(
        "Signature keyId=\"acme\",expires={expires},algorithm=\"hmac-sha256\",\
         headers=\"(request-target) (expires) host\",signature=\"{signature}\""
    );
    let configuration = example(include_str!("README.md"));
    for (key, expected) in [("acme", true), ("other", false)] {
        let mut exchange = signed("authorization", &header);
        let mut api = (*exchange.api).clone();
        let secrets = ValueMap::from_iter([(key, "s3cret")]);
        api.dictionaries = Arc::new(ValueMap::from_iter([("secrets", secrets)]));
        exchange.api = Arc::new(api);
        assert_eq!(accepts(&configuration, &mut exchange), expected);
    }
}

#[test]
fn every_algorithm_and_both_schemes_are_read() {
    for (algorithm, name) in [
        (hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, "hmac-sha1"),
        (hmac::HMAC_SHA256, "hmac-sha256"),
        (hmac::HMAC_SHA384, "hmac-sha384"),
        (hmac::HMAC_SHA512, "HMAC-SHA512"),
    ] {
        let signature = sign(algorithm, "secret", "date: today");
        let header = format!("keyId=\"k\", algorithm=\"{name}\" , signature=\"{signature}\"");
        let configuration = json!({"scheme": "SIGNATURE", "secret": "secret"});
        assert!(
            accepts(&configuration, &mut signed("signature", &header)),
            "{name}"
        );
        let elsewhere = json!({"scheme": "AUTHORIZATION", "secret": "secret"});
        assert!(!accepts(&elsewhere, &mut signed("signature", &header)));
        let header = format!("sIGNATURE {header}");
        assert!(accepts(&elsewhere, &mut signed("authorization", &header)));
    }
}

#[test]
fn what_was_signed_may_have_the_draft_s_or_the_engine_s_form() {
    let expires = NOW_S + 60;
    for text in [
        format!("(request-target): get /shop/items?page=2\n(expires): {expires}"),
        format!("(request-target): get /shop/items\n(expires): {expires}.000"),
    ] {
        let signature = sign(hmac::HMAC_SHA256, "secret", &text);
        let header = format!(
            "Signature keyId=\"k\",algorithm=\"hmac-sha256\",expires={expires},\
             headers=\"(request-target) (expires)\",signature=\"{signature}\""
        );
        let mut exchange = signed("authorization", &header);
        assert!(
            accepts(&json!({"secret": "secret"}), &mut exchange),
            "{text}"
        );
    }
}

#[test]
fn time_is_checked_with_the_skew() {
    let case = |parameters: &str, headers: &str, text: &str| {
        let signature = sign(hmac::HMAC_SHA256, "secret", text);
        format!(
            "Signature keyId=\"k\",algorithm=\"hmac-sha256\",{parameters},\
             headers=\"{headers}\",signature=\"{signature}\""
        )
    };
    let created = |at: u64| {
        case(
            &format!("created={at}"),
            "(created)",
            &format!("(created): {at}"),
        )
    };
    let expires = |at: &str| {
        case(
            &format!("expires={at}"),
            "(expires)",
            &format!("(expires): {at}"),
        )
    };
    for (header, skew, expected) in [
        (created(NOW_S + 30), json!(30), true),
        (created(NOW_S + 31), json!(30), false),
        (created(NOW_S + 1), json!(0), false),
        (created(NOW_S - 9999), Value::Null, true),
        (expires(&NOW_S.to_string()), Value::Null, true),
        (expires(&format!("{NOW_S}.5")), Value::Null, true),
        (expires(&(NOW_S - 1).to_string()), json!(30), false),
        (expires("soon"), Value::Null, false),
        (expires("-1"), Value::Null, false),
        // Signed, but not sent.
        (case("x=1", "(created)", "(created): 1"), Value::Null, false),
    ] {
        let configuration = json!({"secret": "secret", "clockSkew": skew});
        let mut exchange = signed("authorization", &header);
        assert_eq!(accepts(&configuration, &mut exchange), expected, "{header}");
    }
}

#[test]
fn algorithms_and_headers_can_be_enforced() {
    let signature = sign(hmac::HMAC_SHA256, "secret", "date: today\nx-tenant: acme");
    let header = |algorithm: &str| {
        format!(
            "Signature keyId=\"k\",algorithm=\"{algorithm}\",headers=\"date x-tenant\",\
             signature=\"{signature}\""
        )
    };
    for (algorithm, configuration, expected) in [
        (
            "hmac-sha256",
            json!({"enforceHeaders": ["Date", "X-Tenant"]}),
            true,
        ),
        ("hmac-sha256", json!({"enforceHeaders": ["X-Other"]}), false),
        (
            "hmac-sha256",
            json!({"enforceHeaders": ["(created)"]}),
            false,
        ),
        ("hmac-sha256", json!({"algorithms": ["HMAC_SHA256"]}), true),
        ("hmac-sha256", json!({"algorithms": ["HMAC_SHA512"]}), false),
        ("hs2019", json!({"algorithms": ["HMAC_SHA256"]}), true),
        (
            "hs2019",
            json!({"algorithms": ["HMAC_SHA256", "HMAC_SHA512"]}),
            false,
        ),
        ("hs2019", json!({}), false),
        ("rsa-sha256", json!({}), false),
    ] {
        let mut configuration = configuration;
        configuration["secret"] = json!("secret");
        let mut exchange = signed("authorization", &header(algorithm));
        assert_eq!(
            accepts(&configuration, &mut exchange),
            expected,
            "{algorithm} {configuration}"
        );
    }
}

#[test]
fn values_of_a_repeated_header_are_joined() {
    let signature = sign(hmac::HMAC_SHA256, "secret", "x-tenant: acme, other");
    let header = format!(
        "Signature keyId=\"k\",algorithm=\"hmac-sha256\",headers=\"x-tenant\",signature=\"{signature}\""
    );
    let mut exchange = signed("authorization", &header);
    let headers = &mut exchange.request.headers;
    headers.append("x-tenant", "other".parse().unwrap());
    assert!(accepts(&json!({"secret": "secret"}), &mut exchange));
}

#[test]
fn loose_and_encoded_signatures_are_read_only_if_told_so() {
    let signature = sign(hmac::HMAC_SHA256, "secret", "date: today");
    let loose = format!("Signature keyId=k,algorithm=hmac-sha256,signature={signature}");
    let encoded = signature
        .replace('=', "%3D")
        .replace('+', "%2B")
        .replace('/', "%2F");
    let encoded =
        format!("Signature keyId=\"k\",algorithm=\"hmac-sha256\",signature=\"{encoded}\"");
    for (header, configuration, expected) in [
        (&loose, json!({}), false),
        (&loose, json!({"strictMode": false}), true),
        (&encoded, json!({}), false),
        (&encoded, json!({"decodeSignature": true}), true),
    ] {
        let mut configuration = configuration;
        configuration["secret"] = json!("secret");
        let mut exchange = signed("authorization", header);
        assert_eq!(
            accepts(&configuration, &mut exchange),
            expected,
            "{configuration}"
        );
    }
}

#[test]
fn malformed_and_forged_signatures_are_refused() {
    let good = sign(hmac::HMAC_SHA256, "secret", "date: today");
    let forged = sign(hmac::HMAC_SHA256, "guess", "date: today");
    let long = format!("Signature keyId=\"{}\"", "k".repeat(10_000));
    for header in [
        String::new(),
        "Signature".to_owned(),
        "Bearer token".to_owned(),
        long,
        format!("Signature algorithm=\"hmac-sha256\",signature=\"{good}\""),
        format!("Signature keyId=\"k\",signature=\"{good}\""),
        "Signature keyId=\"k\",algorithm=\"hmac-sha256\"".to_owned(),
        format!("Signature keyId=\"k\",algorithm=\"hmac-sha256\",signature=\"{good}"),
        format!(
            "Signature keyId=\"k\",algorithm=\"hmac-sha256\",headers=\"\",signature=\"{good}\""
        ),
        format!("Signature keyId=\"k\",keyId=\"l\",algorithm=\"hmac-sha256\",signature=\"{good}\""),
        format!(
            "Signature keyId=\"k\",algorithm=\"hmac-sha256\",headers=\"date x-none\",signature=\"{good}\""
        ),
        format!("Signature keyId=\"k\",algorithm=\"hmac-sha256\",signature=\"{forged}\""),
        "Signature keyId=\"k\",algorithm=\"hmac-sha256\",signature=\"%%%\"".to_owned(),
    ] {
        let mut exchange = signed("authorization", &header);
        assert!(
            !accepts(&json!({"secret": "secret"}), &mut exchange),
            "{header}"
        );
    }
    assert!(!accepts(
        &json!({"secret": "{#nothing}"}),
        &mut signed("authorization", "")
    ));
}

#[test]
fn times_have_three_decimals() {
    for (text, expected) in [
        ("12", Some(12_000)),
        ("12.5", Some(12_500)),
        ("12.3456", Some(12_345)),
        ("12.", Some(12_000)),
        ("", None),
        ("a", None),
        ("1.-2", None),
        ("-1", None),
        ("99999999999999999999", None),
    ] {
        assert_eq!(milliseconds(text), expected, "{text}");
    }
    assert_eq!(with_decimals(12_005), "12.005");
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (json!({}), "secret"),
        (json!({"secret": "{#a +}"}), "secret"),
        (
            json!({"secret": "s", "algorithms": ["RSA"]}),
            "algorithms[0]",
        ),
        (
            json!({"secret": "s", "enforceHeaders": ["a b"]}),
            "enforceHeaders[0]",
        ),
        (json!({"secret": "s", "scheme": "BODY"}), "scheme"),
    ] {
        assert_eq!(refusal(NAME, &configuration).path, path, "{configuration}");
    }
}
