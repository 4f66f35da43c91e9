//! The tables of the state and the seam through which rules read them.

use std::error::Error;

use bytes::Bytes;

/// One column family of the state database. The order is the order of digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Counters and watermarks of the rules themselves.
    Meta,
    /// Every resource, wrapped in [`Stored`](crate::Stored).
    Resource,
    /// Content-addressed bytes and their reference counts.
    Object,
    /// Lookups by something other than the id, and uniqueness.
    Index,
    /// Deployment history.
    Deployment,
    /// What changed, by revision.
    Event,
    /// Results of recent transactions by idempotency key.
    Idempotency,
    /// Objects that views are made of.
    Live,
}

impl Table {
    /// All tables, in order.
    pub const ALL: [Table; 8] = [
        Table::Meta,
        Table::Resource,
        Table::Object,
        Table::Index,
        Table::Deployment,
        Table::Event,
        Table::Idempotency,
        Table::Live,
    ];

    /// Stable name, usable as a column-family name.
    pub const fn name(self) -> &'static str {
        match self {
            Table::Meta => "meta",
            Table::Resource => "resource",
            Table::Object => "object",
            Table::Index => "index",
            Table::Deployment => "deployment",
            Table::Event => "event",
            Table::Idempotency => "idempotency",
            Table::Live => "live",
        }
    }
}

/// Reading the state failed. Fatal for a replica: it must not go on with a guess.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The store could not be read.
    #[error("cannot read table {}", .table.name())]
    Storage {
        /// Table that was read.
        table: Table,
        /// What the store said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// Bytes of the store do not mean what they must.
    #[error("corrupt value in table {}: {detail}", .table.name())]
    Corrupt {
        /// Table that was read.
        table: Table,
        /// What is wrong with the value.
        detail: String,
    },
}

impl ReadError {
    /// Wraps an error of the store.
    pub fn storage(table: Table, source: impl Error + Send + Sync + 'static) -> ReadError {
        ReadError::Storage {
            table,
            source: Box::new(source),
        }
    }

    pub(crate) fn corrupt(table: Table, detail: impl Into<String>) -> ReadError {
        ReadError::Corrupt {
            table,
            detail: detail.into(),
        }
    }
}

/// A consistent state to read from. Keys order bytewise.
pub trait StateReader {
    /// Reads one value.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, ReadError>;

    /// Reads up to `limit` entries whose key starts with `prefix`, in key order.
    ///
    /// `after` is a whole key, prefix included; entries up to and including it are skipped.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, ReadError>;
}

impl<R: StateReader + ?Sized> StateReader for &R {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, ReadError> {
        (**self).get(table, key)
    }

    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, ReadError> {
        (**self).scan(table, prefix, after, limit)
    }
}

/// One change of the state. `None` deletes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Table to change.
    pub table: Table,
    /// Whole key.
    pub key: Bytes,
    /// New value, or `None` to delete.
    pub value: Option<Bytes>,
}
