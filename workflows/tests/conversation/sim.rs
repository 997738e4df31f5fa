//! A person, a model, a recogniser and a voice around the machine, all on one fake clock.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use outdial_workflows::conversation::{
    Act, AskId, CallTime, Conversation, Duties, Heard, Piece, SentenceId, ToolCall,
};
use outdial_workflows::playbook::{self, Script};
use outdial_workflows::results::Speaker;
use outdial_workflows::template::Values;

/// A playbook filled for a lead.
pub(crate) fn script(text: &str) -> Script {
    let attributes = BTreeMap::from([("area".to_owned(), "Hebbal".to_owned())]);
    let values = Values {
        lead_name: Some("Asha"),
        lead_phone: "+911000000001",
        lead_external_id: None,
        attributes: &attributes,
        campaign_name: "Spring",
        client_name: "Acme Homes",
    };
    playbook::read(text).unwrap_or_else(|problems| panic!("{problems}")).fill(&values).expect("every value")
}

pub(crate) fn minimal() -> Script {
    script(include_str!("../../playbooks/minimal.toml"))
}

/// What the model does when it is asked.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    after_ms: u64,
    pieces: Vec<Piece>,
}

/// It says something, so long after it was asked.
pub(crate) fn says(after_ms: u64, text: &str) -> Reply {
    // In pieces, as models write.
    let mut pieces: Vec<Piece> = text.split_inclusive(' ').map(|word| Piece::Text(word.to_owned())).collect();
    pieces.push(Piece::Done);
    Reply { after_ms, pieces }
}

pub(crate) fn fails(after_ms: u64) -> Reply {
    Reply { after_ms, pieces: vec![Piece::Failed("HTTP 429".into())] }
}

/// Nothing ever comes.
pub(crate) fn stalls() -> Reply {
    Reply { after_ms: 0, pieces: vec![] }
}

impl Reply {
    /// It uses a tool, too.
    pub(crate) fn using(mut self, name: &str, arguments: &str) -> Self {
        let call = ToolCall { id: format!("call_{name}"), name: name.into(), arguments: arguments.into() };
        let at = self.pieces.len() - 1;
        self.pieces.insert(at, Piece::Call(call));
        self
    }

    /// Nothing comes behind so many words.
    pub(crate) fn stalling_after(mut self, words: usize) -> Self {
        self.pieces.truncate(words);
        self
    }
}

/// How fast the voice speaks, in milliseconds a character: fifteen characters a second.
const CHAR_MS: u64 = 66;
/// How long the voice takes to begin.
const VOICE_MS: u64 = 150;
/// How long the recogniser takes to confirm words after the voice has ended.
const RECOGNISER_MS: u64 = 200;
/// How often the carrier tells how much it has played.
const MARK_MS: u64 = 200;

/// The world around a conversation.
pub(crate) struct Sim {
    conversation: Conversation,
    /// What will be heard, by time and order.
    events: BTreeMap<(CallTime, u32), Heard>,
    scheduled: u32,
    replies: VecDeque<Reply>,
    /// The sentences that are to be played, and their lengths.
    playing: Vec<(SentenceId, Duration)>,
    /// Until when the voice is busy.
    busy_until: CallTime,
    voice_fails: u32,
    now: CallTime,
    pub(crate) told: String,
    asked: Vec<AskId>,
}

impl Sim {
    pub(crate) fn new(script: Script, duties: Duties) -> Self {
        let mut sim = Self {
            conversation: Conversation::new(script, duties, "Thursday 14 January 2027, 10:05"),
            events: BTreeMap::new(),
            scheduled: 0,
            replies: VecDeque::new(),
            playing: vec![],
            busy_until: CallTime::ms(0),
            voice_fails: 0,
            now: CallTime::ms(0),
            told: String::new(),
            asked: vec![],
        };
        sim.at(0, Heard::Connected);
        sim
    }

    pub(crate) fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    /// What is heard at a time.
    pub(crate) fn at(&mut self, ms: u64, heard: Heard) -> &mut Self {
        self.schedule(CallTime::ms(ms), heard);
        self
    }

    fn schedule(&mut self, at: CallTime, heard: Heard) {
        self.scheduled += 1;
        self.events.insert((at, self.scheduled), heard);
    }

    /// The person says something from then on, at the speed of people: voice, words that may change, words that stay.
    pub(crate) fn person(&mut self, ms: u64, text: &str) -> &mut Self {
        let length = text.chars().count() as u64 * CHAR_MS;
        self.at(ms, Heard::VoiceBegan { ago: Duration::ZERO });
        let half: String = text.split_inclusive(' ').take(text.split(' ').count().div_ceil(2)).collect();
        self.at(ms + length / 2 + RECOGNISER_MS, Heard::Words { text: half, confirmed: false });
        self.at(ms + length, Heard::VoiceEnded { ago: Duration::ZERO });
        self.at(ms + length + RECOGNISER_MS, Heard::Words { text: text.into(), confirmed: true })
    }

    /// A sound without words.
    pub(crate) fn noise(&mut self, ms: u64, length_ms: u64) -> &mut Self {
        self.at(ms, Heard::VoiceBegan { ago: Duration::ZERO })
            .at(ms + length_ms, Heard::VoiceEnded { ago: Duration::ZERO })
    }

    pub(crate) fn model(&mut self, replies: impl IntoIterator<Item = Reply>) -> &mut Self {
        self.replies.extend(replies);
        self
    }

    /// The voice fails so often.
    pub(crate) fn voice_fails(&mut self, times: u32) -> &mut Self {
        self.voice_fails = times;
        self
    }

    /// Runs until the conversation is over, or nothing more can happen, and tells what was done when.
    pub(crate) fn run(&mut self) -> String {
        for _ in 0..10_000 {
            let next = self.events.keys().next().map(|(at, _)| *at);
            let wake = self.conversation.wake_at();
            let Some(at) = next.into_iter().chain(wake).min() else { break };
            // An hour is more than any of them takes.
            if at > CallTime::ms(3_600_000) {
                break;
            }
            self.now = self.now.max(at);
            let heard = match next.filter(|next| *next <= at) {
                Some(_) => self.events.pop_first().map_or(Heard::Time, |(_, heard)| heard),
                None => Heard::Time,
            };
            let now = self.now;
            if !self.is_dropped(&heard) {
                self.conversation.hear(heard, now);
            }
            while let Some(act) = self.conversation.next_act() {
                self.act(act);
            }
        }
        std::mem::take(&mut self.told)
    }

    /// What belongs to speech that was stopped, or to a request that was.
    fn is_dropped(&self, heard: &Heard) -> bool {
        match heard {
            Heard::Sounding(id) | Heard::Spoken(id) | Heard::Played { sentence: id, .. } => {
                !self.playing.iter().any(|(playing, _)| playing == id)
            }
            Heard::Replied { ask, .. } => !self.asked.contains(ask),
            _ => false,
        }
    }

    fn tell(&mut self, text: &str) {
        let ms = self.now.as_ms();
        self.told += &format!("{:>3}.{:03} {text}\n", ms / 1_000, ms % 1_000);
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Ask { id, prompt, fallback, speculative } => {
                let kind = match (fallback, speculative) {
                    (false, false) => "ask",
                    (false, true) => "ask early",
                    (true, _) => "ask the other model",
                };
                let last = prompt.messages.last().map(|message| format!("{message:?}")).unwrap_or_default();
                self.tell(&format!("{kind}: {last}"));
                self.asked.push(id);
                let reply = self.replies.pop_front().unwrap_or_else(|| says(300, "I see."));
                let mut at = self.now.plus(Duration::from_millis(reply.after_ms));
                for piece in reply.pieces {
                    self.schedule(at, Heard::Replied { ask: id, piece });
                    at = at.plus(Duration::from_millis(20));
                }
            }
            Act::Abandon(id) => {
                self.asked.retain(|asked| *asked != id);
                self.tell("abandon");
            }
            Act::Say { id, text, .. } => {
                self.tell(&format!("say: {text}"));
                let begin = self.now.plus(Duration::from_millis(VOICE_MS));
                if self.voice_fails > 0 {
                    self.voice_fails -= 1;
                    return self.schedule(begin, Heard::SpeechFailed(id));
                }
                let begin = begin.max(self.busy_until);
                let length = Duration::from_millis(text.chars().count() as u64 * CHAR_MS);
                self.schedule(begin, Heard::Sounding(id));
                let mut played = Duration::from_millis(MARK_MS);
                while played < length {
                    let of = Some(length);
                    self.schedule(begin.plus(played), Heard::Played { sentence: id, played, of });
                    played += Duration::from_millis(MARK_MS);
                }
                self.busy_until = begin.plus(length);
                self.schedule(self.busy_until, Heard::Spoken(id));
                self.playing.push((id, length));
            }
            Act::Hush => {
                self.playing.clear();
                self.busy_until = self.now;
                self.tell("hush");
            }
            Act::Keep(turn) => {
                let who = match turn.speaker {
                    Speaker::Agent => "agent",
                    Speaker::Person => "person",
                    Speaker::Other => "other",
                };
                let cut = if turn.interrupted { " (cut off)" } else { "" };
                let latency = turn.latency.map(|l| {
                    format!(
                        " [{} = turn {} + model {} + sentence {} + speech {}]",
                        l.total_ms, l.turn_ms, l.model_ms, l.sentence_ms, l.speech_ms
                    )
                });
                self.tell(&format!(
                    "{}. {who}{cut}: {}{}",
                    turn.number,
                    turn.text,
                    latency.unwrap_or_default()
                ));
            }
            Act::Note { name, value, turn } => self.tell(&format!("note {name} = {value}, from turn {turn}")),
            Act::Suppress => self.tell("never call again"),
            Act::CallBack { at } => self.tell(&format!("call back at {at}")),
            Act::Transfer { to, briefing: None } => self.tell(&format!("transfer to {to}")),
            Act::Transfer { to, briefing: Some(briefing) } => {
                self.tell(&format!("transfer to {to}, who is told: {}", briefing.as_str()));
            }
            Act::FollowTransfer => self.tell("follow the transfer"),
            Act::End(ending) => {
                self.tell(&format!("end: {ending:?}"));
                self.events.clear();
            }
        }
    }
}
