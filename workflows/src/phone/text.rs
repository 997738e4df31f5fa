//! From what stands in a cell to plain digits.

use super::PhoneError;

/// A cell's digits, and whether a `+` stood before them.
pub(super) struct Written {
    pub(super) plus: bool,
    pub(super) digits: String,
}

/// From this many digits on, a piece of a cell is a number of its own.
const WHOLE_NUMBER: usize = 7;

/// What marks the digits behind it as an extension.
const EXTENSION_MARKS: [&str; 7] = ["x", "ext", "extn", "extension", "#", ";ext=", "ext."];

/// Words and signs between two numbers. A slash may also group the digits of one.
const BETWEEN_NUMBERS: [&str; 8] = [",", ";", "/", "|", "&", "\n", " or ", " and "];

/// Zeros of the decimal digits that sheets are seen to use beside ASCII: Arabic, Persian,
/// Devanagari, Bengali, Gujarati, Tamil, Telugu, Kannada. Full-width ones are mapped apart.
const ZEROS: [char; 8] =
    ['\u{660}', '\u{6f0}', '\u{966}', '\u{9e6}', '\u{ae6}', '\u{be6}', '\u{c66}', '\u{ce6}'];

pub(super) fn read(cell: &str) -> Result<Written, PhoneError> {
    let plain: String = cell.chars().filter_map(plain).collect();
    let text = unwrap(&plain);
    if text.is_empty() {
        return Err(PhoneError::Empty);
    }
    refuse_numeric(text)?;
    refuse_several(text)?;
    refuse_letters(text)?;
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() {
        return Err(PhoneError::Empty);
    }
    Ok(Written { plus: leading_plus(text)?, digits })
}

/// The character as ASCII where it has an equal there; `None` for invisible ones.
fn plain(c: char) -> Option<char> {
    Some(match c {
        // Zero-width and direction marks come along when copying from contacts and web pages.
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' => return None,
        '\u{2060}'..='\u{2069}' | '\u{feff}' => return None,
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe63}' | '\u{30fc}' => '-',
        '\u{2018}' | '\u{2019}' | '`' => '\'',
        '\n' | '\r' => '\n',
        '\u{ff01}'..='\u{ff5e}' => u8::try_from(u32::from(c) - 0xfee0).map_or(c, char::from),
        c if c.is_whitespace() => ' ',
        c => ZEROS.into_iter().find_map(|zero| digit(c, zero)).unwrap_or(c),
    })
}

fn digit(c: char, zero: char) -> Option<char> {
    let value = u32::from(c).checked_sub(u32::from(zero)).filter(|value| *value < 10)?;
    char::from_digit(value, 10)
}

/// Without what spreadsheets and links put around a number: `'…`, `="…"`, `tel:`.
fn unwrap(text: &str) -> &str {
    let text = text.trim().trim_start_matches('=').trim_matches(['\'', '"', ' ']);
    match text.get(..4) {
        Some(head) if head.eq_ignore_ascii_case("tel:") => text[4..].trim(),
        _ => text,
    }
}

/// Refuses numbers that a spreadsheet took for quantities.
fn refuse_numeric(text: &str) -> Result<(), PhoneError> {
    let lower = text.to_ascii_lowercase();
    if let Some((mantissa, exponent)) = lower.split_once('e') {
        let exponent = exponent.trim_start_matches(['+', '-']);
        if is_quantity(mantissa) && is_digits(exponent) {
            return Err(PhoneError::Scientific);
        }
    }
    if let Some((whole, part)) = lower.split_once(['.', ','])
        && whole.len() >= WHOLE_NUMBER
        && is_digits(whole.trim_start_matches('+'))
        && part.len() <= 2
        && is_digits(part)
    {
        return Err(PhoneError::Decimal);
    }
    Ok(())
}

fn is_quantity(text: &str) -> bool {
    let text = text.trim_start_matches(['+', '-']);
    let (whole, part) = text.split_once(['.', ',']).unwrap_or((text, "0"));
    is_digits(whole) && is_digits(part)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn refuse_several(text: &str) -> Result<(), PhoneError> {
    let mut pieces = vec![text.to_ascii_lowercase()];
    for separator in BETWEEN_NUMBERS {
        pieces = pieces.iter().flat_map(|p| p.split(separator)).map(str::to_owned).collect();
    }
    let whole = pieces.iter().filter(|piece| count_digits(piece) >= WHOLE_NUMBER).count();
    if whole > 1 { Err(PhoneError::Several) } else { Ok(()) }
}

fn count_digits(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}

fn refuse_letters(text: &str) -> Result<(), PhoneError> {
    if has_extension(text) {
        return Err(PhoneError::Extension);
    }
    if text.contains(char::is_alphabetic) {
        return Err(PhoneError::Letters);
    }
    match text.chars().find(|c| !c.is_ascii_digit() && !"+-. ()[]/~".contains(*c)) {
        Some(strange) => Err(PhoneError::Unexpected(strange)),
        None => Ok(()),
    }
}

/// Whether the text is digits, a mark, digits, in that order.
fn has_extension(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let is_number = |c: char| c.is_ascii_digit() || "+-. ()/".contains(c);
    let mark = lower.trim_matches(is_number);
    EXTENSION_MARKS.contains(&mark)
        && lower.starts_with(is_number)
        && lower.ends_with(|c: char| c.is_ascii_digit() || c == ' ')
}

/// Whether a `+` stands before the digits. One behind digits begins another number.
fn leading_plus(text: &str) -> Result<bool, PhoneError> {
    let Some(at) = text.rfind('+') else { return Ok(false) };
    match count_digits(&text[..at]) {
        0 if text.matches('+').count() == 1 => Ok(true),
        n if n >= WHOLE_NUMBER => Err(PhoneError::Several),
        _ => Err(PhoneError::Unexpected('+')),
    }
}
