//! A signed token in its compact form (RFC 7515 §7.1), taken apart once.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tidegate_expression::{Text, Value, ValueMap, parse_json};

use crate::bearer::TOKEN_BYTES_MAX;

/// A well-formed token; nothing of it is believed before its signature has been checked.
#[derive(Clone, Debug)]
pub struct Token {
    pub(super) text: Text,
    pub(super) header: Header,
    pub(super) claims: Arc<ValueMap>,
    signed_bytes: usize,
    pub(super) signature: Vec<u8>,
}

/// The members of a token's header that matter here (RFC 7515 §4.1).
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    pub(super) kid: Option<String>,
    pub(super) typ: Option<String>,
    /// Extensions that must be understood; none is.
    pub(super) crit: Option<IgnoredAny>,
}

impl Token {
    /// Takes a token apart; `None` if it has not the form of one.
    #[must_use]
    pub fn parse(text: Text) -> Option<Self> {
        if text.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header = serde_json::from_slice(&decode(header)?).ok()?;
        let Value::Map(claims) = parse_json(&decode(claims)?).ok()? else {
            return None;
        };
        Some(Self {
            signed_bytes: signed.len(),
            signature: decode(signature)?,
            header,
            claims,
            text,
        })
    }

    /// What the signature was made over.
    pub(super) fn signed(&self) -> &[u8] {
        &self.text.as_bytes()[..self.signed_bytes]
    }

    /// A claim as text; numbers become text, null and missing ones nothing.
    pub(super) fn text_claim(&self, name: &str) -> Option<Text> {
        self.claims.get(name)?.to_text()
    }

    /// What `#context.attributes['jwt']` is for selection rules: the token before it was checked.
    #[must_use]
    pub fn unverified(&self) -> Value {
        let mut token = ValueMap::new();
        token.insert("token", self.text.clone());
        token.insert("claims", Value::Map(Arc::clone(&self.claims)));
        token.into()
    }
}

fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}
