//! The notice that people read where the policy names no text of its own, and
//! what a policy means in plain words.

use evscribe_model::{KeyLevel, Level, PointerLevel};

use crate::{AtRest, Policy, RECIPIENTS_PATH, Relationship};

/// What a level keeps of keys, as a person would ask.
#[must_use]
pub const fn keys_in_words(keys: KeyLevel) -> &'static str {
    match keys {
        KeyLevel::Off => "nothing",
        KeyLevel::Timing => "when one is pressed and released, not which",
        KeyLevel::Class => {
            "when one is pressed and released, and its class (letter, digit, enter …), not which"
        }
        KeyLevel::Full => "when one is pressed and released, and which: what you type can be read",
    }
}

/// What a level keeps of mouse, touch and pen.
#[must_use]
pub const fn pointer_in_words(pointer: PointerLevel) -> &'static str {
    match pointer {
        PointerLevel::Off => "nothing",
        PointerLevel::Full => "every movement, click, scroll and touch, with its time",
    }
}

/// What lies on the disk, as a person would ask.
const fn at_rest_in_words(at_rest: AtRest) -> &'static str {
    match at_rest {
        AtRest::Encrypted => "encrypted; who evaluates it has a key, and so has this workstation",
        AtRest::Plain => "not encrypted: who has the disk, or a copy of it, can read it",
    }
}

/// The notice.
pub(crate) fn of(policy: &Policy) -> String {
    let most = policy.ceiling;
    let usual = Level::default().at_most(most);
    let who = match policy.relationship {
        Relationship::Employment => "your employer",
        Relationship::Study => "the study you take part in",
        Relationship::Oneself => "you yourself",
    };
    let basis = policy.lawful_basis.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let hotkey = policy.hotkey.as_ref().map_or_else(String::new, |hotkey| {
        format!("  {:<24} pauses for {} minutes\n", hotkey.words, hotkey.pause_s / 60)
    });
    format!(
        "This workstation can record how you work with keyboard and mouse.\n\
         Nothing is recorded before you acknowledge this notice, and never without your knowledge.\n\
         \n\
         Who:       {controller} ({who}); contact: {contact}\n\
         What for:  {purpose}\n\
         Ground:    {basis}\n\
         Keys:      {keys}\n\
         Pointer:   {pointer}\n\
         At most:   keys={most_keys} pointer={most_pointer}; you may choose less\n\
         When:      {when}\n\
         Kept:      {days} days on this workstation; who evaluates it fetches it from here\n\
         On disk:   {at_rest}\n\
         \n\
         The data is about you: it shows when and how fast you work, and from the rhythm of\n\
         typing a person can be recognised. It carries a pseudonym instead of your name.\n\
         \n\
         You can, at any time and without giving a reason:\n\
         \x20 evscribe status          see what is done\n\
         \x20 evscribe level           choose that less is kept\n\
         \x20 evscribe pause [15m]     pause; evscribe resume\n\
         {hotkey}\
         \x20 evscribe forget 5m       take back what was just recorded\n\
         \x20 evscribe my-data show    see your data; my-data export\n\
         \x20 evscribe opt-out         leave; with --erase, and have it erased here\n",
        controller = policy.controller,
        contact = policy.contact,
        purpose = policy.purpose,
        keys = keys_in_words(usual.keys),
        pointer = pointer_in_words(usual.pointer),
        most_keys = most.keys,
        most_pointer = most.pointer,
        when = when(policy),
        days = policy.retention.days,
        at_rest = at_rest_in_words(policy.at_rest),
    )
}

/// When people may be recorded, as a clause.
fn when(policy: &Policy) -> String {
    let Some(schedule) = &policy.schedule else {
        return "whenever you are at the unlocked desktop".into();
    };
    let days: Vec<_> = schedule
        .days
        .iter()
        .map(|day| format!("{day:?}").chars().take(3).collect::<String>())
        .collect();
    let hours = if schedule.from == schedule.until {
        "all day".into()
    } else {
        format!("{:.5} to {:.5}", schedule.from.to_string(), schedule.until.to_string())
    };
    let zone = schedule.time_zone.iana_name().unwrap_or("UTC");
    format!("{} {hours} ({zone}), while you are at the unlocked desktop", days.join(", "))
}

/// What follows from a policy, a sentence each, for who answers for it.
#[must_use]
pub fn consequences(policy: &Policy) -> Vec<String> {
    let Policy { ceiling, retention, .. } = policy;
    let mut said = vec![
        format!("People are recorded {}, once they acknowledged notice {}.", when(policy), policy.notice_version),
        format!("Of keys at most this is kept: {}.", keys_in_words(ceiling.keys)),
        format!("Of the pointer at most this is kept: {}.", pointer_in_words(ceiling.pointer)),
        format!(
            "Files go after {} days, and the oldest go first beyond {} MiB.",
            retention.days,
            retention.bytes >> 20
        ),
        match policy.at_rest {
            AtRest::Encrypted => format!(
                "Sealed files are encrypted for the recipients in {RECIPIENTS_PATH} and for this \
                 workstation; without a recipient nobody reads them elsewhere."
            ),
            AtRest::Plain => "Sealed files are NOT encrypted: who gets hold of the disk, of a \
                              backup or of a copy reads what was recorded."
                .into(),
        },
        match policy.cooling_off_hours {
            0 => "Files may be pulled as soon as they are sealed: who forgets later must reach copies.".into(),
            hours => format!(
                "Files are to be pulled {hours} hours after they were sealed at the earliest, so \
                 that until then forgetting reaches all of it; nothing enforces it yet."
            ),
        },
        match policy.rotate_days {
            None => "A person has one pseudonym for good: all of their data can be joined.".into(),
            Some(days) => format!(
                "A person's pseudonym changes every {days} days; the host's does not, so where one \
                 person works at it the periods can still be joined."
            ),
        },
        match &policy.hotkey {
            None => "There is no hotkey: people pause with `evscribe pause`.".into(),
            Some(hotkey) => format!("{} pauses for {} minutes.", hotkey.words, hotkey.pause_s / 60),
        },
        match policy.notice_renew.after_us() {
            None => "The notice is shown until it is acknowledged, and again only when it changes.".into(),
            Some(_) => format!(
                "A login shell shows the notice again {}; a graphical login does not.",
                policy.notice_renew
            ),
        },
        "Everybody may look, choose less, pause, forget, export and leave, without asking.".into(),
    ];
    if let (KeyLevel::Full, Some(reason)) = (ceiling.keys, &policy.keys_full_reason) {
        said.push(format!(
            "What a person types can be read, passwords too, if they choose `full`. The stated reason: {reason}."
        ));
    }
    said
}
