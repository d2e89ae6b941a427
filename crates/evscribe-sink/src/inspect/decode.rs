//! Rows of sealed files, as they were before they were written.

use std::path::Path;

use arrow::record_batch::RecordBatch;
use evscribe_model::{BootUs, DeviceId, Event, KeyClass, Phase, Run, Tool, Touch, What};

use super::file::{Columns, Meta, cell, flag};
use crate::SinkError;

/// Hands each row of a batch of table `events` on, with its time.
pub(crate) fn events(
    meta: &Meta,
    batch: &RecordBatch,
    mut each: impl FnMut(Event, i64) -> Result<(), SinkError>,
) -> Result<(), SinkError> {
    let columns = Columns(batch);
    let (times, runs, devices) =
        (columns.times("time")?, columns.int32("run")?, columns.int16("device")?);
    let (kinds, classes) = (columns.words("kind")?, columns.words("key_class")?);
    let (dx, dy) = (columns.int32("dx")?, columns.int32("dy")?);
    let (wheel_v, wheel_h) = (columns.int32("wheel_v_120")?, columns.int32("wheel_h_120")?);
    let (codes, strokes) = (columns.int16("code")?, columns.int32("stroke")?);
    let (downs, inferreds) = (columns.flags("down")?, columns.flags("inferred")?);
    for row in 0..batch.num_rows() {
        let event = || {
            let code = || cell(codes, row).and_then(|code| u16::try_from(code).ok());
            let down = || flag(downs, row);
            let inferred = flag(inferreds, row)?;
            let what = match kinds.get(row)? {
                "motion" => What::Motion { dx: cell(dx, row)?, dy: cell(dy, row)? },
                "scroll" => What::Scroll { v_120: cell(wheel_v, row)?, h_120: cell(wheel_h, row)? },
                "button" => {
                    let stroke = cell(strokes, row)?;
                    What::Button { code: code()?, down: down()?, stroke, inferred }
                }
                "key" => {
                    let class = match classes.get(row) {
                        None => None,
                        Some(word) => {
                            Some(KeyClass::ALL.into_iter().find(|class| class.name() == word)?)
                        }
                    };
                    let stroke = cell(strokes, row)?;
                    What::Key { code: code(), class, down: down()?, stroke, inferred }
                }
                "switch" => What::Switch { code: code()?, down: down()?, inferred },
                _ => return None,
            };
            let at_us = cell(times, row)?;
            let (run, device) = (Run(cell(runs, row)?), DeviceId(cell(devices, row)?));
            Some((Event { at: at(meta, at_us), run, device, what }, at_us))
        };
        let (event, at_us) = event().ok_or_else(no_row)?;
        each(event, at_us)?;
    }
    Ok(())
}

/// Hands each row of a batch of table `touch` on, with its time.
pub(crate) fn touch(
    meta: &Meta,
    batch: &RecordBatch,
    mut each: impl FnMut(Touch, i64) -> Result<(), SinkError>,
) -> Result<(), SinkError> {
    let columns = Columns(batch);
    let (times, runs, devices) =
        (columns.times("time")?, columns.int32("run")?, columns.int16("device")?);
    let (contacts, pressures) = (columns.int32("contact")?, columns.int32("pressure")?);
    let (phases, tools) = (columns.words("phase")?, columns.words("tool")?);
    let (xs_um, ys_um) = (columns.int32("x_um")?, columns.int32("y_um")?);
    let (xs, ys) = (columns.int32("x")?, columns.int32("y")?);
    let inferreds = columns.flags("inferred")?;
    for row in 0..batch.num_rows() {
        let touch = || {
            let (phase, tool) = (phases.get(row)?, tools.get(row)?);
            let at_us = cell(times, row)?;
            let touch = Touch {
                at: at(meta, at_us),
                run: Run(cell(runs, row)?),
                device: DeviceId(cell(devices, row)?),
                contact: cell(contacts, row)?,
                phase: Phase::ALL.into_iter().find(|known| known.name() == phase)?,
                x: cell(xs, row),
                y: cell(ys, row),
                x_um: cell(xs_um, row),
                y_um: cell(ys_um, row),
                pressure: cell(pressures, row),
                tool: Tool::ALL.into_iter().find(|known| known.name() == tool)?,
                inferred: flag(inferreds, row)?,
            };
            Some((touch, at_us))
        };
        let (touch, at_us) = touch().ok_or_else(no_row)?;
        each(touch, at_us)?;
    }
    Ok(())
}

fn at(meta: &Meta, at_us: i64) -> BootUs {
    BootUs::new(u64::try_from(meta.boot_us(at_us)).unwrap_or(0))
}

fn no_row() -> SinkError {
    SinkError::Malformed { path: Path::new("row").into(), why: "it is none of this table".into() }
}
