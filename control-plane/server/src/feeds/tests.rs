//! What is recorded of a call, and what a call does against a real server.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
};

use tidegate_model::{
    ObjectKind,
    asset::{Feed, FeedSchedule},
};
use tidegate_state::FeedRecord;

use super::{Entries, Fetcher, Owner, Source, change, fetch::FetchError};

fn owner() -> Owner {
    Owner {
        environment: "DEFAULT".to_owned(),
        kind: ObjectKind::Dictionary,
        id: "routing".to_owned(),
    }
}

fn feed(url: &str) -> Feed {
    Feed {
        url: url.to_owned(),
        method: "GET".to_owned(),
        headers: vec![("X-Token".to_owned(), "t".to_owned())],
        body: String::new(),
        transformation: None,
        uses_system_proxy: false,
        schedule: FeedSchedule::EveryMs(1_000),
    }
}

fn entries(value: &str) -> Entries {
    Entries::from([("a".to_owned(), value.to_owned())])
}

fn source(entries: Option<Entries>, last: FeedRecord) -> Source {
    Source::for_tests(feed("http://127.0.0.1:1/"), entries, last)
}

#[test]
fn only_what_changed_is_recorded() {
    let known = source(Some(entries("1")), FeedRecord::default());
    assert_eq!(change(&owner(), &known, Ok(entries("1")), 5), None);
    let new = change(&owner(), &known, Ok(entries("2")), 5).unwrap();
    assert_eq!(new.record.fetched_ms, 5);
    assert!(!new.object.is_empty());
}

#[test]
fn a_failure_is_shown_once_and_ends_with_the_next_success() {
    let known = source(
        Some(entries("1")),
        FeedRecord {
            fetched_ms: 3,
            ..FeedRecord::default()
        },
    );
    let failed = change(&owner(), &known, Err("down".to_owned()), 5).unwrap();
    assert_eq!(
        (failed.record.error.as_str(), failed.record.failing_since_ms),
        ("down", 5)
    );
    assert_eq!(failed.record.fetched_ms, 3, "the last entries stay");
    assert!(failed.object.is_empty());

    let failing = source(Some(entries("1")), failed.record);
    assert_eq!(change(&owner(), &failing, Err("down".to_owned()), 9), None);
    let other = change(&owner(), &failing, Err("slow".to_owned()), 9).unwrap();
    assert_eq!(other.record.failing_since_ms, 5);
    let back = change(&owner(), &failing, Ok(entries("1")), 9).unwrap();
    assert_eq!(back.record.error, "");
    assert_eq!(back.record.fetched_ms, 3, "they are as old as they were");
}

#[test]
fn what_was_never_fetched_is_due_at_once() {
    assert_eq!(source(None, FeedRecord::default()).first_due(7), Some(7));
    let last = FeedRecord {
        fetched_ms: 6_500,
        ..FeedRecord::default()
    };
    assert_eq!(
        source(Some(entries("1")), last).first_due(7_000),
        Some(7_500)
    );
}

/// Answers one request on a port of its own with `answer`, and gives the request.
fn server(answer: &'static [u8]) -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "http://user:secret@{}/pairs?x=1",
        listener.local_addr().unwrap()
    );
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut buffer = [0; 1024];
        while !request.ends_with(b"\r\n\r\n") {
            let read = stream.read(&mut buffer).unwrap();
            assert_ne!(read, 0, "the request ended early");
            request.extend_from_slice(&buffer[..read]);
        }
        stream.write_all(answer).unwrap();
        String::from_utf8(request).unwrap()
    });
    (url, thread)
}

#[tokio::test]
async fn a_call_sends_what_the_feed_says_and_gives_the_body() {
    let fetcher = Fetcher::new(false).unwrap();
    let (url, thread) = server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]");
    assert_eq!(fetcher.fetch(&feed(&url)).await.unwrap(), "[]");
    let request = thread.join().unwrap().to_lowercase();
    assert!(request.starts_with("get /pairs?x=1 http/1.1"), "{request}");
    assert!(
        request.contains("x-token: t") && !request.contains("secret"),
        "{request}"
    );
    let (url, thread) = server(b"HTTP/1.1 200 OK\r\n\r\n{}");
    assert_eq!(
        fetcher.fetch(&feed(&url)).await.unwrap(),
        "{}",
        "ended by the connection"
    );
    thread.join().unwrap();
}

#[tokio::test]
async fn only_200_counts_and_nothing_of_the_url_is_told() {
    let fetcher = Fetcher::new(false).unwrap();
    for answer in [
        &b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"[..],
        b"HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n",
        b"nonsense\r\n\r\n",
    ] {
        let (url, thread) = server(answer);
        let error = fetcher.fetch(&feed(&url)).await.unwrap_err().to_string();
        assert!(
            !error.contains("secret") && !error.contains("pairs"),
            "{error}"
        );
        thread.join().unwrap();
    }
    for url in [
        "http://169.254.169.254/",
        "http://[::ffff:169.254.169.254]/",
    ] {
        let error = fetcher.fetch(&feed(url)).await.unwrap_err();
        assert!(matches!(error, FetchError::Forbidden), "{error}");
    }
}
