//! Sixteen devices that are all used at once.

use anyhow::Result;

use crate::catalogue;
use crate::device::Spec;
use crate::keyboard::Typist;
use crate::mouse::{self, Wheel};
use crate::player::Player;
use crate::random::Random;
use crate::score::Score;
use crate::touch::{self, Surface};

/// How many of each kind, sixteen together.
const KEYBOARDS: usize = 6;
const MICE: usize = 6;
const TOUCHPADS: usize = 2;
const TOUCHSCREENS: usize = 2;

/// What an office mouse says a second.
const MOUSE_HZ: u64 = 125;

/// Plugs them all in, waits until all are read, and plays them together.
pub(crate) fn crowd(player: &mut Player, random: &mut Random, seconds: u64) -> Result<()> {
    let keyboards = plug(player, &catalogue::keyboard(), KEYBOARDS)?;
    let mice = plug(player, &catalogue::mouse(), MICE)?;
    let pads = plug(player, &catalogue::touchpad(), TOUCHPADS)?;
    let screens = plug(player, &catalogue::touchscreen(), TOUCHSCREENS)?;
    let mut score = Score::default();
    for &device in &keyboards {
        let mut typist = Typist::new(random, device);
        typist.type_for(seconds);
        score.join(0, typist.score());
    }
    for &device in &mice {
        score.join(0, mouse::busy(random, device, MOUSE_HZ, seconds, Wheel::HiRes));
    }
    for &device in &pads {
        score.join(0, touch::gestures(random, Surface::pad(device), 5, 140, seconds));
    }
    for &device in &screens {
        score.join(0, touch::gestures(random, Surface::screen(device), 5, 100, seconds));
    }
    player.settle(&[keyboards, mice, pads, screens].concat())?;
    player.play(&score)
}

/// Equal devices but for their names: `mouse 1`, `mouse 2`, …
fn plug(player: &mut Player, spec: &Spec, count: usize) -> Result<Vec<usize>> {
    (1..=count)
        .map(|n| player.plug(&Spec { name: format!("{} {n}", spec.name), ..spec.clone() }))
        .collect()
}
