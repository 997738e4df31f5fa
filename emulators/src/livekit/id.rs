//! LiveKit's ids: a prefix that says of what, and twelve letters and digits.

use uuid::Uuid;

/// Those that are not mistaken for one another.
const ALPHABET: &[u8; 57] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// A new one, such as `RM_qA3b2C3d4E5f`.
pub(super) fn new(prefix: &str) -> String {
    let mut rest = Uuid::new_v4().as_u128();
    let mut id = prefix.to_owned();
    for _ in 0..12 {
        let letter = usize::try_from(rest % 57).expect("below 57");
        id.push(char::from(ALPHABET[letter]));
        rest /= 57;
    }
    id
}
