//! Table `devices`: few rows, so they are kept and turned into columns at once.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayBuilder, ArrayRef, BooleanArray, Float64Array, Int16Array, Int16Builder, Int32Array,
        Int32Builder, ListBuilder, StringArray, StructBuilder, TimestampMicrosecondArray,
    },
    datatypes::{DataType, Field},
};
use evscribe_model::{Device, DeviceRow, codes};

use super::{Words, words};
use crate::table::{UTC, axis_fields};

/// Millimetres of an inch.
const MM_PER_INCH: f64 = 25.4;

#[derive(Debug, Default)]
pub(super) struct DeviceRows(Vec<(i64, Device)>);

impl DeviceRows {
    pub(super) fn rows(&self) -> usize {
        self.0.len()
    }

    pub(super) fn push(&mut self, row: &DeviceRow, wall_us: i64) {
        self.0.push((wall_us, row.device.clone()));
    }

    pub(super) fn finish(&mut self, boot: ArrayRef) -> Vec<ArrayRef> {
        let rows = std::mem::take(&mut self.0);
        let numbers = |of: fn(&Device) -> u16| -> ArrayRef {
            Arc::new(
                rows.iter().map(|(_, device)| Some(i32::from(of(device)))).collect::<Int32Array>(),
            )
        };
        let flags = |of: fn(&Device) -> bool| -> ArrayRef {
            Arc::new(rows.iter().map(|(_, device)| Some(of(device))).collect::<BooleanArray>())
        };
        let mut pointing = Int32Builder::new();
        let mut origin = Int32Builder::new();
        for (_, device) in &rows {
            pointing.append_option(device.pointing().map(words::pointing));
            origin.append_value(words::origin(device.origin));
        }
        let per_mm = |device: &Device| device.dpi.map(|dpi| f64::from(dpi) / MM_PER_INCH);
        let times = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|(time, _)| *time));
        vec![
            Arc::new(times.with_timezone(UTC)),
            boot,
            Arc::new(rows.iter().map(|(_, device)| Some(device.id.0)).collect::<Int16Array>()),
            Arc::new(
                rows.iter().map(|(_, device)| device.name.as_deref()).collect::<StringArray>(),
            ),
            numbers(|device| device.bus),
            numbers(|device| device.vendor),
            numbers(|device| device.product),
            numbers(|device| device.version),
            flags(Device::has_keys),
            flags(Device::has_motion),
            flags(has_wheel),
            flags(|device| !device.switches.is_empty()),
            Words::Pointing.finish(&mut pointing),
            flags(Device::is_multitouch),
            Words::Origin.finish(&mut origin),
            Arc::new(rows.iter().map(|(_, device)| per_mm(device)).collect::<Float64Array>()),
            axes(&rows),
        ]
    }
}

fn has_wheel(device: &Device) -> bool {
    [codes::REL_WHEEL, codes::REL_HWHEEL, codes::REL_WHEEL_HI_RES, codes::REL_HWHEEL_HI_RES]
        .into_iter()
        .any(|code| device.rels.has(code))
}

fn axes(rows: &[(i64, Device)]) -> ArrayRef {
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
    for (_, device) in rows {
        for axis in &device.axes {
            let axis_struct = list.values();
            if let Some(code) = axis_struct.field_builder::<Int16Builder>(0) {
                code.append_value(super::code(axis.code).unwrap_or(i16::MAX));
            }
            let values = [axis.min, axis.max, axis.fuzz, axis.flat, axis.resolution];
            for (place, value) in (1..).zip(values) {
                if let Some(field) = axis_struct.field_builder::<Int32Builder>(place) {
                    field.append_value(value);
                }
            }
            axis_struct.append(true);
        }
        list.append(true);
    }
    Arc::new(list.finish())
}
