//! The machine itself: who has the turn, and what each thing that is heard does to that.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde_json::{Map, Value};

use super::acts::{tool_named, whole_ms};
use super::barge_in::{interrupts_after, is_backchannel};
use super::endpointing::{Endpointer, Utterance};
use super::reply::Asking;
use super::sentences::Sentences;
use super::speech::{Again, Speech};
use super::{
    Act, Answerer, AskId, CallTime, Duties, Ending, Heard, Latency, Message, Order, Piece, Prompt,
    SentenceId, Spoken, Standing, ToolCall, Transferred, mailbox,
};
use crate::playbook::{Script, Tool, tools};
use crate::results::Speaker;
use crate::transfer::Briefing;

/// So often in a row the model may use tools without a word to the person, before it is asked no more.
const MOST_ROUNDS: usize = 4;
/// Who answers is told by what is said this long after the call was answered, in milliseconds: greetings of mailboxes
/// begin at once.
const MAILBOX_WITHIN_MS: u64 = 20_000;

/// A conversation.
///
/// After each [`Conversation::hear`], take acts until there are none, and come back with [`Heard::Time`] at
/// [`Conversation::wake_at`] if nothing else is heard before.
#[derive(Clone, Debug)]
pub struct Conversation {
    pub(super) script: Script,
    duties: Duties,
    /// The time where the person is, in words, for the model.
    local_time: String,
    pub(super) phase: Phase,
    /// When the call was answered.
    pub(super) began: CallTime,
    stage: usize,
    known: BTreeMap<String, Value>,
    pub(super) person: Endpointer,
    /// The words of the person that are being answered, until an answer sounds.
    answering: Option<Utterance>,
    pub(super) asking: Option<Asking>,
    pub(super) speech: Speech,
    /// The messages that answers of the present turn became.
    rounds: Vec<usize>,
    /// When the parts of the present answer were there.
    answer: Option<Answer>,
    latency: Option<Latency>,
    pub(super) after: After,
    history: Vec<Message>,
    /// Keys that were pressed, and when the last one was.
    pub(super) keys: Option<(String, CallTime)>,
    /// How often in a row the person was asked whether they are there.
    prompted: usize,
    /// Since when nobody says anything.
    pub(super) quiet_since: CallTime,
    turns: u32,
    asked: u32,
    said: u32,
    speculated_in_vain: u32,
    /// Whether a mailbox's tone was heard.
    toned: bool,
    /// When our first word was played.
    first_words: Option<CallTime>,
    /// Whether a machine answered.
    machine: bool,
    /// Whether we have begun to end it for the time that it took.
    pub(super) closing: bool,
    out: VecDeque<Act>,
}

/// Who has the turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Before,
    Listening { interrupted: bool },
    Thinking,
    Speaking,
    Mailbox { since: CallTime, quiet_since: CallTime },
    Lost { since: CallTime },
    Transferring { since: CallTime },
    Over,
}

/// When the parts of an answer were there.
#[derive(Clone, Copy, Debug)]
struct Answer {
    voice_ended: CallTime,
    /// When it was clear that the person had finished.
    decided: CallTime,
    first_text: Option<CallTime>,
}

/// What follows our turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum After {
    Listen,
    /// Handing over: to whom, and what they are told first, unless somebody else has ordered it.
    Transfer(Option<(String, Option<Briefing>)>),
    End(Ending),
}

impl Conversation {
    /// A conversation that nobody has joined yet. `local_time` is the time where the person is, in words.
    pub fn new(script: Script, duties: Duties, local_time: impl Into<String>) -> Self {
        Self {
            script,
            duties,
            local_time: local_time.into(),
            phase: Phase::Before,
            began: CallTime::default(),
            stage: 0,
            known: BTreeMap::new(),
            person: Endpointer::default(),
            answering: None,
            asking: None,
            speech: Speech::default(),
            rounds: vec![],
            answer: None,
            latency: None,
            after: After::Listen,
            history: vec![],
            keys: None,
            prompted: 0,
            quiet_since: CallTime::default(),
            turns: 0,
            asked: 0,
            said: 0,
            speculated_in_vain: 0,
            toned: false,
            first_words: None,
            machine: false,
            closing: false,
            out: VecDeque::new(),
        }
    }

    /// Takes in what happens.
    pub fn hear(&mut self, heard: Heard, at: CallTime) {
        if self.phase == Phase::Over {
            return;
        }
        match heard {
            Heard::Connected => self.connected(at),
            Heard::VoiceBegan { ago } => self.voice_began(at.before(ago)),
            Heard::VoiceEnded { ago } => self.voice_ended(at.before(ago)),
            Heard::Words { text, confirmed } => self.words(&text, confirmed, at),
            Heard::UtteranceEnded => self.person.ended(),
            Heard::Deaf(problem) => self.deaf(problem, at),
            Heard::Key(key) => self.key(key, at),
            Heard::Answerer(Answerer::Machine) => self.mailbox(at),
            Heard::Answerer(Answerer::Person) => self.person_after_all(at),
            Heard::Tone => self.tone(at),
            Heard::Replied { ask, piece } => self.replied(ask, piece, at),
            Heard::Sounding(sentence) => self.sounding(sentence, at),
            Heard::Played { sentence, played, of } => self.speech.played(sentence, played, of, at),
            Heard::Spoken(sentence) => self.speech.over(sentence, at),
            Heard::SpeechFailed(sentence) => self.speech_failed(sentence, at),
            Heard::Left => self.end(Ending::PersonLeft, at),
            Heard::StreamLost => self.lost(at),
            Heard::StreamBack => self.back(at),
            Heard::Transferred(what) => self.transferred(what, at),
            Heard::Ordered(order) => self.ordered(order, at),
            Heard::Time => {}
        }
        self.finish_speaking(at);
        self.look_at_the_clock(at);
        self.speculate(at);
    }

    /// The next thing to do.
    pub fn next_act(&mut self) -> Option<Act> {
        self.out.pop_front()
    }

    /// Where it stands.
    pub fn standing(&self) -> Standing {
        match self.phase {
            Phase::Before => Standing::Waiting,
            Phase::Listening { interrupted: true } => Standing::Interrupted,
            Phase::Listening { interrupted: false } => Standing::Listening,
            Phase::Thinking => Standing::Thinking,
            Phase::Speaking if matches!(self.after, After::End(_)) => Standing::Ending,
            Phase::Speaking if self.turns == 0 => Standing::Greeting,
            Phase::Speaking => Standing::Speaking,
            Phase::Mailbox { .. } => Standing::Mailbox,
            Phase::Lost { .. } => Standing::Lost,
            Phase::Transferring { .. } => Standing::Transferring,
            Phase::Over => Standing::Over,
        }
    }

    /// What was found out, by the names of the playbook's fields.
    pub fn known(&self) -> &BTreeMap<String, Value> {
        &self.known
    }

    /// How many requests were made early and then not needed: what asking early costs.
    pub fn speculated_in_vain(&self) -> u32 {
        self.speculated_in_vain
    }

    /// How long the line was silent until our first word was played; `None` if none was.
    pub fn first_words(&self) -> Option<Duration> {
        self.first_words.map(|at| at.since(self.began))
    }

    /// Whether the person was spoken to too late, or not at all, in a conversation that lasted so long; `None` where a
    /// machine answered. Who left before our time was over was not kept waiting.
    pub fn is_abandoned(&self, lasted: Duration) -> Option<bool> {
        let silent = self.first_words().unwrap_or(lasted);
        (!self.machine).then_some(silent.as_millis() > u128::from(self.duties.first_words_ms))
    }

    fn connected(&mut self, at: CallTime) {
        if self.phase != Phase::Before {
            return;
        }
        self.began = at;
        let says = self.script.says.clone();
        if self.duties.disclose || says.always_disclose {
            self.say(&says.disclosure, true, at);
        }
        if self.duties.announce_recording {
            self.say(&says.recording, true, at);
        }
        self.say(&says.greeting, false, at);
    }

    // What the person does.

    fn voice_began(&mut self, at: CallTime) {
        self.person.voice_began(at);
        if let Phase::Mailbox { quiet_since, .. } = &mut self.phase {
            *quiet_since = at;
        }
    }

    fn voice_ended(&mut self, at: CallTime) {
        self.person.voice_ended(at);
        match &mut self.phase {
            Phase::Mailbox { quiet_since, .. } => *quiet_since = at,
            Phase::Listening { .. } if self.person.is_empty() => self.quiet_since = at,
            _ => {}
        }
    }

    fn words(&mut self, text: &str, confirmed: bool, at: CallTime) {
        self.person.words(text, confirmed, at);
        if let Phase::Mailbox { quiet_since, .. } = &mut self.phase {
            *quiet_since = at;
            drop(self.person.take(at));
            return;
        }
        if at.since(self.began).as_millis() < u128::from(MAILBOX_WITHIN_MS)
            && mailbox::sounds_like_one(&self.person.text())
        {
            return self.mailbox(at);
        }
        let said = self.person.text();
        if self.asking.as_ref().is_some_and(|asking| asking.is_speculative() && asking.answers != said) {
            self.abandon();
        }
        let unheard = self.phase == Phase::Speaking && self.speech.began().is_none() && self.answer.is_some();
        if (self.phase == Phase::Thinking || unheard) && !is_backchannel(&said) {
            self.goes_on(at);
        } else {
            self.consider_interrupting(at);
        }
    }

    /// The person goes on with what they said although we took it for finished, and nothing of an answer was heard.
    fn goes_on(&mut self, at: CallTime) {
        self.abandon();
        if let Some(before) = self.answering.take() {
            self.person.resume(before);
        }
        if !self.speech.is_empty() {
            self.out.push_back(Act::Hush);
            self.keep_ours(true, at);
            self.after = After::Listen;
        }
        self.listen(false, at);
    }

    /// How long the voice over ours has to last to be an interruption; `None` if it is none.
    pub(super) fn interrupts_after(&self) -> Option<Duration> {
        let ours = self.phase == Phase::Speaking && !self.speech.is_firm();
        let timing = &self.script.timing;
        interrupts_after(&self.person.text(), self.turns == 0, timing).filter(|_| ours)
    }

    /// Whether what is heard over our own voice is meant to interrupt it.
    pub(super) fn consider_interrupting(&mut self, at: CallTime) {
        if self.interrupts_after().is_some_and(|length| self.person.voice_for(at) >= length) {
            self.interrupted(at);
        }
    }

    /// The person takes the turn while we have it.
    fn interrupted(&mut self, at: CallTime) {
        self.abandon();
        self.out.push_back(Act::Hush);
        self.keep_ours(true, at);
        self.after = After::Listen;
        self.listen(true, at);
    }

    fn key(&mut self, key: char, at: CallTime) {
        if self.script.opt_out_key == Some(key) {
            self.out.push_back(Act::Suppress);
            let last = self.script.says.opted_out.clone();
            return self.close(&last, Ending::OptedOut, at);
        }
        if self.phase == Phase::Speaking && !self.speech.is_firm() {
            self.interrupted(at);
        }
        let (typed, when) = self.keys.get_or_insert_with(|| (String::new(), at));
        typed.push(key);
        *when = at;
        if key == '#' && matches!(self.phase, Phase::Listening { .. }) {
            self.take_keys(at);
        }
    }

    /// What was typed is what the person says.
    pub(super) fn take_keys(&mut self, at: CallTime) {
        if let Some((typed, _)) = self.keys.take() {
            let typed = typed.trim_end_matches('#');
            self.person.words(&format!("(presses {typed})"), true, at);
            self.turn_ends(at);
        }
    }

    // Whose turn it is.

    fn listen(&mut self, interrupted: bool, at: CallTime) {
        self.phase = Phase::Listening { interrupted };
        self.quiet_since = at;
    }

    /// Asks the model before it is sure that the person has finished: what it would be asked for no longer changes.
    fn speculate(&mut self, at: CallTime) {
        let listens = matches!(self.phase, Phase::Listening { .. }) && self.person.voice_since().is_none();
        if self.script.timing.speculate && self.asking.is_none() && listens && self.person.is_settled() {
            self.ask(self.person.text(), true, false, 0, at);
        }
    }

    /// The person's turn is over: it is answered.
    pub(super) fn turn_ends(&mut self, at: CallTime) {
        let Some(utterance) = self.person.take(at) else { return };
        self.prompted = 0;
        self.phase = Phase::Thinking;
        let words = utterance.text.clone();
        self.answer = Some(Answer { voice_ended: utterance.ended, decided: at, first_text: None });
        self.answering = Some(utterance);
        match self.asking.take() {
            Some(mut asking) if asking.is_speculative() && asking.answers == words => {
                asking.since = at;
                asking.last = asking.last.max(at);
                let held = asking.held.take().unwrap_or_default();
                let ask = asking.id;
                self.asking = Some(asking);
                held.into_iter().for_each(|piece| self.replied(ask, piece, at));
            }
            former => {
                self.asking = former;
                self.abandon();
                self.ask(words, false, false, 0, at);
            }
        }
    }

    /// An answer is heard now, so that what it answers is said and done.
    fn commit_answered(&mut self) {
        if let Some(utterance) = self.answering.take() {
            self.history.push(Message::Person(utterance.text.clone()));
            self.keep(Speaker::Person, utterance.text, (utterance.began, utterance.ended), false, None);
        }
    }

    // The model.

    fn ask(&mut self, answers: String, speculative: bool, fallback: bool, round: usize, at: CallTime) {
        self.asked += 1;
        let id = AskId(self.asked);
        let mut messages = self.history.clone();
        if round == 0 && !answers.is_empty() {
            messages.push(Message::Person(answers.clone()));
        }
        let prompt = Prompt {
            instructions: self.script.instructions(self.stage, &self.known, &self.local_time),
            messages,
            tools: tools(&self.script, self.stage),
        };
        self.out.push_back(Act::Ask { id, prompt, fallback, speculative });
        self.asking = Some(Asking {
            id,
            answers,
            since: at,
            last: at,
            first_text: None,
            held: speculative.then(Vec::new),
            fallback,
            bridged: false,
            sentences: Sentences::default(),
            calls: vec![],
            round,
        });
    }

    fn abandon(&mut self) {
        if let Some(asking) = self.asking.take() {
            self.speculated_in_vain += u32::from(asking.is_speculative());
            self.out.push_back(Act::Abandon(asking.id));
        }
    }

    fn replied(&mut self, ask: AskId, piece: Piece, at: CallTime) {
        let Some(asking) = self.asking.as_mut().filter(|asking| asking.id == ask) else { return };
        asking.last = at;
        if matches!(piece, Piece::Text(_)) {
            asking.first_text.get_or_insert(at);
        }
        if let Some(held) = &mut asking.held {
            match piece {
                Piece::Failed(_) if !asking.fallback => {
                    let answers = std::mem::take(&mut asking.answers);
                    self.ask(answers, true, true, 0, at);
                }
                Piece::Failed(_) | Piece::Text(_) | Piece::Call(_) | Piece::Done => held.push(piece),
            }
            return;
        }
        match piece {
            Piece::Text(text) => {
                let (round, first_text) = (asking.round, asking.first_text);
                let sentences = asking.sentences.push(&text);
                if let Some(answer) = &mut self.answer {
                    answer.first_text = answer.first_text.or(first_text);
                }
                sentences.iter().for_each(|sentence| self.say_in_round(sentence, false, round, at));
            }
            Piece::Call(call) => asking.calls.push(call),
            Piece::Done => self.reply_is_whole(at),
            Piece::Failed(problem) => self.model_failed(&problem, at),
        }
    }

    pub(super) fn reply_is_whole(&mut self, at: CallTime) {
        let Some(mut asking) = self.asking.take() else { return };
        if let Some(rest) = asking.sentences.finish() {
            self.say_in_round(&rest, false, asking.round, at);
        }
        self.commit_answered();
        let text = self.speech.text(asking.round);
        let silent = asking.is_silent();
        let calls = std::mem::take(&mut asking.calls);
        if silent {
            return self.model_failed_with("it said nothing", asking, at);
        }
        self.rounds.push(self.history.len());
        self.history.push(Message::Agent { text: text.clone(), calls: calls.clone() });
        let mut wrong = false;
        for call in &calls {
            let told = self.use_tool(call);
            wrong |= told.is_err();
            let text = told.unwrap_or_else(|problem| problem);
            self.history.push(Message::Result { call: call.id.clone(), text });
        }
        let unanswered = text.is_empty() || wrong;
        match &self.after {
            After::Listen if unanswered && asking.round + 1 < MOST_ROUNDS => {
                let bridged = asking.bridged;
                self.ask(asking.answers, false, asking.fallback, asking.round + 1, at);
                if let Some(asking) = &mut self.asking {
                    asking.bridged = bridged;
                }
            }
            After::Listen if text.is_empty() => self.give_up("it only used tools", at),
            After::Listen => {}
            // Nobody is left without a last word.
            After::End(ending) if text.is_empty() => {
                let last = match ending {
                    Ending::DoNotCall => self.script.says.opted_out.clone(),
                    _ => self.script.says.goodbye.clone(),
                };
                self.say(&last, true, at);
            }
            After::Transfer(_) if text.is_empty() => {
                let last = self.script.says.transfer.clone();
                self.say(&last, true, at);
            }
            After::End(_) | After::Transfer(_) => {}
        }
    }

    /// What comes of a tool, for the model; an error says what is wrong with how it was used.
    fn use_tool(&mut self, call: &ToolCall) -> Result<String, String> {
        let tool = tool_named(&call.name).filter(|tool| self.script.allows(self.stage, *tool));
        let Some(tool) = tool else {
            let there = tools(&self.script, self.stage).into_iter().map(|spec| spec.tool.name());
            let there = there.collect::<Vec<_>>().join(", ");
            return Err(format!("there is no tool `{}` now; there are {there}", call.name));
        };
        let arguments = match call.arguments.trim() {
            "" => Map::new(),
            text => serde_json::from_str(text)
                .map_err(|error| format!("the arguments are no JSON object: {error}"))?,
        };
        match tool {
            Tool::Note => return self.note(&arguments),
            Tool::EndCall => {
                let reason = arguments.get("reason").and_then(Value::as_str).unwrap_or_default();
                self.after = After::End(Ending::Finished(reason.to_owned()));
            }
            Tool::DoNotCall => {
                self.out.push_back(Act::Suppress);
                self.after = After::End(Ending::DoNotCall);
            }
            Tool::CallBack => {
                let at = arguments.get("at").and_then(Value::as_str).unwrap_or_default();
                let at = local_time(at)
                    .ok_or_else(|| format!("`{at}` is no time; give it as 2026-01-14T10:00"))?;
                self.out.push_back(Act::CallBack { at });
            }
            Tool::Transfer => {
                let to = self.script.transfer_to.clone().ok_or("nobody can be transferred to")?;
                let briefing = arguments.get("briefing").and_then(Value::as_str).and_then(Briefing::cut);
                self.after = After::Transfer(Some((to, briefing)));
            }
        }
        Ok("done".into())
    }

    fn note(&mut self, arguments: &Map<String, Value>) -> Result<String, String> {
        let mut wrong = vec![];
        for (name, value) in arguments {
            let checked = match self.script.fields.get(name) {
                Some(field) => field.kind.check(value).map_err(|wanted| format!("{name}: give {wanted}")),
                None => Err(format!("{name}: there is no such field")),
            };
            match checked {
                Ok(value) => {
                    self.known.insert(name.clone(), value.clone());
                    self.out.push_back(Act::Note { name: name.clone(), value, turn: self.turns });
                }
                Err(problem) => wrong.push(problem),
            }
        }
        self.stage = self.script.next_stage(self.stage, &self.known);
        if wrong.is_empty() { Ok("noted".into()) } else { Err(wrong.join("; ")) }
    }

    /// The model cannot answer: the other one is asked, once.
    fn model_failed(&mut self, problem: &str, at: CallTime) {
        if let Some(asking) = self.asking.take() {
            self.model_failed_with(problem, asking, at);
        }
    }

    fn model_failed_with(&mut self, problem: &str, asking: Asking, at: CallTime) {
        if !asking.is_silent() && !self.speech.is_empty() {
            // What it said so far has to do.
            self.rounds.push(self.history.len());
            self.history.push(Message::Agent { text: self.speech.text(asking.round), calls: vec![] });
        } else if asking.fallback {
            self.give_up(problem, at);
        } else {
            let (round, bridged) = (asking.round, asking.bridged);
            self.ask(asking.answers, false, true, round, at);
            if let Some(asking) = &mut self.asking {
                asking.bridged = bridged;
            }
        }
    }

    /// The model says nothing for too long.
    pub(super) fn model_is_late(&mut self, at: CallTime) {
        let Some(asking) = self.asking.take() else { return };
        self.out.push_back(Act::Abandon(asking.id));
        if asking.is_silent() {
            self.model_failed_with("it did not answer in time", asking, at);
        } else {
            // It stalled in the middle: what is there is said.
            self.asking = Some(asking);
            self.reply_is_whole(at);
        }
    }

    fn give_up(&mut self, problem: &str, at: CallTime) {
        self.commit_answered();
        let sorry = self.script.says.sorry.clone();
        self.close(&sorry, Ending::ModelFailed(problem.to_owned()), at);
    }

    pub(super) fn one_moment(&mut self, at: CallTime) {
        let Some(asking) = &mut self.asking else { return };
        asking.bridged = true;
        let round = asking.round;
        let bridge = self.script.says.one_moment.clone();
        self.say_in_round(&bridge, false, round, at);
    }

    // Our own voice.

    fn say(&mut self, text: &str, firm: bool, at: CallTime) {
        let round = self.rounds.len();
        self.say_in_round(text, firm, round, at);
    }

    fn say_in_round(&mut self, text: &str, firm: bool, round: usize, at: CallTime) {
        self.said += 1;
        let id = SentenceId(self.said);
        self.speech.say(id, text, firm, round, at);
        self.out.push_back(Act::Say { id, text: text.to_owned(), instead_of: None });
        self.phase = Phase::Speaking;
    }

    fn sounding(&mut self, sentence: SentenceId, at: CallTime) {
        if !self.speech.sounding(sentence, at) {
            return;
        }
        self.first_words.get_or_insert(at);
        self.commit_answered();
        if let Some(Answer { voice_ended, decided, first_text }) = self.answer.take() {
            let sentence = self.speech.first_asked().unwrap_or(at).max(decided);
            // Of a word that bridges the wait, no model has written anything.
            let text = first_text.unwrap_or(sentence).max(decided).min(sentence);
            let turn_ms = whole_ms(decided.since(voice_ended));
            let model_ms = whole_ms(text.since(decided));
            let sentence_ms = whole_ms(sentence.since(text));
            let speech_ms = whole_ms(at.since(sentence));
            // The sum of what is told, to the millisecond.
            let total_ms = turn_ms + model_ms + sentence_ms + speech_ms;
            self.latency = Some(Latency { turn_ms, model_ms, sentence_ms, speech_ms, total_ms });
        }
    }

    pub(super) fn speech_failed(&mut self, sentence: SentenceId, at: CallTime) {
        let new = SentenceId(self.said + 1);
        match self.speech.again(sentence, new, at) {
            Again::Say(text) => {
                self.said += 1;
                self.out.push_back(Act::Say { id: new, text, instead_of: Some(sentence) });
            }
            Again::InVain => self.end(Ending::SpeechFailed, at),
            Again::Forgotten => {}
        }
    }

    /// Once all of our turn was heard and nothing more of it is to come, the next thing follows.
    pub(super) fn finish_speaking(&mut self, at: CallTime) {
        if self.phase != Phase::Speaking
            || self.asking.as_ref().is_some_and(|asking| !asking.is_speculative())
        {
            return;
        }
        if !self.speech.is_over() {
            return;
        }
        self.keep_ours(false, at);
        match std::mem::replace(&mut self.after, After::Listen) {
            After::Listen => {
                if is_only_listening(&self.person.text()) {
                    drop(self.person.take(at));
                }
                self.listen(false, at);
            }
            After::Transfer(ours) => {
                self.phase = Phase::Transferring { since: at };
                self.out.push_back(match ours {
                    Some((to, briefing)) => Act::Transfer { to, briefing },
                    None => Act::FollowTransfer,
                });
            }
            After::End(ending) => self.end(ending, at),
        }
    }

    /// Our turn is over: what was heard of it is kept.
    fn keep_ours(&mut self, interrupted: bool, at: CallTime) {
        let heard = self.speech.heard(None);
        let began = self.speech.began();
        // The model is told what was heard of it, and not what it wrote.
        let rounds = std::mem::take(&mut self.rounds);
        for (round, message) in rounds.iter().enumerate().rev() {
            let heard = self.speech.heard(Some(round));
            match self.history.get_mut(*message) {
                Some(Message::Agent { calls, .. }) if heard.is_empty() && calls.is_empty() => {
                    self.history.remove(*message);
                }
                Some(Message::Agent { text, .. }) => *text = heard,
                _ => {}
            }
        }
        for round in rounds.len()..=self.speech.last_round().unwrap_or_default() {
            let text = self.speech.heard(Some(round));
            if !text.is_empty() {
                self.history.push(Message::Agent { text, calls: vec![] });
            }
        }
        self.speech = Speech::default();
        self.answer = None;
        let latency = self.latency.take();
        if let Some(began) = began.filter(|_| !heard.is_empty()) {
            self.keep(Speaker::Agent, heard, (began, at), interrupted, latency);
        }
    }

    fn keep(
        &mut self,
        speaker: Speaker,
        text: String,
        (began, ended): (CallTime, CallTime),
        interrupted: bool,
        latency: Option<Latency>,
    ) {
        self.turns += 1;
        let stage = self.script.stages.get(self.stage).map(|stage| stage.name.clone()).unwrap_or_default();
        let number = self.turns;
        self.out.push_back(Act::Keep(Spoken {
            number,
            speaker,
            text,
            began,
            ended,
            interrupted,
            stage,
            latency,
        }));
    }

    // The end.

    /// Says a last sentence to the end, and ends.
    pub(super) fn close(&mut self, last: &str, ending: Ending, at: CallTime) {
        self.abandon();
        self.commit_answered();
        if !self.speech.is_empty() {
            self.out.push_back(Act::Hush);
            self.keep_ours(!self.speech.is_over(), at);
        }
        self.after = After::End(ending);
        self.closing = true;
        self.say(last, true, at);
    }

    pub(super) fn end(&mut self, ending: Ending, at: CallTime) {
        self.abandon();
        self.commit_answered();
        if let Some(utterance) = self.person.take(at) {
            self.keep(Speaker::Person, utterance.text, (utterance.began, utterance.ended), false, None);
        }
        if !self.speech.is_empty() {
            if !self.speech.is_over() {
                self.out.push_back(Act::Hush);
            }
            self.keep_ours(!self.speech.is_over(), at);
        }
        self.phase = Phase::Over;
        self.out.push_back(Act::End(ending));
    }

    /// The person has said nothing for too long.
    pub(super) fn silent(&mut self, at: CallTime) {
        match self.script.says.still_there.get(self.prompted).cloned() {
            Some(prompt) => {
                self.prompted += 1;
                self.say(&prompt, false, at);
            }
            None => {
                let goodbye = self.script.says.goodbye.clone();
                self.close(&goodbye, Ending::Silence, at);
            }
        }
    }

    pub(super) fn too_long(&mut self, at: CallTime) {
        let goodbye = self.script.says.goodbye.clone();
        self.close(&goodbye, Ending::TooLong, at);
    }

    /// The person is not understood any more. Mailboxes and colleagues need not be.
    fn deaf(&mut self, problem: String, at: CallTime) {
        let ending = Ending::RecogniserFailed(problem);
        match self.phase {
            Phase::Before | Phase::Lost { .. } => self.end(ending, at),
            Phase::Listening { .. } | Phase::Thinking | Phase::Speaking if self.after == After::Listen => {
                let sorry = self.script.says.sorry.clone();
                self.close(&sorry, ending, at);
            }
            Phase::Listening { .. }
            | Phase::Thinking
            | Phase::Speaking
            | Phase::Mailbox { .. }
            | Phase::Transferring { .. }
            | Phase::Over => {}
        }
    }

    // Mailboxes, streams and other people.

    fn mailbox(&mut self, at: CallTime) {
        self.machine = true;
        if matches!(self.phase, Phase::Mailbox { .. }) || self.closing {
            return;
        }
        if self.script.says.mailbox.is_none() {
            return self.end(Ending::Mailbox { left: false }, at);
        }
        self.abandon();
        if !self.speech.is_empty() {
            self.out.push_back(Act::Hush);
            self.keep_ours(!self.speech.is_over(), at);
        }
        drop(self.person.take(at));
        self.phase = Phase::Mailbox { since: at, quiet_since: at };
    }

    fn person_after_all(&mut self, at: CallTime) {
        self.machine = false;
        if matches!(self.phase, Phase::Mailbox { .. }) {
            let greeting = self.script.says.greeting.clone();
            self.say(&greeting, false, at);
        }
    }

    /// The tone after which a mailbox records. A message that was begun too early begins again; once, because there
    /// are mailboxes that go on beeping.
    fn tone(&mut self, at: CallTime) {
        let leaving = self.after == After::End(Ending::Mailbox { left: true });
        if self.toned || !(leaving || matches!(self.phase, Phase::Mailbox { .. })) {
            return;
        }
        self.toned = true;
        if leaving {
            self.out.push_back(Act::Hush);
            self.keep_ours(true, at);
        }
        self.leave_message(at);
    }

    pub(super) fn leave_message(&mut self, at: CallTime) {
        let Some(message) = self.script.says.mailbox.clone() else {
            return self.end(Ending::Mailbox { left: false }, at);
        };
        if self.duties.disclose {
            let disclosure = self.script.says.disclosure.clone();
            self.say(&disclosure, true, at);
        }
        self.closing = true;
        self.after = After::End(Ending::Mailbox { left: true });
        self.say(&message, true, at);
    }

    fn lost(&mut self, at: CallTime) {
        if self.phase == Phase::Before {
            return self.end(Ending::StreamLost, at);
        }
        self.abandon();
        self.commit_answered();
        if !self.speech.is_empty() {
            self.out.push_back(Act::Hush);
            self.keep_ours(!self.speech.is_over(), at);
        }
        if let After::End(ending) = std::mem::replace(&mut self.after, After::Listen) {
            return self.end(ending, at);
        }
        self.phase = Phase::Lost { since: at };
    }

    fn back(&mut self, at: CallTime) {
        if matches!(self.phase, Phase::Lost { .. }) {
            let lost = self.script.says.lost.clone();
            self.say(&lost, false, at);
        }
    }

    fn transferred(&mut self, what: Transferred, at: CallTime) {
        if !matches!(self.phase, Phase::Transferring { .. }) {
            return;
        }
        match what {
            Transferred::Done => self.end(Ending::Transferred, at),
            Transferred::Failed(problem) => self.not_transferred(&problem, at),
        }
    }

    pub(super) fn not_transferred(&mut self, problem: &str, at: CallTime) {
        self.history.push(Message::Happened(format!(
            "The call could not be handed over: {problem}. Say so, and go on."
        )));
        self.phase = Phase::Thinking;
        self.ask(String::new(), false, false, 0, at);
    }

    fn ordered(&mut self, order: Order, at: CallTime) {
        match order {
            Order::HangUp => self.end(Ending::Ordered, at),
            Order::HandOver => {
                let talks = matches!(self.phase, Phase::Listening { .. } | Phase::Thinking | Phase::Speaking);
                // The agent's own wish comes back as an order, too.
                if talks && !self.closing && !matches!(self.after, After::Transfer(_)) {
                    let says = self.script.says.transfer.clone();
                    self.close(&says, Ending::Ordered, at);
                    self.closing = false;
                    self.after = After::Transfer(None);
                }
            }
        }
    }
}

/// Nothing at all, or only signs of listening.
fn is_only_listening(text: &str) -> bool {
    !text.is_empty() && is_backchannel(text)
}

fn local_time(text: &str) -> Option<chrono::NaiveDateTime> {
    let text = text.trim();
    let zoned = chrono::DateTime::parse_from_rfc3339(text).map(|at| at.naive_local());
    zoned
        .or_else(|_| chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S"))
        .or_else(|_| chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M"))
        .ok()
}
