//! Windows, counting and the bounds of the local limiter.

use std::sync::Arc;

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;

fn take(limiter: &LocalLimiter, key: &str, limit: u64, now_ms: u64) -> Decision {
    weighed(limiter, key, limit, now_ms, 1)
}

fn weighed(limiter: &LocalLimiter, key: &str, limit: u64, now_ms: u64, weight: u64) -> Decision {
    let request = LimitRequest {
        key,
        limit,
        window: Window::Millis(1000),
        weight,
        now_ms,
        is_async: false,
    };
    match limiter.take(&request) {
        Take::Decided(decision) => decision,
        Take::Waiting(_) => panic!("a local limiter decides at once"),
    }
}

#[test]
fn the_first_take_opens_a_window_and_its_end_opens_the_next() {
    let limiter = LocalLimiter::default();
    for (now_ms, is_allowed, count, reset_ms) in [
        (5_000, true, 1, 6_000),
        (5_400, true, 2, 6_000),
        (5_999, false, 3, 6_000),
        (6_000, true, 1, 7_000),
        (9_500, true, 1, 10_500),
    ] {
        let expected = Decision {
            is_allowed,
            count,
            reset_ms,
        };
        assert_eq!(take(&limiter, "k", 2, now_ms), expected, "at {now_ms}");
    }
}

#[test]
fn keys_are_counted_apart_and_each_take_compares_with_its_own_limit() {
    let limiter = LocalLimiter::default();
    assert_eq!(take(&limiter, "a", 1, 0).count, 1);
    assert_eq!(take(&limiter, "b", 1, 0).count, 1);
    let second = take(&limiter, "a", 1, 0);
    assert!(!second.is_allowed && second.count == 2);
    assert!(take(&limiter, "a", 3, 0).is_allowed);
}

#[test]
fn weights_add_up_and_never_overflow() {
    let limiter = LocalLimiter::default();
    assert!(weighed(&limiter, "k", 10, 0, 7).is_allowed);
    assert!(!weighed(&limiter, "k", 10, 0, 4).is_allowed);
    assert_eq!(weighed(&limiter, "k", 10, 0, u64::MAX).count, u64::MAX);
    assert_eq!(weighed(&limiter, "k", 10, 0, 0).count, u64::MAX);
}

#[test]
fn ended_windows_make_room_and_the_number_of_keys_stays_bounded() {
    let limiter = LocalLimiter::new(4096);
    for index in 0..20_000_u64 {
        take(&limiter, &format!("key-{index}"), 1, 0);
    }
    assert!(limiter.len() <= 4096, "{}", limiter.len());
    for index in 0..20_000_u64 {
        take(
            &limiter,
            &format!("later-{index}"),
            1,
            10_000 + index * 1000,
        );
    }
    assert!(limiter.len() <= 64 * 64, "{}", limiter.len());
}

#[test]
fn threads_lose_no_take() {
    let limiter = Arc::new(LocalLimiter::default());
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let limiter = Arc::clone(&limiter);
            std::thread::spawn(move || {
                for _ in 0..1000 {
                    take(&limiter, "shared", u64::MAX, 0);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(take(&limiter, "shared", u64::MAX, 0).count, 8001);
}

fn instant(text: &str) -> u64 {
    let instant: jiff::Timestamp = text.parse().unwrap();
    u64::try_from(instant.as_millisecond()).unwrap()
}

#[test]
fn days_and_months_follow_the_calendar_of_the_time_zone() {
    let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
    for (window, begin, end) in [
        // The clock is put forward: this day has 23 hours.
        (
            Window::Days(1),
            "2026-03-28T12:00:00Z",
            "2026-03-29T11:00:00Z",
        ),
        (
            Window::Days(7),
            "2026-06-01T08:30:00Z",
            "2026-06-08T08:30:00Z",
        ),
        (
            Window::Months(1),
            "2026-01-31T10:00:00Z",
            "2026-02-28T10:00:00Z",
        ),
        // Winter to summer time.
        (
            Window::Months(1),
            "2026-03-15T10:00:00Z",
            "2026-04-15T09:00:00Z",
        ),
        (
            Window::Months(12),
            "2026-05-05T00:00:00Z",
            "2027-05-05T00:00:00Z",
        ),
        (
            Window::Millis(1),
            "2026-05-05T00:00:00Z",
            "2026-05-05T00:00:00.001Z",
        ),
    ] {
        let found = window.end_ms_in(instant(begin), &zone);
        assert_eq!(found, Some(instant(end)), "{window:?} from {begin}");
    }
}

#[test]
fn a_window_beyond_the_calendar_has_no_end() {
    assert_eq!(Window::Months(u32::MAX).end_ms(0), None);
    assert_eq!(Window::Days(1).end_ms(u64::MAX), None);
    assert_eq!(Window::Millis(2).end_ms(u64::MAX), None);
}

proptest! {
    /// Against the plainest model: one map from keys to windows.
    #[test]
    fn takes_agree_with_a_plain_model(
        takes in prop::collection::vec((0..20_u8, 0..300_u64, 0..4_u64), 1..400),
    ) {
        let limiter = LocalLimiter::default();
        let mut model = std::collections::HashMap::new();
        let mut now_ms = 0;
        for (key, pause, weight) in takes {
            now_ms += pause;
            let window = model.entry(key).or_insert((0, now_ms + 1000));
            if window.1 <= now_ms {
                *window = (0, now_ms + 1000);
            }
            window.0 += weight;
            let found = weighed(&limiter, &key.to_string(), 5, now_ms, weight);
            prop_assert_eq!((found.count, found.reset_ms), *window);
            prop_assert_eq!(found.is_allowed, window.0 <= 5);
        }
    }
}
