//! Server-sent events (WHATWG HTML, 9.2), as far as chat completions and our own streams need them: their data alone.
//!
//! The crates for it are either unmaintained since 2022 (eventsource-stream) or bring their own client; it is forty
//! lines.

use std::collections::VecDeque;
use std::mem;

/// No event is longer, in bytes; a chunk of an answer has a few hundred.
const EVENT_MAX: usize = 1024 * 1024;

/// An event was too long to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// Makes events of bytes that come in any pieces.
#[derive(Debug, Default)]
pub struct Events {
    line: Vec<u8>,
    /// The lines of data so far, each with its end.
    data: Vec<u8>,
    /// Whether a line has just ended with `\r`, of which a `\n` may be a part.
    after_return: bool,
}

impl Events {
    /// The data of the events that end in these bytes.
    ///
    /// # Errors
    /// If one is too long to be one.
    pub fn read(&mut self, bytes: &[u8], events: &mut VecDeque<String>) -> Result<(), TooLong> {
        for byte in bytes {
            let after_return = mem::replace(&mut self.after_return, *byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => events.extend(self.end_line()),
                _ if self.line.len() + self.data.len() >= EVENT_MAX => return Err(TooLong),
                _ => self.line.push(*byte),
            }
        }
        Ok(())
    }

    /// What is left at the end of the stream. By the standard it is no event; some gateways leave the last line's end
    /// out.
    pub fn end(&mut self) -> Option<String> {
        self.end_line().or_else(|| self.end_line())
    }

    fn end_line(&mut self) -> Option<String> {
        let line = mem::take(&mut self.line);
        if line.is_empty() {
            let mut data = mem::take(&mut self.data);
            // The end of the last line is not part of the data.
            data.pop()?;
            return Some(String::from_utf8_lossy(&data).into_owned());
        }
        // Comments, names and ids say nothing that the data does not.
        if let Some(data) = line.strip_prefix(b"data:") {
            self.data.extend_from_slice(data.strip_prefix(b" ").unwrap_or(data));
            self.data.push(b'\n');
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
        let (mut events, mut read) = (Events::default(), VecDeque::new());
        for piece in pieces {
            events.read(piece, &mut read).expect("short events");
        }
        read.extend(events.end());
        read.into()
    }

    #[test]
    fn events_are_read_whatever_their_line_ends_and_whatever_stands_between() {
        for (stream, data) in [
            ("data: a\n\ndata: b\n\n", &["a", "b"][..]),
            ("data:a\r\n\r\n: comment\r\n\r\ndata: b\r\n\r\n", &["a", "b"]),
            ("data: a\r\rdata: b\r\r", &["a", "b"]),
            ("event: error\ndata: a\nid: 7\nretry: 9\n\n", &["a"]),
            ("data: a\ndata:  b\ndata:\n\n", &["a\n b\n"]),
            ("data\nother: x\n\n\n\ndata: a\n\n", &["a"]),
            ("data: नमस्ते\n\n", &["नमस्ते"]),
            ("data: a\n\ndata: [DONE]", &["a", "[DONE]"]),
            ("data: a\n", &["a"]),
            ("", &[]),
        ] {
            assert_eq!(read([stream.as_bytes()]), data, "{stream:?}");
        }
    }

    #[test]
    fn an_event_without_an_end_is_given_up() {
        let (mut events, mut read) = (Events::default(), VecDeque::new());
        let line = vec![b'x'; EVENT_MAX];
        assert_eq!(events.read(&line, &mut read), Ok(()));
        assert_eq!(events.read(b"x", &mut read), Err(TooLong));
    }

    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            3 => "data: ?[a-zä {}\":]{0,12}",
            1 => ": ?[a-z]{0,8}",
            1 => "event: [a-z]{1,6}",
            2 => Just(String::new()),
            1 => "[a-z:ü]{0,6}",
        ]
    }

    fn end() -> impl Strategy<Value = &'static str> {
        prop_oneof![Just("\n"), Just("\r\n"), Just("\r")]
    }

    proptest! {
        #[test]
        fn where_a_stream_is_split_changes_nothing(
            lines in prop::collection::vec((line(), end()), 0..24),
            cuts in prop::collection::vec(1_usize..9, 1..40),
        ) {
            let stream: String = lines.iter().flat_map(|(line, end)| [line.as_str(), *end]).collect();
            let mut pieces = vec![];
            let (mut rest, mut cuts) = (stream.as_bytes(), cuts.iter().cycle());
            while let (false, Some(cut)) = (rest.is_empty(), cuts.next()) {
                let (piece, left) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = left;
            }
            prop_assert_eq!(read(pieces), read([stream.as_bytes()]));
        }

        #[test]
        fn all_data_arrives_whatever_the_line_ends(
            data in prop::collection::vec("[a-zä{}\": ]{1,12}", 0..12),
            end in end(),
        ) {
            let stream: String = data.iter().map(|data| format!("data: {data}{end}{end}")).collect();
            prop_assert_eq!(read([stream.as_bytes()]), data);
        }
    }
}
