//! What the sink reports, as messages for the journal: each says what happened,
//! what was kept and, where something is to be done, what.

use evscribe_sink::{OnOffer, Recovery, Report};

/// Logs what the writer thread reports.
pub(crate) fn say(report: &Report) {
    match report {
        Report::Stalled { reason, message } => log::error!(
            reason = reason;
            "the disk takes nothing ({message}); what is written stays, new rows wait and are \
             counted and marked if they become too many; it is tried again every 2 s"
        ),
        Report::Resumed { after } => {
            log::info!("the disk takes rows again, after {} s", after.as_secs());
        }
        Report::Sealed { files, reason } if !files.is_empty() => {
            let rows: u64 = files.iter().map(|file| file.rows).sum();
            log::info!(
                files = files.len(), rows = rows, reason = reason.name();
                "sealed {} files with {rows} rows ({})", files.len(), reason.name()
            );
        }
        Report::Sealed { .. } => {}
        Report::Retained { removed } if !removed.is_empty() => {
            log::info!(files = removed.len(); "retention removed {} files", removed.len());
        }
        Report::Retained { .. } => {}
        Report::RetentionFailed { message } => {
            log::error!("retention could not remove what is due ({message}); it is tried again");
        }
        Report::Damaged { path } => log::error!(
            "journal {} is damaged; it stays, and what is whole is sealed at the next start",
            path.display()
        ),
        Report::Abandoned { path, message } => log::error!(
            "journal {} cannot be sealed ({message}); it stays where it is",
            path.display()
        ),
        Report::Refused { rows, message } => {
            log::error!(rows = rows; "{rows} rows cannot be written: {message}");
        }
        Report::Confirmed { .. } => {}
        Report::Forgotten { outcome: Ok(forgotten), .. } => log::info!(
            files = forgotten.files, rows = forgotten.rows;
            "{} rows were forgotten, {} files rewritten or removed",
            forgotten.rows, forgotten.files
        ),
        Report::Forgotten { outcome: Err(why), .. } => log::error!("not forgotten yet: {why}"),
        Report::Offered(OnOffer { files, waiting }) => log::info!(
            files = files, waiting = waiting;
            "{files} files may be pulled, {waiting} more when they have cooled off"
        ),
        Report::OfferFailed { message } => log::error!(
            "what may be pulled cannot be brought in line ({message}); nothing is served until it \
             can, which is tried again; recording goes on"
        ),
        Report::Pull { puller, outcome: Ok(files), .. } => {
            log::info!(puller = puller.as_str(), files = files; "{puller} pulls, or has: {files} files");
        }
        Report::Pull { puller, outcome: Err(why), .. } => {
            log::warn!(puller = puller.as_str(); "{puller} is refused: {why}");
        }
        Report::Unwritten { rows } => {
            log::error!(rows = rows; "{rows} rows were lost: the disk took nothing until the end");
        }
    }
}

/// Logs what was found at start.
pub fn say_recovery(recovery: &Recovery) {
    for journal in &recovery.journals {
        let how = if journal.closed { "not sealed yet" } else { "left by a crash or power cut" };
        log::warn!(
            rows = journal.rows, segment = journal.segment.as_str();
            "a journal was {how}: {} rows recovered", journal.rows
        );
        for damage in &journal.damages {
            log::warn!("journal {}: {damage:?}", journal.segment);
        }
    }
    for (path, why) in &recovery.unreadable {
        log::error!("journal {} cannot be read ({why}); it stays where it is", path.display());
    }
    if let Some(why) = &recovery.pending_because {
        log::error!(
            "{} journals cannot be sealed yet ({why}); it is tried again",
            recovery.pending
        );
    }
    if !recovery.removed.is_empty() {
        log::info!("retention removed {} files", recovery.removed.len());
    }
    for forgotten in &recovery.forgotten {
        log::warn!(
            "forgetting was interrupted and is done now: {} rows, {} files",
            forgotten.rows,
            forgotten.files
        );
    }
    for why in &recovery.unforgotten {
        log::error!("not forgotten yet: {why}");
    }
    if recovery.ledger_torn_bytes > 0 {
        log::warn!(
            "the ledger's last line was torn by a crash; {} bytes were cut off, and a line says so",
            recovery.ledger_torn_bytes
        );
    }
    if let Some(fault) = &recovery.ledger_broken {
        log::error!(
            "the ledger does not hold ({fault}); it goes on behind it, and a line says so: see \
             what `evscribe ledger verify` says"
        );
    }
    if recovery.pulls_damaged {
        log::warn!(
            "what was remembered of pulls was damaged and is kept as pulls.damaged: every file cools \
             off anew, and is noted anew for who pulls it"
        );
    }
    if let Some(why) = &recovery.outbox_failed {
        log::error!("what may be pulled cannot be brought in line ({why}); nothing is served");
    }
    if recovery.manifest_torn_bytes > 0 {
        log::warn!(
            "the manifest's last line was torn by a crash; {} bytes were cut off, no file is lost",
            recovery.manifest_torn_bytes
        );
    }
}
