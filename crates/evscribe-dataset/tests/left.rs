//! What a query leaves on disk: nothing but the file that was asked for.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use evscribe_sink::crypt::AtRest;
use support::*;

/// More rows than anybody waits for.
const ENDLESS: &str = "SELECT value FROM generate_series(1, 1000000000000)";

/// A query that runs; none outlives its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Running {
    fn start(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Looks again and again until there is what is looked for.
    fn until<T>(&mut self, mut look: impl FnMut(&mut Child) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = look(&mut self.0) {
                return found;
            }
            assert!(begun.elapsed() < Duration::from_secs(120), "waited too long");
            sleep(Duration::from_millis(1));
        }
    }

    fn ended(&mut self) -> ExitStatus {
        self.until(|child| child.try_wait().unwrap())
    }

    fn signal(&self, name: &str) {
        let pid = self.0.id().to_string();
        let status = Command::new("sh").args(["-c", "kill -s $0 $1", name, &pid]).status();
        assert!(status.unwrap().success());
    }
}

fn names(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names
}

#[test]
fn what_does_not_fit_into_memory_has_no_name_on_disk() {
    let root = tempfile::tempdir().unwrap();
    let temp = tempfile::tempdir().unwrap();
    let rows: Vec<_> = (0..400_000).map(|n| motion(n * 100, 1, 1)).collect();
    seal(root.path(), whose("ab01", 0), AtRest::Plain, &rows);
    let sql = "SELECT time, dx, subject, session, run FROM events ORDER BY dx, time DESC";
    let place = root.path().to_str().unwrap();
    let folder = temp.path().to_str().unwrap();
    let mut running = Running::start(&mut command(&[
        place,
        sql,
        "--format",
        "csv",
        "--memory-mib",
        "16",
        "--temp",
        folder,
    ]));
    let (mut most, mut modes) = (0, Vec::new());
    let status = running.until(|child| {
        for entry in fs::read_dir(format!("/proc/{}/fd", child.id())).into_iter().flatten() {
            let Ok(path) = entry.map(|entry| entry.path()) else { continue };
            let Ok(target) = fs::read_link(&path) else { continue };
            let about = fs::metadata(&path);
            // The number may be another file's by now.
            let is_same = fs::read_link(&path).is_ok_and(|again| again == target);
            if let (true, Ok(about)) = (is_same && target.starts_with(folder), about) {
                most = most.max(about.len());
                // One that was made this moment is empty, and may have any mode.
                if about.len() > 0 {
                    modes.push((about.nlink(), about.permissions().mode() & 0o777));
                }
            }
        }
        for name in names(temp.path()) {
            // Where a file system has none without a name, an empty one has it shortly.
            let bytes = fs::metadata(&name).map_or(0, |about| about.len());
            assert!(bytes == 0 && !name.is_dir(), "{} is there", name.display());
        }
        child.try_wait().unwrap()
    });
    assert!(status.success());
    assert!(most > 1 << 20, "{most} bytes were too large: nothing was seen");
    modes.retain(|(names, mode)| *names > 0 || *mode != 0o600);
    assert!(modes.is_empty(), "{modes:?}");
    let missing = temp.path().join("missing");
    query(root.path(), sql, &["--temp", missing.to_str().unwrap()])
        .fails_with(&["missing cannot be used for what is too large"]);
}

#[test]
fn a_query_that_is_stopped_leaves_what_was_there_and_no_more() {
    let root = tempfile::tempdir().unwrap();
    four(root.path());
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.csv");
    fs::write(&out, "of yesterday").unwrap();
    let args = [root.path().to_str().unwrap(), ENDLESS, "--format", "csv", "--out"];
    let is_written = |_: &mut Child| {
        let names = names(folder.path());
        let hidden = names.iter().find(|name| **name != out)?;
        (fs::metadata(hidden).unwrap().len() > 1 << 16).then_some(())
    };
    for (signal, code) in [("HUP", 129), ("INT", 130), ("TERM", 143)] {
        let mut running = Running::start(command(&args).arg(&out));
        running.until(is_written);
        running.signal(signal);
        assert_eq!(running.ended().code(), Some(code), "{signal}");
        assert_eq!(names(folder.path()), std::slice::from_ref(&out), "{signal}");
    }
    assert_eq!(fs::read_to_string(&out).unwrap(), "of yesterday");
    // With nohup(1) it goes on.
    let mut running = Running::start(
        Command::new("env")
            .args(["--ignore-signal=HUP", env!("CARGO_BIN_EXE_evscribe-data"), "query"])
            .args(args)
            .arg(&out),
    );
    running.until(is_written);
    running.signal("HUP");
    sleep(Duration::from_millis(300));
    assert_eq!(running.0.try_wait().unwrap(), None);
    running.signal("TERM");
    running.ended();
}

#[test]
fn what_is_no_file_is_not_replaced_by_one() {
    let root = tempfile::tempdir().unwrap();
    four(root.path());
    let folder = tempfile::tempdir().unwrap();
    let [pipe, link, inner, file] =
        ["pipe", "link", "folder", "file"].map(|name| folder.path().join(name));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    fs::write(&file, "of another").unwrap();
    symlink(&file, &link).unwrap();
    fs::create_dir(&inner).unwrap();
    let before = names(folder.path());
    for out in [&pipe, &link, &inner] {
        let kind = fs::symlink_metadata(out).unwrap().file_type();
        query(root.path(), "SELECT 1 AS n", &["--out", out.to_str().unwrap()])
            .fails_with(&[out.to_str().unwrap(), "is no regular file"]);
        assert_eq!(fs::symlink_metadata(out).unwrap().file_type(), kind);
    }
    assert_eq!(names(folder.path()), before);
    assert_eq!(fs::read_to_string(&file).unwrap(), "of another");
}
