//! Messages signed for real, and everything that must not be accepted.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};
use serde_json::{Value, json};
use tidegate_policy::{Exchange, Outcome, Phase, Services};

use crate::registry::find;
use crate::testing::{example, exchange, failure, run_with, services};

const NAME: &str = "jws";
const NOW_S: u64 = 1_700_000_000;

struct Signer {
    pair: RsaKeyPair,
    certificate: rcgen::Certificate,
    pem: String,
}

/// A signer whose certificate is good until a year.
fn signer(until: i32) -> Signer {
    let keys = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let mut params = CertificateParams::new(vec!["signer".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    let certificate = params.self_signed(&keys).unwrap();
    Signer {
        pair: RsaKeyPair::from_pkcs8(&keys.serialize_der()).unwrap(),
        pem: keys.serialize_pem() + &certificate.pem(),
        certificate,
    }
}

impl Signer {
    fn header(&self) -> Value {
        let certificate = STANDARD.encode(self.certificate.der());
        json!({"alg": "RS256", "typ": "JOSE+JSON", "cty": "application/json", "x5c": [certificate]})
    }

    fn sign(&self, header: &Value, payload: &str, encoding: &'static dyn RsaEncoding) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let text = format!("{}.{}", part(&header.to_string()), part(payload));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let random = SystemRandom::new();
        self.pair
            .sign(encoding, &random, text.as_bytes(), &mut signature)
            .unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn settings(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("policy.jws.kid.default".to_owned(), self.pem.clone()),
            ("policy.jws.kid.k-1".to_owned(), self.pem.clone()),
        ])
    }
}

fn outcome(configuration: &Value, signer: &Signer, body: &str) -> (Outcome, Exchange) {
    let services = Services {
        settings: Arc::new(signer.settings()),
        ..services()
    };
    let mut exchange = exchange();
    let content = Bytes::copy_from_slice(body.as_bytes());
    exchange.request.content.set(content);
    let outcome = run_with(
        NAME,
        configuration,
        Phase::Request,
        &mut exchange,
        &services,
    );
    (outcome, exchange)
}

#[test]
fn the_example_of_the_readme_passes_on_what_was_signed() {
    let signer = signer(2100);
    let configuration = example(include_str!("README.md"));
    let payload = r#"{"amount": 1.50, "exp": 1800000000}"#;
    let mut header = signer.header();
    let mut psh = header.clone();
    header["kid"] = json!("k-1");
    psh["alg"] = json!("PS512");
    for body in [
        signer.sign(&header, payload, &RSA_PKCS1_SHA256),
        signer.sign(&psh, payload, &RSA_PSS_SHA512) + "\n",
    ] {
        let (outcome, exchange) = outcome(&configuration, &signer, &body);
        assert!(outcome.is_continue(), "{outcome:?}");
        assert_eq!(exchange.request.content.bytes().unwrap(), payload);
        assert_eq!(exchange.request.headers["content-type"], "application/json");
    }
}

#[test]
fn what_is_wrong_with_a_message_is_unauthorized() {
    let (signer, other) = (signer(2100), signer(2100));
    let with = |name: &str, value: Value| {
        let mut header = signer.header();
        header[name] = value;
        header
    };
    let sign = |header: &Value| signer.sign(header, "{}", &RSA_PKCS1_SHA256);
    let good = sign(&signer.header());
    let mut changed = good.clone();
    changed.replace_range(
        good.find('.').unwrap() + 1..good.rfind('.').unwrap(),
        "eyJhIjoxfQ",
    );
    for (body, name) in [
        (String::new(), "nothing"),
        ("{}".to_owned(), "no message"),
        (changed, "another payload"),
        (
            other.sign(&other.header(), "{}", &RSA_PKCS1_SHA256),
            "another signer",
        ),
        (sign(&other.header()), "another certificate"),
        (sign(&with("alg", json!("none"))), "none"),
        (sign(&with("alg", json!("HS256"))), "a secret"),
        (sign(&with("alg", json!("RS512"))), "another algorithm"),
        (sign(&with("kid", json!("k-2"))), "an unknown key"),
        (sign(&with("typ", json!("JWT"))), "another type"),
        (sign(&with("cty", json!("text"))), "another content"),
        (sign(&with("crit", json!(["b64"]))), "an extension"),
        (sign(&with("x5c", json!([]))), "no certificate"),
        (sign(&with("x5c", json!(["AAAA"]))), "a broken certificate"),
        (
            signer.sign(&signer.header(), "[1]", &RSA_PKCS1_SHA256),
            "no object",
        ),
        (
            signer.sign(
                &signer.header(),
                &json!({"exp": NOW_S}).to_string(),
                &RSA_PKCS1_SHA256,
            ),
            "expired",
        ),
        (
            signer.sign(
                &signer.header(),
                &json!({"nbf": NOW_S + 1}).to_string(),
                &RSA_PKCS1_SHA256,
            ),
            "too early",
        ),
    ] {
        let (outcome, _) = outcome(&json!({}), &signer, &body);
        assert!(!outcome.is_continue(), "{name}");
        let failure = failure(outcome);
        assert_eq!(failure.status, 401, "{name}");
        assert_eq!(failure.message.as_deref(), Some("Unauthorized"));
    }
}

#[test]
fn validity_is_checked_only_if_asked_for() {
    let expired = signer(2020);
    let body = expired.sign(&expired.header(), "{}", &RSA_PKCS1_SHA256);
    for (configuration, is_good) in [
        (json!({}), true),
        (json!({"checkCertificateValidity": true}), false),
    ] {
        let (outcome, _) = outcome(&configuration, &expired, &body);
        assert_eq!(outcome.is_continue(), is_good);
    }
}

#[test]
fn a_step_that_checks_revocation_is_not_deployed() {
    let policy = find(NAME).unwrap();
    let reason = policy.undeployable(&json!({"checkCertificateRevocation": true}));
    assert_eq!(reason.unwrap().path, "checkCertificateRevocation");
    assert!(policy.undeployable(&json!({})).is_none());
}
