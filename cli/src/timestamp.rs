//! Times as people write them (RFC 3339) and as the operator API carries them (Unix milliseconds).

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Writes Unix milliseconds as RFC 3339 in UTC; `None` for 0, which means "unset".
pub(crate) fn to_text(unix_ms: u64) -> Option<String> {
    if unix_ms == 0 {
        return None;
    }
    let nanos = i128::from(unix_ms) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .ok()?
        .format(&Rfc3339)
        .ok()
}

/// Reads an RFC 3339 time; for command-line arguments.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|error| {
        format!("expected an RFC 3339 time such as 2027-01-31T12:00:00Z: {error}")
    })?;
    u64::try_from(time.unix_timestamp_nanos() / 1_000_000)
        .map_err(|_negative| "expected a time after 1970".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_survive_a_round_trip() {
        let text = to_text(1_700_000_000_123).unwrap();
        assert_eq!(text, "2023-11-14T22:13:20.123Z");
        assert_eq!(parse(&text), Ok(1_700_000_000_123));
    }

    #[test]
    fn offsets_are_honoured_and_zero_is_unset() {
        assert_eq!(parse("2023-11-14T23:13:20+01:00"), Ok(1_700_000_000_000));
        assert_eq!(to_text(0), None);
    }

    #[test]
    fn text_that_is_no_time_is_refused() {
        assert!(parse("tomorrow").is_err());
        assert!(parse("1960-01-01T00:00:00Z").is_err());
    }
}
