//! Dates and times (XML Schema Part 2 §3.2.7 to §3.2.14).

/// A point in time, or in a day, a year, a month.
///
/// A value without a time zone is read as one in UTC, so that all values have an order.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub(crate) struct Instant {
    /// Seconds since 1970, or since the first of the recurring period.
    seconds: i128,
    /// Digits of the fraction, without trailing zeros.
    fraction: String,
}

/// Most digits of a year.
const YEAR_DIGITS_MAX: usize = 12;

struct Cursor<'t>(&'t str);

impl<'t> Cursor<'t> {
    fn is_next(&mut self, character: char) -> bool {
        match self.0.strip_prefix(character) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, character: char) -> Option<()> {
        self.is_next(character).then_some(())
    }

    fn digits(&mut self) -> &'t str {
        let length = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at(length);
        self.0 = rest;
        digits
    }

    /// A number of two digits within a range.
    fn two(&mut self, least: u32, most: u32) -> Option<u32> {
        let digits = self.0.get(..2)?;
        let number = digits.parse().ok()?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        self.0 = &self.0[2..];
        (is_number && (least..=most).contains(&number)).then_some(number)
    }

    /// A year of at least four digits; there is no year zero.
    fn year(&mut self) -> Option<i64> {
        let is_negative = self.is_next('-');
        let digits = self.digits();
        if !(4..=YEAR_DIGITS_MAX).contains(&digits.len())
            || digits.len() > 4 && digits.starts_with('0')
        {
            return None;
        }
        let year: i64 = digits.parse().ok().filter(|year| *year != 0)?;
        // The year before 1 is -1.
        Some(if is_negative { 1 - year } else { year })
    }

    /// Seconds of the day with the digits of the fraction; 24:00:00 is the end of the day.
    fn time(&mut self) -> Option<(u32, String)> {
        let hour = self.two(0, 24)?;
        self.expect(':')?;
        let minute = self.two(0, 59)?;
        self.expect(':')?;
        let second = self.two(0, 59)?;
        let mut fraction = "";
        if self.is_next('.') {
            fraction = self.digits();
            if fraction.is_empty() {
                return None;
            }
        }
        let fraction = fraction.trim_end_matches('0').to_owned();
        if hour == 24 && (minute > 0 || second > 0 || !fraction.is_empty()) {
            return None;
        }
        Some((hour * 3600 + minute * 60 + second, fraction))
    }

    /// The time zone in seconds, then nothing more.
    fn zone(&mut self) -> Option<i128> {
        if self.0.is_empty() || self.is_next('Z') {
            return self.0.is_empty().then_some(0);
        }
        let is_east = self.is_next('+');
        if !is_east {
            self.expect('-')?;
        }
        let hours = self.two(0, 14)?;
        self.expect(':')?;
        let minutes = self.two(0, if hours == 14 { 0 } else { 59 })?;
        let seconds = i128::from(hours * 3600 + minutes * 60);
        self.0
            .is_empty()
            .then_some(if is_east { seconds } else { -seconds })
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of_month(year: i64, month: u32) -> u32 {
    match month {
        2 => 28 + u32::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar.
fn days(year: i64, month: u32, day: u32) -> i128 {
    // Years begin in March, so that the leap day is the last.
    let year = i128::from(year) - i128::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month = i128::from((month + 9) % 12);
    let day_of_year = (153 * month + 2) / 5 + i128::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn instant(days: i128, seconds: u32, fraction: String, zone: i128) -> Instant {
    Instant {
        seconds: days * 86_400 + i128::from(seconds) - zone,
        fraction,
    }
}

pub(crate) fn date_time(text: &str) -> Option<Instant> {
    let mut cursor = Cursor(text);
    let day = calendar_day(&mut cursor)?;
    cursor.expect('T')?;
    let (seconds, fraction) = cursor.time()?;
    Some(instant(day, seconds, fraction, cursor.zone()?))
}

pub(crate) fn date(text: &str) -> Option<Instant> {
    let mut cursor = Cursor(text);
    let day = calendar_day(&mut cursor)?;
    Some(instant(day, 0, String::new(), cursor.zone()?))
}

fn calendar_day(cursor: &mut Cursor<'_>) -> Option<i128> {
    let year = cursor.year()?;
    cursor.expect('-')?;
    let month = cursor.two(1, 12)?;
    cursor.expect('-')?;
    let day = cursor.two(1, days_of_month(year, month))?;
    Some(days(year, month, day))
}

pub(crate) fn time(text: &str) -> Option<Instant> {
    let mut cursor = Cursor(text);
    let (seconds, fraction) = cursor.time()?;
    Some(instant(0, seconds % 86_400, fraction, cursor.zone()?))
}

pub(crate) fn year_month(text: &str) -> Option<Instant> {
    let mut cursor = Cursor(text);
    let year = cursor.year()?;
    cursor.expect('-')?;
    let month = cursor.two(1, 12)?;
    Some(instant(
        days(year, month, 1),
        0,
        String::new(),
        cursor.zone()?,
    ))
}

pub(crate) fn year(text: &str) -> Option<Instant> {
    let mut cursor = Cursor(text);
    let year = cursor.year()?;
    Some(instant(days(year, 1, 1), 0, String::new(), cursor.zone()?))
}

pub(crate) fn month_day(text: &str) -> Option<Instant> {
    let mut cursor = Cursor(text.strip_prefix("--")?);
    let month = cursor.two(1, 12)?;
    cursor.expect('-')?;
    // In a leap year every day exists.
    let day = cursor.two(1, days_of_month(2000, month))?;
    Some(instant(
        days(2000, month, day),
        0,
        String::new(),
        cursor.zone()?,
    ))
}

pub(crate) fn day(text: &str) -> Option<Instant> {
    let mut cursor = Cursor(text.strip_prefix("---")?);
    let day = cursor.two(1, 31)?;
    Some(instant(i128::from(day), 0, String::new(), cursor.zone()?))
}

pub(crate) fn month(text: &str) -> Option<Instant> {
    let mut cursor = Cursor(text.strip_prefix("--")?);
    let month = cursor.two(1, 12)?;
    Some(instant(
        days(2000, month, 1),
        0,
        String::new(),
        cursor.zone()?,
    ))
}

/// `-?PnYnMnDTnHnMnS` with at least one part (XML Schema Part 2 §3.2.6).
pub(crate) fn is_duration(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let Some(text) = text.strip_prefix('P') else {
        return false;
    };
    let (date, time) = match text.split_once('T') {
        Some((_, "")) => return false,
        Some((date, time)) => (date, time),
        None => (text, ""),
    };
    let is_empty = date.is_empty() && time.is_empty();
    !is_empty && has_parts(date, "YMD") && has_parts(time, "HMS")
}

/// Whether a text is numbers with these letters, in this order; seconds may have a fraction.
fn has_parts(text: &str, letters: &str) -> bool {
    let mut cursor = Cursor(text);
    let mut letters = letters.chars();
    while !cursor.0.is_empty() {
        if cursor.digits().is_empty() {
            return false;
        }
        let has_fraction = cursor.is_next('.');
        if has_fraction && cursor.digits().is_empty() {
            return false;
        }
        let Some(letter) = cursor.0.chars().next() else {
            return false;
        };
        if has_fraction && letter != 'S' || !letters.any(|known| known == letter) {
            return false;
        }
        cursor.0 = &cursor.0[letter.len_utf8()..];
    }
    true
}
