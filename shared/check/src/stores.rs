//! Stores of certificates and keys that a definition holds itself. Those it only names by a file are opened on the
//! edge, where the file lies.

use tidegate_keystore::{Access, StoreError};
use tidegate_model::{
    Violation,
    api::{Api, HTTP_PROXY, KeyStore, StoreFormat, StoreSource, TrustStore},
};

use crate::expressions::shared_place;

pub(crate) fn check(api: &Api, violations: &mut Vec<Violation>) {
    for (group_index, group) in api.endpoint_groups.iter().enumerate() {
        let group_at = format!("endpointGroups[{group_index}]");
        let endpoints = group.endpoints.iter().enumerate();
        for (index, endpoint) in endpoints.filter(|(_, endpoint)| endpoint.kind == HTTP_PROXY) {
            let Ok(configuration) = endpoint.http_configuration(group) else {
                continue;
            };
            let at = format!("{group_at}.endpoints[{index}]");
            let place = format!("{}.ssl", shared_place(endpoint, &group_at, &at));
            let trust = configuration.ssl.trust_store.as_ref().map(open_trust);
            let key = configuration.ssl.key_store.as_ref().map(open_key);
            for (name, opened) in [("trustStore", trust), ("keyStore", key)] {
                let Some(Err(error)) = opened else { continue };
                let expected = format!("a store that opens ({error})");
                let violation = Violation::new(format!("{place}.{name}"), "(not shown)", expected);
                // What endpoints inherit is wrong once, not once per endpoint.
                if !violations.contains(&violation) {
                    violations.push(violation);
                }
            }
        }
    }
}

/// The bytes of a store the definition holds; `None` for a file.
fn content(source: &StoreSource) -> Result<Option<Vec<u8>>, StoreError> {
    match source {
        StoreSource::Content(text) => tidegate_keystore::decode_content(text.expose()).map(Some),
        StoreSource::Path(_) => Ok(None),
    }
}

fn open_trust(store: &TrustStore) -> Result<(), StoreError> {
    let Some(content) = content(&store.source)? else {
        return Ok(());
    };
    let access = Access {
        password: store.password.as_ref().map(|text| text.expose().as_str()),
        key_password: None,
        alias: store.alias.as_deref(),
    };
    match store.format {
        StoreFormat::Pem => tidegate_keystore::pem_certificates(&content).map(drop),
        StoreFormat::Jks | StoreFormat::Pkcs12 => {
            tidegate_keystore::trusted(&content, access).map(drop)
        }
    }
}

fn open_key(store: &KeyStore) -> Result<(), StoreError> {
    match store {
        KeyStore::Pem { certificate, key } => match (content(certificate)?, content(key)?) {
            (Some(chain), Some(key)) => tidegate_keystore::pem_identity(&chain, &key).map(drop),
            (Some(chain), None) => tidegate_keystore::pem_certificates(&chain).map(drop),
            (None, _) => Ok(()),
        },
        KeyStore::Archive {
            source,
            password,
            key_password,
            alias,
            ..
        } => {
            let Some(content) = content(source)? else {
                return Ok(());
            };
            let access = Access {
                password: password.as_ref().map(|text| text.expose().as_str()),
                key_password: key_password.as_ref().map(|text| text.expose().as_str()),
                alias: alias.as_deref(),
            };
            tidegate_keystore::identity(&content, access).map(drop)
        }
    }
}
