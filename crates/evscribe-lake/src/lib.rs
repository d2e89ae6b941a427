//! The lake: what was pulled from many workstations, in one dataset.
#![forbid(unsafe_code)]
