//! ssh and rsync as children: they end when this program does, however it ends,
//! and what a host has them say is bounded.
//!
//! | who | keeps |
//! |---|---|
//! | `setpriv --pdeathsig` | the child from outliving this program |
//! | its process group | its own children from outliving it, where it is killed |
//! | `flock` | two of them out of one folder, as long as any is alive |
//! | `prlimit --fsize` | a host from sending more than is wanted |

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::Instant;

use super::error::HostError;

/// The last words of a child that are kept, bytes.
const TAIL_BYTES: usize = 4_096;

/// Longest line that is handed over, bytes; longer ones are cut.
const LINE_BYTES: usize = 4_096;

/// How long is listened to what a child started, once it is done itself.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// Exit code where another child still has the folder.
pub(super) const FOLDER_TAKEN: i32 = 199;

/// How long a child waits for the folder, s.
const FOLDER_WAIT_S: &str = "30";

/// How a child ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Ended {
    /// With that code; of one that was killed, 128 and the signal.
    Code(i32),
    /// It was not done at the deadline.
    Late,
    /// Somebody stopped the run.
    Stopped,
}

/// What a child did.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) ended: Ended,
    /// The last it said on standard error, fit for a terminal.
    pub(super) said: String,
}

/// When a child has to be done.
#[derive(Clone, Debug)]
pub(super) struct Until {
    pub(super) deadline: Instant,
    pub(super) stop: watch::Receiver<bool>,
}

impl Until {
    /// Whether there is time left, of so much for all of a host.
    ///
    /// # Errors
    /// [`HostError::TooSlow`], [`HostError::Stopped`].
    pub(super) fn check(&self, of: Duration) -> Result<(), HostError> {
        match (*self.stop.borrow(), Instant::now() < self.deadline) {
            (true, _) => Err(HostError::Stopped),
            (false, true) => Ok(()),
            (false, false) => Err(HostError::TooSlow(of)),
        }
    }
}

/// A command that does not outlive this program.
pub(super) fn bound(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", program]);
    // What is translated cannot be told apart; what is set for a person's own
    // rsync does not hold here.
    command.env("LC_ALL", "C.UTF-8").env_remove("LANGUAGE");
    for name in ["RSYNC_RSH", "RSYNC_PROTECT_ARGS", "RSYNC_OLD_ARGS", "RSYNC_PARTIAL_DIR"] {
        command.env_remove(name);
    }
    command
}

/// As [`bound`], alone in the folder of `lock` and with no file longer than
/// `max_bytes`.
pub(super) fn bound_in(lock: &Path, max_bytes: u64, program: &str) -> Command {
    let mut command = bound("flock");
    let taken = FOLDER_TAKEN.to_string();
    command.args(["-F", "-w", FOLDER_WAIT_S, "-E", &taken]).arg(lock);
    command.arg("prlimit").arg(format!("--fsize={max_bytes}")).arg(program);
    command
}

/// Kills a child with all its children.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may be done in this moment.
            killpg(group, Signal::SIGKILL).unwrap_or_default();
        }
    }
}

/// Runs it: `input` to its standard input, every line of its standard output to
/// `line`.
///
/// # Errors
/// Where it cannot be started.
pub(super) async fn run(
    mut command: Command,
    input: Vec<u8>,
    until: &mut Until,
    line: impl FnMut(&str),
) -> io::Result<Outcome> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true);
    let mut child = command.spawn()?;
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    let group = Group(id.map(Pid::from_raw));
    let mut said = Vec::new();
    let status = tokio::select! {
        status = talk(&mut child, input, line, &mut said) => Some(status?),
        () = tokio::time::sleep_until(until.deadline) => None,
        () = stopped(&mut until.stop) => {
            drop(group);
            return Ok(Outcome { ended: Ended::Stopped, said: fit(&said) });
        }
    };
    // Also where it is done: an ssh whose other side never ends would stay.
    drop(group);
    let ended = match status {
        Some(code) => Ended::Code(code),
        None => {
            drop(child.wait().await);
            Ended::Late
        }
    };
    Ok(Outcome { ended, said: fit(&said) })
}

/// Returns once the run is stopped.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        // Nobody is left who could stop it.
        std::future::pending().await
    }
}

/// Returns its exit code. What it started may go on talking when it is done
/// itself: nobody listens to that for long.
async fn talk(
    child: &mut Child,
    input: Vec<u8>,
    line: impl FnMut(&str),
    said: &mut Vec<u8>,
) -> io::Result<i32> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async {
        if let Some(mut stdin) = stdin {
            // A child that does not listen says why elsewhere.
            drop(stdin.write_all(&input).await);
        }
    };
    let listen = async { tokio::join!(write, each_line(stdout, line), tail(stderr, said)) };
    tokio::pin!(listen);
    let status = tokio::select! {
        _ = &mut listen => child.wait().await?,
        status = child.wait() => {
            drop(tokio::time::timeout(LAST_WORDS, listen).await);
            status?
        }
    };
    Ok(status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1))
}

async fn each_line(from: Option<impl AsyncRead + Unpin>, mut line: impl FnMut(&str)) {
    let Some(mut from) = from else { return };
    let (mut buffer, mut text) = (vec![0; 16 << 10], Vec::new());
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        for byte in buffer.get(..read).unwrap_or_default() {
            if *byte == b'\n' {
                line(&String::from_utf8_lossy(&text));
                text.clear();
            } else if text.len() < LINE_BYTES {
                text.push(*byte);
            }
        }
    }
}

/// Until its end, and the last of it.
async fn tail(from: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut from) = from else { return };
    let mut buffer = vec![0; TAIL_BYTES];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        kept.extend_from_slice(buffer.get(..read).unwrap_or_default());
        kept.drain(..kept.len().saturating_sub(TAIL_BYTES));
    }
}

/// A text of somewhere else, fit for a terminal and a log.
fn fit(bytes: &[u8]) -> String {
    let keep = |letter: char| if letter == '\n' || !letter.is_control() { letter } else { ' ' };
    String::from_utf8_lossy(bytes).chars().map(keep).collect()
}

/// Waits until no child has the folder of `lock`, and returns whether that is so.
pub(super) async fn is_free(lock: &Path) -> io::Result<bool> {
    let mut flock = Command::new("flock");
    flock.args(["-w", FOLDER_WAIT_S]).arg(lock).arg("true").stdin(Stdio::null());
    Ok(flock.status().await?.success())
}

#[cfg(test)]
mod tests {
    use std::time::Instant as Clock;

    use super::*;

    fn until(after: Duration) -> (watch::Sender<bool>, Until) {
        let (tell, stop) = watch::channel(false);
        (tell, Until { deadline: Instant::now() + after, stop })
    }

    async fn shell(text: &str, input: &[u8], after: Duration) -> (Outcome, Vec<String>) {
        let mut command = bound("sh");
        command.args(["-c", text]);
        let ((_tell, mut until), mut lines) = (until(after), Vec::new());
        let outcome = run(command, input.to_vec(), &mut until, |line| lines.push(line.to_owned()));
        (outcome.await.unwrap(), lines)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn what_a_child_says_is_taken_in() {
        let (outcome, lines) =
            shell("cat; printf 'bad\\033[31m' >&2; exit 7", b"a\nb\n", LONG).await;
        assert_eq!((outcome.ended, lines), (Ended::Code(7), vec!["a".into(), "b".into()]));
        assert_eq!(outcome.said, "bad [31m", "nothing that a terminal obeys");
        let (outcome, _) = shell("kill -9 $$", b"", LONG).await;
        assert_eq!(outcome.ended, Ended::Code(137));
    }

    #[tokio::test]
    async fn a_child_that_talks_without_end_fills_nothing() {
        let (outcome, lines) =
            shell("head -c 50000000 /dev/zero; head -c 50000000 /dev/zero >&2", b"", LONG).await;
        assert_eq!((outcome.ended, lines.len()), (Ended::Code(0), 0));
        assert_eq!(outcome.said.len(), TAIL_BYTES);
    }

    #[tokio::test]
    async fn what_a_child_leaves_behind_is_ended_with_it() {
        let began = Clock::now();
        let (outcome, lines) = shell("sleep 600 & echo $!; exit 3", b"", LONG).await;
        assert_eq!(outcome.ended, Ended::Code(3));
        assert!(began.elapsed() < Duration::from_secs(30));
        let pid = Pid::from_raw(lines[0].parse().unwrap());
        let gone = || nix::sys::signal::kill(pid, None).is_err() || is_zombie(pid);
        for _ in 0..100 {
            if gone() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{pid} lives on");
    }

    fn is_zombie(pid: Pid) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        status.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'))
    }

    #[tokio::test]
    async fn a_child_is_ended_at_its_deadline_and_when_the_run_is_stopped() {
        let (outcome, _) = shell("sleep 600", b"", Duration::from_millis(100)).await;
        assert_eq!(outcome.ended, Ended::Late);
        let mut command = bound("sleep");
        command.arg("600");
        let (tell, mut until) = until(LONG);
        tell.send_replace(true);
        let outcome = run(command, Vec::new(), &mut until, |_| {}).await.unwrap();
        assert_eq!(outcome.ended, Ended::Stopped);
    }

    #[tokio::test]
    async fn no_file_gets_longer_than_was_said_and_no_two_write_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let (lock, to) = (folder.path().join("lock"), folder.path().join("to"));
        std::fs::write(&lock, "").unwrap();
        let (_tell, mut until) = until(LONG);
        let mut command = bound_in(&lock, 1_000, "sh");
        command.args(["-c", "trap '' XFSZ; head -c 5000 /dev/zero >\"$0\""]).arg(&to);
        let outcome = run(command, Vec::new(), &mut until, |_| {}).await.unwrap();
        assert_ne!(outcome.ended, Ended::Code(0));
        assert_eq!(std::fs::metadata(&to).unwrap().len(), 1_000);
        assert!(is_free(&lock).await.unwrap());
    }
}
