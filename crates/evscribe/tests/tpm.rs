//! A key that a TPM sealed, on a TPM in software. `systemd-creds` is the
//! machine's own, and is told no more than which TPM it has.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says plainly what it expects")]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::{Said, command};
use tempfile::TempDir;

/// A TPM, in a machine that runs.
struct Tpm {
    port: u16,
    swtpm: Child,
    /// What it keeps when the machine is off.
    state: TempDir,
}

impl Drop for Tpm {
    fn drop(&mut self) {
        let _ = self.swtpm.kill();
        let _ = self.swtpm.wait();
    }
}

impl Tpm {
    /// A new one; `None` where swtpm is not installed.
    fn new() -> Option<Self> {
        let state = tempfile::tempdir().unwrap();
        Command::new("swtpm").arg("--version").output().ok()?;
        Some(Self::started(state))
    }

    /// After its machine was switched off and on again.
    fn again(mut self) -> Self {
        self.swtpm.kill().unwrap();
        // Until it is gone it has its state locked.
        self.swtpm.wait().unwrap();
        let state = std::mem::replace(&mut self.state, tempfile::tempdir().unwrap());
        Self::started(state)
    }

    fn started(state: TempDir) -> Self {
        let port = two_free_ports();
        let mut swtpm = Command::new("swtpm")
            .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"])
            .args(["--tpmstate", &format!("dir={}", state.path().display())])
            .args(["--server", &format!("type=tcp,port={port}")])
            .args(["--ctrl", &format!("type=tcp,port={}", port + 1)])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = swtpm.try_wait().unwrap();
            assert!(ended.is_none(), "swtpm ended with {ended:?}");
            assert!(started.elapsed() < Duration::from_secs(60), "swtpm does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { port, swtpm, state }
    }

    /// Measures something into a PCR, as firmware does while a machine starts.
    /// Source: `TPM2_PCR_Extend`, TPM 2.0 Library, Part 3.
    fn measure(&self, pcr: u32) {
        let mut extend = vec![0x80, 0x02, 0, 0, 0, 65, 0, 0, 0x01, 0x82];
        extend.extend(pcr.to_be_bytes());
        // Authorised by an empty password; one digest, of SHA-256.
        extend.extend([0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0x0b]);
        extend.extend([0xaa; 32]);
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(&extend).unwrap();
        let mut answer = [0; 10];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer[6..], [0; 4], "the TPM refuses");
    }
}

/// The first of two that follow each other, as systemd's way to swtpm wants it.
fn two_free_ports() -> u16 {
    loop {
        let one = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = one.local_addr().unwrap().port();
        if port < u16::MAX && TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return port;
        }
    }
}

/// A machine below a folder, with a host key of systemd's.
struct Machine {
    folder: TempDir,
}

impl Machine {
    fn new() -> Self {
        let machine = Self { folder: tempfile::tempdir().unwrap() };
        let setup = Command::new("systemd-creds")
            .arg("setup")
            .env("SYSTEMD_CREDENTIAL_SECRET", machine.path("credential.secret"))
            .output();
        assert!(setup.unwrap().status.success());
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `evscribe keys` on it, with that TPM.
    fn keys(&self, tpm: &Tpm, args: &[&str]) -> Said {
        let creds = self.path("systemd-creds");
        let script = format!(
            "#!/bin/sh\nverb=$1; shift; with=; tpm=--tpm2-device=swtpm:host=127.0.0.1,port={}\n\
             case $verb in encrypt) with=--with-key=host+tpm2 ;; decrypt) ;; *) tpm= ;; esac\n\
             exec {} $verb $with $tpm \"$@\"\n",
            tpm.port,
            on_path("systemd-creds").display(),
        );
        fs::write(&creds, script).unwrap();
        fs::set_permissions(&creds, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", self.folder.path().display(), std::env::var("PATH").unwrap());
        let output = command(["keys", "--root", self.path("root").to_str().unwrap()])
            .args(args)
            .env("PATH", path)
            .env("SYSTEMD_CREDENTIAL_SECRET", self.path("credential.secret"))
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

fn on_path(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path)
        .map(|folder| Path::new(&folder).join(name))
        .find(|file| file.exists())
        .unwrap()
}

#[test]
fn what_firmware_measures_takes_no_sealed_key_away_and_another_tpm_does() {
    let Some(tpm) = Tpm::new() else {
        println!("SKIPPED: swtpm is not here");
        return;
    };
    let machine = Machine::new();
    let made = machine.keys(&tpm, &["init", "--keep-as", "sealed", "--json"]).succeeds().json();
    assert_eq!(made["key"]["sealed_by"], "tpm2");
    // Another firmware, with other settings and keys, boot loader and kernel.
    let tpm = tpm.again();
    (0..16).for_each(|pcr| tpm.measure(pcr));
    let listed = machine.keys(&tpm, &["list", "--json"]).succeeds().json();
    assert_eq!(listed["workstation"]["id"], made["id"], "{listed}");
    let other = Tpm::new().unwrap();
    machine.keys(&other, &["rotate"]).fails_with("cannot be opened here");
}
