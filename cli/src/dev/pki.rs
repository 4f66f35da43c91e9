//! The CA of a local system and the certificates of its programs.

use std::fs;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};

use super::layout::Layout;
use crate::{connection::write_private, failure::Failure};

/// A local system is thrown away long before this.
const CA_LIFE: Duration = Duration::days(3650);
/// Life of a program's certificate; a start renews what is left with less than a third of it.
const CERTIFICATE_LIFE: Duration = Duration::days(365);
/// Certificates are valid from a little earlier, for clocks that disagree.
const BACKDATE: Duration = Duration::minutes(5);

/// Makes what is missing: the CA, one certificate per node, one for all edges.
pub(super) fn ensure(layout: &Layout, nodes: usize) -> Result<(), Failure> {
    if !layout.ca_key().exists() {
        create_ca(layout)?;
    }
    let ca_key = KeyPair::from_pem(&fs::read_to_string(layout.ca_key())?)
        .map_err(|error| explain(&error))?;
    let issuer = Issuer::from_ca_cert_pem(&fs::read_to_string(layout.ca_certificate())?, ca_key)
        .map_err(|error| explain(&error))?;
    let names = (1..=nodes).map(|number| format!("control-{number}"));
    for name in names.chain(["edge".to_owned()]) {
        if !is_fresh(layout, &name) {
            issue(layout, &issuer, &name)?;
        }
    }
    Ok(())
}

fn create_ca(layout: &Layout) -> Result<(), Failure> {
    let key = KeyPair::generate().map_err(|error| explain(&error))?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
        .distinguished_name
        .push(DnType::CommonName, "Tidegate development CA");
    let now = OffsetDateTime::now_utc();
    params.not_before = now - BACKDATE;
    params.not_after = now + CA_LIFE;
    let certificate = params.self_signed(&key).map_err(|error| explain(&error))?;
    write_private(&layout.ca_certificate(), certificate.pem().as_bytes())?;
    write_private(&layout.ca_key(), key.serialize_pem().as_bytes())
}

fn issue(layout: &Layout, issuer: &Issuer<'_, KeyPair>, name: &str) -> Result<(), Failure> {
    let key = KeyPair::generate().map_err(|error| explain(&error))?;
    let mut params = CertificateParams::new([
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "::1".to_owned(),
    ])
    .map_err(|error| explain(&error))?;
    params.distinguished_name.push(DnType::CommonName, name);
    // Nodes are clients of each other on the Raft port.
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let now = OffsetDateTime::now_utc();
    params.not_before = now - BACKDATE;
    params.not_after = now + CERTIFICATE_LIFE;
    let certificate = params
        .signed_by(&key, issuer)
        .map_err(|error| explain(&error))?;
    write_private(&layout.certificate(name), certificate.pem().as_bytes())?;
    write_private(&layout.key(name), key.serialize_pem().as_bytes())
}

fn is_fresh(layout: &Layout, name: &str) -> bool {
    let age = fs::metadata(layout.key(name))
        .and_then(|metadata| metadata.modified())
        .ok()
        .and_then(|modified| modified.elapsed().ok());
    let renew_after: Duration = CERTIFICATE_LIFE * 2 / 3;
    layout.certificate(name).exists() && age.is_some_and(|age| age < renew_after.unsigned_abs())
}

fn explain(error: &rcgen::Error) -> Failure {
    Failure::refused(format!("cannot make certificates: {error}"))
}
