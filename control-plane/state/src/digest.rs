//! One hash over a whole state, for comparing replicas.

use crate::{Hash, ReadError, StateReader, Table, bounds::SCAN_PAGE};

/// Hashes every entry of every table, in order. Reads everything: not for the request path.
///
/// # Errors
/// When the state cannot be read.
pub fn digest(reader: &dyn StateReader) -> Result<Hash, ReadError> {
    let mut hasher = blake3::Hasher::new();
    for table in Table::ALL {
        hash_part(&mut hasher, table.name().as_bytes());
        let mut after = None;
        loop {
            let page = reader.scan(table, &[], after.as_deref(), SCAN_PAGE)?;
            for (key, value) in &page {
                hash_part(&mut hasher, key);
                hash_part(&mut hasher, value);
            }
            match page.into_iter().next_back() {
                Some((key, _)) => after = Some(key),
                None => break,
            }
        }
    }
    Ok(*hasher.finalize().as_bytes())
}

/// Length first, so that moving a byte from one part to the next gives another digest.
pub(crate) fn hash_part(hasher: &mut blake3::Hasher, part: &[u8]) {
    let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
    hasher.update(&length.to_be_bytes());
    hasher.update(part);
}
