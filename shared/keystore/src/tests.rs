use p12_keystore::{Certificate, KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};
use rcgen::{CertificateParams, KeyPair};
use rustls_pki_types::PrivateKeyDer;

use super::*;

/// A self-signed certificate and its PKCS#8 key.
struct Made {
    certificate: Vec<u8>,
    key: Vec<u8>,
    pem: (String, String),
}

fn make(name: &str) -> Made {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Made {
        certificate: certificate.der().to_vec(),
        key: key.serialize_der(),
        pem: (certificate.pem(), key.serialize_pem()),
    }
}

fn pkcs12(trusted: &Made, own: &Made, password: &str) -> Vec<u8> {
    let certificate = |made: &Made| Certificate::from_der(&made.certificate).unwrap();
    let chain = PrivateKeyChain::new(
        vec![1, 2],
        PrivateKey::from_der(&own.key).unwrap(),
        [certificate(own)],
    );
    let mut store = KeyStore::new();
    store.add_entry("root", KeyStoreEntry::Certificate(certificate(trusted)));
    store.add_entry("me", KeyStoreEntry::PrivateKeyChain(chain));
    store.writer(password).write().unwrap()
}

fn counted(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap();
    [&length.to_be_bytes(), bytes].concat()
}

fn short(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap();
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

/// A DER element whose length takes two bytes.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x82], &length[..], content].concat()
}

/// Covers a key as Java's key protector does.
fn sealed(key: &[u8], password: &str) -> Vec<u8> {
    let password = jks::utf16(password);
    let salt = [7; 20];
    let (mut covered, mut block) = (Vec::new(), salt.to_vec());
    for chunk in key.chunks(20) {
        block = jks::sha1(&[&password, &block]).as_ref().to_vec();
        covered.extend(chunk.iter().zip(&block).map(|(byte, pad)| byte ^ pad));
    }
    let digest = jks::sha1(&[&password, key]);
    let content = [&salt, &covered[..], digest.as_ref()].concat();
    let algorithm = [
        &[
            0x06, 10, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x2a, 0x02, 0x11, 0x01, 0x01,
        ][..],
        &[0x05, 0],
    ]
    .concat();
    let inner = [element(0x30, &algorithm), element(0x04, &content)].concat();
    element(0x30, &inner)
}

fn java(trusted: &Made, own: &Made, password: &str, key_password: &str) -> Vec<u8> {
    let certificate = |made: &Made| [short("X.509"), counted(&made.certificate)].concat();
    let time = vec![0; 8];
    let entries = [
        vec![0, 0, 0, 2],
        short("root"),
        time.clone(),
        certificate(trusted),
        vec![0, 0, 0, 1],
        short("me"),
        time,
        counted(&sealed(&own.key, key_password)),
        vec![0, 0, 0, 1],
        certificate(own),
    ]
    .concat();
    let head = [0xFEED_FEED_u32, 2, 2].map(u32::to_be_bytes).concat();
    let content = [head, entries].concat();
    let digest = jks::sha1(&[&jks::utf16(password), b"Mighty Aphrodite", &content]);
    [&content, digest.as_ref()].concat()
}

fn with<'a>(password: &'a str, alias: Option<&'a str>) -> Access<'a> {
    Access {
        password: Some(password),
        key_password: None,
        alias,
    }
}

#[test]
fn stores_of_both_formats_open_with_their_password_only() {
    let (root, own) = (make("root"), make("me"));
    for store in [
        pkcs12(&root, &own, "secret"),
        java(&root, &own, "secret", "secret"),
    ] {
        let all = trusted(&store, with("secret", None)).unwrap();
        assert_eq!(all.len(), 2);
        let one = trusted(&store, with("secret", Some("ROOT"))).unwrap();
        assert_eq!(one[0].as_ref(), root.certificate);
        let identity = identity(&store, with("secret", None)).unwrap();
        assert_eq!(identity.chain[0].as_ref(), own.certificate);
        let key = PrivateKeyDer::try_from(identity.key).unwrap();
        let expected = PrivateKeyDer::try_from(own.key.clone()).unwrap();
        assert_eq!(key.secret_der(), expected.secret_der());
        assert!(trusted(&store, with("wrong", None)).is_err());
        let absent = trusted(&store, with("secret", Some("nobody"))).unwrap_err();
        assert_eq!(
            absent.to_string(),
            "there is no certificate called \"nobody\""
        );
    }
}

#[test]
fn a_java_key_may_have_a_password_of_its_own() {
    let (root, own) = (make("root"), make("me"));
    let store = java(&root, &own, "secret", "other");
    let mut access = with("secret", Some("me"));
    assert!(matches!(
        identity(&store, access),
        Err(StoreError::Password)
    ));
    access.key_password = Some("other");
    assert_eq!(identity(&store, access).unwrap().key, own.key);
    // Java reads trust stores without a password as well.
    assert_eq!(trusted(&store, Access::default()).unwrap().len(), 2);
}

#[test]
fn a_store_that_is_cut_off_or_changed_is_refused_without_a_panic() {
    let (root, own) = (make("root"), make("me"));
    let store = java(&root, &own, "secret", "secret");
    for length in 0..store.len() {
        assert!(identity(&store[..length], with("secret", None)).is_err());
        // Without a password nothing but the structure protects.
        let _ = identity(&store[..length], Access::default());
    }
    for at in (0..store.len()).step_by(3) {
        let mut changed = store.clone();
        changed[at] ^= 0xff;
        assert!(trusted(&changed, with("secret", None)).is_err(), "{at}");
        let _ = trusted(&changed, Access::default());
    }
}

#[test]
fn pem_is_taken_as_it_is_and_as_base64() {
    let made = make("me");
    let (chain, key) = &made.pem;
    let encoded = BASE64_STANDARD.encode(chain);
    for text in [chain, &encoded] {
        let bytes = decode_content(text).unwrap();
        assert_eq!(
            pem_certificates(&bytes).unwrap()[0].as_ref(),
            made.certificate
        );
    }
    let identity = pem_identity(chain.as_bytes(), key.as_bytes()).unwrap();
    assert_eq!(identity.key, made.key);
    assert!(pem_certificates(key.as_bytes()).is_err());
    assert!(decode_content("not base64!").is_err());
}

/// Made with `keytool -genkeypair` and `openssl pkcs12 -export`; the password is `secret1`.
#[test]
fn stores_of_keytool_and_openssl_open() {
    let identities: [&[u8]; 3] = [
        include_bytes!("fixtures/keytool.jks"),
        include_bytes!("fixtures/keytool.pkcs12"),
        include_bytes!("fixtures/openssl-identity.p12"),
    ];
    for store in identities {
        let identity = identity(store, with("secret1", None)).unwrap();
        assert_eq!(identity.chain.len(), 1);
        assert!(PrivateKeyDer::try_from(identity.key).is_ok());
    }
    let certificates: &[u8] = include_bytes!("fixtures/openssl-certificates.p12");
    assert_eq!(
        trusted(certificates, with("secret1", None)).unwrap().len(),
        1
    );
}
