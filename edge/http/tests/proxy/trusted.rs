//! Plans that ask others: key sets, authorisation servers, and certificates of clients.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    sync::Arc,
};

use arc_swap::ArcSwap;
use aws_lc_rs::{
    digest,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned,
    crypto::aws_lc_rs::default_provider, server::WebPkiClientVerifier,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::{Value, json};
use tidegate_edge_http::{
    Gateway, GatewayParts, GatewaySettings, Live,
    bind::{Binds, start_workers},
    compile::compile,
    metrics::Metrics,
    server::Limits,
};
use tidegate_model::SubscriptionObject;
use tokio_util::sync::CancellationToken;

use crate::{
    client::{Answer, get, parse},
    definition::{api, keyless_plan, object, snapshot, subscription},
    edge::{Edge, node},
    upstream::Upstream,
};

fn plan(id: &str, kind: &str, configuration: &Value) -> Value {
    json!({"id": id, "name": id, "status": "published",
           "security": {"type": kind, "configuration": configuration}})
}

fn client(id: &str, plan: &str) -> SubscriptionObject {
    SubscriptionObject {
        client_id: Some("app".to_owned()),
        keys: Vec::new(),
        ..subscription(id, "api", plan, "unused")
    }
}

fn with_token(edge: &Edge, token: &str) -> Answer {
    let value = format!("Bearer {token}");
    get(edge.address, "/", &[("Authorization", &value)])
}

fn answer(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn definition(target: &Upstream, plans: &Value) -> Value {
    let mut definition = api("api", "/", &[&target.url()]);
    definition["plans"] = plans.clone();
    definition["responseTemplates"] = json!({"DEFAULT": {"*/*": {"body": "{#error.key}"}}});
    definition
}

#[test]
fn keys_are_fetched_once_for_all_workers_and_requests() {
    let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let public = key.public_key();
    let member = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let set = json!({"keys": [{"kty": "RSA", "kid": "k",
        "n": member(public.modulus().big_endian_without_leading_zero()),
        "e": member(public.exponent().big_endian_without_leading_zero())}]});
    let issuer = Upstream::answering(move |_| answer("200 OK", &set.to_string()));
    let upstream = Upstream::echo("a");
    let configuration = json!({"publicKeyResolver": "JWKS_URL",
        "resolverParameter": format!("{}/jwks", issuer.url())});
    let plans = json!([plan("gold", "jwt", &configuration)]);
    let objects = vec![object(definition(&upstream, &plans))];
    let edge = Edge::start(&snapshot(1, objects, vec![client("s", "gold")]));
    let token = |id: &str| {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = part(&json!({"alg": "RS256", "kid": id}));
        let text = format!("{header}.{}", part(&json!({"azp": "app"})));
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            text.as_bytes(),
            &mut signature,
        )
        .unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    };
    for _ in 0..8 {
        assert_eq!(with_token(&edge, &token("k")).status, 200);
    }
    for _ in 0..4 {
        assert_eq!(
            with_token(&edge, &token("invented")).body,
            "JWT_INVALID_TOKEN"
        );
    }
    assert_eq!(issuer.served(), 1, "an invented key id waits for the pause");
}

fn asking(issuer: &str, plan_configuration: &Value, target: &Upstream) -> Value {
    let plans = json!([plan("gold", "oauth2", plan_configuration), keyless_plan()]);
    let mut definition = definition(target, &plans);
    // Expressions in resources are evaluated once, at deployment.
    definition["properties"] = json!([{"key": "domain", "value": "shop"}]);
    definition["resources"] = json!([
        {"name": "am", "type": "oauth2-am-resource", "enabled": true, "configuration": {
            "serverURL": issuer, "securityDomain": "{#api.properties['domain']}",
            "clientId": "gw", "clientSecret": "s"}},
        {"name": "tokens", "type": "cache", "enabled": true, "configuration": {}},
    ]);
    definition
}

#[test]
fn a_token_is_introspected_and_the_answer_kept() {
    let issuer = Upstream::answering(|received| {
        assert!(
            received.head.starts_with("POST /shop/oauth/introspect"),
            "{received:?}"
        );
        assert!(
            received
                .head
                .to_lowercase()
                .contains("authorization: basic z3c6cw==")
        );
        let active = json!({"active": true, "client_id": "app", "scope": "read", "sub": "ann"});
        match received.body.as_str() {
            "token=good" => answer("200 OK", &active.to_string()),
            _ => answer("200 OK", r#"{"active": false}"#),
        }
    });
    let upstream = Upstream::echo("a");
    let configuration = |scope: &str| {
        json!({"oauthResource": "am", "oauthCacheResource": "tokens",
               "checkRequiredScopes": true, "requiredScopes": [scope]})
    };
    let start = |scope: &str| {
        let definition = asking(&issuer.url(), &configuration(scope), &upstream);
        Edge::start(&snapshot(
            1,
            vec![object(definition)],
            vec![client("s", "gold")],
        ))
    };
    let edge = start("read");
    for _ in 0..3 {
        let answer = with_token(&edge, "good");
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("x-gravitee-client-identifier"), Some("s"));
    }
    assert_eq!(issuer.served(), 1);
    assert_eq!(with_token(&edge, "bad").body, "GATEWAY_PLAN_UNRESOLVABLE");
    assert_eq!(get(edge.address, "/", &[]).status, 200);
    let strict = start("write");
    let refused = with_token(&strict, "good");
    assert_eq!(
        (refused.status, refused.body.as_str()),
        (401, "OAUTH2_INSUFFICIENT_SCOPE")
    );
    let challenge = refused.header("www-authenticate");
    assert_eq!(challenge, Some(r#"Bearer realm="gravitee.io""#));
}

#[test]
fn a_server_that_is_down_is_no_verdict_and_never_anonymous() {
    let issuer = Upstream::answering(|_| answer("500 Oops", "{}"));
    let upstream = Upstream::echo("a");
    let definition = asking(&issuer.url(), &json!({"oauthResource": "am"}), &upstream);
    let objects = vec![object(definition)];
    let edge = Edge::start(&snapshot(1, objects, vec![client("s", "gold")]));
    let answer = with_token(&edge, "good");
    let expected = (503, "GATEWAY_PLAN_RESOLUTION_FAILURE");
    assert_eq!((answer.status, answer.body.as_str()), expected);
    assert_eq!(upstream.served(), 0);
}

/// An authority, and what it issues.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn issue(&self, name: &str) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        (certificate.der().clone(), key)
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        Arc::new(roots)
    }

    fn get(
        &self,
        address: SocketAddr,
        shown: Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>,
    ) -> Answer {
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots());
        let config = match shown {
            Some((certificate, key)) => builder
                .with_client_auth_cert(vec![certificate], key)
                .unwrap(),
            None => builder.with_no_client_auth(),
        };
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = StreamOwned::new(connection, TcpStream::connect(address).unwrap());
        let request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        // The end of the response is told by its length, not by the end of TLS.
        let _ = stream.read_to_end(&mut bytes);
        parse(&bytes)
    }
}

#[test]
fn a_client_certificate_is_the_subscription() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("localhost");
    let verifier = WebPkiClientVerifier::builder_with_provider(
        authority.roots(),
        Arc::new(default_provider()),
    )
    .allow_unauthenticated()
    .build()
    .unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let known = authority.issue("known.test");
    let upstream = Upstream::echo("a");
    let mut definition = definition(&upstream, &json!([plan("gold", "mtls", &json!({}))]));
    definition["flows"] = json!([crate::definition::flow(
        "/",
        "STARTS_WITH",
        &json!([crate::definition::add_header(
            "x-name",
            "{#request.ssl.client.cn}"
        )]),
        &json!([]),
    )]);
    let digest = digest::digest(&digest::SHA256, &known.0);
    let fingerprint = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
    let subscription = SubscriptionObject {
        client_certificate: Some(fingerprint.collect()),
        ..client("s", "gold")
    };
    let configuration = snapshot(1, vec![object(definition)], vec![subscription]);
    let live = Arc::new(Live::new());
    let compiled = compile(&configuration, None, &node());
    assert_eq!(compiled.refused, []);
    live.store(Arc::new(compiled.snapshot));
    let metrics = Metrics::new();
    let make = move |_| {
        Gateway::new(GatewayParts {
            live: Arc::clone(&live),
            metrics: metrics.worker(),
            access_log: None,
            node: &node(),
            settings: GatewaySettings::default(),
            workers: 1,
        })
    };
    let binds = Binds {
        https: Some((
            (Ipv4Addr::LOCALHOST, 0).into(),
            Arc::new(ArcSwap::from_pointee(config)),
        )),
        ..Binds::default()
    };
    let drain = CancellationToken::new();
    let workers = start_workers(1, &binds, make, &Limits::default(), drain).unwrap();
    let address = workers.addresses().https.unwrap();
    let good = authority.get(address, Some(known));
    assert_eq!(good.status, 200, "{good:?}");
    assert!(good.body.contains("x-name: known.test"), "{good:?}");
    for shown in [None, Some(authority.issue("stranger.test"))] {
        let refused = authority.get(address, shown);
        assert_eq!(
            (refused.status, refused.body.as_str()),
            (401, "GATEWAY_PLAN_UNRESOLVABLE")
        );
    }
    workers.drain();
}
