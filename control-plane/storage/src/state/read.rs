//! Reads of one database, of its present or of a pinned moment.

use bytes::Bytes;
use rocksdb::{DB, ReadOptions};
use tidegate_state::Table;

use super::{
    families,
    generation::{family, table_family},
};
use crate::{Error, LogMark};

/// One ordered read of keys that start with `prefix`, strictly behind `after`.
pub(super) struct Scan<'a> {
    pub(super) table: Table,
    pub(super) prefix: &'a [u8],
    pub(super) after: Option<&'a [u8]>,
    pub(super) limit: usize,
}

pub(super) fn get(db: &DB, table: Table, key: &[u8]) -> Result<Option<Bytes>, Error> {
    Ok(db.get_cf(&table_family(db, table)?, key)?.map(Bytes::from))
}

pub(super) fn scan(
    db: &DB,
    mut options: ReadOptions,
    scan: &Scan<'_>,
) -> Result<Vec<(Bytes, Bytes)>, Error> {
    if let Some(end) = successor(scan.prefix) {
        options.set_iterate_upper_bound(end);
    }
    let mut iterator = db.raw_iterator_cf_opt(&table_family(db, scan.table)?, options);
    let start = scan
        .after
        .map_or(scan.prefix, |after| after.max(scan.prefix));
    iterator.seek(start);
    let mut found = Vec::new();
    while found.len() < scan.limit
        && let Some((key, value)) = iterator.item()
    {
        if scan.after.is_none_or(|after| key > after) {
            found.push((Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
        }
        iterator.next();
    }
    iterator.status()?;
    Ok(found)
}

pub(super) fn applied(db: &DB) -> Result<Option<LogMark>, Error> {
    let value = db.get_cf(&family(db, families::RAFT)?, families::APPLIED)?;
    value
        .map(|value| LogMark::decode(&value.into()))
        .transpose()
}

pub(super) fn membership(db: &DB) -> Result<Option<Bytes>, Error> {
    Ok(db
        .get_cf(&family(db, families::RAFT)?, families::MEMBERSHIP)?
        .map(Bytes::from))
}

/// The smallest key that sorts behind every key starting with `prefix`; none if there is none.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix.get(..=last)?.to_vec();
    *end.last_mut()? += 1;
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::successor;

    #[test]
    fn successor_is_the_tightest_upper_bound() {
        let check = |prefix: &[u8], expected: Option<&[u8]>| {
            assert_eq!(successor(prefix).as_deref(), expected);
        };
        check(b"", None);
        check(b"a", Some(b"b"));
        check(b"a\xff", Some(b"b"));
        check(b"\xff\xff", None);
    }
}
