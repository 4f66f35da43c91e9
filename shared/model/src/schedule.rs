//! When recurring work is due: cron expressions of six fields, the first of them seconds.

use chrono::{DateTime, Utc};
use croner::{
    Cron,
    parser::{CronParser, Seconds},
};

/// Longest expression; lists of every second of a minute fit.
const CHARS_MAX: usize = 256;

/// A parsed cron expression: `second minute hour day-of-month month day-of-week`, in UTC.
///
/// `*`, `?`, lists, ranges, steps, names of months and days, `L`, `W` and `#` are understood. A day must fit both
/// the day of the month and the day of the week, as in Spring.
#[derive(Clone, Debug)]
pub struct Schedule {
    cron: Cron,
}

/// Text that is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a schedule of six fields: {0}")]
pub struct ScheduleError(String);

impl Schedule {
    /// Parses an expression.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        if text.len() > CHARS_MAX {
            return Err(ScheduleError(format!("longer than {CHARS_MAX} bytes")));
        }
        let parser = CronParser::builder()
            .seconds(Seconds::Required)
            .dom_and_dow(true)
            .build();
        // A question mark says that a field does not matter, which a star says as well.
        let cron = parser
            .parse(&text.trim().replace('?', "*"))
            .map_err(|error| ScheduleError(error.to_string()))?;
        Ok(Self { cron })
    }

    /// The next time after `ms` milliseconds since 1970, in the same unit; `None` if there is none.
    #[must_use]
    pub fn next_after(&self, ms: u64) -> Option<u64> {
        // The parser keeps the fraction of a second it starts from; schedules know whole seconds only.
        let second = i64::try_from(ms / 1_000).ok()?;
        let from = DateTime::<Utc>::from_timestamp(second, 0)?;
        let next = self.cron.find_next_occurrence(&from, false).ok()?;
        u64::try_from(next.timestamp_millis()).ok()
    }
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.cron.pattern.to_string() == other.cron.pattern.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_time_follows_the_fields() {
        const MINUTE: u64 = 60_000;
        const DAY: u64 = 24 * 60 * MINUTE;
        for (text, after, expected) in [
            ("* * * * * *", 500, 1_000),
            ("*/5 * * * * *", 5_000, 10_000),
            ("0 */1 * * * ?", 0, MINUTE),
            ("0 0 0 * * *", 1, DAY),
            // The first of January 1970 was a Thursday.
            ("0 0 0 ? * MON", 0, 4 * DAY),
            ("0 0 0 1 2 *", 0, 31 * DAY),
        ] {
            let schedule = Schedule::parse(text).unwrap();
            assert_eq!(schedule.next_after(after), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "* * * * *", "61 * * * * *", "a b c d e f"] {
            assert!(Schedule::parse(text).is_err(), "{text}");
        }
        assert!(Schedule::parse(&"1,".repeat(1000)).is_err());
    }
}
