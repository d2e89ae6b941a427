//! The numbers that the normaliser gives out.

use evscribe_model::Run;

/// The next numbers to give: each is used once, then counted up.
///
/// Whoever keeps them over a restart keeps the numbers unique. They wrap after
/// 2³¹, which a person typing without pause does not reach in a century.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counters {
    /// The next [`Run`].
    pub run: i32,
    /// The next number of a stroke: a press and its release.
    pub stroke: i32,
    /// The next number of a contact.
    pub contact: i32,
}

impl Default for Counters {
    /// Everything begins at 1.
    fn default() -> Self {
        Self { run: 1, stroke: 1, contact: 1 }
    }
}

impl Counters {
    pub(crate) fn take_run(&mut self) -> Run {
        Run(take(&mut self.run))
    }

    pub(crate) fn take_stroke(&mut self) -> i32 {
        take(&mut self.stroke)
    }

    pub(crate) fn take_contact(&mut self) -> i32 {
        take(&mut self.contact)
    }
}

fn take(next: &mut i32) -> i32 {
    let number = *next;
    *next = number.wrapping_add(1);
    number
}
