//! The desk without a kernel: what its devices would say, as files.
//!
//! A file a device, `<name>.raw`: `struct input_event` of a 64-bit kernel one
//! after the other, `SYN_REPORT` included, as `cat /dev/input/eventN` gives
//! them. One seed writes one set of files, on every machine.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::desk::{Desk, desk};
use crate::player::Player;
use crate::random::Random;

/// The devices' files, by their numbers in the score.
const NAMES: [&str; 3] = ["keyboard", "mouse", "touchpad"];

/// When the first report is due, seconds after boot.
const BEGIN: Duration = Duration::from_secs(1000);

/// A report is stamped up to this much late, any moment as likely as another:
/// what polling and interrupts do to a mouse that keeps its own time.
const LATE_US: i64 = 15;

/// Writes `seconds` of desk into `directory`; returns how many events.
pub(crate) fn write_desk(
    directory: &Path,
    random: &mut Random,
    seconds: u64,
    mouse_hz: u64,
    player: &mut Player,
) -> Result<u64> {
    let mut score =
        desk(random, Desk { keyboard: 0, mouse: 1, touchpad: 2, mouse_hz }, seconds).notes;
    score.sort_by_key(|note| note.at);
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    let create = |name: &str| {
        let path = directory.join(format!("{name}.raw"));
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()));
        Ok(BufWriter::new(file?))
    };
    let mut files = NAMES.into_iter().map(create).collect::<Result<Vec<_>>>()?;
    // A device stamps its reports in order, however late.
    let mut last = [Duration::ZERO; NAMES.len()];
    let mut count = 0;
    for note in score {
        let values = player.changed(note.device, &note.values);
        let late = Duration::from_micros(random.between(0, LATE_US).unsigned_abs());
        let (Some(file), Some(last)) = (files.get_mut(note.device), last.get_mut(note.device))
        else {
            continue;
        };
        if values.iter().all(|value| value.0 == 0) {
            continue;
        }
        *last = (*last).max(BEGIN + note.at + late);
        for (kind, code, value) in values {
            file.write_all(&last.as_secs().to_le_bytes())?;
            file.write_all(&u64::from(last.subsec_micros()).to_le_bytes())?;
            file.write_all(&kind.to_le_bytes())?;
            file.write_all(&code.to_le_bytes())?;
            file.write_all(&value.to_le_bytes())?;
            count += 1;
        }
    }
    files.iter_mut().try_for_each(|file| file.flush()).context("cannot write the desk")?;
    Ok(count)
}
