//! How a host is reached: by the system's ssh and rsync, and with what options.
//! The other side serves only options that crates/evscribe/src/serve_pull.rs
//! lists; rsync 3.2.7 and 3.5 send none that is not.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use super::list::Entry;
use super::process;

/// Asked for besides rsync.
const ACKNOWLEDGE: &str = "evscribe-acknowledge";

/// How ssh gets to the hosts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ssh {
    /// The key; without it those of whoever runs this.
    pub identity: Option<PathBuf>,
    /// The hosts' keys, and no others; without it those that ssh knows.
    pub known_hosts: Option<PathBuf>,
    /// A configuration in place of ssh's own.
    pub config: Option<PathBuf>,
}

/// What rsync is asked to bring.
pub(super) struct Fetch<'a> {
    /// Its folder's lock.
    pub(super) lock: &'a Path,
    /// Into this folder.
    pub(super) into: &'a Path,
    /// No file longer than this.
    pub(super) max_bytes: u64,
    /// Whether what is there already is only looked at: its time and length.
    pub(super) is_offer: bool,
}

impl Ssh {
    /// ssh's arguments, without the host.
    fn arguments(&self, entry: &Entry, timeout: Duration) -> Vec<OsString> {
        let seconds = timeout.as_secs().max(1);
        let alive = (seconds / 3).max(1);
        let mut all: Vec<OsString> = ["-T", "-x", "-a"].map(OsString::from).into();
        if let Some(config) = &self.config {
            all.extend([OsString::from("-F"), config.into()]);
        }
        if let Some(identity) = &self.identity {
            all.extend([OsString::from("-i"), identity.into()]);
            all.extend(option("IdentitiesOnly=yes"));
        }
        if let Some(known_hosts) = &self.known_hosts {
            // ssh takes a blank for the beginning of another file.
            let mut value = b"UserKnownHostsFile=\"".to_vec();
            value.extend_from_slice(known_hosts.as_os_str().as_bytes());
            value.push(b'"');
            all.extend(["-o".into(), OsString::from_vec(value)]);
            all.extend(option("GlobalKnownHostsFile=none"));
        }
        for text in [
            "BatchMode=yes",
            "StrictHostKeyChecking=yes",
            "UpdateHostKeys=no",
            "ForwardAgent=no",
            "ClearAllForwardings=yes",
            "PermitLocalCommand=no",
            "ControlMaster=no",
            "ControlPath=none",
            "EscapeChar=none",
            "LogLevel=ERROR",
            "ServerAliveCountMax=3",
        ] {
            all.extend(option(text));
        }
        all.extend(option(&format!("ConnectTimeout={seconds}")));
        all.extend(option(&format!("ServerAliveInterval={alive}")));
        if let Some(port) = entry.port {
            all.extend(["-p".into(), port.to_string().into()]);
        }
        all
    }

    /// rsync, to fetch what is listed on its standard input from the host.
    pub(super) fn rsync(&self, entry: &Entry, timeout: Duration, fetch: &Fetch<'_>) -> Command {
        let mut command = process::bound_in(fetch.lock, fetch.max_bytes, "rsync");
        if fetch.is_offer {
            // To the nanosecond: a list may change twice in a second.
            command.args(["--times", "--modify-window=-1", "--chmod=F600"]);
        } else {
            command.args(["--inplace", "--ignore-times", "--chmod=F644,D755"]);
        }
        command.args([
            "--no-s",
            "--files-from=-",
            "--ignore-missing-args",
            "--no-implied-dirs",
            "--info=name2,stats2",
            "--no-h",
            "--out-format=> %b %n",
        ]);
        command.arg(format!("--timeout={}", timeout.as_secs().max(1)));
        let mut shell = OsString::from("ssh");
        for argument in self.arguments(entry, timeout) {
            shell.push(" ");
            shell.push(quoted(&argument));
        }
        command.arg("-e").arg(shell).arg("--");
        command.arg(format!("{}@{}:", entry.user, entry.bracketed())).arg(slashed(fetch.into));
        command
    }

    /// ssh, to tell the host that all of that manifest is here.
    pub(super) fn acknowledge(&self, entry: &Entry, timeout: Duration, sha256: &str) -> Command {
        let mut command = process::bound("ssh");
        command.args(self.arguments(entry, timeout)).arg("-l").arg(&entry.user);
        command.arg("--").arg(&entry.address).arg(ACKNOWLEDGE).arg(sha256);
        command
    }
}

fn option(text: &str) -> [OsString; 2] {
    ["-o".into(), text.into()]
}

/// One word for rsync, which takes its remote shell apart itself.
fn quoted(word: &OsStr) -> OsString {
    let mut bytes = vec![b'\''];
    for byte in word.as_bytes() {
        bytes.push(*byte);
        if *byte == b'\'' {
            bytes.push(b'\'');
        }
    }
    bytes.push(b'\'');
    OsString::from_vec(bytes)
}

/// A folder, as rsync wants to have it said, and never taken for a host's.
fn slashed(folder: &Path) -> OsString {
    let mut text = if folder.is_absolute() { OsString::new() } else { OsString::from("./") };
    text.push(folder);
    text.push("/");
    text
}

#[cfg(test)]
mod tests {
    use super::super::list::HostList;
    use super::*;

    fn words(command: &Command) -> Vec<String> {
        let all = command.as_std().get_args();
        all.map(|word| word.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_place_with_blanks_and_quotes_stays_one_word() {
        let ssh = Ssh { identity: Some("/a b'c\"/key".into()), ..Ssh::default() };
        let list = HostList::parse(b"me@[::1]:2222");
        let fetch =
            Fetch { lock: Path::new("l"), into: Path::new("a:b"), max_bytes: 7, is_offer: true };
        let words = words(&ssh.rsync(&list.hosts[0], Duration::from_secs(60), &fetch));
        let shell = words.iter().find(|word| word.starts_with("ssh ")).unwrap();
        assert!(shell.contains("'-i' '/a b''c\"/key' '-o' 'IdentitiesOnly=yes'"), "{shell}");
        assert!(shell.ends_with("'-p' '2222'"), "{shell}");
        assert!(words.ends_with(&["--".into(), "me@[::1]:".into(), "./a:b/".into()]));
        assert!(words.contains(&"--fsize=7".to_owned()));
    }

    #[test]
    fn nothing_is_asked_of_anybody_and_no_key_is_taken_on_trust() {
        let list = HostList::parse(b"host");
        let command = Ssh::default().acknowledge(&list.hosts[0], Duration::from_secs(1), "ab");
        let words = words(&command);
        for option in ["BatchMode=yes", "StrictHostKeyChecking=yes", "ClearAllForwardings=yes"] {
            assert!(words.contains(&option.to_owned()));
        }
        assert!(words.ends_with(&["--", "host", ACKNOWLEDGE, "ab"].map(str::to_owned)));
    }
}
