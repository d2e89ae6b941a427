//! `floor NODE FILE`: the least that a recorder can do, as the yardstick of
//! `make bench`: wait by epoll, one read, append the raw structs to a file.

#![forbid(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;

use anyhow::{Context, Result};
use nix::libc::O_NONBLOCK;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// Bytes that are collected before they are written.
const WRITE_BYTES: usize = 64 * 1024;

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(node), Some(file)) = (arguments.next(), arguments.next()) else {
        anyhow::bail!("usage: floor NODE FILE");
    };
    let mut device = OpenOptions::new()
        .read(true)
        .custom_flags(O_NONBLOCK)
        .open(&node)
        .with_context(|| format!("cannot open {}", node.display()))?;
    let mut out = BufWriter::with_capacity(WRITE_BYTES, File::create(&file)?);
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(&device, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
    let mut ready = [EpollEvent::empty()];
    let mut batch = vec![0; 1024 * 24];
    loop {
        match epoll.wait(&mut ready, EpollTimeout::NONE) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(error) => return Err(error).context("epoll"),
        }
        match device.read(&mut batch) {
            Ok(length) => out.write_all(batch.get(..length).unwrap_or_default())?,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            // Unplugged.
            Err(_) => return out.flush().context("cannot write"),
        }
    }
}
