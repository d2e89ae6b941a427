//! What udev knows of a device: the choice, its reason, and facts that the
//! kernel node itself does not tell.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use evscribe_model::Origin;
use nix::libc::dev_t;
use udev::{Device, DeviceType, Enumerator};

/// The folder of links to the devices that the udev rules chose.
pub const SELECTED_DIR: &str = "/dev/input/evscribe";

/// Facts of udev about one input device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Properties {
    /// Hardware or software. Source: the device's place in sysfs.
    pub origin: Origin,
    /// Counts per inch. Source: `MOUSE_DPI`, which hwdb fills in.
    pub dpi: Option<u32>,
    /// Source: `ID_SEAT`; absent means seat0.
    pub seat: Option<String>,
    /// How often USB asks the device, microseconds. Source: the descriptor of
    /// its interrupt endpoint.
    pub interval_us: Option<u32>,
}

impl Properties {
    /// Facts about the device with that number; what udev does not know is
    /// absent, for udev may not run at all.
    #[must_use]
    pub fn of(device: dev_t) -> Self {
        Device::from_devnum(DeviceType::Character, device).map_or(
            Self { origin: Origin::Unknown, dpi: None, seat: None, interval_us: None },
            |device| Self {
                origin: origin(device.syspath()),
                dpi: text(device.property_value("MOUSE_DPI")).and_then(|dpi| main_dpi(&dpi)),
                seat: text(device.property_value("ID_SEAT")),
                interval_us: interval_us(&device),
            },
        )
    }
}

/// One input device of this machine, read or not, as `evscribe devices` lists it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// `/dev/input/eventN`.
    pub node: PathBuf,
    /// The driver's name for it.
    pub name: String,
    /// Whether the udev rules chose it.
    pub selected: bool,
    /// Why, in the rules' own words.
    pub why: String,
    /// Hardware or software.
    pub origin: Origin,
}

/// Every input device of this machine, by number.
///
/// # Errors
/// Where udev's database cannot be read.
pub fn list() -> std::io::Result<Vec<Listed>> {
    let mut devices = Enumerator::new()?;
    devices.match_subsystem("input")?;
    devices.match_sysname("event*")?;
    let mut found: Vec<(usize, Listed)> = Vec::new();
    for device in devices.scan_devices()? {
        let Some(node) = device.devnode() else { continue };
        let why = text(device.property_value("EVSCRIBE_WHY"));
        let name = device.parent().and_then(|parent| text(parent.attribute_value("name")));
        found.push((
            device.sysnum().unwrap_or(usize::MAX),
            Listed {
                node: node.into(),
                name: name.unwrap_or_default(),
                selected: device.property_value("EVSCRIBE") == Some(OsStr::new("1")),
                why: why.unwrap_or_else(|| "the udev rules of evscribe have not seen it".into()),
                origin: origin(device.syspath()),
            },
        ));
    }
    found.sort_by_key(|(number, _)| *number);
    Ok(found.into_iter().map(|(_, listed)| listed).collect())
}

fn text(value: Option<&OsStr>) -> Option<String> {
    value.map(|value| value.to_string_lossy().into_owned()).filter(|value| !value.is_empty())
}

/// The shortest interval of the endpoints by which a USB device speaks.
fn interval_us(device: &Device) -> Option<u32> {
    let interface = device.parent_with_subsystem_devtype("usb", "usb_interface").ok()??;
    let endpoints = std::fs::read_dir(interface.syspath()).ok()?;
    // ep_8x speak to the host, ep_0x listen.
    endpoints
        .flatten()
        .filter(|endpoint| endpoint.file_name().as_encoded_bytes().starts_with(b"ep_8"))
        .filter_map(|endpoint| std::fs::read_to_string(endpoint.path().join("interval")).ok())
        .filter_map(|interval| in_us(interval.trim()))
        .min()
}

/// The kernel writes "125us" or "8ms"; "0us" where the endpoint has none.
fn in_us(interval: &str) -> Option<u32> {
    let (count, unit) = match interval.strip_suffix("us") {
        Some(count) => (count, 1),
        None => (interval.strip_suffix("ms")?, 1_000),
    };
    count.parse::<u32>().ok()?.checked_mul(unit).filter(|us| *us > 0)
}

/// `uinput` lives at `/sys/devices/virtual/input`, and so does what it makes.
fn origin(syspath: &Path) -> Origin {
    let made = syspath.starts_with("/sys/devices/virtual");
    if made { Origin::Virtual } else { Origin::Physical }
}

/// `MOUSE_DPI` lists `DPI@RATE` words; a star marks the one set at the factory.
fn main_dpi(list: &str) -> Option<u32> {
    let words = || list.split_whitespace();
    let word = words().find(|word| word.starts_with('*')).or_else(|| words().next())?;
    word.trim_start_matches('*').split('@').next()?.parse().ok().filter(|dpi| *dpi > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_starred_resolution_is_the_one_in_use() {
        assert_eq!(main_dpi("400@125 *800@125 1600@125"), Some(800));
        assert_eq!(main_dpi("1000"), Some(1000));
        assert_eq!(main_dpi("0@1"), None);
        assert_eq!(main_dpi("fast"), None);
    }

    #[test]
    fn an_interval_is_read_in_both_units_of_the_kernel() {
        assert_eq!(in_us("125us"), Some(125));
        assert_eq!(in_us("8ms"), Some(8_000));
        assert_eq!(in_us("0us"), None);
        assert_eq!(in_us("soon"), None);
    }
}
