//! What survives the death of the process, and what makes it die: this test binary runs itself as
//! a child that writes, and is killed or made to fail.

use std::{
    env,
    error::Error,
    io::{BufRead as _, BufReader},
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
};

use bytes::Bytes;
use tempfile::TempDir;
use tidegate_storage::{LogLimits, LogStore};

/// Tells a child where its log is; unset in a normal run.
const DIRECTORY: &str = "TIDEGATE_TEST_LOG_DIRECTORY";
const CHILD_TEST: &str = "child_that_appends_until_it_dies";

type Outcome = Result<(), Box<dyn Error>>;

fn entry(index: u64) -> Bytes {
    Bytes::from(format!("entry {index} {}", "x".repeat(4_000)))
}

/// Appends forever, with a vote after every entry, and prints each index once it is durable.
#[test]
fn child_that_appends_until_it_dies() -> Outcome {
    let Ok(directory) = env::var(DIRECTORY) else {
        return Ok(());
    };
    let mut log = LogStore::open(Path::new(&directory), LogLimits::default())?;
    for index in 0.. {
        let (sender, done) = mpsc::channel();
        log.append(index, vec![entry(index)], Box::new(|| {}))?;
        let vote = Bytes::from(index.to_string());
        log.save_vote(vote, Box::new(move || sender.send(()).unwrap_or(())))?;
        done.recv()?;
        #[expect(clippy::print_stderr, reason = "how the child reports to its parent")]
        {
            eprintln!("durable {index}");
        }
    }
    Ok(())
}

fn report(line: &str) -> Option<u64> {
    line.strip_prefix("durable ")?.parse().ok()
}

/// Reads reports until `enough` says so or the child is gone, and returns the last one.
fn last_report(child: &mut Child, enough: impl Fn(u64) -> bool) -> Option<u64> {
    let mut last = None;
    for line in BufReader::new(child.stderr.take()?)
        .lines()
        .map_while(Result::ok)
    {
        last = report(&line).or(last);
        if last.is_some_and(&enough) {
            child.kill().ok()?;
        }
    }
    last
}

fn check_log(directory: &Path, last: u64) -> Outcome {
    let log = LogStore::open(directory, LogLimits::default())?;
    let reader = log.reader();
    let entries = reader.entries(0..last + 1, usize::MAX)?;
    let expected: Vec<_> = (0..=last).map(|index| (index, entry(index))).collect();
    assert!(
        entries == expected,
        "{} of {} acknowledged entries",
        entries.len(),
        expected.len()
    );
    let vote: u64 = std::str::from_utf8(&reader.vote().ok_or("no vote")?)?.parse()?;
    assert!(vote >= last, "vote went back to {vote} from {last}");
    Ok(())
}

#[test]
fn acknowledged_entries_and_votes_survive_kill_9() -> Outcome {
    let directory = TempDir::new()?;
    let mut child = Command::new(env::current_exe()?)
        .args(["--exact", CHILD_TEST, "--nocapture"])
        .env(DIRECTORY, directory.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let last = last_report(&mut child, |index| index >= 100).ok_or("the child never wrote")?;
    assert_eq!(child.wait()?.signal(), Some(9));
    check_log(directory.path(), last)
}

#[test]
fn a_failed_write_ends_the_process_and_is_never_acknowledged() -> Outcome {
    let directory = TempDir::new()?;
    // The limit on file sizes makes a write fail; with the signal ignored, as an error.
    let script = r#"trap '' XFSZ; ulimit -f 2048; exec "$0" "$@""#;
    let mut child = Command::new("bash")
        .args(["-c", script])
        .arg(env::current_exe()?)
        .args(["--exact", CHILD_TEST, "--nocapture"])
        .env(DIRECTORY, directory.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let last = last_report(&mut child, |_| false).ok_or("the child never wrote")?;
    assert_eq!(child.wait()?.signal(), Some(6), "after {last}");
    check_log(directory.path(), last)
}
