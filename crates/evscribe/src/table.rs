//! Text tables for people.

use std::io::Write;

/// Writes rows as columns, each as wide as its widest cell.
///
/// # Errors
/// Where standard output takes nothing more.
pub(crate) fn print(
    out: &mut impl Write,
    header: &[impl AsRef<str>],
    rows: &[impl AsRef<[String]>],
) -> std::io::Result<()> {
    let header: Vec<String> = header.iter().map(|cell| cell.as_ref().to_owned()).collect();
    let lines = || std::iter::once(header.as_slice()).chain(rows.iter().map(AsRef::as_ref));
    let width = |column: usize| {
        lines().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..header.len()).map(|column| width(column).unwrap_or(0)).collect();
    for line in lines() {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut out = Vec::new();
        let rows = [["mouse".into(), "1".into()], ["k".into(), "22".into()]];
        super::print(&mut out, &["kind", "n"], &rows).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "kind   n\nmouse  1\nk      22\n");
    }
}
