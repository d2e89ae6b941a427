//! Contacts listed anew in each frame: multitouch protocol A.

use evscribe_model::codes::*;
use evscribe_model::{Device, DeviceState, Phase, Tool};

use crate::page::Page;
use crate::spot::{Scale, Spot};

/// Contacts of one frame beyond this are ignored.
const POINTS_MAX: usize = 32;

/// Size of a contact; 0 says that it is near but does not touch, which
/// `ABS_MT_TRACKING_ID` has no way to say in this protocol.
///
/// Source: recordings of bcm5974, whose fingers end so when `BTN_TOUCH` is 0.
const ABS_MT_TOUCH_MAJOR: u16 = 0x30;

/// The contacts of a device that closes each with `SYN_MT_REPORT`.
///
/// Source: `Documentation/input/multi-touch-protocol.rst`.
///
/// | frame holds | rows |
/// |---|---|
/// | a point that matches a contact | move, if anything changed |
/// | a point that matches none | down |
/// | no point for a contact, but some point or `SYN_MT_REPORT` | up |
/// | no point, no `SYN_MT_REPORT`, `BTN_TOUCH` 0 | up for all |
/// | none of these (a click alone, say) | none |
///
/// A point with a tracking id matches by it. One without matches the nearest
/// contact, the closest pair first, however far: a finger that is lifted in
/// the frame in which another is set down counts as one finger that jumped. A
/// last point without its `SYN_MT_REPORT` counts; one whose `ABS_MT_TOUCH_MAJOR` is 0
/// does not. After a loss all contacts end,
/// as the kernel holds no state of them: those still down begin anew.
#[derive(Debug)]
pub(crate) struct Points {
    held: Vec<Held>,
    seen: Vec<Point>,
    /// The point that is being told.
    now: Point,
    /// This frame has had a `SYN_MT_REPORT`.
    reported: bool,
    /// This frame has had `BTN_TOUCH` 0.
    lifted: bool,
    /// Something is down since before us: nothing is ours until all is lifted.
    foreign: bool,
    scale: Scale,
}

#[derive(Debug)]
struct Held {
    contact: i32,
    tracking_id: Option<i32>,
    shown: Spot,
    matched: bool,
}

#[derive(Clone, Copy, Debug)]
struct Point {
    tracking_id: Option<i32>,
    spot: Spot,
    /// It has a size, or none is stated.
    touches: bool,
    matched: bool,
}

const NOTHING: Point =
    Point { tracking_id: None, spot: Spot::of(Tool::Finger), touches: true, matched: false };

impl Points {
    pub(crate) fn of(device: &Device, state: Option<&DeviceState>) -> Self {
        Self {
            held: Vec::with_capacity(POINTS_MAX),
            seen: Vec::with_capacity(POINTS_MAX),
            now: NOTHING,
            reported: false,
            lifted: false,
            foreign: state.is_some_and(|state| state.keys.has(BTN_TOUCH)),
            scale: Scale::of(device, ABS_MT_POSITION_X, ABS_MT_POSITION_Y),
        }
    }

    pub(crate) fn abs(&mut self, code: u16, value: i32) {
        match code {
            ABS_MT_TRACKING_ID => self.now.tracking_id = (value >= 0).then_some(value),
            ABS_MT_TOUCH_MAJOR => self.now.touches = value != 0,
            _ => {
                self.now.spot.take_multi(code, value);
            }
        }
    }

    pub(crate) fn key(&mut self, code: u16, value: i32) {
        self.lifted |= code == BTN_TOUCH && value == 0;
    }

    /// The point that was being told is complete.
    pub(crate) fn separate(&mut self) {
        self.reported = true;
        let point = std::mem::replace(&mut self.now, NOTHING);
        let somewhere = point.spot.x.is_some() || point.spot.y.is_some();
        if somewhere && point.touches && self.seen.len() < POINTS_MAX {
            self.seen.push(point);
        }
    }

    pub(crate) fn finish(&mut self, page: &mut Page<'_>) {
        let reported = std::mem::take(&mut self.reported);
        let lifted = std::mem::take(&mut self.lifted);
        self.separate();
        self.reported = false;
        if !reported && !lifted && self.seen.is_empty() {
            return;
        }
        if self.foreign {
            self.foreign = !self.seen.is_empty();
            self.seen.clear();
            return;
        }
        self.match_ids(page);
        self.match_nearest(page);
        self.settle(page);
    }

    /// What is still down begins anew with the next report, as after a loss.
    pub(crate) fn disown(&mut self, contacts: &[i32]) {
        self.held.retain(|held| !contacts.contains(&held.contact));
    }

    pub(crate) fn end(&mut self, page: &mut Page<'_>) {
        self.foreign = false;
        self.seen.clear();
        self.settle(page);
    }

    fn match_ids(&mut self, page: &mut Page<'_>) {
        for point in self.seen.iter_mut().filter(|point| point.tracking_id.is_some()) {
            let same = |held: &&mut Held| !held.matched && held.tracking_id == point.tracking_id;
            if let Some(held) = self.held.iter_mut().find(same) {
                held.go(point, &self.scale, page);
            }
        }
    }

    /// Closest pair first. At most 32 × 32 × 32 comparisons, for a hostile
    /// device; ten for two fingers.
    fn match_nearest(&mut self, page: &mut Page<'_>) {
        let free = |tracking_id: Option<i32>, matched: bool| tracking_id.is_none() && !matched;
        loop {
            let mut best: Option<(u64, usize, usize)> = None;
            for (h, held) in self.held.iter().enumerate() {
                for (p, point) in self.seen.iter().enumerate() {
                    if free(held.tracking_id, held.matched)
                        && free(point.tracking_id, point.matched)
                    {
                        let distance = distance2(&held.shown, &point.spot);
                        if best.is_none_or(|(least, ..)| distance < least) {
                            best = Some((distance, h, p));
                        }
                    }
                }
            }
            let Some((_, h, p)) = best else { return };
            let (Some(held), Some(point)) = (self.held.get_mut(h), self.seen.get_mut(p)) else {
                return;
            };
            held.go(point, &self.scale, page);
        }
    }

    /// Ends the contacts that no point matched, begins those that matched none.
    fn settle(&mut self, page: &mut Page<'_>) {
        self.held.retain_mut(|held| {
            let stays = std::mem::take(&mut held.matched);
            if !stays {
                page.lift(held.contact, &held.shown, &self.scale);
            }
            stays
        });
        for point in self.seen.drain(..).filter(|point| !point.matched) {
            let contact = page.next.take_contact();
            page.touch(contact, Phase::Down, &point.spot, &self.scale);
            let Point { tracking_id, spot, .. } = point;
            self.held.push(Held { contact, tracking_id, shown: spot, matched: false });
        }
    }
}

impl Held {
    fn go(&mut self, point: &mut Point, scale: &Scale, page: &mut Page<'_>) {
        self.matched = true;
        point.matched = true;
        if point.spot != self.shown {
            page.touch(self.contact, Phase::Move, &point.spot, scale);
            self.shown = point.spot;
        }
    }
}

/// The square of the distance; a coordinate that is not known is 0.
fn distance2(a: &Spot, b: &Spot) -> u64 {
    let square = |a: Option<i32>, b: Option<i32>| {
        let d = u64::from(a.unwrap_or(0).abs_diff(b.unwrap_or(0)));
        d.saturating_mul(d)
    };
    square(a.x, b.x).saturating_add(square(a.y, b.y))
}
