//! The two forms in which cells become CSV.

use super::range::Range;

/// The used rectangle: rows of one length, without what is empty at the right and at the end.
pub(super) fn used(rows: &[Vec<String>], range: Option<Range>) -> Vec<Vec<&str>> {
    let part = |(from, to): (usize, usize), length: usize| from.min(length)..to.saturating_add(1).min(length);
    let whole = ((0, usize::MAX), (0, usize::MAX));
    let (tall, wide) = range.map_or(whole, |range| (range.rows, range.columns));
    let mut cells: Vec<Vec<&str>> = rows[part(tall, rows.len())]
        .iter()
        .map(|row| row[part(wide, row.len())].iter().map(String::as_str).collect())
        .collect();
    let filled = |row: &[&str]| row.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1);
    let width = cells.iter().map(|row| filled(row)).max().unwrap_or(0);
    let height = cells.iter().rposition(|row| filled(row) > 0).map_or(0, |last| last + 1);
    cells.truncate(height);
    cells.iter_mut().for_each(|row| row.resize(width, ""));
    cells
}

/// Export: CRLF between rows, quotation marks where a comma, one of them or a line break asks for it.
pub(super) fn export(rows: &[Vec<&str>]) -> String {
    let field = |cell: &&str| {
        if cell.contains([',', '"', '\n', '\r']) { quoted(cell) } else { (*cell).to_owned() }
    };
    lines(rows, field, "\r\n")
}

/// The query endpoint: LF between rows, every field in quotation marks, and columns of one type, so
/// that text among numbers is lost, and the other way round. It takes the first row for the header,
/// as with `headers=1`; how Google guesses headers is not emulated.
pub(super) fn gviz(rows: &[Vec<&str>]) -> String {
    let mut typed = rows.to_vec();
    let width = rows.first().map_or(0, Vec::len);
    for column in 0..width {
        let Some(numbers) = kind(rows, column) else { continue };
        let others = typed.iter_mut().skip(1).map(|row| &mut row[column]);
        others.filter(|cell| is_number(cell) != numbers).for_each(|cell| *cell = "");
    }
    lines(&typed, |cell| quoted(cell), "\n")
}

/// Whether a column holds numbers (or text), which most of its cells decide; as many of each decide
/// nothing.
fn kind(rows: &[Vec<&str>], column: usize) -> Option<bool> {
    let cells = rows.iter().skip(1).map(|row| row[column]).filter(|cell| !cell.is_empty());
    let (numbers, texts): (Vec<_>, Vec<_>) = cells.partition(|cell| is_number(cell));
    (numbers.len() != texts.len()).then_some(numbers.len() > texts.len())
}

/// A number as it is displayed: digits, separators, perhaps a minus sign.
fn is_number(cell: &str) -> bool {
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    digits.starts_with(|first: char| first.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || c == ',' || c == '.')
}

fn lines(rows: &[Vec<&str>], field: impl Fn(&&str) -> String, end: &str) -> String {
    let line = |row: &Vec<&str>| row.iter().map(&field).collect::<Vec<_>>().join(",");
    rows.iter().map(line).collect::<Vec<_>>().join(end)
}

/// In quotation marks; line breaks within a cell are LF.
fn quoted(cell: &str) -> String {
    let cell = cell.replace("\r\n", "\n").replace('\r', "\n");
    format!("\"{}\"", cell.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[&[&str]]) -> Vec<Vec<String>> {
        rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect()
    }

    #[test]
    fn empty_rows_and_columns_are_cut_at_the_edge_and_kept_inside() {
        let rows = rows(&[&["a", "", "c", ""], &[], &["", "", ""], &["d"], &["", ""], &[]]);
        assert_eq!(export(&used(&rows, None)), "a,,c\r\n,,\r\n,,\r\nd,,");
        assert_eq!(export(&used(&[], None)), "");
    }

    #[test]
    fn a_range_is_a_part_of_the_tab_even_beyond_its_edge() {
        let rows = rows(&[&["a", "b", "c"], &["d", "e", "f"], &["g"]]);
        let part = |text| export(&used(&rows, Some(Range::parse(text).expect("a range"))));
        assert_eq!(part("B1:C2"), "b,c\r\ne,f");
        assert_eq!(part("A2:Z99"), "d,e,f\r\ng,,");
        assert_eq!(part("X1:Z99"), "");
    }

    #[test]
    fn the_query_form_loses_text_among_numbers_and_numbers_among_text() {
        let mixed = rows(&[&["n", "t"], &["1", "x"], &["2,000.5", "y"], &["many", "-3"]]);
        let form = gviz(&used(&mixed, None));
        assert_eq!(form, "\"n\",\"t\"\n\"1\",\"x\"\n\"2,000.5\",\"y\"\n\"\",\"\"");
    }
}
