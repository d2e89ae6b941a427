//! Which host and boot this is, under pseudonyms.

use std::path::Path;

use anyhow::Context;
use evscribe_sink::Keys;

/// Pseudonyms of host and boot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Host {
    /// Of the machine id; stands in the dataset's paths.
    pub name: String,
    /// Of the boot id.
    pub boot: String,
}

impl Host {
    /// This host and boot. The unit passes the boot id in `EVSCRIBE_BOOT_ID`,
    /// for its sandbox hides `/proc/sys`.
    ///
    /// # Errors
    /// Where the machine id or the boot id cannot be read.
    pub fn this(keys: &Keys) -> anyhow::Result<Self> {
        let read = |path: &str| {
            let text = std::fs::read_to_string(Path::new(path));
            text.map(|text| text.trim().replace('-', ""))
                .with_context(|| format!("{path} cannot be read"))
        };
        let machine = read("/etc/machine-id")?;
        let boot = match std::env::var("EVSCRIBE_BOOT_ID") {
            Ok(id) if !id.is_empty() => id.replace('-', ""),
            _ => read("/proc/sys/kernel/random/boot_id")?,
        };
        Ok(Self {
            name: keys.pseudonym("host", machine.as_bytes()),
            boot: keys.pseudonym("boot", boot.as_bytes()),
        })
    }
}
