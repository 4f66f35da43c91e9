//! Tokens that `jwt` accepts, from every kind of key store, and keys that are refused.

use std::collections::BTreeMap;
use std::io;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures::executor::block_on;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};
use tidegate_policy::{
    Chain, CompileContext, CompiledStep, ConfigError, Exchange, Files, Phase, PolicyKind as _,
};

use super::{GENERATED, GenerateJwt, uuid};
use crate::testing::{example, exchange, failure, refusal, run, services};

const NAME: &str = "policy-generate-jwt";
const SECRET: &str = "a secret of more than thirty-two bytes";
const NOW_S: u64 = 1_700_000_000;

#[derive(Debug, Default)]
struct FakeFiles(BTreeMap<&'static str, Vec<u8>>);

impl Files for FakeFiles {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let content = self.0.get(path).cloned();
        content.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn compile(configuration: Value, files: &FakeFiles) -> Result<CompiledStep, ConfigError> {
    let ctx = CompileContext {
        phase: Phase::Request,
        environment: "DEFAULT",
        api: "shop",
        files: Some(files),
    };
    let config = serde_json::from_value(configuration).unwrap();
    let compiled = GenerateJwt::compile(config, &ctx)?;
    Ok(CompiledStep {
        name: NAME.into(),
        policy: compiled.policy,
        condition: None,
        needs: compiled.needs,
    })
}

fn token(exchange: &Exchange) -> String {
    let token = exchange.attributes.get(&GENERATED).unwrap();
    token.as_text().unwrap().to_owned()
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn generated(configuration: &Value) -> String {
    let mut exchange = exchange();
    let outcome = run(NAME, configuration, Phase::Request, &mut exchange);
    assert!(outcome.is_continue(), "{outcome:?}");
    token(&exchange)
}

/// Whether a `jwt` step takes the token.
fn is_accepted(token: &str, signature: &str, key: &str) -> bool {
    let mut exchange = exchange();
    let bearer = format!("Bearer {token}").parse().unwrap();
    exchange.request.headers.insert(AUTHORIZATION, bearer);
    let configuration = json!({
        "signature": signature, "publicKeyResolver": "GIVEN_KEY", "resolverParameter": key
    });
    run("jwt", &configuration, Phase::Request, &mut exchange).is_continue()
}

fn pem(label: &str, der: &[u8]) -> String {
    let content = STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{content}\n-----END {label}-----\n")
}

#[test]
fn the_example_of_the_readme_runs_and_is_accepted() {
    let token = generated(&example(include_str!("README.md")));
    assert_eq!(part(&token, 0), json!({"kid": "2024-01", "alg": "HS256"}));
    let claims = part(&token, 1);
    assert_eq!(claims["iss"], "urn://gravitee-api-gw");
    assert_eq!(claims["sub"], "acme");
    assert_eq!(claims["aud"], "https://backend.example");
    assert_eq!(claims["iat"], NOW_S);
    assert_eq!(claims["exp"], NOW_S + 300);
    assert_eq!(claims["limit"], "10");
    assert!(is_accepted(&token, "HMAC_HS256", SECRET));
}

#[test]
fn claims_keep_their_types_and_defaults() {
    let token = generated(&json!({
        "signature": "HMAC_HS256", "content": SECRET, "expiresIn": 0, "issuer": "", "id": "fixed",
        "audiences": ["a", "{#request.method}"],
        "customClaims": [
            {"name": "number", "value": "{1 + 1}"},
            {"name": "number", "value": "{(1 + 1)}"},
            {"name": "list", "value": "{#request.headers['X-Tenant']}"},
            {"name": "gone", "value": "{#nothing}"},
            {"name": "empty"},
            {"name": "sub", "value": "replaced"}
        ]
    }));
    assert_eq!(
        part(&token, 1),
        json!({
            "aud": ["a", "GET"], "iat": NOW_S, "jti": "fixed", "number": 2, "list": ["acme"],
            "empty": "", "sub": "replaced"
        })
    );
}

#[test]
fn an_id_that_is_not_given_is_a_random_uuid() {
    let token = generated(&json!({"signature": "HMAC_HS256", "content": SECRET}));
    let id = part(&token, 1)["jti"].as_str().unwrap().to_owned();
    assert_eq!(id, uuid(&*services().ambient));
    assert_eq!(id, "00000000-0000-402a-8000-00000000002a");
}

#[test]
fn pem_keys_sign_inline_and_from_files_with_their_certificates() {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
    let public = pem("RSA PUBLIC KEY", pair.public_key().as_ref());
    let content = pem("PRIVATE KEY", private.as_ref()) + &pem("CERTIFICATE", b"certificate");
    let files = FakeFiles(BTreeMap::from([(
        "/keys/key.pem",
        content.clone().into_bytes(),
    )]));
    for signature in ["RSA_RS256", "RSA_RS512", "RSA_PS384"] {
        for configuration in [
            json!({"signature": signature, "content": content}),
            json!({
                "signature": signature, "keyResolver": "PEM", "content": " /keys/key.pem ",
                "x509CertificateChain": "X5C"
            }),
        ] {
            let wants_chain = configuration.get("x509CertificateChain").is_some();
            let chain = Chain::new(vec![compile(configuration, &files).unwrap()]);
            let mut exchange = exchange();
            let outcome = block_on(chain.run(Phase::Request, &mut exchange, &services()));
            assert!(outcome.is_continue(), "{outcome:?}");
            let token = token(&exchange);
            assert!(is_accepted(&token, signature, &public), "{signature}");
            let expected = wants_chain.then(|| json!([STANDARD.encode("certificate")]));
            assert_eq!(part(&token, 0).get("x5c"), expected.as_ref());
        }
    }
}

#[test]
fn curves_sign_as_well() {
    for (algorithm, signature) in [
        (&rcgen::PKCS_ECDSA_P256_SHA256, "ECDSA_ES256"),
        (&rcgen::PKCS_ECDSA_P384_SHA384, "ECDSA_ES384"),
        (&rcgen::PKCS_ED25519, "EDDSA_ED25519"),
    ] {
        let pair = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let token = generated(&json!({"signature": signature, "content": pair.serialize_pem()}));
        assert!(
            is_accepted(&token, signature, &pair.public_key_pem()),
            "{signature}"
        );
    }
}

#[test]
fn java_and_pkcs12_stores_are_opened() {
    let files = FakeFiles(BTreeMap::from([
        (
            "jks",
            include_bytes!("../../../keystore/src/fixtures/keytool.jks").to_vec(),
        ),
        (
            "p12",
            include_bytes!("../../../keystore/src/fixtures/keytool.pkcs12").to_vec(),
        ),
    ]));
    for (resolver, path) in [("JKS", "jks"), ("PKCS12", "p12")] {
        let configuration = json!({
            "signature": "ECDSA_ES256", "keyResolver": resolver, "content": path,
            "storepass": "secret1", "keypass": "secret1",
            "x509CertificateChain": "X5C"
        });
        let chain = Chain::new(vec![compile(configuration, &files).unwrap()]);
        let mut exchange = exchange();
        let outcome = block_on(chain.run(Phase::Request, &mut exchange, &services()));
        assert!(outcome.is_continue(), "{outcome:?}");
        let token = token(&exchange);
        let certificate = part(&token, 0)["x5c"][0].as_str().unwrap().to_owned();
        let certificate = pem("CERTIFICATE", &STANDARD.decode(certificate).unwrap());
        assert!(
            is_accepted(&token, "ECDSA_ES256", &certificate),
            "{resolver}"
        );
        let wrong = json!({
            "signature": "ECDSA_ES256", "keyResolver": resolver, "content": path, "storepass": "guess"
        });
        assert_eq!(compile(wrong, &files).unwrap_err().path, "content");
    }
}

#[test]
fn secrets_may_be_base64() {
    let token = generated(&json!({
        "signature": "HMAC_HS256", "content": STANDARD.encode(SECRET), "secretBase64Encoded": true
    }));
    assert!(is_accepted(&token, "HMAC_HS256", SECRET));
}

#[test]
fn keys_that_do_not_fit_are_refused_and_never_shown() {
    let files = FakeFiles(BTreeMap::from([
        ("text", b"no key".to_vec()),
        ("bytes", vec![0xff; 40]),
    ]));
    for configuration in [
        json!({}),
        json!({"content": "private-text"}),
        json!({"signature": "HMAC_HS512", "content": "private-text of more than 32 bytes!"}),
        json!({"signature": "HMAC_HS256", "content": "*private-text*", "secretBase64Encoded": true}),
        json!({"content": pem("PRIVATE KEY", b"private-text")}),
        json!({"content": pem("CERTIFICATE", b"private-text")}),
        json!({"keyResolver": "PEM", "content": "/none"}),
        json!({"keyResolver": "PEM", "content": "text"}),
        json!({"keyResolver": "PEM", "content": "bytes"}),
        json!({"keyResolver": "JKS", "content": "text"}),
        json!({"keyResolver": "PKCS12", "content": "bytes"}),
    ] {
        let error = compile(configuration.clone(), &files).unwrap_err();
        assert_eq!(error.path, "content", "{configuration}");
        assert!(!error.to_string().contains("private-text"), "{error}");
    }
}

#[test]
fn files_are_only_read_where_the_policy_will_run() {
    let configuration = json!({"keyResolver": "PEM", "content": "/only/on/the/edge.pem"});
    let outcome = run(NAME, &configuration, Phase::Request, &mut exchange());
    assert_eq!(failure(outcome).status, 500);
}

#[test]
fn a_claim_that_cannot_be_evaluated_fails() {
    let configuration = json!({
        "signature": "HMAC_HS256", "content": SECRET, "subject": "{#request.headers['X'][0]}"
    });
    let failure = failure(run(NAME, &configuration, Phase::Request, &mut exchange()));
    assert_eq!(failure.status, 500);
    assert_eq!(
        failure.message.as_deref(),
        Some("Unable to generate JWT token")
    );
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    let with = |name: &str, value: Value| {
        let mut configuration = json!({"signature": "HMAC_HS256", "content": SECRET});
        configuration[name] = value;
        configuration
    };
    for (configuration, path) in [
        (with("id", json!("{#a +}")), "id"),
        (with("audiences", json!(["a", "{#a +}"])), "audiences[1]"),
        (
            with("customClaims", json!([{"name": " ", "value": "1"}])),
            "customClaims[0].name",
        ),
        (with("expiresInUnit", json!("YEARS")), "expiresInUnit"),
        (with("signature", json!("NONE")), "signature"),
    ] {
        assert_eq!(refusal(NAME, &configuration).path, path, "{configuration}");
    }
}
