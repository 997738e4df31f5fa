//! Moments as people write them into tables.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime};
use outdial_workflows::Moment;

/// Reads a moment: as 2026-01-14T10:00:00+05:30, or without an offset, or as a day alone.
///
/// What is left out is taken as the earliest that it may be: a day as its beginning, and a time without an
/// offset by the clock that is the furthest ahead (UTC+14). Consent that was taken back on the day on
/// which it was given thus stays taken back, and consent that ends on a day is not used on it.
///
/// # Errors
/// Says how to write it. Days as 01/02/2026 are refused: nobody knows which number is the month.
pub fn moment(text: &str) -> Result<Moment, String> {
    let text = text.trim();
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.to_utc());
    }
    let formats = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    let with_time = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|day| day.and_time(NaiveTime::MIN));
    let ahead = FixedOffset::east_opt(14 * 60 * 60);
    let at =
        with_time.or_else(day).zip(ahead).and_then(|(local, ahead)| local.and_local_timezone(ahead).single());
    at.map(|at| at.to_utc()).ok_or_else(|| {
        format!("`{text}` is not a time; write it as 2026-01-14T10:00:00+05:30, or the day as 2026-01-14")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_of_a_time_is_the_earliest_that_it_may_be() {
        for (given, read) in [
            ("2026-01-14T10:00:00+05:30", "2026-01-14T04:30:00Z"),
            (" 2026-01-14T10:00:00Z ", "2026-01-14T10:00:00Z"),
            ("2026-01-14 10:00", "2026-01-13T20:00:00Z"),
            ("2026-01-14T10:00:30", "2026-01-13T20:00:30Z"),
            ("2026-01-14", "2026-01-13T10:00:00Z"),
        ] {
            assert_eq!(moment(given), Ok(read.parse().expect("a time")), "{given}");
        }
        for given in ["01/02/2026", "14 Jan 2026", "2026-02-30", "yesterday", ""] {
            assert!(moment(given).is_err_and(|problem| problem.contains("2026-01-14")), "{given}");
        }
    }
}
