//! Who is served as another process serves them. One test, alone in its program: a
//! child has what every other thread has open until it becomes its own program, and
//! whoever that thread just let go of would seem to be served still.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::{Command, Stdio};

use evscribe_sink::{begin_pull, served_now};

#[test]
fn a_process_that_was_handed_it_outlasts_who_began_it() {
    let root = tempfile::tempdir().unwrap();
    let mut child = {
        let pull = begin_pull(root.path(), "lake").unwrap();
        let mut cat = Command::new("cat");
        cat.arg("-").stdin(Stdio::piped()).stdout(pull);
        cat.spawn().unwrap()
    };
    assert!(served_now(root.path()).unwrap().into_iter().eq(["lake"]));
    drop(child.stdin.take());
    child.wait().unwrap();
    assert!(served_now(root.path()).unwrap().is_empty());
}
