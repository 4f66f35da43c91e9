//! How tables map to RocksDB column families, and how those are tuned.

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType, DBRecoveryMode, Options,
};
use tidegate_state::Table;

/// Family of what Raft itself needs; not part of any digest.
pub(super) const RAFT: &str = "raft";
/// Key in [`RAFT`] of the last applied position.
pub(super) const APPLIED: &[u8] = b"applied";
/// Key in [`RAFT`] of the membership.
pub(super) const MEMBERSHIP: &[u8] = b"membership";

/// Decoded blocks kept in memory, shared by all tables.
const BLOCK_CACHE_BYTES: usize = 64 << 20;
/// Unflushed writes of all tables together.
const MEMTABLE_BYTES_MAX: usize = 128 << 20;

/// The number of a table in digests and Raft snapshots; never reused.
pub(super) fn number(table: Table) -> u8 {
    match table {
        Table::Meta => 1,
        Table::Resource => 2,
        Table::Object => 3,
        Table::Index => 4,
        Table::Deployment => 5,
        Table::Event => 6,
        Table::Idempotency => 7,
        Table::Live => 8,
    }
}

/// The table with a number, none for a number of a newer release.
pub(super) fn table(wanted: u8) -> Option<Table> {
    Table::ALL
        .into_iter()
        .find(|table| number(*table) == wanted)
}

pub(super) fn database_options() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    // A consistent prefix is enough here: the log applies the rest again.
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    options.set_db_write_buffer_size(MEMTABLE_BYTES_MAX);
    options.set_max_total_wal_size(256 << 20);
    options.set_max_background_jobs(2);
    options.set_keep_log_file_num(4);
    options.set_max_log_file_size(16 << 20);
    options.set_max_open_files(1024);
    options
}

pub(super) fn descriptors() -> Vec<ColumnFamilyDescriptor> {
    let cache = Cache::new_lru_cache(BLOCK_CACHE_BYTES);
    let names = Table::ALL.into_iter().map(Table::name).chain([RAFT]);
    names
        .map(|name| ColumnFamilyDescriptor::new(name, family_options(&cache)))
        .collect()
}

fn family_options(cache: &Cache) -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(cache);
    // Ten bits per key: one needless disk read in a hundred lookups of a missing key.
    blocks.set_bloom_filter(10.0, false);
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
    let mut options = Options::default();
    options.set_block_based_table_factory(&blocks);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_bottommost_compression_type(DBCompressionType::Zstd);
    options.set_write_buffer_size(32 << 20);
    options
}
