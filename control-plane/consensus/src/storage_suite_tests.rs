//! openraft's own tests of a log and a state machine, run on ours.

use openraft::{
    StorageError,
    testing::log::{StoreBuilder, Suite},
    type_config::TypeConfigExt as _,
};
use tempfile::TempDir;
use tidegate_storage::{LogLimits, LogStore, SnapshotStore, StateDb};
use tokio::sync::{broadcast, watch};

use crate::{log::Log, state_machine::StateMachine, types::TypeConfig};

struct Builder;

impl StoreBuilder<TypeConfig, Log, StateMachine, TempDir> for Builder {
    async fn build(&self) -> Result<(TempDir, Log, StateMachine), StorageError<TypeConfig>> {
        let directory = TempDir::new().unwrap();
        let path = directory.path();
        // A queue of one makes every write wait for the one before.
        let limits = LogLimits {
            queue_len_max: 1,
            ..LogLimits::default()
        };
        let log = LogStore::open(&path.join("log"), limits).unwrap();
        let state = StateDb::open(&path.join("state")).unwrap();
        let snapshots = SnapshotStore::open(&path.join("snapshots"), state.clone()).unwrap();
        let (events, _) = broadcast::channel(16);
        let (applied, _) = watch::channel(0);
        let machine = StateMachine::new(state, snapshots, events, applied);
        Ok((directory, Log::new(log, limits), machine))
    }
}

#[test]
fn openraft_accepts_our_storage() {
    TypeConfig::run(async { Suite::test_all(Builder).await }).unwrap();
}
