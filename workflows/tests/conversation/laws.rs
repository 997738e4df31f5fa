//! What holds whatever is heard, in whatever order.

use std::time::Duration;

use outdial_workflows::conversation::{
    Act, Answerer, AskId, CallTime, Conversation, Duties, Heard, Order, Piece, SentenceId, ToolCall,
    Transferred,
};
use proptest::prelude::*;

use crate::sim::{minimal, script};

/// Longer than any wait of the playbooks, and of all of them one behind the other.
const FOR_EVER: Duration = Duration::from_secs(3_600);

fn words() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "",
        "Yes.",
        "mm-hm",
        "wait",
        "two bedrooms and",
        "please leave a message after the tone",
    ])
    .prop_map(str::to_owned)
}

fn piece() -> impl Strategy<Value = Piece> {
    let call = (
        prop::sample::select(vec!["note", "end_call", "do_not_call", "call_back", "transfer", "dance"]),
        prop::sample::select(vec!["", "{}", "{\"at\": \"2027-01-15T10:00\"}", "[]", "{"]),
    );
    let call = call.prop_map(|(name, arguments)| {
        Piece::Call(ToolCall { id: "call".into(), name: name.into(), arguments: arguments.into() })
    });
    prop_oneof![
        prop::sample::select(vec!["I see. ", "Goodbye", " and so", ""])
            .prop_map(|text| Piece::Text(text.into())),
        call,
        Just(Piece::Done),
        Just(Piece::Failed("HTTP 500".into())),
    ]
}

fn heard() -> impl Strategy<Value = Heard> {
    let sentence = || (1_u32..12).prop_map(SentenceId);
    prop_oneof![
        2 => (0_u64..100).prop_map(|ms| Heard::VoiceBegan { ago: Duration::from_millis(ms) }),
        2 => (0_u64..400).prop_map(|ms| Heard::VoiceEnded { ago: Duration::from_millis(ms) }),
        4 => (words(), any::<bool>()).prop_map(|(text, confirmed)| Heard::Words { text, confirmed }),
        1 => Just(Heard::UtteranceEnded),
        1 => prop::sample::select(vec!['1', '9', '#']).prop_map(Heard::Key),
        1 => prop::sample::select(vec![Answerer::Person, Answerer::Machine]).prop_map(Heard::Answerer),
        1 => Just(Heard::Tone),
        8 => ((1_u32..12).prop_map(AskId), piece()).prop_map(|(ask, piece)| Heard::Replied { ask, piece }),
        3 => sentence().prop_map(Heard::Sounding),
        2 => (sentence(), 0_u64..3_000).prop_map(|(sentence, ms)| Heard::Played {
            sentence,
            played: Duration::from_millis(ms),
            of: None,
        }),
        4 => sentence().prop_map(Heard::Spoken),
        1 => sentence().prop_map(Heard::SpeechFailed),
        1 => Just(Heard::Deaf("gone".into())),
        1 => Just(Heard::StreamLost),
        1 => Just(Heard::StreamBack),
        1 => Just(Heard::Transferred(Transferred::Failed("busy".into()))),
        1 => Just(Heard::Transferred(Transferred::Done)),
        1 => Just(Heard::Ordered(Order::HandOver)),
        4 => Just(Heard::Time),
    ]
}

/// Who watches that the acts make sense.
#[derive(Default)]
struct Watch {
    asking: Option<AskId>,
    turns: u32,
    over: bool,
}

impl Watch {
    fn see(&mut self, act: &Act) {
        assert!(!self.over, "something follows the end: {act:?}");
        match act {
            Act::Ask { id, .. } => {
                assert_eq!(self.asking.replace(*id), None, "two requests at once");
            }
            Act::Abandon(id) => assert_eq!(self.asking.take(), Some(*id), "one that is not under way"),
            Act::Say { text, .. } => assert!(!text.trim().is_empty(), "nothing is said"),
            Act::Keep(turn) => {
                self.turns += 1;
                assert_eq!(turn.number, self.turns, "turns are counted without a gap");
                assert!(turn.began <= turn.ended && !turn.text.is_empty(), "{turn:?}");
            }
            Act::End(_) => self.over = true,
            Act::Hush
            | Act::Note { .. }
            | Act::Suppress
            | Act::CallBack { .. }
            | Act::Transfer { .. }
            | Act::FollowTransfer => {}
        }
    }

    /// What happens, and what it leads to.
    fn hear(&mut self, conversation: &mut Conversation, heard: Heard, at: CallTime) {
        if let Heard::Replied { ask, piece: Piece::Done | Piece::Failed(_) } = &heard
            && self.asking == Some(*ask)
        {
            self.asking = None;
        }
        conversation.hear(heard, at);
        while let Some(act) = conversation.next_act() {
            self.see(&act);
        }
        assert!(conversation.wake_at().is_none_or(|wake| wake > at), "what is due is done: {conversation:?}");
    }
}

proptest! {
    #[test]
    fn whatever_is_heard_acts_make_sense_and_every_conversation_ends(
        happenings in prop::collection::vec((0_u64..4_000, heard()), 0..60),
        long in any::<bool>(),
        disclose in any::<bool>(),
    ) {
        let script = match long {
            true => script(include_str!("../../playbooks/loan-interest.toml")),
            false => minimal(),
        };
        let duties = Duties { disclose, announce_recording: disclose, ..Duties::default() };
        let mut conversation = Conversation::new(script, duties, "Thursday 14 January 2027, 10:05");
        let mut watch = Watch::default();
        let mut now = CallTime::ms(0);
        watch.hear(&mut conversation, Heard::Connected, now);
        for (later, heard) in happenings {
            let at = now.plus(Duration::from_millis(later));
            while let Some(wake) = conversation.wake_at().filter(|wake| *wake <= at) {
                watch.hear(&mut conversation, Heard::Time, wake);
            }
            now = at;
            watch.hear(&mut conversation, heard, now);
        }
        // Nothing more is heard, of anybody: it ends by the clock alone, and not after an hour.
        let latest = now.plus(FOR_EVER);
        while let Some(wake) = conversation.wake_at() {
            prop_assert!(wake < latest, "it waits for ever");
            watch.hear(&mut conversation, Heard::Time, wake);
        }
        prop_assert!(watch.over, "it does not end: {conversation:?}");
    }
}
