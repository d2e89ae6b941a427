//! `evscribe-data`: the tool of the data team. See evscribe-data(1).
#![forbid(unsafe_code)]

fn main() {}
