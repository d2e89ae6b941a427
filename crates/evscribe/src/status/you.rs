//! How the person who asks stands, and what they can do.

use std::io::Write;

use super::line;
use crate::rights::{Me, words};

pub(super) fn print(out: &mut impl Write, me: &Me) -> std::io::Result<()> {
    writeln!(out, "\nYou ({}):", me.user())?;
    for (about, what) in lines(me) {
        line(out, about, &what)?;
    }
    for (number, (command, does)) in commands(me).iter().enumerate() {
        let about = if number == 0 { "you can" } else { "" };
        line(out, about, &format!("{command:<28} {does}"))?;
    }
    Ok(())
}

fn lines(me: &Me) -> Vec<(&'static str, String)> {
    let mut lines = vec![("standing", standing(me))];
    if !me.why.is_empty() {
        lines.push(("now", me.why.clone()));
    }
    if words::level(&me.level).is_some() {
        lines.push(("level", format!("{} ({})", me.level, words::level_in_words(&me.level))));
    }
    if me.paused_until_us != 0 {
        lines.push(("paused", words::pause_end(me.paused_until_us)));
    }
    if me.notice_due {
        lines.push(("notice", "is to be shown to you again: evscribe notice".into()));
    }
    let files = words::count(me.files.into(), "sealed file");
    lines.push(("yours", format!("{files}, {}", words::size(me.bytes))));
    lines.extend(fetched(me));
    lines
}

/// Who may have copies of it: noted before they could take one.
fn fetched(me: &Me) -> Vec<(&'static str, String)> {
    if me.pulls.is_empty() {
        let none = "nobody fetched anything of yours so far";
        return (me.files > 0).then(|| ("fetched", none.to_owned())).into_iter().collect();
    }
    let of = |(puller, last_us, files): &(String, i64, u64)| {
        let (files, last) = (words::count(*files, "file"), words::moment(*last_us));
        format!("up to {files} by {puller}, last on {last}")
    };
    let mut lines: Vec<_> = me.pulls.iter().map(|pull| ("", of(pull))).collect();
    if let Some(first) = lines.first_mut() {
        first.0 = "fetched";
    }
    lines.push(("", "which ones: evscribe ledger show, lines `pulled`".into()));
    lines
}

fn standing(me: &Me) -> String {
    let Me { notice, .. } = me;
    let given = if me.acknowledged_at_us == 0 {
        format!("notice {notice}")
    } else {
        format!("notice {notice} on {}", words::moment(me.acknowledged_at_us))
    };
    match me.standing.as_str() {
        "acknowledged" => format!("you acknowledged {given}"),
        "paused" => format!("you acknowledged {given} and paused: nothing of you is read"),
        "not_acknowledged" => "you did not acknowledge the notice: nothing of you is read".into(),
        "notice_changed" => format!(
            "the notice changed since you acknowledged {given}: nothing of you is read until you \
             acknowledge it again"
        ),
        "opted_out" => "you opted out: nothing of you is read".into(),
        newer => newer.replace('_', " "),
    }
}

/// The commands that do something for who stands like this.
fn commands(me: &Me) -> Vec<(&'static str, &'static str)> {
    let is_acknowledged = matches!(me.standing.as_str(), "acknowledged" | "paused");
    let mut commands = vec![("evscribe notice", "read the notice")];
    if !is_acknowledged {
        commands.push(("evscribe acknowledge", "be recorded"));
    }
    if is_acknowledged {
        if me.paused_until_us == 0 {
            commands.push(("evscribe pause 15m", "have nothing read for a while"));
        } else {
            commands.push(("evscribe resume", "end the pause"));
        }
        commands.push(("evscribe level timing", "have less kept"));
    }
    if me.files > 0 || is_acknowledged {
        commands.push(("evscribe forget 5m", "have the last minutes forgotten"));
        commands.push(("evscribe my-data show", "look at it; export DIR takes it along"));
    }
    if me.standing != "opted_out" {
        commands.push(("evscribe opt-out", "be recorded no more; --erase erases what was"));
    } else if me.files > 0 {
        commands.push(("evscribe opt-out --erase", "have what was recorded erased"));
    }
    commands.push(("evscribe ledger show", "see what was done with it"));
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing_of(standing: &str) -> Me {
        Me { standing: standing.into(), notice: "3".into(), level: "off".into(), ..Me::default() }
    }

    fn offered(me: &Me) -> Vec<&'static str> {
        commands(me).into_iter().map(|(command, _)| command).collect()
    }

    #[test]
    fn who_is_recorded_is_offered_every_way_out() {
        let commands = offered(&standing_of("acknowledged"));
        for command in ["pause 15m", "level timing", "forget 5m", "my-data show", "opt-out"] {
            assert!(commands.contains(&format!("evscribe {command}").as_str()), "{command}");
        }
        assert!(!commands.contains(&"evscribe acknowledge"));
    }

    #[test]
    fn who_is_not_recorded_is_told_so_and_how_to_be() {
        for state in ["not_acknowledged", "notice_changed", "opted_out"] {
            let me = standing_of(state);
            assert!(standing(&me).contains("nothing of you is read"), "{state}");
            assert!(offered(&me).contains(&"evscribe acknowledge"), "{state}");
        }
    }

    #[test]
    fn who_opted_out_can_still_erase_what_is_left() {
        let mut me = standing_of("opted_out");
        assert!(!offered(&me).contains(&"evscribe opt-out --erase"));
        me.files = 1;
        assert!(offered(&me).contains(&"evscribe opt-out --erase"));
    }

    #[test]
    fn who_fetched_is_named_with_when_and_how_many() {
        let mut me = standing_of("acknowledged");
        assert!(fetched(&me).is_empty(), "there is nothing to fetch");
        me.files = 1;
        assert!(fetched(&me)[0].1.contains("nobody fetched"));
        me.pulls = vec![("lake".into(), 1_000_000, 12), ("other".into(), 0, 1)];
        let said = fetched(&me);
        assert!(
            said[0].0 == "fetched" && said[0].1.starts_with("up to 12 files by lake, last on 1970")
        );
        assert!(said[1].1.starts_with("up to 1 file by other"));
    }

    #[test]
    fn a_pause_is_shown_with_its_end_and_the_way_to_end_it() {
        let me = Me { paused_until_us: i64::MAX, ..standing_of("paused") };
        assert!(offered(&me).contains(&"evscribe resume"));
        assert!(lines(&me).contains(&("paused", "until you resume".into())));
    }
}
