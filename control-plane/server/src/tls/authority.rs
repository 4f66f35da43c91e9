//! A certificate authority of its own for a lone node, so that nothing ever runs without TLS.

use std::{net::IpAddr, path::Path};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use time::{Duration, OffsetDateTime};

use super::{Material, TlsError};
use crate::private_file;

/// How long the authority lives: a lone node has nobody to hand a new one to its clients.
const AUTHORITY_DAYS: i64 = 3650;
/// How long a node certificate lives.
const NODE_DAYS: i64 = 365;
/// A certificate with less life left is replaced at the next start.
const RENEWAL_DAYS: i64 = 60;
/// Clocks of clients may be behind by this much.
const BACKDATED: Duration = Duration::hours(24);

/// Loads the material under `directory`, making what is missing, about to expire or not valid for
/// one of `hosts` (names or IP addresses).
pub(super) fn load_or_create(directory: &Path, hosts: &[String]) -> Result<Material, TlsError> {
    let (ca_pem, issuer) = authority(directory)?;
    let cert_path = directory.join("node.pem");
    let key_path = directory.join("node.key");
    if let (Some(cert_pem), Some(key_pem)) = (
        private_file::read(&cert_path)?,
        private_file::read(&key_path)?,
    ) && still_good(&cert_pem, hosts)
    {
        return Ok(Material {
            ca_pem,
            cert_pem,
            key_pem,
        });
    }
    let key = KeyPair::generate()?;
    let cert = node_params(hosts)?.signed_by(&key, &issuer)?;
    let (cert_pem, key_pem) = (cert.pem().into_bytes(), key.serialize_pem().into_bytes());
    private_file::write(&key_path, &key_pem)?;
    private_file::write(&cert_path, &cert_pem)?;
    Ok(Material {
        ca_pem,
        cert_pem,
        key_pem,
    })
}

fn authority(directory: &Path) -> Result<(Vec<u8>, Issuer<'static, KeyPair>), TlsError> {
    let cert_path = directory.join("ca.pem");
    let key_path = directory.join("ca.key");
    if let (Some(ca_pem), Some(key_pem)) = (
        private_file::read(&cert_path)?,
        private_file::read(&key_path)?,
    ) {
        let key = KeyPair::from_pem(&String::from_utf8_lossy(&key_pem))?;
        let issuer = Issuer::from_ca_cert_pem(&String::from_utf8_lossy(&ca_pem), key)?;
        return Ok((ca_pem, issuer));
    }
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name = name("Tidegate cluster authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    limit(&mut params, AUTHORITY_DAYS);
    let ca_pem = params.self_signed(&key)?.pem().into_bytes();
    // The key comes first: a certificate without its key would look complete to clients.
    private_file::write(&key_path, key.serialize_pem().as_bytes())?;
    private_file::write(&cert_path, &ca_pem)?;
    Ok((ca_pem, Issuer::new(params, key)))
}

fn node_params(hosts: &[String]) -> Result<CertificateParams, TlsError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = name("Tidegate control-plane node");
    for host in hosts {
        params.subject_alt_names.push(match host.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(host.as_str().try_into()?),
        });
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params.use_authority_key_identifier_extension = true;
    limit(&mut params, NODE_DAYS);
    Ok(params)
}

fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn limit(params: &mut CertificateParams, days: i64) {
    let now = OffsetDateTime::now_utc();
    params.not_before = now - BACKDATED;
    params.not_after = now + Duration::days(days);
}

fn still_good(cert_pem: &[u8], hosts: &[String]) -> bool {
    use x509_parser::{extensions::GeneralName, pem::parse_x509_pem};
    let Ok((_, pem)) = parse_x509_pem(cert_pem) else {
        return false;
    };
    let Ok(certificate) = pem.parse_x509() else {
        return false;
    };
    let limit = OffsetDateTime::now_utc() + Duration::days(RENEWAL_DAYS);
    if certificate.validity().not_after.timestamp() < limit.unix_timestamp() {
        return false;
    }
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return false;
    };
    let covers = |host: &String| {
        names
            .value
            .general_names
            .iter()
            .any(|name| match (name, host.parse::<IpAddr>()) {
                (GeneralName::DNSName(name), Err(_)) => name == host,
                (GeneralName::IPAddress(bytes), Ok(IpAddr::V4(ip))) => *bytes == ip.octets(),
                (GeneralName::IPAddress(bytes), Ok(IpAddr::V6(ip))) => *bytes == ip.octets(),
                _ => false,
            })
    };
    hosts.iter().all(covers)
}
