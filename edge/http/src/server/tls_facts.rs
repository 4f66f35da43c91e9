//! What a TLS handshake told, as connections keep it and expressions see it.

use std::{cell::OnceCell, sync::Arc};

use bytes::Bytes;
use rustls::{ProtocolVersion, ServerConnection};
use tidegate_expression::{Text, Value, ValueMap};
use tidegate_policy::TlsFacts as SharedFacts;
use x509_parser::{der_parser::asn1_rs::Oid, prelude::X509Name};

/// What a TLS handshake told. Made once per connection.
#[derive(Debug)]
pub struct TlsFacts {
    /// The protocol agreed by ALPN.
    pub alpn: Option<Vec<u8>>,
    /// What policies know: the client's verified certificates, the server name, version and suite.
    pub shared: Arc<SharedFacts>,
    ssl: OnceCell<Option<Value>>,
}

impl TlsFacts {
    /// Takes down what a finished handshake agreed on.
    #[must_use]
    pub fn of(session: &ServerConnection) -> Self {
        let certificates = session.peer_certificates().unwrap_or_default();
        let suite = session.negotiated_cipher_suite();
        let shared = SharedFacts {
            client_certificates: certificates
                .iter()
                .map(|certificate| Bytes::copy_from_slice(certificate))
                .collect(),
            server_name: session.server_name().map(Text::from),
            version: match session.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
                Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
                _ => "",
            },
            cipher_suite: suite
                .and_then(|suite| suite.suite().as_str())
                .unwrap_or_default(),
        };
        Self {
            alpn: session.alpn_protocol().map(<[u8]>::to_vec),
            shared: Arc::new(shared),
            ssl: OnceCell::new(),
        }
    }

    /// `#request.ssl` of a client with a certificate; parsed when first asked for.
    #[must_use]
    pub fn ssl(&self) -> Option<Value> {
        let parsed = self.ssl.get_or_init(|| {
            let certificate = self.shared.client_certificates.first()?;
            let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
            let mut ssl = ValueMap::new();
            ssl.insert("client", side(Some(certificate.subject())));
            ssl.insert("server", side(None));
            Some(ssl.into())
        });
        parsed.clone()
    }
}

/// One side of the connection; the gateway's own certificate is not told.
fn side(name: Option<&X509Name<'_>>) -> Value {
    let mut side = ValueMap::new();
    side.insert("defined", name.is_some());
    side.insert("dn", name.map(distinguished_name));
    let common_name = name
        .and_then(|name| name.iter_common_name().next())
        .and_then(|attribute| attribute.as_str().ok());
    side.insert("cn", common_name);
    side.insert("attributes", name.map_or_else(ValueMap::new, attributes));
    side.into()
}

/// The name in the form of RFC 2253: the most specific part first.
fn distinguished_name(name: &X509Name<'_>) -> String {
    let mut parts: Vec<String> = name
        .iter_rdn()
        .map(|set| {
            let attributes = set.iter().map(|attribute| {
                let value = attribute.as_str().unwrap_or_default();
                format!("{}={}", short_name(attribute.attr_type()), escaped(value))
            });
            attributes.collect::<Vec<_>>().join("+")
        })
        .collect();
    parts.reverse();
    parts.join(",")
}

fn attributes(name: &X509Name<'_>) -> ValueMap {
    let mut all: Vec<(String, Vec<Value>)> = Vec::new();
    for attribute in name.iter_attributes() {
        let key = short_name(attribute.attr_type());
        let value = Value::from(attribute.as_str().unwrap_or_default());
        match all.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) => values.push(value),
            None => all.push((key, vec![value])),
        }
    }
    all.into_iter()
        .map(|(key, values)| (Text::from(key), Value::from(values)))
        .collect()
}

/// Short names of RFC 2253 §2.3, and the usual ones beside them; others as numbers.
fn short_name(kind: &Oid<'_>) -> String {
    let number = kind.to_id_string();
    let short = match number.as_str() {
        "2.5.4.3" => "CN",
        "2.5.4.5" => "SERIALNUMBER",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "STREET",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "EMAILADDRESS",
        _ => return number,
    };
    short.to_owned()
}

/// RFC 2253 §2.4.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (index, character) in value.chars().enumerate() {
        let is_edge_blank = character == ' ' && (index == 0 || index == last);
        let is_special = matches!(character, ',' | '+' | '"' | '\\' | '<' | '>' | ';');
        if is_edge_blank || is_special || (character == '#' && index == 0) {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_of_names_are_escaped() {
        for (value, expected) in [
            ("Shop", "Shop"),
            ("Shop, Inc.", "Shop\\, Inc."),
            (" a ", "\\ a\\ "),
            ("#1#", "\\#1#"),
            ("a\\b\"c", "a\\\\b\\\"c"),
            ("", ""),
        ] {
            assert_eq!(escaped(value), expected);
        }
    }
}
