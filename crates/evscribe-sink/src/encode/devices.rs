//! Table `devices`: few rows, so they are kept and turned into columns at once.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayBuilder, ArrayRef, BooleanArray, Float64Array, Int16Array, Int16Builder, Int32Array,
        Int32Builder, ListBuilder, StringArray, StructBuilder, TimestampMicrosecondArray,
    },
    datatypes::{DataType, Field},
};
use evscribe_model::{BootUs, Device, DeviceRow, codes};
use serde::{Deserialize, Serialize};

use super::{Words, words};
use crate::table::{UTC, axis_fields};

/// Millimetres of an inch.
const MM_PER_INCH: f64 = 25.4;

/// What table `devices` says of a device, less the names of host and boot.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct DeviceCells {
    at_us: u64,
    device: i16,
    name: Option<String>,
    bus: u16,
    vendor: u16,
    product: u16,
    version: u16,
    has_keys: bool,
    has_motion: bool,
    has_wheel: bool,
    has_switches: bool,
    /// Place in [`Words::Pointing`].
    pointing: Option<i32>,
    multitouch: bool,
    /// Place in [`Words::Origin`].
    origin: i32,
    dpi: Option<u32>,
    /// Code, then minimum, maximum, fuzz, flat, resolution.
    axes: Vec<(u16, [i32; 5])>,
}

impl DeviceCells {
    pub(crate) fn of(row: &DeviceRow) -> Self {
        let device = &row.device;
        let axis = |axis: &evscribe_model::Axis| {
            (axis.code, [axis.min, axis.max, axis.fuzz, axis.flat, axis.resolution])
        };
        Self {
            at_us: row.at.get(),
            device: device.id.0,
            name: device.name.clone(),
            bus: device.bus,
            vendor: device.vendor,
            product: device.product,
            version: device.version,
            has_keys: device.has_keys(),
            has_motion: device.has_motion(),
            has_wheel: has_wheel(device),
            has_switches: !device.switches.is_empty(),
            pointing: device.pointing().map(words::pointing),
            multitouch: device.is_multitouch(),
            origin: words::origin(device.origin),
            dpi: device.dpi,
            axes: device.axes.iter().map(axis).collect(),
        }
    }

    pub(crate) fn at(&self) -> BootUs {
        BootUs::new(self.at_us)
    }

    pub(crate) fn device(&self) -> i16 {
        self.device
    }
}

#[derive(Debug, Default)]
pub(super) struct DeviceRows(Vec<(i64, DeviceCells)>);

impl DeviceRows {
    pub(super) fn rows(&self) -> usize {
        self.0.len()
    }

    pub(super) fn push(&mut self, row: DeviceCells, wall_us: i64) {
        self.0.push((wall_us, row));
    }

    pub(super) fn finish(&mut self, boot: ArrayRef) -> Vec<ArrayRef> {
        let rows = std::mem::take(&mut self.0);
        let numbers = |of: fn(&DeviceCells) -> u16| -> ArrayRef {
            Arc::new(rows.iter().map(|(_, row)| Some(i32::from(of(row)))).collect::<Int32Array>())
        };
        let flags = |of: fn(&DeviceCells) -> bool| -> ArrayRef {
            Arc::new(rows.iter().map(|(_, row)| Some(of(row))).collect::<BooleanArray>())
        };
        let mut pointing = Int32Builder::new();
        let mut origin = Int32Builder::new();
        for (_, row) in &rows {
            pointing.append_option(row.pointing);
            origin.append_value(row.origin);
        }
        let per_mm = |row: &DeviceCells| row.dpi.map(|dpi| f64::from(dpi) / MM_PER_INCH);
        let times = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|(time, _)| *time));
        vec![
            Arc::new(times.with_timezone(UTC)),
            boot,
            Arc::new(rows.iter().map(|(_, row)| Some(row.device)).collect::<Int16Array>()),
            Arc::new(rows.iter().map(|(_, row)| row.name.as_deref()).collect::<StringArray>()),
            numbers(|row| row.bus),
            numbers(|row| row.vendor),
            numbers(|row| row.product),
            numbers(|row| row.version),
            flags(|row| row.has_keys),
            flags(|row| row.has_motion),
            flags(|row| row.has_wheel),
            flags(|row| row.has_switches),
            Words::Pointing.finish(&mut pointing),
            flags(|row| row.multitouch),
            Words::Origin.finish(&mut origin),
            Arc::new(rows.iter().map(|(_, row)| per_mm(row)).collect::<Float64Array>()),
            axes(&rows),
        ]
    }
}

fn has_wheel(device: &Device) -> bool {
    [codes::REL_WHEEL, codes::REL_HWHEEL, codes::REL_WHEEL_HI_RES, codes::REL_HWHEEL_HI_RES]
        .into_iter()
        .any(|code| device.rels.has(code))
}

fn axes(rows: &[(i64, DeviceCells)]) -> ArrayRef {
    let fields = axis_fields();
    let builders: Vec<Box<dyn ArrayBuilder>> = fields
        .iter()
        .map(|field| -> Box<dyn ArrayBuilder> {
            if field.data_type() == &DataType::Int16 {
                Box::new(Int16Builder::new())
            } else {
                Box::new(Int32Builder::new())
            }
        })
        .collect();
    let item = Field::new("item", DataType::Struct(fields.clone()), false);
    let mut list = ListBuilder::new(StructBuilder::new(fields, builders)).with_field(item);
    for (_, row) in rows {
        for (code, values) in &row.axes {
            let axis_struct = list.values();
            if let Some(field) = axis_struct.field_builder::<Int16Builder>(0) {
                field.append_value(super::code(*code).unwrap_or(i16::MAX));
            }
            for (place, value) in (1..).zip(values) {
                if let Some(field) = axis_struct.field_builder::<Int32Builder>(place) {
                    field.append_value(*value);
                }
            }
            axis_struct.append(true);
        }
        list.append(true);
    }
    Arc::new(list.finish())
}
