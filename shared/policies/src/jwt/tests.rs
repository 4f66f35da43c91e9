//! Tokens signed for real, and everything that must not be accepted.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PSS_SHA384, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use futures::executor::block_on;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};
use tidegate_expression::Ambient;
use tidegate_policy::{
    BoxFuture, CallError, Chain, CompileContext, CompiledStep, Exchange, HttpClient, OutboundCall,
    Outcome, Phase, PolicyKind as _, Services, TlsFacts,
};

use super::{INVALID_BINDING, INVALID_TOKEN, Jwt, JwtConfig, MISSING_TOKEN};
use crate::mtls::fingerprint;
use crate::testing::{example, exchange};

const NOW_S: u64 = 1_700_000_000;
const SECRET: &str = "a secret of more than thirty-two bytes";

#[derive(Debug)]
struct Clock(std::sync::atomic::AtomicU64);

impl Ambient for Clock {
    fn now_ms(&self) -> u64 {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn nanos(&self) -> u64 {
        0
    }

    fn random(&self) -> u64 {
        0
    }
}

/// Answers with the set it holds, or not at all.
#[derive(Debug, Default)]
struct Issuer {
    set: RefCell<Option<Value>>,
    calls: Cell<usize>,
}

impl HttpClient for Issuer {
    fn send(&self, call: OutboundCall) -> BoxFuture<'_, Result<http::Response<Bytes>, CallError>> {
        assert_eq!(call.request.uri(), "https://id.test/jwks");
        self.calls.set(self.calls.get() + 1);
        let answer = match &*self.set.borrow() {
            Some(set) => Ok(http::Response::new(Bytes::from(set.to_string()))),
            None => Err(CallError::Timeout),
        };
        Box::pin(std::future::ready(answer))
    }
}

struct Rig {
    services: Services,
    clock: Arc<Clock>,
    issuer: Rc<Issuer>,
}

impl Rig {
    fn new() -> Self {
        let clock = Arc::new(Clock((NOW_S * 1000).into()));
        let mut services = Services::isolated(Arc::clone(&clock) as Arc<dyn Ambient>);
        let issuer = Rc::new(Issuer::default());
        services.http = Rc::clone(&issuer) as Rc<dyn HttpClient>;
        Self {
            services,
            clock,
            issuer,
        }
    }

    fn pass_seconds(&self, seconds: u64) {
        let order = std::sync::atomic::Ordering::Relaxed;
        self.clock.0.fetch_add(seconds * 1000, order);
    }

    /// Runs a step on a request; `None` means that it went on, else the key of the failure.
    fn run(&self, step: &CompiledStep, exchange: &mut Exchange) -> Option<String> {
        let chain = Chain::new(vec![step.clone()]);
        match block_on(chain.run(Phase::Request, exchange, &self.services)) {
            Outcome::Continue => None,
            Outcome::Fail(failure) => {
                assert_eq!(failure.status, 401);
                assert_eq!(failure.message.as_deref(), Some("Unauthorized"));
                Some(failure.key.unwrap().to_string())
            }
            Outcome::Respond(_) => panic!("answered"),
        }
    }
}

fn step(configuration: Value) -> CompiledStep {
    let config: JwtConfig = serde_json::from_value(configuration).unwrap();
    let ctx = CompileContext {
        phase: Phase::Request,
        environment: "DEFAULT",
        api: "shop",
        files: None,
    };
    let compiled = Jwt::compile(config, &ctx).unwrap();
    CompiledStep {
        name: "jwt".into(),
        policy: compiled.policy,
        condition: None,
        needs: compiled.needs,
    }
}

fn request(token: &str) -> Exchange {
    let mut exchange = exchange();
    exchange.request.timestamp_ms = NOW_S * 1000;
    let value = format!("Bearer {token}").parse().unwrap();
    exchange.request.headers.insert(AUTHORIZATION, value);
    exchange
}

fn signed(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(text.as_bytes()));
    format!("{text}.{signature}")
}

fn hs256(header: &Value, claims: &Value) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    signed(header, claims, |text| {
        hmac::sign(&key, text).as_ref().to_vec()
    })
}

fn hs256_step(more: &Value) -> CompiledStep {
    let mut configuration = json!({"signature": "HMAC_HS256", "resolverParameter": SECRET});
    let members = more.as_object().unwrap().clone();
    configuration.as_object_mut().unwrap().extend(members);
    step(configuration)
}

fn rsa() -> RsaKeyPair {
    RsaKeyPair::generate(KeySize::Rsa2048).unwrap()
}

fn rsa_sign(key: &RsaKeyPair, encoding: &'static dyn RsaEncoding, text: &[u8]) -> Vec<u8> {
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(encoding, &SystemRandom::new(), text, &mut signature)
        .unwrap();
    signature
}

fn rs256(key: &RsaKeyPair, header: &Value, claims: &Value) -> String {
    signed(header, claims, |text| {
        rsa_sign(key, &RSA_PKCS1_SHA256, text)
    })
}

fn spki_pem(key: &RsaKeyPair) -> String {
    let der: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
    let text = STANDARD.encode(der.as_ref());
    format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----")
}

fn jwk(key: &RsaKeyPair, id: &str) -> Value {
    let public = key.public_key();
    let member = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    json!({"kty": "RSA", "kid": id, "use": "sig", "alg": "RS256",
           "n": member(public.modulus().big_endian_without_leading_zero()),
           "e": member(public.exponent().big_endian_without_leading_zero())})
}

#[test]
fn the_example_of_the_readme_loads() {
    step(example(include_str!("README.md")));
}

#[test]
fn a_good_token_sets_attributes_and_keeps_its_header() {
    let rig = Rig::new();
    let claims = json!({"sub": "ann", "azp": "shop-app", "groups": ["admin"]});
    let token = hs256(&json!({"alg": "HS256", "typ": "JWT"}), &claims);
    let mut exchange = request(&token);
    let extracting = hs256_step(&json!({"extractClaims": true}));
    assert_eq!(rig.run(&extracting, &mut exchange), None);
    assert_eq!(exchange.attribute("user").as_text(), Some("ann"));
    assert_eq!(exchange.attribute("jwt.token").as_text(), Some(&*token));
    let client = exchange.attribute("oauth.client_id");
    assert_eq!(client.as_text(), Some("shop-app"));
    let condition = "{#context.attributes['jwt.claims']['groups'].contains('admin')}";
    let condition = tidegate_expression::Condition::compile(condition).unwrap();
    assert!(condition.holds(&exchange));
    assert!(exchange.request.headers.contains_key(AUTHORIZATION));
    let hiding = hs256_step(&json!({"propagateAuthHeader": false}));
    assert_eq!(rig.run(&hiding, &mut exchange), None);
    assert!(!exchange.request.headers.contains_key(AUTHORIZATION));
}

#[test]
fn what_is_not_signed_as_configured_is_refused() {
    let rig = Rig::new();
    let hs = hs256_step(&json!({}));
    let key = rsa();
    let pem = spki_pem(&key);
    let rs = step(json!({"resolverParameter": pem}));
    let claims = json!({"sub": "ann"});
    let good = hs256(&json!({"alg": "HS256"}), &claims);
    let (text, _) = good.rsplit_once('.').unwrap();
    // The public key as a secret: the classic confusion.
    let confused = signed(&json!({"alg": "HS256"}), &claims, |text| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, pem.as_bytes());
        hmac::sign(&key, text).as_ref().to_vec()
    });
    let other_claims = hs256(&json!({"alg": "HS256"}), &json!({"sub": "eve"}));
    let (_, other_signature) = other_claims.rsplit_once('.').unwrap();
    for (claim, step, token) in [
        ("no signature", &hs, format!("{text}.")),
        (
            "alg none",
            &hs,
            signed(&json!({"alg": "none"}), &claims, |_| Vec::new()),
        ),
        ("another alg", &hs, hs256(&json!({"alg": "HS512"}), &claims)),
        (
            "alg in other case",
            &hs,
            hs256(&json!({"alg": "hs256"}), &claims),
        ),
        ("key confusion", &rs, confused),
        ("HS256 for an RSA plan", &rs, good.clone()),
        (
            "a signature of another token",
            &hs,
            format!("{text}.{other_signature}"),
        ),
        (
            "another RSA key",
            &rs,
            rs256(&rsa(), &json!({"alg": "RS256"}), &claims),
        ),
        (
            "critical extensions",
            &hs,
            hs256(&json!({"alg": "HS256", "crit": ["exp"]}), &claims),
        ),
        ("two parts", &hs, text.to_owned()),
        ("four parts", &hs, format!("{good}.x")),
        (
            "claims are no object",
            &hs,
            hs256(&json!({"alg": "HS256"}), &json!([1])),
        ),
        ("padded Base64", &hs, format!("{good}=")),
        ("blank", &hs, String::new()),
    ] {
        let found = rig.run(step, &mut request(&token));
        assert_eq!(found.as_deref(), Some(INVALID_TOKEN), "{claim}");
    }
    let mut without = exchange();
    assert_eq!(rig.run(&hs, &mut without).as_deref(), Some(MISSING_TOKEN));
    assert_eq!(rig.run(&hs, &mut request(&good)), None);
}

#[test]
fn every_form_of_a_key_and_every_family_verifies() {
    let rig = Rig::new();
    let claims = json!({"sub": "ann"});
    let key = rsa();
    let header = |alg: &str| json!({"alg": alg});
    let token = rs256(&key, &header("RS256"), &claims);
    let public = key.public_key();
    let (n, e) = (public.modulus(), public.exponent());
    let mut blob = Vec::new();
    for field in [
        &b"ssh-rsa"[..],
        e.big_endian_without_leading_zero(),
        &[&[0], n.big_endian_without_leading_zero()].concat(),
    ] {
        blob.extend_from_slice(&u32::try_from(field.len()).unwrap().to_be_bytes());
        blob.extend_from_slice(field);
    }
    let ssh = format!("ssh-rsa {} ann@host", STANDARD.encode(blob));
    let pkcs1 = STANDARD.encode(public.as_ref());
    let pkcs1 = format!("-----BEGIN RSA PUBLIC KEY-----{pkcs1}-----END RSA PUBLIC KEY-----");
    for form in [spki_pem(&key), jwk(&key, "k").to_string(), ssh, pkcs1] {
        let step = step(json!({"signature": "RSA_RS256", "resolverParameter": form}));
        assert_eq!(rig.run(&step, &mut request(&token)), None, "{form}");
    }
    let ps384 = signed(&header("PS384"), &claims, |text| {
        rsa_sign(&key, &RSA_PSS_SHA384, text)
    });
    let pss = step(json!({"signature": "RSA_PS384", "resolverParameter": spki_pem(&key)}));
    assert_eq!(rig.run(&pss, &mut request(&ps384)), None);

    let ec = EcdsaKeyPair::generate(&ECDSA_P521_SHA512_FIXED_SIGNING).unwrap();
    let point = ec.public_key().as_ref();
    let coordinate = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let ec_jwk = json!({"kty": "EC", "crv": "P-521",
                        "x": coordinate(&point[1..67]), "y": coordinate(&point[67..])});
    let es512 = signed(&header("ES512"), &claims, |text| {
        let signature = ec.sign(&SystemRandom::new(), text).unwrap();
        signature.as_ref().to_vec()
    });
    let configuration =
        json!({"signature": "ECDSA_ES512", "resolverParameter": ec_jwk.to_string()});
    assert_eq!(rig.run(&step(configuration), &mut request(&es512)), None);

    let ed = Ed25519KeyPair::generate().unwrap();
    let ed_jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": coordinate(ed.public_key().as_ref())});
    let eddsa = signed(&header("EdDSA"), &claims, |text| {
        ed.sign(text).as_ref().to_vec()
    });
    let configuration =
        json!({"signature": "EDDSA_ED25519", "resolverParameter": ed_jwk.to_string()});
    assert_eq!(rig.run(&step(configuration), &mut request(&eddsa)), None);

    let encoded = STANDARD.encode(SECRET);
    let hs = step(json!({"signature": "HMAC_HS256", "resolverParameter": encoded}));
    let token = hs256(&header("HS256"), &claims);
    assert_eq!(
        rig.run(&hs, &mut request(&token)),
        None,
        "a secret in Base64"
    );
}

#[test]
fn a_key_that_cannot_be_used_is_refused_when_it_is_deployed_and_not_shown() {
    let ctx = CompileContext {
        phase: Phase::Request,
        environment: "DEFAULT",
        api: "shop",
        files: None,
    };
    for configuration in [
        json!({}),
        json!({"resolverParameter": " "}),
        json!({"resolverParameter": "hush, no key"}),
        json!({"resolverParameter": "{\"kty\": \"oct\", \"k\": \"aHVzaA\"}"}),
        json!({"signature": "HMAC_HS256", "resolverParameter": "hush"}),
        json!({"publicKeyResolver": "JWKS_URL"}),
        json!({"publicKeyResolver": "JWKS_URL", "resolverParameter": "/jwks"}),
        json!({"publicKeyResolver": "JWKS_URL", "resolverParameter": "{#broken"}),
    ] {
        let config: JwtConfig = serde_json::from_value(configuration).unwrap();
        let error = Jwt::compile(config, &ctx).unwrap_err();
        assert_eq!(error.path, "resolverParameter");
        assert!(!error.to_string().contains("hush"), "{error}");
    }
}

#[test]
fn dates_count_with_a_minute_of_tolerance() {
    let rig = Rig::new();
    let step = hs256_step(&json!({}));
    for (claims, is_good) in [
        (json!({"exp": NOW_S + 1}), true),
        (json!({"exp": NOW_S - 59}), true),
        (json!({"exp": NOW_S - 60}), false),
        (json!({"exp": "soon"}), false),
        (json!({"exp": null}), true),
        (json!({"nbf": NOW_S + 60}), true),
        (json!({"nbf": NOW_S + 61}), false),
        (json!({"nbf": 1.5e9}), true),
    ] {
        let token = hs256(&json!({"alg": "HS256"}), &claims);
        let found = rig.run(&step, &mut request(&token));
        assert_eq!(found.is_none(), is_good, "{claims}");
    }
}

#[test]
fn the_client_is_the_configured_claim_else_azp_aud_client_id() {
    let rig = Rig::new();
    let claims = json!({"azp": "p", "aud": ["a", "b"], "client_id": "c", "own": "o"});
    for (configured, left_out, expected) in [
        (json!("own"), &[][..], Some("o")),
        (json!("other"), &[][..], None),
        (json!(""), &[][..], Some("p")),
        (json!(null), &["azp"][..], Some("a")),
        (json!(null), &["azp", "aud"][..], Some("c")),
        (json!(null), &["azp", "aud", "client_id"][..], None),
    ] {
        let mut claims = claims.clone();
        for name in left_out {
            claims.as_object_mut().unwrap().remove(*name);
        }
        let step = hs256_step(&json!({"clientIdClaim": configured}));
        let mut exchange = request(&hs256(&json!({"alg": "HS256"}), &claims));
        assert_eq!(rig.run(&step, &mut exchange), None);
        assert_eq!(exchange.attribute("oauth.client_id").as_text(), expected);
    }
}

#[test]
fn types_are_checked_if_wanted() {
    let rig = Rig::new();
    for (validation, typ, is_good) in [
        (json!({"enabled": true}), json!("JWT"), true),
        (json!({"enabled": true}), json!("jwt"), false),
        (
            json!({"enabled": true, "ignoreCase": true}),
            json!("jwt"),
            true,
        ),
        (
            json!({"enabled": true, "expectedValues": ["at+jwt"]}),
            json!("JWT"),
            false,
        ),
        (json!({"enabled": true}), json!(null), false),
        (
            json!({"enabled": true, "ignoreMissing": true}),
            json!(null),
            true,
        ),
        (json!({"enabled": false}), json!("x"), true),
    ] {
        let step = hs256_step(&json!({"tokenTypValidation": validation}));
        let token = hs256(&json!({"alg": "HS256", "typ": typ}), &json!({}));
        let found = rig.run(&step, &mut request(&token));
        assert_eq!(found.is_none(), is_good, "{validation} {typ}");
    }
}

#[test]
fn a_bound_token_needs_its_certificate() {
    let rig = Rig::new();
    let thumbprint = URL_SAFE_NO_PAD.encode(fingerprint(b"hello"));
    let bound = json!({"cnf": {"x5t#S256": thumbprint}});
    let config = |ignore: bool, header: bool| {
        json!({"confirmationMethodValidation": {"ignoreMissing": ignore,
            "certificateBoundThumbprint": {"enabled": true, "extractCertificateFromHeader": header}}})
    };
    let pem = "-----BEGIN%20CERTIFICATE-----aGVsbG8%3D-----END%20CERTIFICATE-----";
    for (claim, config, claims, tls, is_good) in [
        (
            "connection",
            config(false, false),
            &bound,
            Some("hello"),
            true,
        ),
        (
            "another certificate",
            config(false, false),
            &bound,
            Some("other"),
            false,
        ),
        ("no certificate", config(false, false), &bound, None, false),
        ("header", config(false, true), &bound, Some("other"), true),
        (
            "unbound",
            config(false, false),
            &json!({}),
            Some("hello"),
            false,
        ),
        (
            "unbound, ignored",
            config(true, false),
            &json!({}),
            None,
            true,
        ),
    ] {
        let mut exchange = request(&hs256(&json!({"alg": "HS256"}), claims));
        let headers = &mut exchange.request.headers;
        headers.insert("ssl-client-cert", pem.parse().unwrap());
        exchange.request.tls = tls.map(|certificate| {
            Arc::new(TlsFacts {
                client_certificates: vec![Bytes::from(certificate)],
                ..TlsFacts::default()
            })
        });
        let found = rig.run(&hs256_step(&config), &mut exchange);
        let expected = (!is_good).then_some(INVALID_BINDING);
        assert_eq!(found.as_deref(), expected, "{claim}");
    }
}

#[test]
fn keys_may_be_computed_or_come_from_the_settings() {
    let mut rig = Rig::new();
    let token = hs256(
        &json!({"alg": "HS256", "kid": "k1"}),
        &json!({"iss": "https://id"}),
    );
    let computed = json!({"signature": "HMAC_HS256",
        "resolverParameter": "{#request.headers['X-Key'][0]}"});
    let computed = step(computed);
    for (key, is_good) in [(SECRET, true), (SECRET, true), ("short", false)] {
        let mut exchange = request(&token);
        let headers = &mut exchange.request.headers;
        headers.insert("x-key", key.parse().unwrap());
        assert_eq!(rig.run(&computed, &mut exchange).is_none(), is_good);
    }
    let settings = step(json!({"signature": "HMAC_HS256", "publicKeyResolver": "GATEWAY_KEYS"}));
    assert!(rig.run(&settings, &mut request(&token)).is_some());
    let setting = |id: &str| {
        (
            format!("policy.jwt.issuer.https://id.{id}"),
            SECRET.to_owned(),
        )
    };
    rig.services.settings = Arc::new([setting("k1"), setting("default")].into());
    assert_eq!(rig.run(&settings, &mut request(&token)), None);
    let without_id = hs256(&json!({"alg": "HS256"}), &json!({"iss": "https://id"}));
    assert_eq!(rig.run(&settings, &mut request(&without_id)), None);
}

#[test]
fn a_key_set_is_fetched_once_and_again_for_new_keys_after_a_pause() {
    let rig = Rig::new();
    let (one, two) = (rsa(), rsa());
    let token = |key, id: &str| rs256(key, &json!({"alg": "RS256", "kid": id}), &json!({}));
    let step = step(json!({"publicKeyResolver": "JWKS_URL",
                           "resolverParameter": "https://id.test/jwks"}));
    let is_good = |token: &str| rig.run(&step, &mut request(token)).is_none();
    let calls = || rig.issuer.calls.get();
    assert!(!is_good(&token(&one, "1")), "the issuer is down");
    assert!(!is_good(&token(&one, "1")));
    assert_eq!(calls(), 1, "a failed call is not repeated at once");
    let junk = json!({"kty": "new"});
    *rig.issuer.set.borrow_mut() = Some(json!({"keys": [junk, jwk(&one, "1")]}));
    rig.pass_seconds(1);
    assert!(is_good(&token(&one, "1")));
    assert!(is_good(&token(&one, "1")));
    assert!(!is_good(&token(&two, "1")), "a known id with another key");
    assert_eq!(calls(), 2);
    *rig.issuer.set.borrow_mut() = Some(json!({"keys": [jwk(&one, "1"), jwk(&two, "2")]}));
    assert!(!is_good(&token(&two, "2")), "too early to ask again");
    assert_eq!(calls(), 2);
    rig.pass_seconds(10);
    assert!(is_good(&token(&two, "2")));
    assert!(!is_good(&token(&two, "3")));
    assert_eq!(calls(), 3, "an invented id costs no call in the pause");
    *rig.issuer.set.borrow_mut() = None;
    rig.pass_seconds(60 * 60);
    assert!(
        is_good(&token(&two, "2")),
        "the last set counts while the issuer is down"
    );
    rig.pass_seconds(24 * 60 * 60);
    assert!(!is_good(&token(&two, "2")), "but not for ever");
}
