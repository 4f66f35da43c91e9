//! What happens to a whole process with one node: this test binary runs itself as a child.

use std::{
    env,
    io::{BufRead as _, BufReader},
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{self, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::net::TcpListener;

use super::tests::{Node, PATIENCE, certificates, write};
use crate::{Member, types::Command};

/// Tells a child where its data is; unset in a normal run.
const DIRECTORY: &str = "TIDEGATE_TEST_NODE_DIRECTORY";

fn child(test: &str, directory: &Path) -> process::Child {
    process::Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            &format!("handle::process_tests::{test}"),
            "--nocapture",
        ])
        .env(DIRECTORY, directory)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

async fn lone_node(directory: &Path) -> Node {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let node = Node::start(1, directory, &certificates(), listener).await;
    let member = Member {
        id: 1,
        raft_address: address.clone(),
        grpc_address: address,
    };
    node.consensus.bootstrap(vec![member]).await.unwrap();
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn child_that_writes_until_it_is_killed() {
    let Ok(directory) = env::var(DIRECTORY) else {
        return;
    };
    let node = lone_node(Path::new(&directory)).await;
    for number in 0.. {
        write(&node, &format!("env-{number}")).await;
        #[expect(clippy::print_stderr, reason = "how the child reports to its parent")]
        {
            eprintln!("acknowledged {number}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_writes_survive_kill_9() {
    let directory = TempDir::new().unwrap();
    let mut last = 0;
    for _round in 0..2 {
        let mut child = child("child_that_writes_until_it_is_killed", directory.path());
        let reports = BufReader::new(child.stderr.take().unwrap()).lines();
        for line in reports.map_while(Result::ok) {
            let Some(number) = line.strip_prefix("acknowledged ") else {
                continue;
            };
            last = number.parse::<u64>().unwrap().max(last);
            if last >= 30 {
                child.kill().unwrap();
            }
        }
        assert_eq!(child.wait().unwrap().signal(), Some(9));
    }
    let node = lone_node(directory.path()).await;
    node.consensus.read_index(PATIENCE).await.unwrap();
    for number in 0..=last {
        assert!(
            node.has(&format!("env-{number}")),
            "env-{number} of {last} is lost"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn child_with_an_entry_nobody_understands() {
    let Ok(directory) = env::var(DIRECTORY) else {
        return;
    };
    let node = lone_node(Path::new(&directory)).await;
    write(&node, "before").await;
    let raft = node.consensus.shared.raft.clone();
    let _ = raft.client_write(Command(vec![0xff; 8].into())).await;
    tokio::time::sleep(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_nobody_understands_ends_the_process() {
    let directory = TempDir::new().unwrap();
    let mut child = child("child_with_an_entry_nobody_understands", directory.path());
    let status = tokio::task::spawn_blocking(move || child.wait())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(status.signal(), Some(6), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn child_whose_consensus_task_dies() {
    let Ok(directory) = env::var(DIRECTORY) else {
        return;
    };
    let node = lone_node(Path::new(&directory)).await;
    write(&node, "before").await;
    // Ends the core task behind the back of the supervisor.
    node.consensus.shared.raft.shutdown().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    process::exit(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_consensus_task_ends_the_process_within_a_second() {
    let directory = TempDir::new().unwrap();
    let mut child = child("child_whose_consensus_task_dies", directory.path());
    let status = tokio::task::spawn_blocking(move || child.wait())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(status.signal(), Some(6), "{status:?}");
}
