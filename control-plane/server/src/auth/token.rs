//! Bearer tokens: `tdg_<id>.<secret>`. The id finds the record; only a hash of the secret is kept.

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};

const PREFIX: &str = "tdg_";
/// Random bytes of an id: enough that two never collide.
const ID_BYTES: usize = 8;
/// Random bytes of a secret: as strong as the hash that guards it.
const SECRET_BYTES: usize = 32;
/// Longest text that is looked at; a real token has 85 characters.
const TEXT_BYTES_MAX: usize = 256;

/// A token in the clear; never stored, never logged.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token {
    id: String,
    secret: String,
}

/// The system has no randomness to give.
#[derive(Debug, thiserror::Error)]
#[error("the system's random source failed")]
pub(crate) struct RandomError;

impl Token {
    /// Makes a token nobody can guess.
    pub(crate) fn generate() -> Result<Self, RandomError> {
        Ok(Self {
            id: random_hex::<ID_BYTES>()?,
            secret: random_hex::<SECRET_BYTES>()?,
        })
    }

    /// Makes the token that `seed`, a secret of at least 64 hexadecimal digits, stands for.
    pub(crate) fn minted(seed: &str) -> Self {
        let part = |context| blake3::derive_key(context, seed.as_bytes());
        let id = part("tidegate token id v1");
        Self {
            id: hex(&id[..ID_BYTES]),
            secret: hex(&part("tidegate token secret v1")),
        }
    }

    /// Parses the text form; `None` for anything that cannot be a token.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('.')?;
        let plain =
            |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
        (plain(id) && plain(secret)).then(|| Self {
            id: id.to_owned(),
            secret: secret.to_owned(),
        })
    }

    /// The part that is no secret.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// What the control plane keeps. The secret is random, so a fast hash is enough.
    pub(crate) fn secret_hash(&self) -> blake3::Hash {
        blake3::hash(self.secret.as_bytes())
    }

    /// True if `kept` is the hash of this token's secret; takes the same time either way.
    pub(crate) fn matches(&self, kept: &[u8]) -> bool {
        // Comparing two `blake3::Hash` is constant-time.
        <[u8; 32]>::try_from(kept)
            .is_ok_and(|kept| blake3::Hash::from_bytes(kept) == self.secret_hash())
    }

    /// The text form, to be shown once.
    pub(crate) fn reveal(&self) -> String {
        format!("{PREFIX}{}.{}", self.id, self.secret)
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token({PREFIX}{}.…)", self.id)
    }
}

/// `N` random bytes as lower-case hexadecimal digits.
pub(crate) fn random_hex<const N: usize>() -> Result<String, RandomError> {
    Ok(hex(&random_bytes::<N>()?))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `N` random bytes.
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_unspecified| RandomError)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_matches_only_its_own_hash() {
        let token = Token::generate().unwrap();
        let again = Token::parse(&token.reveal()).unwrap();
        assert_eq!(token, again);
        assert!(again.matches(token.secret_hash().as_bytes()));
        let other = Token::generate().unwrap();
        assert!(!other.matches(token.secret_hash().as_bytes()));
        assert!(!other.matches(b"short"));
        assert_ne!(token.id(), other.id());
    }

    #[test]
    fn text_that_is_no_token_is_refused() {
        for text in [
            "",
            "tdg_",
            "tdg_a",
            "tdg_.b",
            "tdg_a.",
            "xyz_a.b",
            "tdg_a.b c",
            "tdg_a/../b.c",
        ] {
            assert_eq!(Token::parse(text), None, "{text:?}");
        }
        assert_eq!(Token::parse(&format!("tdg_a.{}", "b".repeat(300))), None);
    }

    #[test]
    fn debug_output_keeps_the_secret() {
        let token = Token::parse("tdg_abc.s3cret").unwrap();
        assert!(!format!("{token:?}").contains("s3cret"));
    }
}
