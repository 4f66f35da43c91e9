//! Paging of lists: bounded pages and opaque tokens that fit only the list they came from.

use super::Fault;

/// Entries of a page when the client names no number.
const SIZE_DEFAULT: u32 = 100;
/// Most entries of a page.
const SIZE_MAX: u32 = 500;
/// Bytes of the check value in front of a token.
const CHECK_BYTES: usize = 8;
/// Longest accepted token; keys are far shorter.
const TOKEN_CHARS_MAX: usize = 4096;

/// Which part of a list is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    /// Most entries to return, 1 to 500.
    pub size: usize,
    /// Key of the last entry of the page before.
    pub after: Option<Vec<u8>>,
    list: blake3::Hash,
}

impl Page {
    /// Reads the paging fields of a request for `list`, which names the list and its filters.
    pub(crate) fn parse(size: u32, token: &str, list: &[&str]) -> Result<Self, Fault> {
        let list = blake3::hash(list.join("\0").as_bytes());
        let size = if size == 0 {
            SIZE_DEFAULT
        } else {
            size.min(SIZE_MAX)
        };
        let after = if token.is_empty() {
            None
        } else {
            Some(open(token, &list)?)
        };
        Ok(Self {
            size: usize::try_from(size).unwrap_or(usize::MAX),
            after,
            list,
        })
    }

    /// The id after which the page starts, for lists that are ordered by id.
    pub(crate) fn after_id(&self) -> Result<Option<String>, Fault> {
        let text = self.after.clone().map(String::from_utf8).transpose();
        text.map_err(|_not_text| wrong_token())
    }

    /// The token of the next page of a list ordered by id; empty after the last page.
    pub(crate) fn next(&self, next: Option<&str>) -> String {
        next.map(|id| self.token(id.as_bytes())).unwrap_or_default()
    }

    /// The token that continues after the entry with `key`.
    pub(crate) fn token(&self, key: &[u8]) -> String {
        let check = check(&self.list, key);
        check
            .iter()
            .chain(key)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

fn check(list: &blake3::Hash, key: &[u8]) -> [u8; CHECK_BYTES] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(list.as_bytes()).update(key);
    let mut check = [0; CHECK_BYTES];
    hasher.finalize_xof().fill(&mut check);
    check
}

fn wrong_token() -> Fault {
    Fault::field("page_token", "a token of an earlier page of the same list")
}

fn open(token: &str, list: &blake3::Hash) -> Result<Vec<u8>, Fault> {
    if token.len() > TOKEN_CHARS_MAX || !token.len().is_multiple_of(2) || !token.is_ascii() {
        return Err(wrong_token());
    }
    let bytes: Option<Vec<u8>> = (0..token.len() / 2)
        .map(|at| {
            token
                .get(2 * at..2 * at + 2)
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
        })
        .collect();
    let bytes = bytes.ok_or_else(wrong_token)?;
    let (given, key) = bytes
        .split_at_checked(CHECK_BYTES)
        .ok_or_else(wrong_token)?;
    if given != check(list, key) {
        return Err(wrong_token());
    }
    Ok(key.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_continues_its_own_list_only() {
        let page = Page::parse(0, "", &["apis", "DEFAULT"]).unwrap();
        assert_eq!(page.size, 100);
        let token = page.token(b"key");
        let next = Page::parse(7, &token, &["apis", "DEFAULT"]).unwrap();
        assert_eq!((next.size, next.after.as_deref()), (7, Some(&b"key"[..])));
        assert!(Page::parse(7, &token, &["apis", "OTHER"]).is_err());
    }

    #[test]
    fn pages_are_bounded_and_made_up_tokens_are_refused() {
        assert_eq!(Page::parse(u32::MAX, "", &[]).unwrap().size, 500);
        for token in [
            "x",
            "zz",
            "00",
            "é1",
            "0011223344556677aa",
            &"0".repeat(5000),
        ] {
            assert!(Page::parse(1, token, &[]).is_err(), "{token}");
        }
    }
}
