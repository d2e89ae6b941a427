//! A mouse that is pulled out while a button is held, and comes back elsewhere.

use std::time::Duration;

use anyhow::Result;
use evdev::{KeyCode as Key, SwitchCode};

use crate::catalogue;
use crate::device::Spec;
use crate::mouse;
use crate::player::{Player, rest};
use crate::random::Random;
use crate::score::Score;

/// Plays it; prints the two nodes, which differ.
pub(crate) fn hold(player: &mut Player, random: &mut Random) -> Result<()> {
    let first = player.plug(&catalogue::mouse())?;
    player.settle(&[first])?;
    let mut score = mouse::reach(random, first, 125, 400_000, (600, 300));
    score.add(500_000, first, &mouse::button(Key::BTN_LEFT, true));
    score.join(520_000, mouse::reach(random, first, 125, 300_000, (-200, 150)));
    player.play(&score)?;
    rest(Duration::from_millis(200));
    let first_node = player.node(first).unwrap_or_default().to_owned();
    player.unplug(first);
    rest(Duration::from_millis(300));

    // Takes the number that became free, so that the mouse gets another.
    let lid = Spec { name: "lid".into(), switches: vec![SwitchCode::SW_LID.0], ..Spec::default() };
    player.plug(&lid)?;
    let second = player.plug(&catalogue::mouse())?;
    player.settle(&[second])?;
    let mut score = Score::default();
    score.join(0, mouse::reach(random, second, 125, 400_000, (-300, 500)));
    score.join(500_000, mouse::click(random, second));
    player.play(&score)?;
    let nodes = serde_json::json!({"before": first_node, "after": player.node(second)});
    println!("{nodes}");
    Ok(())
}
