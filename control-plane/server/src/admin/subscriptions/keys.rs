//! API keys: what is kept of them, and how a set of keys changes. Keys themselves are never stored.

use aws_lc_rs::hmac;
use tidegate_state::KeyRecord;

use crate::admin::{Fault, mint};

/// How long older keys still work after a renewal (`gravitee-v4.md` §3.5).
pub(super) const GRACE_MS: u64 = 2 * 3600 * 1000;
/// Characters of a key shown for recognition.
const HINT_CHARS: usize = 4;
/// Shortest and longest key a client may choose, in characters.
const CUSTOM_CHARS: std::ops::RangeInclusive<usize> = 8..=64;
/// Keys kept per subscription; dead ones are forgotten first.
const KEPT_MAX: usize = 64;

/// Checks a key that a client chose.
pub(super) fn check_custom(key: &str) -> Result<(), Fault> {
    if CUSTOM_CHARS.contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(Fault::field("api_key", "8 to 64 visible ASCII characters"))
}

/// 64 hexadecimal digits of HMAC-SHA256(pepper, key).
pub(super) fn hash(pepper: &[u8], key: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, pepper), key.as_bytes());
    tag.as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The record of `key`; `seed` is the scoped idempotency key of the call that makes it.
pub(super) fn record(pepper: &[u8], key: &str, seed: &str, now_ms: u64) -> KeyRecord {
    let hint = key.len().saturating_sub(HINT_CHARS);
    KeyRecord {
        id: mint::resource_id("api-key", seed),
        hash: hash(pepper, key),
        hint: key.get(hint..).unwrap_or_default().to_owned(),
        created_ms: now_ms,
        expires_ms: None,
        revoked_ms: None,
    }
}

/// True if the key may still be used at `now_ms`.
fn is_alive(key: &KeyRecord, now_ms: u64) -> bool {
    key.revoked_ms.is_none() && key.expires_ms.is_none_or(|expires_ms| expires_ms > now_ms)
}

/// Adds `fresh`; the others end after the grace period, or earlier if they were to.
pub(super) fn renew(keys: &mut Vec<KeyRecord>, fresh: KeyRecord, now_ms: u64) {
    let end_ms = now_ms.saturating_add(GRACE_MS);
    for key in keys.iter_mut().filter(|key| key.revoked_ms.is_none()) {
        key.expires_ms = Some(
            key.expires_ms
                .map_or(end_ms, |expires_ms| expires_ms.min(end_ms)),
        );
    }
    keys.push(fresh);
    while keys.len() > KEPT_MAX {
        // The oldest dead key goes; if none is dead, the oldest of all, which has its end already.
        let dead = keys.iter().position(|key| !is_alive(key, now_ms));
        keys.remove(dead.unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_hmac_sha256() {
        // RFC 4231, test case 2.
        assert_eq!(
            hash(b"Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn only_plain_keys_of_fair_length_may_be_chosen() {
        for key in ["12345678", "abc-DEF_123~!", &"x".repeat(64)] {
            assert!(check_custom(key).is_ok(), "{key}");
        }
        for key in [
            "",
            "1234567",
            "with blank",
            "ümläut12",
            &"x".repeat(65),
            "tab\tabcdef",
        ] {
            assert!(check_custom(key).is_err(), "{key}");
        }
    }

    #[test]
    fn a_renewal_ends_older_keys_after_the_grace_period_but_never_prolongs_one() {
        let key = |seed: &str| record(b"pepper", seed, seed, 0);
        let mut keys = vec![key("one"), key("two"), key("three")];
        keys[1].expires_ms = Some(5);
        keys[2].revoked_ms = Some(1);
        renew(&mut keys, key("four"), 1000);
        assert_eq!(keys[0].expires_ms, Some(1000 + GRACE_MS));
        assert_eq!(keys[1].expires_ms, Some(5));
        assert_eq!(keys[2].expires_ms, None);
        assert_eq!(keys[3].expires_ms, None);
        assert_eq!(keys[3].hint, "four");
    }

    #[test]
    fn the_number_of_kept_keys_is_bounded() {
        let mut keys = Vec::new();
        for number in 0..200 {
            let name = format!("key-{number}");
            renew(&mut keys, record(b"pepper", &name, &name, number), number);
        }
        assert_eq!(keys.len(), KEPT_MAX);
        assert_eq!(keys.last().unwrap().hint, "-199");
    }
}
