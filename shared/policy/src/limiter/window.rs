//! How long a window is open.

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// The length of a window, counted from the instant of its first take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Window {
    /// A fixed number of milliseconds.
    Millis(u64),
    /// Calendar days of the node's time zone: a day may have 23 or 25 hours.
    Days(u32),
    /// Calendar months of the node's time zone; from the 31st of January to the last of February.
    Months(u32),
}

impl Window {
    /// Returns the end of a window that opens at `now_ms`, in milliseconds since the Unix epoch, or `None`
    /// if it lies beyond what a calendar can say.
    #[must_use]
    pub fn end_ms(self, now_ms: u64) -> Option<u64> {
        match self {
            Self::Millis(length) => now_ms.checked_add(length),
            Self::Days(_) | Self::Months(_) => self.end_ms_in(now_ms, &TimeZone::system()),
        }
    }

    /// As [`Window::end_ms`] in a given time zone.
    pub(super) fn end_ms_in(self, now_ms: u64, zone: &TimeZone) -> Option<u64> {
        let span = match self {
            Self::Millis(length) => return now_ms.checked_add(length),
            Self::Days(days) => Span::new().try_days(days),
            Self::Months(months) => Span::new().try_months(months),
        };
        let begin = Timestamp::from_millisecond(i64::try_from(now_ms).ok()?).ok()?;
        let end = begin.to_zoned(zone.clone()).checked_add(span.ok()?).ok()?;
        u64::try_from(end.timestamp().as_millisecond()).ok()
    }
}
