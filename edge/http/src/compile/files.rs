//! Files of this node that configurations of policies name.

use std::io;

use tidegate_policy::Files;

/// Key stores and certificates on this node's disk.
#[derive(Debug)]
pub(super) struct NodeFiles;

impl Files for NodeFiles {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        tidegate_keystore::read_file(path)
    }
}
