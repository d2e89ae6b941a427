//! Lengths and spans of time as people write them.

use anyhow::{Context, Result, bail};
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::args::ForgetArgs;

/// A span of wall time, microseconds since 1970: from the first, up to but not
/// including the second. It says the same whenever it is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Span {
    pub(super) from_us: i64,
    pub(super) until_us: i64,
}

/// Reads a length of time: `90s`, `15m`, `1h30m`.
///
/// # Errors
/// Where it is none, or not at least a second.
pub(super) fn length(text: &str) -> Result<SignedDuration> {
    let length: SignedDuration = text
        .parse()
        .ok()
        .with_context(|| format!("`{text}` is no length of time: write 90s, 15m or 2h"))?;
    if length < SignedDuration::from_secs(1) {
        bail!("`{text}` is less than a second: write 90s, 15m or 2h");
    }
    Ok(length)
}

/// The span that is to be forgotten.
///
/// # Errors
/// Where a time cannot be read, or the span is empty or yet to come.
pub(super) fn span(args: &ForgetArgs, now: Timestamp, zone: &TimeZone) -> Result<Span> {
    let (from, until) = match (&args.back, &args.from) {
        (Some(back), _) => (now.checked_sub(length(back)?).unwrap_or(Timestamp::MIN), now),
        (None, Some(from)) => {
            let from = moment(from, now, zone, Side::From)?;
            let until = args.until.as_ref();
            (from, until.map_or(Ok(now), |until| moment(until, now, zone, Side::Until))?)
        }
        (None, None) => bail!("say how far back (evscribe forget 5m), or --from when"),
    };
    if from >= now {
        bail!("the span begins at {from}, which is yet to come: there is nothing to forget");
    }
    if from >= until {
        bail!("the span ends at {until}, before it begins at {from}");
    }
    Ok(Span { from_us: from.as_microsecond(), until_us: until.as_microsecond() })
}

/// Which end of a span.
#[derive(Clone, Copy)]
enum Side {
    From,
    Until,
}

/// Reads a moment: RFC 3339, or date and time, date, or time as clocks here show
/// it. Where the clock was set back or forward and shows it twice or never, the
/// span becomes the longer one: what was meant is in it.
fn moment(text: &str, now: Timestamp, zone: &TimeZone, side: Side) -> Result<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let today = now.to_zoned_datetime(zone.clone()).date();
    let civil = text
        .parse::<DateTime>()
        .or_else(|_| text.parse::<Date>().map(DateTime::from))
        .or_else(|_| text.parse::<Time>().map(|time| today.to_datetime(time)))
        .ok()
        .with_context(|| {
            format!(
                "`{text}` is no time: write 2026-11-23T09:00:00Z, \"2026-11-23 09:00\" as clocks \
                 here show it, or 09:00 for today"
            )
        })?;
    let shown = zone.to_ambiguous_timestamp(civil);
    match side {
        Side::From => shown.earlier(),
        Side::Until => shown.later(),
    }
    .with_context(|| format!("`{text}` is out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn args(back: Option<&str>, from: Option<&str>, until: Option<&str>) -> ForgetArgs {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        ForgetArgs { back: owned(back), from: owned(from), until: owned(until) }
    }

    fn between(from: &str, until: &str) -> Span {
        Span { from_us: at(from).as_microsecond(), until_us: at(until).as_microsecond() }
    }

    #[test]
    fn lengths_need_a_unit_and_go_forward() {
        for (text, seconds) in [("90s", 90), ("15m", 900), ("2h", 7_200), ("1h30m", 5_400)] {
            assert_eq!(length(text).unwrap(), SignedDuration::from_secs(seconds), "{text}");
        }
        for wrong in ["", "15", "-15m", "0s", "10ms", "fifteen", "15 parsecs"] {
            let error = length(wrong).unwrap_err().to_string();
            assert!(error.contains("write 90s"), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_length_goes_back_from_now() {
        let now = at("2026-11-23T10:00:00Z");
        let span = span(&args(Some("5m"), None, None), now, &berlin()).unwrap();
        assert_eq!(span, between("2026-11-23T09:55:00Z", "2026-11-23T10:00:00Z"));
    }

    #[test]
    fn times_are_those_of_clocks_here_unless_they_say_more() {
        let now = at("2026-11-23T10:00:00Z");
        for from in ["2026-11-23T09:00:00Z", "2026-11-23 10:00", "2026-11-23T10:00:00", "10:00"] {
            let span = span(&args(None, Some(from), Some("10:30")), now, &berlin()).unwrap();
            assert_eq!(span, between("2026-11-23T09:00:00Z", "2026-11-23T09:30:00Z"), "{from}");
        }
        let day = span(&args(None, Some("2026-11-23"), None), now, &berlin()).unwrap();
        assert_eq!(day, between("2026-11-22T23:00:00Z", "2026-11-23T10:00:00Z"));
    }

    #[test]
    fn an_hour_that_clocks_show_twice_is_forgotten_twice() {
        let now = at("2026-10-25T12:00:00Z");
        let asked = args(None, Some("2026-10-25 02:10"), Some("2026-10-25 02:20"));
        let span = span(&asked, now, &berlin()).unwrap();
        assert_eq!(span, between("2026-10-25T00:10:00Z", "2026-10-25T01:20:00Z"));
    }

    #[test]
    fn an_hour_that_clocks_leave_out_ends_in_no_empty_span() {
        let now = at("2026-03-29T12:00:00Z");
        let asked = args(None, Some("2026-03-29 02:10"), Some("2026-03-29 02:20"));
        let span = span(&asked, now, &berlin()).unwrap();
        assert_eq!(span, between("2026-03-29T00:10:00Z", "2026-03-29T01:20:00Z"));
    }

    #[test]
    fn empty_spans_and_spans_to_come_are_refused() {
        let now = at("2026-11-23T10:00:00Z");
        let refused = |from, until| span(&args(None, Some(from), until), now, &berlin()).is_err();
        assert!(refused("10:00", Some("09:00")));
        assert!(refused("10:00", Some("10:00")));
        assert!(refused("2027-01-01", None));
        assert!(refused("yesterday", None));
    }
}
