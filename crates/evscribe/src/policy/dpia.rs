//! The assessment and the record of processing, from the configuration in force.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use evscribe_model::KeyLevel;
use evscribe_policy::{AtRest, Policy, consequences, keys_in_words, pointer_in_words};
use similar::{ChangeTag, TextDiff};

use super::{DpiaArgs, html};
use crate::service::Service;

/// What the unit's sandbox is shown by.
const HARDENING: [&str; 10] = [
    "User",
    "PrivateNetwork",
    "RestrictAddressFamilies",
    "ProtectSystem",
    "ProtectHome",
    "NoNewPrivileges",
    "CapabilityBoundingSet",
    "LimitCORE",
    "MemorySwapMax",
    "DevicePolicy",
];

/// The line that differs between two sheets of the same configuration.
const MADE: &str = "Made ";

/// What follows on its line differs with whether the service runs.
const RUNNING: &str = "; the running service ";

pub(super) fn run(args: &DpiaArgs) -> Result<ExitCode> {
    let policy = Policy::load(&args.policy)?;
    let sheet = markdown(&args.policy, &policy);
    if let Some(old) = &args.check {
        return changed(old, &sheet);
    }
    let text = if args.html { html::of(&sheet) } else { sheet };
    match &args.out {
        Some(file) => std::fs::write(file, text)
            .with_context(|| format!("{} cannot be written", file.display()))?,
        None => print!("{text}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints what changed since the sheet in that file.
fn changed(old: &Path, new: &str) -> Result<ExitCode> {
    let before = std::fs::read_to_string(old)
        .with_context(|| format!("{} cannot be read", old.display()))?;
    let (before, after) = (of_the_configuration(&before), of_the_configuration(new));
    let diff = TextDiff::from_lines(&before, &after);
    let mut is_changed = false;
    for change in diff.iter_all_changes() {
        let sign = match change.tag() {
            ChangeTag::Equal => continue,
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
        };
        is_changed = true;
        print!("{sign} {change}");
    }
    if is_changed {
        return Ok(ExitCode::FAILURE);
    }
    println!("nothing changed since {}", old.display());
    Ok(ExitCode::SUCCESS)
}

/// The sheet without what says only when it was made, and beside which service.
fn of_the_configuration(sheet: &str) -> String {
    let mut text = String::new();
    // Both stand in its head; below it, lines are also the policy's and the notice's.
    let mut is_head = true;
    for line in sheet.lines() {
        is_head &= !line.starts_with("## ");
        if is_head && line.starts_with(MADE) {
            continue;
        }
        let running = line.split_once(RUNNING).filter(|_| is_head);
        let _ = writeln!(text, "{}", running.map_or(line, |(policy, _)| policy));
    }
    text
}

/// The sheet.
fn markdown(path: &Path, policy: &Policy) -> String {
    let mut text = String::new();
    let bases = policy.lawful_basis.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "none stated".into());
    let rows = [
        ("Controller", policy.controller.clone()),
        ("Contact", policy.contact.clone()),
        ("Purpose", policy.purpose.clone()),
        ("Lawful basis (art. 6)", bases),
        ("Relationship", policy.relationship.to_string()),
        ("Assessment on file", or_none(&policy.dpia_reference)),
        ("Data subjects", "persons at this workstation who acknowledged the notice".into()),
        (
            "Keys, at most",
            format!("`{}`: {}", policy.ceiling.keys, keys_in_words(policy.ceiling.keys)),
        ),
        (
            "Pointer, at most",
            format!("`{}`: {}", policy.ceiling.pointer, pointer_in_words(policy.ceiling.pointer)),
        ),
        ("Reason for `full` keys", or_none(&policy.keys_full_reason)),
        ("Never kept", "serial numbers, names of people, screen, windows, sound, camera".into()),
        ("Recipients", "the data team that pulls; nothing is sent".into()),
        ("Third countries", "to be filled in by the controller".into()),
        (
            "Retention",
            format!("{} days, at most {} MiB", policy.retention.days, policy.retention.bytes >> 20),
        ),
        ("Sealed files", policy.at_rest.to_string()),
        ("Cooling-off before a pull", format!("{} hours", policy.cooling_off_hours)),
        (
            "Notice",
            format!("version {}, SHA-256 `{}`", policy.notice_version, policy.notice_sha256),
        ),
    ];
    let _ = write!(
        text,
        "# Record of processing and impact assessment: evscribe\n\n\
         {MADE}{} by evscribe {} from `{}`.\n\n\
         Policy SHA-256 `{}`{RUNNING}{}.\n\n\
         ## Record of processing (GDPR art. 30)\n\n| what | |\n|---|---|\n",
        jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        env!("CARGO_PKG_VERSION"),
        path.display(),
        policy.sha256,
        in_force(&policy.sha256),
    );
    for (what, is) in rows {
        let _ = writeln!(text, "| {what} | {} |", cell(&is));
    }
    text.push_str("\n## What follows from it\n\n");
    for sentence in consequences(policy) {
        let _ = writeln!(text, "- {sentence}");
    }
    text.push_str("\n## Risks and what is done about them (GDPR art. 35(7))\n\n| risk | done | left |\n|---|---|---|\n");
    for (risk, done, left) in risks(policy) {
        let _ = writeln!(text, "| {risk} | {done} | {left} |");
    }
    text.push_str("\n## Technical measures, as systemd has them\n\n");
    match hardening() {
        None => text.push_str("systemd does not know `evscribed.service` here.\n"),
        Some(lines) => {
            text.push_str("| setting | value |\n|---|---|\n");
            for (name, value) in lines {
                let _ = writeln!(text, "| {name} | `{}` |", cell(&value));
            }
        }
    }
    text.push_str("\n## The notice that people acknowledge\n\n```text\n");
    text.push_str(policy.notice_text.trim_end());
    text.push_str("\n```\n\n## To be filled in by the controller\n\n- Necessity and proportionality, in your own words.\n- Views of the data subjects or their representatives.\n- Advice of the data protection officer.\n");
    text
}

fn risks(policy: &Policy) -> Vec<(&'static str, &'static str, &'static str)> {
    let mut risks = vec![
        (
            "People are recorded without knowing",
            "no device is opened before the person at the seat acknowledged this very notice; status, bus and ledger show it",
            "an administrator can replace the software",
        ),
        (
            "A person is recognised by the rhythm of typing or moving",
            "pseudonyms are keyed hashes; the person may choose less, pause, forget, leave",
            "timing identifies; the data is personal data throughout",
        ),
        (
            "Data is kept or copied beyond its purpose",
            "retention by age and size; nothing is sent; a tombstone follows what was forgotten",
            "copies that were pulled are the data team's to erase",
        ),
        (
            "Data is read by others on the workstation",
            "own user, folders closed to others, the journal encrypted",
            "root reads the workstation's key, and with it what is kept",
        ),
        match policy.at_rest {
            AtRest::Encrypted => (
                "The disk, a backup or a pulled copy comes into other hands",
                "sealed files are encrypted for the data team and for the workstation",
                "the workstation's key is on the same disk, sealed only where `evscribe keys list` \
                 says so; deleted blocks hold ciphertext",
            ),
            AtRest::Plain => (
                "The disk, a backup or a pulled copy comes into other hands",
                "nothing here: the policy has sealed files plain; full-disk encryption may",
                "who has a copy reads it",
            ),
        },
    ];
    if policy.ceiling.keys == KeyLevel::Full {
        risks.push((
            "Typed text, passwords too, can be read",
            "only of who chose `full` themselves",
            "whoever reads the data of these people reads what they typed",
        ));
    }
    risks
}

/// Whether the service works by exactly this policy.
fn in_force(sha256: &str) -> &'static str {
    let running =
        Service::connect().and_then(|service| service.ask(async |bus| bus.policy_sha256().await));
    match running.ok() {
        None => "could not be asked whether it works by it",
        Some(running) if running == sha256 => "works by exactly this policy",
        Some(_) => "works by ANOTHER policy: `systemctl reload evscribed` puts this one in force",
    }
}

/// What systemd says of the unit; `None` where it does not know it.
fn hardening() -> Option<Vec<(String, String)>> {
    let names = format!("LoadState,{}", HARDENING.join(","));
    let asked =
        Command::new("systemctl").args(["show", "evscribed.service", "-p", &names]).output();
    let output = String::from_utf8(asked.ok()?.stdout).ok()?;
    let pairs: Vec<(String, String)> = output
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let is_loaded = pairs.iter().any(|(name, value)| name == "LoadState" && value == "loaded");
    is_loaded.then(|| pairs.into_iter().filter(|(name, _)| name != "LoadState").collect())
}

/// A text that stays in its cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(more: &str) -> Policy {
        let text = format!(
            "purpose = \"to | learn\"\nlawful_basis = \"contract\"\nrelationship = \"study\"\n\
             [controller]\nname = \"<b>Example\"\ncontact = \"c\"\n[retention]\ndays = 1\n\
             [notice]\nversion = \"1\"\n{more}"
        );
        Policy::parse(Path::new("p.toml"), &text).unwrap()
    }

    #[test]
    fn the_sheet_says_what_the_policy_says() {
        let sheet = markdown(Path::new("p.toml"), &policy(""));
        assert!(sheet.contains("| Purpose | to \\| learn |"));
        assert!(sheet.contains("| Keys, at most | `class`:"));
        assert!(sheet.contains("| Sealed files | encrypted |"));
        assert!(!sheet.contains("passwords"));
        let full = "[level]\nkeys = \"full\"\nkeys_full_reason = \"r\"\n";
        assert!(markdown(Path::new("p.toml"), &policy(full)).contains("Typed text, passwords too"));
    }

    #[test]
    fn an_unchanged_configuration_is_told_apart_from_a_changed_one() {
        let folder = tempfile::tempdir().unwrap();
        let old = folder.path().join("old.md");
        std::fs::write(&old, markdown(Path::new("p.toml"), &policy(""))).unwrap();
        let same = changed(&old, &markdown(Path::new("p.toml"), &policy(""))).unwrap();
        assert_eq!(same, ExitCode::SUCCESS);
        let other = markdown(Path::new("p.toml"), &policy("[pull]\ncooling_off_hours = 9\n"));
        assert_eq!(changed(&old, &other).unwrap(), ExitCode::FAILURE);
    }

    #[test]
    fn a_stopped_service_changes_no_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let (old, sheet) = (folder.path().join("old.md"), markdown(Path::new("p"), &policy("")));
        let (before, after) = sheet.split_once(RUNNING).unwrap();
        let (_, below) = after.split_once('\n').unwrap();
        std::fs::write(&old, format!("{before}{RUNNING}works otherwise.\n{below}")).unwrap();
        assert_eq!(changed(&old, &sheet).unwrap(), ExitCode::SUCCESS);
        // The policy that stands before it on its line still counts.
        let other = sheet.replacen("Policy SHA-256 `", "Policy SHA-256 `0", 1);
        assert_eq!(changed(&old, &other).unwrap(), ExitCode::FAILURE);
    }

    #[test]
    fn what_a_policy_says_is_no_markup() {
        let page = html::of(&markdown(Path::new("p.toml"), &policy("")));
        assert!(page.contains("&lt;b&gt;Example") && !page.contains("<b>Example"));
    }
}
