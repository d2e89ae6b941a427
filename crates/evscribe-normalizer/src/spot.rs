//! Where a contact is, and how its device measures.

use evscribe_model::codes::*;
use evscribe_model::{Device, DeviceState, Tool};

/// What is known of a contact at one moment, in device units.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Spot {
    pub(crate) x: Option<i32>,
    pub(crate) y: Option<i32>,
    pub(crate) pressure: Option<i32>,
    pub(crate) tool: Tool,
}

impl Spot {
    /// Nothing known yet.
    pub(crate) const fn of(tool: Tool) -> Self {
        Self { x: None, y: None, pressure: None, tool }
    }

    /// Takes a value of `ABS_X`, `ABS_Y` or `ABS_PRESSURE`; says whether it was
    /// one of these.
    pub(crate) fn take_flat(&mut self, code: u16, value: i32) -> bool {
        match code {
            ABS_X => self.x = Some(value),
            ABS_Y => self.y = Some(value),
            ABS_PRESSURE => self.pressure = Some(value),
            _ => return false,
        }
        true
    }

    /// Takes what the kernel holds of those three; what it does not hold stays.
    pub(crate) fn take_state(&mut self, state: &DeviceState) {
        for &(code, value) in &state.axes {
            self.take_flat(code, value);
        }
    }

    /// Takes a value of `ABS_MT_POSITION_*`, `ABS_MT_PRESSURE` or
    /// `ABS_MT_TOOL_TYPE`; says whether it was one of these.
    pub(crate) fn take_multi(&mut self, code: u16, value: i32) -> bool {
        match code {
            ABS_MT_POSITION_X => self.x = Some(value),
            ABS_MT_POSITION_Y => self.y = Some(value),
            ABS_MT_PRESSURE => self.pressure = Some(value),
            ABS_MT_TOOL_TYPE => self.tool = tool_of(value),
            _ => return false,
        }
        true
    }
}

/// The tool that `ABS_MT_TOOL_TYPE` means.
pub(crate) const fn tool_of(tool_type: i32) -> Tool {
    match tool_type {
        MT_TOOL_FINGER => Tool::Finger,
        MT_TOOL_PEN => Tool::Pen,
        MT_TOOL_PALM => Tool::Palm,
        _ => Tool::Other,
    }
}

/// Whether a contact of that tool ends with `leave`; a finger's or palm's ends
/// with `up`. By this a reader tells from a row alone whether more may follow.
pub(crate) const fn leaves(tool: Tool) -> bool {
    !matches!(tool, Tool::Finger | Tool::Palm)
}

/// How device units become micrometres.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    x: Option<Ruler>,
    y: Option<Ruler>,
}

/// An axis that states its resolution and whose range is one.
#[derive(Clone, Copy, Debug)]
struct Ruler {
    min: i64,
    per_mm: i64,
}

impl Scale {
    /// By the axes of those codes.
    pub(crate) fn of(device: &Device, x: u16, y: u16) -> Self {
        let ruler = |code| {
            let axis = device.axis(code)?;
            (axis.resolution > 0 && axis.min < axis.max)
                .then(|| Ruler { min: axis.min.into(), per_mm: axis.resolution.into() })
        };
        Self { x: ruler(x), y: ruler(y) }
    }

    /// Micrometres from the axis's minimum; `None` without a stated resolution,
    /// or further than 2 km away, which no device is.
    pub(crate) fn x_um(&self, value: i32) -> Option<i32> {
        self.x.and_then(|ruler| ruler.um(value))
    }

    /// As [`Scale::x_um`].
    pub(crate) fn y_um(&self, value: i32) -> Option<i32> {
        self.y.and_then(|ruler| ruler.um(value))
    }
}

impl Ruler {
    fn um(self, value: i32) -> Option<i32> {
        let um = (i64::from(value) - self.min) * 1000 / self.per_mm;
        i32::try_from(um).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use evscribe_model::{Axis, DeviceId};

    fn scale(min: i32, max: i32, resolution: i32) -> Scale {
        let mut device = Device::empty(DeviceId(1));
        device.axes = vec![Axis { code: ABS_X, min, max, fuzz: 0, flat: 0, resolution }];
        Scale::of(&device, ABS_X, ABS_Y)
    }

    #[test]
    fn micrometres_count_from_the_minimum() {
        assert_eq!(scale(100, 4100, 40).x_um(140), Some(1000));
        assert_eq!(scale(-100, 100, 40).x_um(-101), Some(-25));
    }

    #[test]
    fn without_a_resolution_there_are_no_micrometres() {
        assert_eq!(scale(0, 4100, 0).x_um(140), None);
        assert_eq!(scale(0, 4100, -3).x_um(140), None);
        assert_eq!(scale(0, 4100, 40).y_um(140), None);
    }

    #[test]
    fn an_inverted_range_has_no_micrometres() {
        assert_eq!(scale(4100, 0, 40).x_um(140), None);
    }

    #[test]
    fn an_absurd_distance_has_no_micrometres() {
        assert_eq!(scale(i32::MIN, i32::MAX, 1).x_um(i32::MAX), None);
    }
}
