//! A virtual device: what it declares, and its node once the kernel made it.

use std::os::fd::AsFd;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use evdev::uinput::VirtualDevice;
use evdev::{
    AbsInfo, AbsoluteAxisCode, AttributeSet, BusType, InputId, KeyCode, MiscCode, PropType,
    RelativeAxisCode, SwitchCode, UinputAbsSetup,
};

use crate::score::Value;

/// What a device declares, in the kernel's numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spec {
    /// After the prefix that every device of ours bears.
    pub(crate) name: String,
    pub(crate) bus: u16,
    pub(crate) vendor: u16,
    pub(crate) product: u16,
    pub(crate) keys: Vec<u16>,
    pub(crate) rels: Vec<u16>,
    pub(crate) axes: Vec<Axis>,
    pub(crate) props: Vec<u16>,
    pub(crate) switches: Vec<u16>,
    /// Sends `MSC_SCAN` before each key, as HID devices do.
    pub(crate) scan: bool,
}

/// An absolute axis; `resolution` is in units per millimetre, 0 when not stated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis {
    pub(crate) code: u16,
    pub(crate) min: i32,
    pub(crate) max: i32,
    pub(crate) resolution: i32,
}

/// A device that exists until it is dropped.
pub(crate) struct Device {
    virtual_device: VirtualDevice,
    /// As the kernel has it.
    pub(crate) name: String,
    /// `eventN`.
    pub(crate) node: String,
    bytes: Vec<u8>,
}

impl Device {
    /// Makes the device; its node exists when this returns.
    pub(crate) fn create(spec: &Spec) -> Result<Self> {
        let name = format!("evscribe hands {}", spec.name);
        let mut virtual_device = build(spec, &name)
            .with_context(|| format!("cannot make {name}; is the module uinput loaded?"))?;
        let node = node_of(&virtual_device.get_syspath()?)?;
        Ok(Self { virtual_device, name, node, bytes: Vec::with_capacity(24 * 64) })
    }

    /// Sends a report by one write, so that it is never seen in parts.
    pub(crate) fn send(&mut self, values: &[Value]) -> Result<()> {
        self.bytes.clear();
        for (kind, code, value) in values {
            // struct input_event: the kernel stamps it, so the time stays empty.
            self.bytes.extend_from_slice(&[0; 16]);
            self.bytes.extend_from_slice(&kind.to_ne_bytes());
            self.bytes.extend_from_slice(&code.to_ne_bytes());
            self.bytes.extend_from_slice(&value.to_ne_bytes());
        }
        let written = nix::unistd::write(self.virtual_device.as_fd(), &self.bytes)
            .with_context(|| format!("{} refuses a report", self.name))?;
        if written != self.bytes.len() {
            bail!("{} took {written} of {} bytes", self.name, self.bytes.len());
        }
        Ok(())
    }
}

fn build(spec: &Spec, name: &str) -> std::io::Result<VirtualDevice> {
    let mut builder = VirtualDevice::builder()?.name(name).input_id(InputId::new(
        BusType(spec.bus),
        spec.vendor,
        spec.product,
        0x111,
    ));
    if !spec.keys.is_empty() {
        builder = builder
            .with_keys(&spec.keys.iter().map(|&k| KeyCode(k)).collect::<AttributeSet<_>>())?;
    }
    if !spec.rels.is_empty() {
        builder = builder.with_relative_axes(
            &spec.rels.iter().map(|&r| RelativeAxisCode(r)).collect::<AttributeSet<_>>(),
        )?;
    }
    for axis in &spec.axes {
        let info = AbsInfo::new(0, axis.min, axis.max, 0, 0, axis.resolution);
        builder =
            builder.with_absolute_axis(&UinputAbsSetup::new(AbsoluteAxisCode(axis.code), info))?;
    }
    if !spec.props.is_empty() {
        builder = builder.with_properties(
            &spec.props.iter().map(|&p| PropType(p)).collect::<AttributeSet<_>>(),
        )?;
    }
    if !spec.switches.is_empty() {
        builder = builder.with_switches(
            &spec.switches.iter().map(|&s| SwitchCode(s)).collect::<AttributeSet<_>>(),
        )?;
    }
    if spec.scan {
        builder =
            builder.with_msc(&[MiscCode::MSC_SCAN].into_iter().collect::<AttributeSet<_>>())?;
    }
    builder.build()
}

/// `eventN` under the device's sysfs folder.
fn node_of(syspath: &PathBuf) -> Result<String> {
    for entry in std::fs::read_dir(syspath)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with("event") {
            return Ok(name);
        }
    }
    bail!("no event node under {}; is the module evdev loaded?", syspath.display())
}
