//! What every handler needs to know of a call, read once from the request.

use tonic::{Request, Status};

use super::Fault;
use crate::auth::{Deadline, Identity, random_hex};

/// Environment of requests that name none.
pub(crate) const ENVIRONMENT_DEFAULT: &str = "DEFAULT";
/// Longest accepted environment id.
const ENVIRONMENT_CHARS_MAX: usize = 64;
/// Longest accepted idempotency key.
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 128;

/// Who calls, and until when the answer is of use.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub identity: Identity,
    pub deadline: Deadline,
}

impl Call {
    /// Reads what the gate left in the request.
    pub(crate) fn of<T>(request: &Request<T>) -> Result<Self, Status> {
        let extensions = request.extensions();
        match (extensions.get::<Identity>(), extensions.get::<Deadline>()) {
            (Some(identity), Some(deadline)) => Ok(Self {
                identity: identity.clone(),
                deadline: *deadline,
            }),
            // Only a service mounted without the gate gets here: deny rather than guess.
            _ => Err(Status::unauthenticated("the call carries no identity")),
        }
    }
}

/// A write as the client means it: done once, however often it is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Intent {
    /// The idempotency key, scoped.
    pub key: String,
    /// What the key stands for.
    pub digest: [u8; 32],
}

impl Intent {
    /// What ids and secrets that the write makes follow from: the same only for the same request.
    pub(crate) fn seed(&self) -> String {
        format!(
            "{}/{}",
            self.key,
            blake3::Hash::from_bytes(self.digest).to_hex()
        )
    }
}

impl Intent {
    /// Scopes the client's key to that client and `method`, so that two people who both write "1" do
    /// not silence each other; an empty one becomes a random key. `content` is what is asked for.
    pub(crate) fn new(
        call: &Call,
        method: &str,
        given: &str,
        content: &[u8],
    ) -> Result<Self, Fault> {
        let digest = *blake3::hash(content).as_bytes();
        if given.is_empty() {
            return Ok(Self {
                key: format!("auto/{}", random_hex::<16>()?),
                digest,
            });
        }
        if given.len() > IDEMPOTENCY_KEY_BYTES_MAX || given.chars().any(char::is_control) {
            return Err(Fault::field(
                "idempotency_key",
                "at most 128 bytes without control characters",
            ));
        }
        Ok(Self {
            key: format!("{method}/{}/{given}", call.identity.token_id),
            digest,
        })
    }
}

/// The environment a request names, or the default one.
pub(crate) fn environment(given: &str) -> Result<String, Fault> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    match given {
        "" => Ok(ENVIRONMENT_DEFAULT.to_owned()),
        id if id.len() <= ENVIRONMENT_CHARS_MAX && id.chars().all(fine) => Ok(id.to_owned()),
        _ => Err(Fault::field(
            "environment",
            "1 to 64 letters, digits, '-', '_' or '.' (DEFAULT when empty)",
        )),
    }
}

/// Checks a text field against a length in characters; control characters are refused.
pub(crate) fn bounded(field: &str, value: &str, min: usize, max: usize) -> Result<(), Fault> {
    let count = value.chars().count();
    if count < min || count > max {
        return Err(Fault::field(
            field,
            &format!("{min} to {max} characters, not {count}"),
        ));
    }
    if value
        .chars()
        .any(|c| c.is_control() && c != '\n' && c != '\t')
    {
        return Err(Fault::field(field, "no control characters"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_has_a_default_and_a_plain_name() {
        assert_eq!(environment("").unwrap(), "DEFAULT");
        assert_eq!(environment("prod-eu_1.a").unwrap(), "prod-eu_1.a");
        for wrong in ["a/b", "a b", "ä", &"x".repeat(65)] {
            assert!(environment(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn text_is_bounded_in_characters_not_bytes() {
        assert!(bounded("name", "ääää", 1, 4).is_ok());
        assert!(bounded("name", "", 1, 4).is_err());
        assert!(bounded("name", "aaaaa", 1, 4).is_err());
        assert!(bounded("name", "a\0", 1, 4).is_err());
    }
}
