//! Moments at which a kill would leave the lake as it is now: before each thing
//! that is done to it. Tests take a copy there.

#[cfg(test)]
use std::sync::{Arc, Mutex};

#[cfg(test)]
type Hook = Box<dyn FnMut() + Send>;

/// What a lake's place calls before each change; nothing but in tests.
#[derive(Clone, Default)]
pub(crate) struct Steps(#[cfg(test)] Arc<Mutex<Option<Hook>>>);

impl Steps {
    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "the tests' one needs it")]
    pub(crate) const fn step(&self) {}

    #[cfg(test)]
    pub(crate) fn step(&self) {
        self.0.lock().unwrap().iter_mut().for_each(|hook| hook());
    }

    /// Has `hook` called at each step.
    #[cfg(test)]
    pub(crate) fn watch(&self, hook: Option<Hook>) {
        *self.0.lock().unwrap() = hook;
    }
}

impl std::fmt::Debug for Steps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Steps")
    }
}
