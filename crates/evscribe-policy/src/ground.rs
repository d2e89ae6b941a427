//! On what ground people are recorded: the words, and which go together.

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use toml::Spanned;

use crate::check::Checker;
use crate::file::{PolicyToml, ScheduleToml, Value};
use crate::schedule::Schedule;
use crate::words::words;

const DAY_US: i64 = 86_400_000_000;

words! {
    /// A lawful basis of GDPR article 6(1).
    Basis as "lawful basis" {
        /// (a)
        Consent = "consent",
        /// (b)
        Contract = "contract",
        /// (c)
        LegalObligation = "legal_obligation",
        /// (d)
        VitalInterests = "vital_interests",
        /// (e)
        PublicTask = "public_task",
        /// (f)
        #[default]
        LegitimateInterest = "legitimate_interest",
    }
}

words! {
    /// What ties the recorded people to the controller.
    Relationship as "relationship" {
        /// They work for the controller.
        #[default]
        Employment = "employment",
        /// They take part in a study.
        Study = "study",
        /// They are the controller.
        Oneself = "self",
    }
}

words! {
    /// How often people are shown the notice again.
    Renew as "time to show the notice again" {
        /// Once it was acknowledged, no more.
        #[default]
        Never = "never",
        /// Every 24 hours.
        Daily = "daily",
        /// Every 7 days.
        Weekly = "weekly",
        /// Every 30 days.
        Monthly = "monthly",
    }
}

impl Renew {
    /// After how many microseconds; `None` for never.
    #[must_use]
    pub const fn after_us(self) -> Option<i64> {
        match self {
            Self::Never => None,
            Self::Daily => Some(DAY_US),
            Self::Weekly => Some(7 * DAY_US),
            Self::Monthly => Some(30 * DAY_US),
        }
    }
}

impl Basis {
    /// The bases that a policy names, if they hold.
    pub(crate) fn checked(check: &Checker<'_>, toml: &PolicyToml) -> Vec<Self> {
        let Some(value) = &toml.lawful_basis else {
            check.missing("lawful_basis", "a ground of GDPR article 6, as \"legitimate_interest\"");
            return Vec::new();
        };
        let mut bases = Vec::new();
        for word in value.get_ref().words() {
            match word.parse::<Self>() {
                Ok(basis) => bases.push(basis),
                Err(why) => check.error(value.span(), &why),
            }
        }
        if value.get_ref().words().is_empty() {
            check.error(
                value.span(),
                "names none: recording people needs a ground of GDPR article 6",
            );
        }
        let is_employment =
            toml.relationship.as_ref().is_some_and(|word| word.get_ref() == "employment");
        let is_consent_alone =
            !bases.is_empty() && bases.iter().all(|basis| *basis == Self::Consent);
        if is_employment && is_consent_alone {
            let why = "consent alone does not carry recording in employment: it is hardly free \
                       there (EDPB guidelines 05/2020, 21); name the basis that does";
            check.error(value.span(), why);
        }
        let has_dpia =
            toml.dpia_reference.as_ref().is_some_and(|text| !text.get_ref().trim().is_empty());
        if bases.contains(&Self::LegitimateInterest) && !has_dpia {
            let why = "legitimate_interest needs `dpia_reference`: where interests were weighed and \
                       risks assessed; `evscribe policy dpia` makes the sheet to begin with";
            check.error(value.span(), why);
        }
        bases
    }
}

impl Schedule {
    /// The hours that a policy names, if they hold; `None` where it names none.
    pub(crate) fn checked(check: &Checker<'_>, toml: &ScheduleToml) -> Option<Self> {
        let ScheduleToml { days, from, until, time_zone } = toml;
        if days.is_none() && from.is_none() && until.is_none() && time_zone.is_none() {
            return None;
        }
        let Some(zone) = time_zone else {
            check.missing(
                "schedule.time_zone",
                "hours mean nothing without one, as \"Europe/Berlin\"",
            );
            return None;
        };
        let Ok(time_zone) = TimeZone::get(zone.get_ref()) else {
            let why = format!("`{}` is no time zone: use a name as Europe/Berlin", zone.get_ref());
            check.error(zone.span(), &why);
            return None;
        };
        let schedule = Self {
            days: weekdays(check, days),
            from: time(check, from)?,
            until: time(check, until)?,
            time_zone,
        };
        if schedule.from == schedule.until && from.is_some() {
            let span = until.as_ref().or(from.as_ref()).map_or(0..0, Spanned::span);
            check.error(span, "begins and ends at the same time: leave both out for whole days");
        }
        Some(schedule)
    }
}

fn time(check: &Checker<'_>, value: &Value<String>) -> Option<Time> {
    let Some(text) = value else { return Some(Time::midnight()) };
    let time = text.get_ref().parse();
    if time.is_err() {
        check.error(text.span(), &format!("`{}` is no time: write it as 08:30", text.get_ref()));
    }
    time.ok()
}

fn weekdays(check: &Checker<'_>, value: &Value<Vec<String>>) -> Vec<Weekday> {
    const DAYS: [(&str, Weekday); 7] = [
        ("mon", Weekday::Monday),
        ("tue", Weekday::Tuesday),
        ("wed", Weekday::Wednesday),
        ("thu", Weekday::Thursday),
        ("fri", Weekday::Friday),
        ("sat", Weekday::Saturday),
        ("sun", Weekday::Sunday),
    ];
    let Some(names) = value else { return DAYS.map(|(_, day)| day).to_vec() };
    let mut days = Vec::new();
    for name in names.get_ref() {
        match DAYS.iter().find(|(word, _)| word == name) {
            Some((_, day)) => days.push(*day),
            None => {
                let all = DAYS.map(|(word, _)| word).join(", ");
                check.error(names.span(), &format!("`{name}` is no day: use {all}"));
            }
        }
    }
    if names.get_ref().is_empty() {
        check.error(names.span(), "names no day, so nobody would ever be recorded");
    }
    days
}
