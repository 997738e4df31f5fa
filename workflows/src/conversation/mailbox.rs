//! A mailbox told from a person by what it says.

/// What mailboxes say, and people who answer a telephone do not. From the announcements of carriers and of telephones
/// in English, and in Hindi as recognisers spell it.
const SAYINGS: [&str; 22] = [
    "leave a message",
    "leave your message",
    "leave me a message",
    "leave your name",
    "after the tone",
    "after the beep",
    "at the tone",
    "at the beep",
    "record your message",
    "voicemail",
    "voice mail",
    "voice mailbox",
    "not available to take your call",
    "unable to take your call",
    "can't take your call",
    "cannot take your call",
    "can't come to the phone",
    "unable to come to the phone",
    "has been forwarded to",
    "forwarded to voice",
    "automated voice messaging",
    "sandesh chhod",
];

pub(super) fn sounds_like_one(text: &str) -> bool {
    let text = text.to_lowercase().replace('’', "'");
    SAYINGS.iter().any(|saying| text.contains(saying))
}

#[cfg(test)]
mod tests {
    use super::sounds_like_one;

    #[test]
    fn a_mailbox_is_told_from_a_person_by_what_it_says() {
        for mailbox in [
            "Hi, you've reached Asha. Please leave a message after the beep.",
            "Your call has been forwarded to an automated voice messaging system.",
            "The person you are calling can’t take your call right now.",
        ] {
            assert!(sounds_like_one(mailbox), "{mailbox}");
        }
        for person in
            ["Hello?", "Who is this? Leave me alone.", "Yes, speaking.", "I got your message yesterday"]
        {
            assert!(!sounds_like_one(person), "{person}");
        }
    }
}
