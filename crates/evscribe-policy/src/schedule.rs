//! The hours in which people may be recorded at all.

use jiff::civil::{DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, Timestamp};

/// Days of which an edge is looked for: a week, and what lies around it.
const DAYS_AHEAD: i64 = 9;

/// Days and hours of a time zone. Where `until` is not after `from`, a day's
/// hours end on the next day.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Schedule {
    /// Days on which the hours begin.
    pub days: Vec<Weekday>,
    /// When they begin, by the clock on the wall.
    pub from: Time,
    /// When they end.
    pub until: Time,
    /// Whose wall clock.
    pub time_zone: TimeZone,
}

/// What a schedule says of a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment {
    /// Whether people may be recorded.
    pub open: bool,
    /// When that changes next; `None` for never.
    pub changes_at: Option<Timestamp>,
}

impl Schedule {
    /// What it says of `at`. Hours that daylight saving leaves out or repeats
    /// count as the clock on the wall shows them.
    #[must_use]
    pub fn at(&self, at: Timestamp) -> Moment {
        let spans = self.spans(at);
        let open = spans.iter().any(|(from, until)| *from <= at && at < *until);
        let edges = spans.iter().flat_map(|(from, until)| [*from, *until]);
        // An end that is another's beginning changes nothing.
        let is_open = |at: Timestamp| spans.iter().any(|(from, until)| *from <= at && at < *until);
        let changes_at = edges.filter(|edge| *edge > at && is_open(*edge) != open).min();
        Moment { open, changes_at }
    }

    /// The hours of the days around `at`.
    fn spans(&self, at: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        let today = self.time_zone.to_datetime(at).date();
        let day = |n: i64| today.checked_add(Span::new().days(n)).ok();
        let mut spans = Vec::new();
        for date in (-2..DAYS_AHEAD).filter_map(day) {
            if !self.days.contains(&date.weekday()) {
                continue;
            }
            let end = if self.until > self.from { Some(date) } else { date.tomorrow().ok() };
            let from = self.begin(DateTime::from_parts(date, self.from));
            let until = end.and_then(|end| self.end(DateTime::from_parts(end, self.until)));
            spans.extend(from.zip(until));
        }
        spans
    }

    /// A time that is skipped is taken as much later, one that comes twice as the
    /// first.
    fn begin(&self, wall: DateTime) -> Option<Timestamp> {
        self.time_zone.to_ambiguous_timestamp(wall).compatible().ok()
    }

    /// The first instant at which the wall clock is there or past it, so that
    /// nobody is recorded longer than it says: of a time that is skipped when it
    /// is skipped, of one that comes twice the first.
    fn end(&self, wall: DateTime) -> Option<Timestamp> {
        let ends = self.time_zone.to_ambiguous_timestamp(wall);
        if !matches!(ends.offset(), AmbiguousOffset::Gap { .. }) {
            return ends.compatible().ok();
        }
        // By the offset after the gap it lies before it, by less than the gap is
        // long: what changes next is the gap.
        let before = ends.earlier().ok()?;
        Some(self.time_zone.following(before).next()?.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(days: &[Weekday], from: &str, until: &str) -> Schedule {
        Schedule {
            days: days.to_vec(),
            from: from.parse().unwrap(),
            until: until.parse().unwrap(),
            time_zone: TimeZone::get("Europe/Berlin").unwrap(),
        }
    }

    const WEEK: [Weekday; 5] =
        [Weekday::Monday, Weekday::Tuesday, Weekday::Wednesday, Weekday::Thursday, Weekday::Friday];

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn it_opens_and_closes_by_the_wall_clock_of_its_zone() {
        let hours = schedule(&WEEK, "08:00", "18:00");
        let morning = at("2026-11-23T07:00:00Z");
        let evening = at("2026-11-23T17:00:00Z");
        let one = Span::new().microseconds(1);
        assert_eq!(hours.at(morning - one), Moment { open: false, changes_at: Some(morning) });
        assert_eq!(hours.at(morning), Moment { open: true, changes_at: Some(evening) });
        assert!(!hours.at(evening).open);
        assert_eq!(hours.at(evening).changes_at, Some(at("2026-11-24T07:00:00Z")));
    }

    #[test]
    fn a_day_that_is_left_out_is_closed() {
        let hours = schedule(&WEEK, "08:00", "18:00");
        let saturday = hours.at(at("2026-11-28T12:00:00Z"));
        assert_eq!(saturday, Moment { open: false, changes_at: Some(at("2026-11-30T07:00:00Z")) });
    }

    #[test]
    fn hours_over_midnight_belong_to_the_day_they_begin_on() {
        let nights = schedule(&[Weekday::Friday], "22:00", "06:00");
        assert!(nights.at(at("2026-11-28T04:59:00Z")).open);
        assert!(!nights.at(at("2026-11-28T05:00:00Z")).open);
        assert!(!nights.at(at("2026-11-28T21:30:00Z")).open);
    }

    #[test]
    fn daylight_saving_moves_the_edges_with_the_wall_clock() {
        let all = [WEEK.as_slice(), &[Weekday::Saturday, Weekday::Sunday]].concat();
        let hours = schedule(&all, "08:00", "18:00");
        assert_eq!(
            hours.at(at("2026-03-28T20:00:00Z")).changes_at,
            Some(at("2026-03-29T06:00:00Z"))
        );
        assert_eq!(
            hours.at(at("2026-10-24T20:00:00Z")).changes_at,
            Some(at("2026-10-25T07:00:00Z"))
        );
        // 02:30 does not exist on that day, and comes twice on the other.
        let early = schedule(&all, "02:30", "04:00");
        assert!(early.at(at("2026-03-29T01:30:00Z")).open);
        let late = schedule(&all, "01:00", "02:30");
        assert!(!late.at(at("2026-10-25T01:00:00Z")).open);
        assert!(late.at(at("2026-10-25T00:15:00Z")).open);
    }

    #[test]
    fn an_end_that_daylight_saving_skips_comes_when_it_is_skipped() {
        let one = Span::new().microseconds(1);
        let gap = at("2026-03-29T01:00:00Z");
        // The wall clock goes from 02:00 to 03:00.
        for until in ["02:00", "02:30", "02:59:59.999999", "03:00"] {
            let hours = schedule(&[Weekday::Sunday], "00:00", until);
            assert_eq!(
                hours.at(gap - one),
                Moment { open: true, changes_at: Some(gap) },
                "{until}"
            );
            assert!(!hours.at(gap).open, "{until}");
        }
        let inside = schedule(&[Weekday::Sunday], "02:10", "02:30");
        assert!(!inside.at(gap).open && !inside.at(at("2026-03-29T01:15:00Z")).open);
        assert!(inside.at(at("2026-04-05T00:15:00Z")).open);
    }

    #[test]
    fn hours_that_meet_at_midnight_have_no_edge() {
        let all = [WEEK.as_slice(), &[Weekday::Saturday, Weekday::Sunday]].concat();
        let always = schedule(&all, "00:00", "00:00");
        assert!(always.at(at("2026-11-23T23:00:00Z")).open);
        let edge = always.at(at("2026-11-23T22:00:00Z")).changes_at;
        assert!(edge.is_none_or(|edge| edge > at("2026-11-30T00:00:00Z")), "{edge:?}");
    }
}
