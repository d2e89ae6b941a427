//! `hands`: virtual devices that type and move, and a record of what they sent.
//!
//! Needs `/dev/uinput`, so it works in the guest; a seed makes it repeat. The
//! record is one JSON object a report: `t_us` (boot time just before the report
//! was written), `device` (name) and `events` (type, code, value).

#![forbid(unsafe_code)]

mod blink;
mod catalogue;
mod chord;
mod crowd;
mod desk;
mod device;
mod flood;
mod hold;
mod keyboard;
mod liar;
mod mouse;
mod overflow;
mod player;
mod pointing;
mod random;
mod raw;
mod score;
mod script;
#[cfg(test)]
mod tests;
mod touch;
mod wait;
mod zoo;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::desk::{Desk, desk};
use crate::device::Spec;
use crate::mouse::Wheel;
use crate::player::{Player, rest};
use crate::random::Random;
use crate::score::Score;
use crate::touch::Surface;
use crate::wait::{Readiness, wait_until_idle};
use crate::zoo::Housed;

/// Virtual devices that type and move, and a record of what they sent.
#[derive(Parser)]
struct Arguments {
    /// Decides everything that looks random
    #[arg(long, default_value_t = 1, global = true)]
    seed: u64,
    /// Where to write what was sent, one JSON object a report; beside it an empty
    /// file of the same name and `.begun` appears when the playing begins
    #[arg(long, global = true)]
    record: Option<PathBuf>,
    /// How long udev has for its rules after a device appeared
    #[arg(long, default_value_t = 300, global = true)]
    settle_ms: u64,
    /// Begin only when a process of this name has the devices open
    #[arg(long, global = true)]
    wait_for: Option<String>,
    /// Begin only when a process of this name has one of the devices open
    #[arg(long, global = true)]
    recorder: Option<String>,
    /// How long the devices stay after the last report, at least
    #[arg(long, default_value_t = 300, global = true)]
    linger_ms: u64,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// A mouse that moves in every report
    Mouse {
        #[arg(long, default_value_t = 1000)]
        hz: u64,
        #[arg(long, default_value_t = 5)]
        seconds: u64,
        #[arg(long, value_enum, default_value_t = Wheel::HiRes)]
        wheel: Wheel,
        /// How many mice move at once
        #[arg(long, default_value_t = 1)]
        count: usize,
    },
    /// A keyboard that types invented words
    Keyboard {
        #[arg(long, default_value_t = 1000)]
        hz: u64,
        #[arg(long, default_value_t = 10)]
        seconds: u64,
    },
    /// A keyboard that presses or releases a key at every poll, for measuring
    Strokes {
        #[arg(long, default_value_t = 125)]
        hz: u64,
        #[arg(long, default_value_t = 10)]
        seconds: u64,
    },
    /// A keyboard that types these keys: `z q x leftctrl+leftalt+pause .500 a`
    Type {
        /// Kernel names without `KEY_`, chords joined by `+`, `.500` waits 500 ms
        words: String,
        /// How often
        #[arg(long, default_value_t = 1)]
        times: u64,
    },
    /// A touchpad under up to five fingers
    Touchpad {
        #[arg(long, default_value_t = 140)]
        hz: u64,
        #[arg(long, default_value_t = 5)]
        fingers: usize,
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
    /// A touchscreen under up to five fingers
    Touchscreen {
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
    /// A pen on a tablet
    Pen {
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
    /// A virtual machine's absolute mouse
    AbsMouse {
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
    /// A keyboard cover that is folded
    Switch {
        #[arg(long, default_value_t = 4)]
        seconds: u64,
    },
    /// Keyboard, mouse and touchpad as a person uses them
    Desk {
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        #[arg(long, default_value_t = 1000)]
        mouse_hz: u64,
        /// Plays nothing and needs no kernel: writes what the devices would say
        /// into this directory, as they would be read
        #[arg(long)]
        raw: Option<PathBuf>,
    },
    /// Twenty devices that only exist; prints which should be selected
    Zoo {
        #[arg(long, default_value_t = 30)]
        seconds: u64,
    },
    /// A mouse unplugged with a button held, and plugged in again
    Hold,
    /// More events than the kernel keeps while the reader is stopped
    Overflow {
        /// The process to stop
        #[arg(long, default_value = "evscribed")]
        reader: String,
        #[arg(long, default_value_t = 3)]
        rounds: u64,
    },
    /// Sixteen devices at once
    Crowd {
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
    /// A mouse at the highest rate there is, a keyboard beside it
    Flood {
        #[arg(long, default_value_t = 50_000)]
        reports: u64,
    },
    /// Forty keys in one report
    Chord {
        #[arg(long, default_value_t = 5)]
        rounds: u64,
    },
    /// A keyboard that appears and vanishes
    Blink {
        #[arg(long, default_value_t = 200)]
        times: u64,
    },
    /// A touchpad that does not do what it declared
    Liar {
        #[arg(long, default_value_t = 500)]
        reports: u64,
    },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut random = Random::new(arguments.seed);
    let readiness = Readiness {
        settle: Duration::from_millis(arguments.settle_ms),
        reader: arguments.wait_for.clone(),
        recorder: arguments.recorder.clone(),
        begun: arguments.record.as_ref().map(|path| {
            let mut begun = path.clone().into_os_string();
            begun.push(".begun");
            begun.into()
        }),
    };
    let mut player = Player::new(readiness)?;
    if let What::Desk { seconds, mouse_hz, raw: Some(directory) } = &arguments.what {
        let count = raw::write_desk(directory, &mut random, *seconds, *mouse_hz, &mut player)?;
        eprintln!("hands: {count} events written");
        return Ok(());
    }
    perform(&arguments.what, &mut player, &mut random)?;
    rest(Duration::from_millis(arguments.linger_ms));
    if let Some(reader) = &arguments.wait_for {
        wait_until_idle(reader);
    }
    if let Some(path) = &arguments.record {
        player.write_record(path)?;
    }
    eprintln!("hands: {} reports sent", player.sent_count());
    Ok(())
}

fn perform(what: &What, player: &mut Player, random: &mut Random) -> Result<()> {
    match *what {
        What::Mouse { hz, seconds, wheel, count } => {
            let mut spec = catalogue::mouse();
            if wheel == Wheel::LowRes {
                spec.rels.retain(|&r| r < evdev::RelativeAxisCode::REL_WHEEL_HI_RES.0);
            }
            let mice = (0..count.max(1)).map(|_| player.plug(&spec)).collect::<Result<Vec<_>>>()?;
            let mut score = Score::default();
            for mouse in &mice {
                score.join(0, mouse::busy(random, *mouse, hz, seconds, wheel));
            }
            player.settle(&mice)?;
            player.play(&score)
        }
        What::Keyboard { hz, seconds } => one(player, &catalogue::keyboard(), |d| {
            let mut typist = keyboard::Typist::new(random, d);
            typist.type_for(seconds);
            typist.score().polled_at(hz)
        }),
        What::Strokes { hz, seconds } => {
            one(player, &catalogue::keyboard(), |d| keyboard::strokes(d, hz, seconds))
        }
        What::Type { ref words, times } => {
            let device = player.plug(&script::keyboard())?;
            let score = script::strokes(words, device, times)?;
            player.settle(&[device])?;
            player.play(&score)
        }
        What::Touchpad { hz, fingers, seconds } => one(player, &catalogue::touchpad(), |d| {
            touch::gestures(random, Surface::pad(d), fingers.clamp(1, 5), hz, seconds)
        }),
        What::Touchscreen { seconds } => one(player, &catalogue::touchscreen(), |d| {
            touch::gestures(random, Surface::screen(d), 5, 100, seconds)
        }),
        What::Pen { seconds } => {
            one(player, &catalogue::pen(), |d| pointing::pen(random, d, seconds))
        }
        What::AbsMouse { seconds } => {
            one(player, &catalogue::abs_mouse(), |d| pointing::abs_mouse(random, d, seconds))
        }
        What::Switch { seconds } => {
            one(player, &catalogue::switch(), |d| pointing::switch(d, seconds))
        }
        What::Desk { seconds, mouse_hz, raw: _ } => {
            let on = Desk {
                keyboard: player.plug(&catalogue::keyboard())?,
                mouse: player.plug(&catalogue::mouse())?,
                touchpad: player.plug(&catalogue::touchpad())?,
                mouse_hz,
            };
            player.settle(&[on.keyboard, on.mouse, on.touchpad])?;
            player.play(&desk(random, on, seconds))
        }
        What::Zoo { seconds } => show_zoo(player, seconds),
        What::Hold => hold::hold(player, random),
        What::Overflow { ref reader, rounds } => overflow::overflow(player, random, reader, rounds),
        What::Crowd { seconds } => crowd::crowd(player, random, seconds),
        What::Flood { reports } => flood::flood(player, random, reports),
        What::Chord { rounds } => chord::chord(player, rounds),
        What::Blink { times } => blink::blink(player, random, times),
        What::Liar { reports } => liar::liar(player, random, reports),
    }
}

/// Plugs one device in, waits for its reader and plays its score.
fn one(player: &mut Player, spec: &Spec, score: impl FnOnce(usize) -> Score) -> Result<()> {
    let device = player.plug(spec)?;
    let score = score(device);
    player.settle(&[device])?;
    player.play(&score)
}

fn show_zoo(player: &mut Player, seconds: u64) -> Result<()> {
    let mut housed = Vec::new();
    for animal in zoo::animals() {
        let device = player.plug(&animal.spec)?;
        let node = player.node(device).unwrap_or_default().to_owned();
        housed.push(Housed {
            name: format!("evscribe hands {}", animal.spec.name),
            node,
            selected: animal.selected,
        });
    }
    println!("{}", serde_json::to_string(&housed)?);
    rest(Duration::from_secs(seconds));
    Ok(())
}
