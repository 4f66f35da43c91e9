//! Connections and certificates that are let through, and those that are not.

use std::sync::Arc;

use bytes::Bytes;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use serde_json::{Value, json};
use tidegate_policy::{Exchange, Phase, TlsFacts};

use super::{AUTHENTICATION_REQUIRED, CLIENT_FORBIDDEN, SSL_REQUIRED};
use crate::testing::{example, exchange, failure, refusal, run};

const NAME: &str = "ssl-enforcement";

fn certificate(parts: &[(DnType, &str)]) -> rcgen::Certificate {
    let mut name = DistinguishedName::new();
    for (kind, value) in parts {
        name.push(kind.clone(), *value);
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = name;
    params.self_signed(&KeyPair::generate().unwrap()).unwrap()
}

fn batch() -> rcgen::Certificate {
    certificate(&[
        (DnType::CountryName, "FR"),
        (DnType::OrganizationName, "Acme  Corp"),
        (DnType::CommonName, "batch"),
    ])
}

fn over_tls(certificate: Option<&rcgen::Certificate>) -> Exchange {
    let mut exchange = exchange();
    exchange.request.tls = Some(Arc::new(TlsFacts {
        client_certificates: certificate
            .into_iter()
            .map(|made| Bytes::from(made.der().to_vec()))
            .collect(),
        ..TlsFacts::default()
    }));
    exchange
}

/// The key of the failure, or nothing if the request went on.
fn outcome(configuration: &Value, exchange: &mut Exchange) -> Option<String> {
    let outcome = run(NAME, configuration, Phase::Request, exchange);
    if outcome.is_continue() {
        return None;
    }
    failure(outcome).key.map(|key| key.to_string())
}

#[test]
fn the_example_of_the_readme_runs() {
    let configuration = example(include_str!("README.md"));
    let acme = |name| {
        certificate(&[
            (DnType::OrganizationName, "Acme"),
            (DnType::CommonName, name),
        ])
    };
    for (certificate, expected) in [
        (Some(acme("eu.partners.example")), None),
        (Some(acme("batch")), None),
        (Some(acme("other")), Some(CLIENT_FORBIDDEN)),
        (None, Some(AUTHENTICATION_REQUIRED)),
    ] {
        let mut exchange = over_tls(certificate.as_ref());
        assert_eq!(outcome(&configuration, &mut exchange).as_deref(), expected);
    }
}

#[test]
fn a_request_without_tls_passes_only_where_tls_is_not_asked_for() {
    for (configuration, expected) in [
        (json!({}), Some(SSL_REQUIRED)),
        (json!({"requiresSsl": true}), Some(SSL_REQUIRED)),
        (json!({"requiresSsl": false}), None),
        (
            json!({"requiresSsl": false, "requiresClientAuthentication": true}),
            None,
        ),
    ] {
        let found = outcome(&configuration, &mut exchange());
        assert_eq!(found.as_deref(), expected, "{configuration}");
    }
    assert_eq!(outcome(&json!({}), &mut over_tls(None)), None);
}

#[test]
fn a_proxy_in_front_is_believed_only_if_told_so() {
    let believing = json!({"useXForwardedProto": true});
    for (name, value, expected) in [
        ("x-forwarded-proto", "HTTPS", None),
        ("x-forwarded-proto", "http", Some(SSL_REQUIRED)),
        ("forwarded", "for=1.2.3.4;Proto=https", None),
        ("forwarded", "proto=http, proto=https", Some(SSL_REQUIRED)),
        ("forwarded", "host=\"proto=https\"", Some(SSL_REQUIRED)),
    ] {
        let with_header = || {
            let mut exchange = exchange();
            exchange
                .request
                .headers
                .insert(name, value.parse().unwrap());
            exchange
        };
        let found = outcome(&believing, &mut with_header());
        assert_eq!(found.as_deref(), expected, "{name}: {value}");
        let found = outcome(&json!({}), &mut with_header());
        assert_eq!(found.as_deref(), Some(SSL_REQUIRED));
    }
}

#[test]
fn names_match_by_parts_in_any_order_with_wildcards() {
    let certificate = batch();
    for (pattern, is_allowed) in [
        ("C=FR,O=Acme Corp,CN=batch", true),
        ("CN=BATCH; o = acme   corp ; c=fr", true),
        ("CN=b?tch,O=Acme*,C=??", true),
        ("CN=*,O=*,C=*", true),
        ("2.5.4.3=batch,OID.2.5.4.10=\"Acme Corp\",C=FR", true),
        ("CN=batch,O=Acme\\ Corp,C=FR", true),
        ("CN=batch,O=Acme Corp", false),
        ("CN=batch,O=Acme Corp,C=FR,L=Lille", false),
        ("CN=batch2,O=Acme Corp,C=FR", false),
        ("CN=batch,O=Acme Corp,L=FR", false),
        ("CN=b.tch,O=Acme Corp,C=FR", false),
    ] {
        let configuration = json!({
            "requiresClientAuthentication": true,
            "whitelistClientCertificates": ["CN=nobody", pattern]
        });
        let found = outcome(&configuration, &mut over_tls(Some(&certificate)));
        assert_eq!(found.is_none(), is_allowed, "{pattern}: {found:?}");
    }
}

#[test]
fn a_wildcard_leaves_the_part_that_a_literal_needs() {
    let made = certificate(&[
        (DnType::OrganizationalUnitName, "Demo"),
        (DnType::CommonName, "x"),
    ]);
    let configuration = json!({
        "requiresClientAuthentication": true,
        "whitelistClientCertificates": ["CN=*,OU=Demo"]
    });
    assert_eq!(outcome(&configuration, &mut over_tls(Some(&made))), None);
}

#[test]
fn the_certificate_may_come_in_a_header() {
    let configuration = json!({
        "requiresClientAuthentication": true,
        "certificateLocation": "HEADER", "certificateHeaderName": "X-SSL-CERT",
        "whitelistClientCertificates": ["C=FR,O=Acme Corp,CN=batch"]
    });
    let encoded =
        percent_encoding::utf8_percent_encode(&batch().pem(), percent_encoding::NON_ALPHANUMERIC)
            .to_string();
    for (value, expected) in [
        (encoded.as_str(), None),
        ("nonsense", Some(AUTHENTICATION_REQUIRED)),
        ("", Some(AUTHENTICATION_REQUIRED)),
    ] {
        let mut exchange = over_tls(None);
        exchange
            .request
            .headers
            .insert("x-ssl-cert", value.parse().unwrap());
        assert_eq!(outcome(&configuration, &mut exchange).as_deref(), expected);
    }
    // The certificate of the connection is another one.
    let mut exchange = over_tls(Some(&batch()));
    let found = outcome(&configuration, &mut exchange);
    assert_eq!(found.as_deref(), Some(AUTHENTICATION_REQUIRED));
}

#[test]
fn the_failure_names_the_client() {
    let configuration = json!({
        "requiresClientAuthentication": true, "whitelistClientCertificates": ["CN=other"]
    });
    let outcome = run(
        NAME,
        &configuration,
        Phase::Request,
        &mut over_tls(Some(&batch())),
    );
    let failure = failure(outcome);
    assert_eq!(failure.status, 403);
    let (name, value) = &failure.parameters[0];
    assert_eq!(name.as_str(), "name");
    assert!(value.as_text().unwrap().contains("batch"));
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (
            json!({"whitelistClientCertificates": ["CN=a", "X=b"]}),
            "whitelistClientCertificates[1]",
        ),
        (
            json!({"whitelistClientCertificates": ["localhost"]}),
            "whitelistClientCertificates[0]",
        ),
        (
            json!({"whitelistClientCertificates": [" "]}),
            "whitelistClientCertificates[0]",
        ),
        (
            json!({"certificateLocation": "HEADER", "certificateHeaderName": "a b"}),
            "certificateHeaderName",
        ),
        (
            json!({"certificateLocation": "BODY"}),
            "certificateLocation",
        ),
    ] {
        assert_eq!(refusal(NAME, &configuration).path, path, "{configuration}");
    }
}
