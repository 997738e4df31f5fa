//! Parts of a tab in A1 notation.

/// Cells from one corner to another, both within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) rows: (usize, usize),
    pub(super) columns: (usize, usize),
}

impl Range {
    /// Reads `A1:D100` or `A:D`. Names of ranges are not known to the emulator.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once(':')?;
        let ((left, top), (right, bottom)) = (corner(from)?, corner(to)?);
        let rows = (top.unwrap_or(0), bottom.unwrap_or(usize::MAX));
        (left <= right && rows.0 <= rows.1).then_some(Self { rows, columns: (left, right) })
    }
}

/// Column and row of `D100`, counted from 0; a column alone has no row.
fn corner(text: &str) -> Option<(usize, Option<usize>)> {
    let letters = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (column, row) = text.split_at_checked(letters)?;
    // Sheets end at column ZZZ.
    if !(1..=3).contains(&letters) {
        return None;
    }
    let digit = |letter: u8| usize::from(letter.to_ascii_uppercase() - b'A') + 1;
    let column = column.bytes().fold(0, |sum, letter| sum * 26 + digit(letter)) - 1;
    if row.is_empty() {
        return Some((column, None));
    }
    let row: usize = row.parse().ok()?;
    Some((column, Some(row.checked_sub(1)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_count_from_1_and_columns_go_on_after_z() {
        let range = Range::parse("B2:AA100").expect("a range");
        assert_eq!((range.columns, range.rows), ((1, 26), (1, 99)));
        let range = Range::parse("a:d").expect("a range");
        assert_eq!((range.columns, range.rows), ((0, 3), (0, usize::MAX)));
    }

    #[test]
    fn what_is_no_range_is_none() {
        for text in ["", "A1", "leads", "A0:B1", "D1:A1", "1:2", "AAAA1:AAAB2", "A1:B-2"] {
            assert_eq!(Range::parse(text), None, "{text}");
        }
    }
}
