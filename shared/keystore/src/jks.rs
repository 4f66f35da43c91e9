//! The Java key store of Sun: `sun.security.provider.JavaKeyStore` and its `KeyProtector`.
//!
//! Everything is big-endian and has a length before it. A SHA-1 over password and content ends the file. A key is
//! covered by a stream of SHA-1 over password and salt, which is weak, but what such files are.

use std::fmt;

use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{Context, Digest, SHA1_FOR_LEGACY_USE_ONLY, SHA1_OUTPUT_LEN},
};
use rustls_pki_types::CertificateDer;

use super::{Content, Entry, Key, StoreError};

const MAGIC: u32 = 0xFEED_FEED;
const VERSION: u32 = 2;
const KEY_ENTRY: u32 = 1;
const CERTIFICATE_ENTRY: u32 = 2;
/// What Java mixes into the digest of a store, so that it is not the plain digest of anything else.
const WHITENER: &[u8] = b"Mighty Aphrodite";
/// 1.3.6.1.4.1.42.2.17.1.1, the algorithm of the key protector.
const KEY_PROTECTOR: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x2a, 0x02, 0x11, 0x01, 0x01];
const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;

pub(super) fn is_jks(store: &[u8]) -> bool {
    store.starts_with(&MAGIC.to_be_bytes())
}

/// Reads all entries. Without a password, as in Java, nothing proves that the store was not changed.
pub(super) fn open(store: &[u8], password: Option<&str>) -> Result<Vec<Entry>, StoreError> {
    let content_length = store.len().checked_sub(SHA1_OUTPUT_LEN);
    let (content, digest) = store.split_at(content_length.ok_or(StoreError::Jks)?);
    if let Some(password) = password {
        let computed = sha1(&[&utf16(password), WHITENER, content]);
        verify_slices_are_equal(computed.as_ref(), digest)
            .map_err(|_different| StoreError::Password)?;
    }
    let mut reader = Reader(content);
    if reader.number()? != MAGIC || reader.number()? != VERSION {
        return Err(StoreError::Jks);
    }
    let count = reader.number()?;
    // An entry is at least a dozen bytes: the content bounds the count, and nothing is reserved by it.
    let mut entries = Vec::new();
    for _ in 0..count {
        entries.push(entry(&mut reader)?);
    }
    Ok(entries)
}

fn entry(reader: &mut Reader<'_>) -> Result<Entry, StoreError> {
    let kind = reader.number()?;
    let alias = String::from_utf8_lossy(reader.short()?).into_owned();
    // When it was made, in milliseconds.
    reader.take(8)?;
    let content = match kind {
        KEY_ENTRY => {
            let key = Key::Sealed(reader.long()?.to_vec());
            let mut chain = Vec::new();
            for _ in 0..reader.number()? {
                chain.push(certificate(reader)?);
            }
            Content::Key { chain, key }
        }
        CERTIFICATE_ENTRY => Content::Certificate(certificate(reader)?),
        _ => return Err(StoreError::Jks),
    };
    Ok(Entry { alias, content })
}

fn certificate(reader: &mut Reader<'_>) -> Result<CertificateDer<'static>, StoreError> {
    if reader.short()? != b"X.509" {
        return Err(StoreError::Jks);
    }
    Ok(CertificateDer::from(reader.long()?.to_vec()))
}

/// Opens a key: an `EncryptedPrivateKeyInfo` whose content is salt, covered key, digest.
pub(super) fn unseal(sealed: &[u8], password: &str) -> Result<Vec<u8>, StoreError> {
    let mut outer = Reader(Reader(sealed).element(SEQUENCE)?);
    let mut algorithm = Reader(outer.element(SEQUENCE)?);
    if algorithm.element(OBJECT_IDENTIFIER)? != KEY_PROTECTOR {
        return Err(StoreError::Jks);
    }
    let content = outer.element(OCTET_STRING)?;
    let covered_length = content.len().checked_sub(2 * SHA1_OUTPUT_LEN);
    let covered_length = covered_length.ok_or(StoreError::Jks)?;
    let (salt, rest) = content.split_at(SHA1_OUTPUT_LEN);
    let (covered, digest) = rest.split_at(covered_length);
    let password = utf16(password);
    let mut key = Vec::with_capacity(covered.len());
    let mut block = salt.to_vec();
    for chunk in covered.chunks(SHA1_OUTPUT_LEN) {
        block = sha1(&[&password, &block]).as_ref().to_vec();
        key.extend(chunk.iter().zip(&block).map(|(byte, pad)| byte ^ pad));
    }
    verify_slices_are_equal(sha1(&[&password, &key]).as_ref(), digest)
        .map_err(|_different| StoreError::Password)?;
    Ok(key)
}

pub(super) fn sha1(parts: &[&[u8]]) -> Digest {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    for part in parts {
        context.update(part);
    }
    context.finish()
}

pub(super) fn utf16(password: &str) -> Vec<u8> {
    password.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

/// What is left to read. Everything read lies within it.
struct Reader<'a>(&'a [u8]);

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({} bytes)", self.0.len())
    }
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], StoreError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(StoreError::Jks)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32, StoreError> {
        let bytes = self.take(4)?;
        bytes
            .try_into()
            .map(u32::from_be_bytes)
            .map_err(|_length| StoreError::Jks)
    }

    /// Bytes behind a length of four bytes.
    fn long(&mut self) -> Result<&'a [u8], StoreError> {
        let length = self.number()?;
        self.take(usize::try_from(length).map_err(|_large| StoreError::Jks)?)
    }

    /// Bytes behind a length of two bytes.
    fn short(&mut self) -> Result<&'a [u8], StoreError> {
        let length = self.take(2)?;
        let length = length
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        self.take(length)
    }

    /// The content of a DER element with the given tag (X.690 §8.1).
    fn element(&mut self, tag: u8) -> Result<&'a [u8], StoreError> {
        let header = self.take(2)?;
        if header[0] != tag {
            return Err(StoreError::Jks);
        }
        let length = match header[1] {
            short @ ..=0x7f => usize::from(short),
            long @ 0x81..=0x84 => {
                let bytes = self.take(usize::from(long & 0x7f))?;
                bytes
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | usize::from(*byte))
            }
            _ => return Err(StoreError::Jks),
        };
        self.take(length)
    }
}
