//! More events than the kernel keeps for a reader that is away.
//!
//! | key | before the hole | inside | after |
//! |---|---|---|---|
//! | A | pressed | released | – |
//! | B | pressed | – | released |
//! | D | – | pressed and released | – |
//! | E | – | pressed | released |
//! | F, G | – | hammered until the queue overflows | – |
//! | H | – | – | pressed and released |

use std::time::Duration;

use anyhow::{Context, Result};
use evdev::{KeyCode as Key, RelativeAxisCode as Rel};
use nix::sys::signal::{Signal, kill};
use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

use crate::catalogue;
use crate::keyboard::change;
use crate::mouse;
use crate::player::{Player, rest};
use crate::random::Random;
use crate::score::Score;
use crate::wait::processes;

/// Reports inside a hole: several times what a client's buffer holds.
const BURST: u64 = 1_500;

/// Stops `reader` for a burst, `rounds` times, and prints each hole's boot times.
pub(crate) fn overflow(
    player: &mut Player,
    random: &mut Random,
    reader: &str,
    rounds: u64,
) -> Result<()> {
    let keyboard = player.plug(&catalogue::keyboard())?;
    let pointer = player.plug(&catalogue::mouse())?;
    player.settle(&[keyboard, pointer])?;
    let mut holes = Vec::new();
    for _ in 0..rounds {
        let mut before = Score::default();
        change(&mut before, 0, keyboard, Key::KEY_A, true);
        change(&mut before, 40_000, keyboard, Key::KEY_B, true);
        before.join(60_000, mouse::reach(random, pointer, 1000, 200_000, (300, 120)));
        before.add(300_000, pointer, &mouse::button(Key::BTN_RIGHT, true));
        player.play(&before)?;
        rest(Duration::from_millis(300));

        let pid = pid_of(reader).with_context(|| format!("no process {reader} to stop"))?;
        kill(pid, Signal::SIGSTOP).context("cannot stop the reader")?;
        rest(Duration::from_millis(50));
        let from_us = boot_us()?;
        player.play(&inside(keyboard, pointer))?;
        let until_us = boot_us()?;
        kill(pid, Signal::SIGCONT).context("cannot continue the reader")?;
        rest(Duration::from_millis(300));
        holes.push(serde_json::json!({"from_us": from_us, "until_us": until_us}));

        let mut after = Score::default();
        change(&mut after, 0, keyboard, Key::KEY_E, false);
        change(&mut after, 30_000, keyboard, Key::KEY_B, false);
        change(&mut after, 60_000, keyboard, Key::KEY_H, true);
        change(&mut after, 150_000, keyboard, Key::KEY_H, false);
        after.join(0, mouse::reach(random, pointer, 1000, 200_000, (-100, 90)));
        player.play(&after)?;
        rest(Duration::from_millis(200));
    }
    println!("{}", serde_json::Value::Array(holes));
    Ok(())
}

fn inside(keyboard: usize, pointer: usize) -> Score {
    let mut score = Score::default();
    change(&mut score, 0, keyboard, Key::KEY_A, false);
    change(&mut score, 1_000, keyboard, Key::KEY_D, true);
    change(&mut score, 2_000, keyboard, Key::KEY_D, false);
    change(&mut score, 3_000, keyboard, Key::KEY_E, true);
    score.add(3_500, pointer, &mouse::button(Key::BTN_RIGHT, false));
    score.add(3_700, pointer, &mouse::button(Key::BTN_MIDDLE, true));
    score.add(3_900, pointer, &mouse::button(Key::BTN_MIDDLE, false));
    for n in 0..BURST {
        let at_us = 4_000 + n * 200;
        let key = if n % 4 < 2 { Key::KEY_F } else { Key::KEY_G };
        change(&mut score, at_us, keyboard, key, n % 2 == 0);
        score.add(at_us, pointer, &[(2, Rel::REL_X.0, 1), (2, Rel::REL_Y.0, -1)]);
    }
    score
}

fn boot_us() -> Result<i64> {
    Ok(clock_gettime(ClockId::CLOCK_BOOTTIME)?.num_microseconds())
}

/// The process of that name; of several, any.
fn pid_of(name: &str) -> Option<Pid> {
    processes(name)
        .find_map(|process| Some(Pid::from_raw(process.file_name()?.to_str()?.parse().ok()?)))
}
