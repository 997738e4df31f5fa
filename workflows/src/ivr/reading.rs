//! Reading a flow: every problem of the file at once, each with its line.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use serde::Deserialize;
use toml::Spanned;

use super::hearing::is_keys;
use super::{Ask, Does, Flow, Input, Next, Step};
use crate::outcome::Outcome;
use crate::playbook::{is_name, no_name};
use crate::template::Template;
use crate::transfer::TransferTo;
use crate::written::{Page, Problems, Told};

/// The longest flow, in bytes.
pub const LONGEST: usize = 256 * 1024;

/// The most steps. A menu that people find their way in has a dozen.
const MOST_STEPS: usize = 200;

/// The longest name of a voice or of a kept answer, in bytes.
const MOST_NAME: usize = 100;

/// The longest address, in bytes.
const MOST_URL: usize = 2_000;

/// What a question waits for, in seconds, how often it is asked, and how many keys it takes: Telnyx takes more of each, and no
/// person has the patience.
const WAIT_S: RangeInclusive<u8> = 1..=60;
const TRIES: RangeInclusive<u8> = 1..=10;
const DIGITS: RangeInclusive<u8> = 1..=32;

/// How long somebody's phone rings, in seconds (Telnyx's `<Dial timeout>`), and how long is recorded (`<Record maxLength>`).
const RING_S: RangeInclusive<u16> = 5..=120;
const RECORD_S: RangeInclusive<u16> = 1..=3_600;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: Told,
    language: Told,
    voice: Option<Told>,
    voicemail: Option<Told>,
    #[serde(default)]
    steps: Vec<Spanned<StepFile>>,
}

/// A step has one of what it does, and what belongs to that.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepFile {
    name: Told,
    say: Option<Told>,
    play: Option<Told>,
    ask: Option<Told>,
    record: Option<Told>,
    dial: Option<Told>,
    talk: Option<Told>,
    do_not_call: Option<Told>,
    redirect: Option<Told>,
    hang_up: Option<Told>,
    then: Option<Told>,
    otherwise: Option<Told>,
    input: Option<Spanned<Input>>,
    digits: Option<Spanned<Digits>>,
    finish_on: Option<Told>,
    wait_s: Option<Spanned<u8>>,
    tries: Option<Spanned<u8>>,
    keep: Option<Told>,
    secret: Option<Spanned<bool>>,
    on: Option<Spanned<BTreeMap<String, Told>>>,
    any: Option<Told>,
    wrong: Option<Told>,
    text: Option<Told>,
    ring_s: Option<Spanned<u16>>,
    longest_s: Option<Spanned<u16>>,
    outcome: Option<Told>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Digits {
    Just(u8),
    Between(u8, u8),
}

/// Where a step ends the call, instead of leading to another.
const END: &str = "end";

/// Reads a flow.
///
/// # Errors
/// All that is wrong with it, each with its line.
pub fn read(text: &str) -> Result<Flow, Problems> {
    if text.len() > LONGEST {
        return Err(Problems::whole(format!("a flow has up to {LONGEST} bytes")));
    }
    let (page, file) = Page::read::<File>(text)?;
    let names: Vec<String> =
        file.steps.iter().map(|step| step.get_ref().name.get_ref().trim().to_owned()).collect();
    let mut reader = Reader { page, names };
    let flow = reader.flow(&file);
    reader.page.end(flow)
}

struct Reader<'a> {
    page: Page<'a>,
    names: Vec<String>,
}

impl Reader<'_> {
    fn flow(&mut self, file: &File) -> Flow {
        if !(1..=MOST_STEPS).contains(&file.steps.len()) {
            self.page.lacks("steps", format!("give at least one step, and {MOST_STEPS} at most"));
        }
        let voice = file.voice.as_ref().map(|voice| self.plain(voice, "voice", "name of a voice"));
        let steps: Vec<Step> = file.steps.iter().enumerate().map(|(at, step)| self.step(at, step)).collect();
        // What leads nowhere else says so: a mailbox answers nothing.
        let voicemail = file.voicemail.as_ref().and_then(|told| self.named(told, "voicemail"));
        self.reachable(&file.steps, &steps, voicemail);
        self.going_round(&file.steps, &steps);
        Flow {
            name: self.page.name(&file.name, "name"),
            language: self.page.language(&file.language, "language"),
            voice,
            voicemail,
            steps,
        }
    }

    fn step(&mut self, at: usize, spanned: &Spanned<StepFile>) -> Step {
        let step = spanned.get_ref();
        let place = format!("steps[{at}]");
        let name = self.page.name(&step.name, &format!("{place}.name"));
        if name == END {
            let problem = format!("`{END}` is the end of the call; take another name");
            self.page.wrong(&step.name, format!("{place}.name"), problem);
        }
        if self.names.iter().take(at).any(|earlier| *earlier == name) {
            self.page.wrong(&step.name, format!("{place}.name"), format!("`{name}` is there already"));
        }
        let does = self.does(at, &place, spanned);
        let outcome = step.outcome.as_ref().and_then(|told| self.outcome(told, &format!("{place}.outcome")));
        Step { name, does, outcome }
    }

    /// What a call has come to. That it was not answered, no flow can know.
    fn outcome(&mut self, told: &Told, place: &str) -> Option<Outcome> {
        let outcome = told.get_ref().parse::<Outcome>().map_err(|problem| problem.to_string());
        let outcome = outcome.and_then(|outcome| match outcome.is_told_by_agents() {
            true => Ok(outcome),
            false => Err(format!("`{outcome}` is what a carrier says of a call that nobody answered")),
        });
        outcome.map_err(|problem| self.page.wrong(told, place, problem)).ok()
    }

    fn does(&mut self, at: usize, place: &str, spanned: &Spanned<StepFile>) -> Does {
        let step = spanned.get_ref();
        let kinds: [(&str, &Option<Told>, &[&str]); 9] = [
            ("say", &step.say, &["then"]),
            ("play", &step.play, &["then"]),
            (
                "ask",
                &step.ask,
                &[
                    "input",
                    "digits",
                    "finish_on",
                    "wait_s",
                    "tries",
                    "keep",
                    "secret",
                    "on",
                    "any",
                    "wrong",
                    "otherwise",
                ],
            ),
            ("record", &step.record, &["then", "finish_on", "longest_s"]),
            ("dial", &step.dial, &["then", "otherwise", "text", "ring_s"]),
            ("talk", &step.talk, &["then"]),
            ("do_not_call", &step.do_not_call, &[]),
            ("redirect", &step.redirect, &[]),
            ("hang_up", &step.hang_up, &[]),
        ];
        let given: Vec<_> =
            kinds.iter().filter_map(|(kind, told, with)| Some((*kind, told.as_ref()?, *with))).collect();
        let [(kind, told, with)] = given.as_slice() else {
            let all = kinds.map(|(kind, ..)| kind).join(", ");
            self.page.wrong(spanned, place, format!("a step does one thing; give one of {all}"));
            return Does::HangUp { text: None };
        };
        self.belongs(step, place, kind, with);
        let then = |reader: &mut Self| reader.next(at, step.then.as_ref(), &format!("{place}.then"));
        let here = format!("{place}.{kind}");
        match *kind {
            "say" => Does::Say { text: self.said(told, &here), then: then(self) },
            "play" => Does::Play { url: self.url(told, &here), then: then(self) },
            "ask" => Does::Ask(self.ask(place, told, step)),
            "record" => Does::Record {
                text: self.page.template(told, &here),
                longest_s: self.within(
                    step.longest_s.as_ref(),
                    120,
                    &RECORD_S,
                    &format!("{place}.longest_s"),
                ),
                finish_on: self.finish_on(step, place),
                then: then(self),
            },
            "dial" => Does::Dial {
                to: self.dialled(told, &here),
                text: step.text.as_ref().map(|text| self.page.template(text, format!("{place}.text"))),
                ring_s: self.within(step.ring_s.as_ref(), 30, &RING_S, &format!("{place}.ring_s")),
                then: self.ending(step.then.as_ref(), &format!("{place}.then")),
                otherwise: self.next(at, step.otherwise.as_ref(), &format!("{place}.otherwise")),
            },
            "talk" => Does::Talk {
                playbook: self.playbook(told, &here),
                then: self.ending(step.then.as_ref(), &here),
            },
            "do_not_call" => Does::DoNotCall { text: self.said(told, &here) },
            "redirect" => Does::Redirect { url: self.url(told, &here) },
            _ => Does::HangUp {
                text: Some(self.page.template(told, &here)).filter(|_| !told.get_ref().trim().is_empty()),
            },
        }
    }

    /// Says what was given that does not belong to what the step does: it would be kept for nothing.
    fn belongs(&mut self, step: &StepFile, place: &str, kind: &str, with: &[&str]) {
        let at = |told: &Option<Told>| told.as_ref().map(|told| told.span());
        let given = [
            ("then", at(&step.then)),
            ("otherwise", at(&step.otherwise)),
            ("input", step.input.as_ref().map(Spanned::span)),
            ("digits", step.digits.as_ref().map(Spanned::span)),
            ("finish_on", at(&step.finish_on)),
            ("wait_s", step.wait_s.as_ref().map(Spanned::span)),
            ("tries", step.tries.as_ref().map(Spanned::span)),
            ("keep", at(&step.keep)),
            ("secret", step.secret.as_ref().map(Spanned::span)),
            ("on", step.on.as_ref().map(Spanned::span)),
            ("any", at(&step.any)),
            ("wrong", at(&step.wrong)),
            ("text", at(&step.text)),
            ("ring_s", step.ring_s.as_ref().map(Spanned::span)),
            ("longest_s", step.longest_s.as_ref().map(Spanned::span)),
        ];
        for (name, span) in given {
            if let Some(span) = span.filter(|_| !with.contains(&name)) {
                let problem = format!("a step that does `{kind}` has none");
                self.page.wrong(&Spanned::new(span, ()), format!("{place}.{name}"), problem);
            }
        }
    }

    fn ask(&mut self, place: &str, told: &Told, step: &StepFile) -> Ask {
        let input = step.input.as_ref().map_or(Input::Keys, |input| *input.get_ref());
        let digits = match step.digits.as_ref().map(|digits| (digits, *digits.get_ref())) {
            None => (1, 1),
            Some((_, Digits::Just(count))) if DIGITS.contains(&count) => (count, count),
            Some((_, Digits::Between(least, most)))
                if DIGITS.contains(&least) && DIGITS.contains(&most) && least <= most =>
            {
                (least, most)
            }
            Some((spanned, _)) => {
                let problem = format!(
                    "give how many keys are an answer, {} to {}, or as [4, 6]",
                    DIGITS.start(),
                    DIGITS.end()
                );
                self.page.wrong(spanned, format!("{place}.digits"), problem);
                (1, 1)
            }
        };
        let mut on = BTreeMap::new();
        for (key, to) in step.on.iter().flat_map(Spanned::get_ref) {
            let here = format!("{place}.on.{key:?}");
            let length = key.chars().count();
            let (least, most) = (usize::from(digits.0), usize::from(digits.1));
            match is_keys(key) {
                true if input == Input::Words => {
                    self.page.wrong(to, &here, "the answer is in words; set input to keys or either");
                }
                true if !(least..=most).contains(&length) => {
                    self.page.wrong(
                        to,
                        &here,
                        format!("it has {length} keys; `digits` allows {least} to {most}"),
                    );
                }
                true => {}
                false if !input.takes_words() => {
                    self.page.wrong(to, &here, "the answer is pressed; set input to words or either");
                }
                false if !key.chars().any(char::is_alphanumeric) => {
                    self.page.wrong(
                        to,
                        &here,
                        "give the words that somebody says, or the keys that they press",
                    );
                }
                false => {}
            }
            let next = self.named(to, &here);
            on.insert(key.trim().to_owned(), next);
        }
        let any = step.any.as_ref().map(|to| self.named(to, &format!("{place}.any")));
        if on.is_empty() && any.is_none() {
            let problem =
                "say where answers lead: `on` for each that fits, or `any` for whatever is answered";
            self.page.wrong(told, place, problem);
        }
        let keep = step
            .keep
            .as_ref()
            .map(|keep| self.plain(keep, &format!("{place}.keep"), "name to keep it under"));
        Ask {
            text: self.said(told, &format!("{place}.ask")),
            input,
            digits,
            finish_on: self.finish_on(step, place),
            wait_s: self.within(step.wait_s.as_ref(), 5, &WAIT_S, &format!("{place}.wait_s")),
            tries: self.within(step.tries.as_ref(), 3, &TRIES, &format!("{place}.tries")),
            keep,
            secret: step.secret.as_ref().is_some_and(|secret| *secret.get_ref()),
            on,
            any,
            wrong: step.wrong.as_ref().map(|wrong| self.page.template(wrong, format!("{place}.wrong"))),
            // Whoever answers nothing that fits is not led on to what they did not choose.
            otherwise: self.ending(step.otherwise.as_ref(), &format!("{place}.otherwise")),
        }
    }

    fn said(&mut self, told: &Told, place: &str) -> Template {
        if told.get_ref().trim().is_empty() {
            self.page.wrong(told, place, "is empty");
        }
        self.page.template(told, place)
    }

    fn finish_on(&mut self, step: &StepFile, place: &str) -> char {
        let key = step.finish_on.as_ref().and_then(|key| self.page.key(key, &format!("{place}.finish_on")));
        key.unwrap_or('#')
    }

    fn within<N: Copy + PartialOrd + std::fmt::Display>(
        &mut self,
        given: Option<&Spanned<N>>,
        usual: N,
        bounds: &RangeInclusive<N>,
        place: &str,
    ) -> N {
        let Some(spanned) = given else { return usual };
        let value = *spanned.get_ref();
        if !bounds.contains(&value) {
            let problem = format!("give {} to {}", bounds.start(), bounds.end());
            self.page.wrong(spanned, place, problem);
        }
        value
    }

    fn plain(&mut self, told: &Told, place: &str, what: &str) -> String {
        let text = told.get_ref().trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-:".contains(c);
        if text.is_empty() || text.len() > MOST_NAME || !text.chars().all(plain) {
            let problem = format!(
                "`{text}` is no {what}; take letters, digits, `.`, `_`, `:` and `-`, {MOST_NAME} at most"
            );
            self.page.wrong(told, place, problem);
        }
        text.to_owned()
    }

    fn playbook(&mut self, told: &Told, place: &str) -> String {
        let name = told.get_ref().trim();
        if !is_name(name) {
            self.page.wrong(told, place, no_name(name));
        }
        name.to_owned()
    }

    fn url(&mut self, told: &Told, place: &str) -> String {
        let url = told.get_ref().trim();
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let plain = |c: char| c.is_ascii_graphic() && !"<>\"{}".contains(c);
        if rest.is_none_or(str::is_empty) || url.len() > MOST_URL || !url.chars().all(plain) {
            self.page.wrong(
                told,
                place,
                "give an address that the carrier can reach, as https://example.com/hello.mp3",
            );
        }
        url.to_owned()
    }

    fn dialled(&mut self, told: &Told, place: &str) -> TransferTo {
        self.page.transfer_to(told, place).parse().unwrap_or_else(|_| {
            // It is said above that it is none.
            TransferTo::Sip("sip:nobody@invalid".to_owned())
        })
    }

    /// The step of a name, or the end.
    fn named(&mut self, told: &Told, place: &str) -> Next {
        let name = told.get_ref().trim();
        let found = self.names.iter().position(|known| known == name);
        if found.is_none() && name != END {
            let problem = format!("`{name}` is no step; there are {}, and `{END}`", self.names.join(", "));
            self.page.wrong(told, place, problem);
        }
        found
    }

    /// What comes next: what is named, or else the next step in the file.
    fn next(&mut self, at: usize, told: Option<&Told>, place: &str) -> Next {
        match told {
            Some(told) => self.named(told, place),
            None => Some(at + 1).filter(|next| *next < self.names.len()),
        }
    }

    /// What comes next: what is named, or else the end.
    fn ending(&mut self, told: Option<&Told>, place: &str) -> Next {
        told.and_then(|told| self.named(told, place))
    }

    /// Says which steps no way leads to.
    fn reachable(&mut self, files: &[Spanned<StepFile>], steps: &[Step], voicemail: Next) {
        let mut open: Vec<usize> = [0].into_iter().chain(voicemail).collect();
        let mut met = BTreeSet::from_iter(open.clone());
        while let Some(step) = open.pop().and_then(|at: usize| steps.get(at)) {
            open.extend(step.does.ways().into_iter().filter(|to| met.insert(*to)));
        }
        for (at, file) in files.iter().enumerate().filter(|(at, _)| !met.contains(at)) {
            let name = file.get_ref().name.get_ref();
            let problem =
                format!("no way leads to `{name}`; name it in `on`, `then`, `any` or `otherwise` of a step");
            self.page.wrong(file, format!("steps[{at}]"), problem);
        }
    }

    /// Says from which steps a call would go round for ever without anybody being waited for.
    fn going_round(&mut self, files: &[Spanned<StepFile>], steps: &[Step]) {
        for (at, file) in files.iter().enumerate() {
            let (mut here, mut left) = (Some(at), steps.len());
            while let Some(step) = here.and_then(|here| steps.get(here)).filter(|step| !step.does.waits()) {
                if left == 0 {
                    let problem = "from here on the call goes round for ever; ask something, or end it";
                    self.page.wrong(file, format!("steps[{at}]"), problem);
                    break;
                }
                left -= 1;
                here = step.does.ways().first().copied();
            }
        }
    }
}
