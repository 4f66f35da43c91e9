//! What ends up in the file.

use std::{fs, sync::Arc};

use serde_json::Value;

use super::{AccessLog, AccessLogTarget, AccessRecord};

fn record(uri: &str) -> Box<AccessRecord> {
    Box::new(AccessRecord {
        timestamp: 1_700_000_000_007,
        uri: uri.to_owned(),
        api_id: Some(Arc::from("api")),
        http_version: "HTTP/1.1",
        scheme: "http",
        status: 200,
        gateway: Arc::from("edge-1"),
        ..AccessRecord::default()
    })
}

fn lines(path: &std::path::Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_record_is_one_json_line_with_a_millisecond_timestamp() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let (log, writer) = AccessLog::start(AccessLogTarget::File(path.clone())).unwrap();
    log.record(record("/a\n\"b\"")).unwrap();
    drop(log);
    writer.join();
    let lines = lines(&path);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["timestamp"], "2023-11-14T22:13:20.007Z");
    assert_eq!(lines[0]["uri"], "/a\n\"b\"");
    assert_eq!(lines[0]["api-id"], "api");
    assert!(lines[0].get("plan-id").is_none());
}

#[test]
fn joining_waits_for_every_record() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let (log, writer) = AccessLog::start(AccessLogTarget::File(path.clone())).unwrap();
    for number in 0..1000 {
        log.clone().record(record(&format!("/{number}"))).unwrap();
    }
    drop(log);
    writer.join();
    assert_eq!(lines(&path).len(), 1000);
}

#[test]
fn a_rotated_file_is_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let moved = directory.path().join("access.log.1");
    let (log, writer) = AccessLog::start(AccessLogTarget::File(path.clone())).unwrap();
    fs::rename(&path, &moved).unwrap();
    log.record(record("/before")).unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !path.exists() && std::time::Instant::now() < deadline {
        std::thread::yield_now();
    }
    log.record(record("/after")).unwrap();
    drop(log);
    writer.join();
    assert_eq!(lines(&moved)[0]["uri"], "/before");
    assert_eq!(lines(&path)[0]["uri"], "/after");
}

#[test]
fn a_missing_directory_is_an_error_at_the_start() {
    let path = std::path::PathBuf::from("/nonexistent/access.log");
    assert!(AccessLog::start(AccessLogTarget::File(path)).is_err());
}

#[test]
fn a_full_queue_drops_the_record_instead_of_waiting() {
    let (records, _queue) = std::sync::mpsc::sync_channel(1);
    let log = AccessLog { records };
    assert!(log.record(record("/1")).is_ok());
    assert!(log.record(record("/2")).is_err());
}
