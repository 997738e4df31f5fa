//! IVR flows: read with all that is wrong, and walked through by people of every kind.

use std::collections::BTreeMap;

use outdial_workflows::ivr::{At, Fact, Filled, Heard, Line, Turn, Verb, read};
use outdial_workflows::results::Speaker;
use outdial_workflows::template::Values;
use proptest::prelude::*;

/// Each kind of step once.
const FLOW: &str = r##"
name = "Front desk"
language = "en-IN"
voice = "Polly.Aditi"

[[steps]]
name = "welcome"
say = "Welcome to {{ client.name }}, {{ lead.name | there }}."

[[steps]]
name = "jingle"
play = "https://example.com/jingle.mp3"

[[steps]]
name = "menu"
ask = "For a visit press 1 or say visit. For a colleague press 2. For our assistant press 3. Never again, press 9."
input = "either"
on = { 1 = "when", visit = "when", "site visit" = "area", 2 = "colleague", 3 = "assistant", 4 = "elsewhere", 9 = "never" }
wrong = "Sorry, I did not get that."
otherwise = "message"

[[steps]]
name = "when"
ask = "Press the hour, from 10 to 18."
digits = 2
tries = 2
keep = "hour"
any = "thanks"

[[steps]]
name = "area"
ask = "Which area?"
input = "words"
keep = "area"
any = "pin"

[[steps]]
name = "pin"
ask = "Your code, please, and then the hash key."
digits = [4, 6]
keep = "code"
secret = true
any = "thanks"

[[steps]]
name = "colleague"
dial = "+918040000001"
text = "One moment."
then = "thanks"

[[steps]]
name = "message"
record = "Leave a message after the tone."
longest_s = 60

[[steps]]
name = "thanks"
hang_up = "Thank you. Goodbye."

[[steps]]
name = "assistant"
talk = "minimal"
then = "thanks"

[[steps]]
name = "elsewhere"
redirect = "https://example.com/other.xml"

[[steps]]
name = "never"
do_not_call = "You are not called again."
"##;

fn flow() -> Filled {
    let attributes = BTreeMap::new();
    let values = Values {
        lead_name: Some("Asha"),
        lead_phone: "+919876500001",
        lead_external_id: None,
        attributes: &attributes,
        campaign_name: "Spring",
        client_name: "Acme Homes",
    };
    read(FLOW).unwrap_or_else(|problems| panic!("{problems}")).fill(&values).expect("every value")
}

/// A person with a carrier between: what is heard of them is brought to where the call stands.
struct Caller {
    flow: Filled,
    at: Option<At>,
    heard: Vec<String>,
    lines: Vec<Line>,
    facts: Vec<Fact>,
}

impl Caller {
    fn new() -> Self {
        let mut caller =
            Self { flow: flow(), at: Some(At::BEGINNING), heard: vec![], lines: vec![], facts: vec![] };
        caller.does(&Heard::Began);
        caller
    }

    fn does(&mut self, heard: &Heard) -> &mut Self {
        let at = self.at.take().expect("the call waits for somebody");
        // The address of where it stands is all that is kept.
        let at: At = at.to_string().parse().expect("a place");
        let Turn { verbs, lines, facts } = self.flow.hear(at, heard);
        self.lines.extend(lines);
        self.facts.extend(facts);
        for verb in verbs {
            self.heard.push(match verb {
                Verb::Say(text) => text,
                Verb::Play(url) => format!("({url})"),
                Verb::Gather { text, at, .. } => {
                    self.at = Some(at);
                    text
                }
                Verb::Record { at, .. } => {
                    self.at = Some(at);
                    "(beep)".to_owned()
                }
                Verb::Dial { to, at, .. } => {
                    self.at = Some(at);
                    format!("(rings {})", to.dialled())
                }
                Verb::Stream { playbook, at } => {
                    self.at = Some(at);
                    format!("(talks by {playbook})")
                }
                Verb::Redirect(url) => format!("(goes on at {url})"),
                Verb::HangUp => "(hangs up)".to_owned(),
            });
        }
        self
    }

    fn presses(&mut self, keys: &str) -> &mut Self {
        self.does(&Heard::Keys(keys.to_owned()))
    }

    fn says(&mut self, words: &str) -> &mut Self {
        self.does(&Heard::Words(words.to_owned()))
    }

    /// What was heard since the last time.
    fn hears(&mut self) -> Vec<String> {
        std::mem::take(&mut self.heard)
    }

    /// The steps that the call went through, with what was heard in each.
    fn path(&self) -> String {
        let mut path: Vec<(&str, Option<&str>)> = vec![];
        for Line { step, by, text } in &self.lines {
            let told = text.trim_matches(['(', ')']);
            match (by, path.last_mut()) {
                (Speaker::Person, Some((last, heard @ None))) if *last == step => *heard = Some(told),
                (Speaker::Person, _) => path.push((step, Some(told))),
                (_, Some((last, None))) if *last == step => {}
                (_, _) => path.push((step, None)),
            }
        }
        let told = path.into_iter().map(|(step, heard)| match heard {
            Some(heard) => format!("{step} ({heard})"),
            None => step.to_owned(),
        });
        told.collect::<Vec<_>>().join(" > ")
    }
}

const MENU: &str = "For a visit press 1 or say visit. For a colleague press 2. For our assistant press 3. Never again, press 9.";

#[test]
fn a_person_presses_their_way_through_and_what_they_chose_is_kept() {
    let mut caller = Caller::new();
    assert_eq!(caller.hears(), ["Welcome to Acme Homes, Asha.", "(https://example.com/jingle.mp3)", MENU]);
    assert_eq!(caller.presses("1").hears(), ["Press the hour, from 10 to 18."]);
    assert_eq!(caller.presses("11").hears(), ["Thank you. Goodbye.", "(hangs up)"]);
    assert_eq!(caller.facts, [Fact::Kept { name: "hour".into(), value: "11".into() }]);
    assert_eq!(caller.path(), "welcome > jingle > menu (1) > when (11) > thanks");
    assert_eq!(caller.at, None);
}

#[test]
fn what_does_not_fit_is_asked_again_and_leads_elsewhere_in_the_end() {
    let mut caller = Caller::new();
    caller.hears();
    assert_eq!(caller.presses("7").hears(), ["Sorry, I did not get that.", MENU]);
    assert_eq!(
        caller.does(&Heard::Nothing).hears(),
        [MENU],
        "who said nothing is not told that it was not understood"
    );
    assert_eq!(caller.says("mumble").hears(), ["Leave a message after the tone.", "(beep)"]);
    caller.does(&Heard::Recorded(Some("https://example.com/1.mp3".into())));
    assert_eq!(caller.hears(), ["Thank you. Goodbye.", "(hangs up)"]);
    let url = "https://example.com/1.mp3".into();
    assert_eq!(caller.facts, [Fact::Recorded { step: "message".into(), url }]);
    assert_eq!(
        caller.path(),
        "welcome > jingle > menu (7) > menu (nothing) > menu (mumble) > message (a recording) > thanks"
    );
}

#[test]
fn too_many_or_too_few_keys_are_no_answer_and_whoever_gives_none_is_let_go() {
    let mut caller = Caller::new();
    caller.presses("1").hears();
    assert_eq!(caller.presses("1").hears(), ["Press the hour, from 10 to 18."]);
    assert_eq!(caller.presses("111").hears(), ["(hangs up)"]);
    assert_eq!(caller.facts, []);
}

#[test]
fn words_are_understood_within_a_sentence_and_the_longer_ones_are_meant() {
    for (said, asked) in [
        ("I'd like a VISIT, please", "Press the hour, from 10 to 18."),
        ("a site visit, maybe", "Which area?"),
        ("2", "One moment."),
    ] {
        let mut caller = Caller::new();
        caller.hears();
        assert_eq!(caller.says(said).hears()[0], asked, "{said}");
    }
}

#[test]
fn a_secret_answer_is_kept_and_stands_in_no_path() {
    let mut caller = Caller::new();
    caller.says("site visit").says("Hebbal").presses("4711");
    let kept = |name: &str, value: &str| Fact::Kept { name: name.into(), value: value.into() };
    assert_eq!(caller.facts, [kept("area", "Hebbal"), kept("code", "4711")]);
    assert_eq!(
        caller.path(),
        "welcome > jingle > menu (site visit) > area (Hebbal) > pin (a secret) > thanks"
    );
}

#[test]
fn somebody_is_put_through_or_a_message_taken_where_they_are_not_there() {
    let mut caller = Caller::new();
    caller.hears();
    assert_eq!(caller.presses("2").hears(), ["One moment.", "(rings +918040000001)"]);
    assert_eq!(caller.does(&Heard::Dialled(false)).hears(), ["Leave a message after the tone.", "(beep)"]);
    let mut caller = Caller::new();
    caller.presses("2").hears();
    assert_eq!(caller.does(&Heard::Dialled(true)).hears(), ["Thank you. Goodbye.", "(hangs up)"]);
    assert!(matches!(caller.facts.as_slice(), [Fact::PutThrough(to)] if to.dialled() == "+918040000001"));
}

#[test]
fn our_agent_talks_another_document_goes_on_and_a_wish_is_a_wish() {
    let mut caller = Caller::new();
    caller.hears();
    assert_eq!(caller.presses("3").hears(), ["(talks by minimal)"]);
    assert_eq!(caller.does(&Heard::Talked).hears(), ["Thank you. Goodbye.", "(hangs up)"]);
    let mut caller = Caller::new();
    caller.hears();
    assert_eq!(caller.presses("4").hears(), ["(goes on at https://example.com/other.xml)"]);
    let mut caller = Caller::new();
    caller.hears();
    assert_eq!(caller.presses("9").hears(), ["You are not called again.", "(hangs up)"]);
    assert_eq!(caller.facts, [Fact::DoNotCall]);
}

#[test]
fn a_mailbox_is_told_what_is_meant_for_it_and_a_person_is_not() {
    let text = FLOW.replace("voice = \"Polly.Aditi\"", "voicemail = \"left\"")
        + "\n[[steps]]\nname = \"left\"\nhang_up = \"We call again.\"\n";
    let attributes = BTreeMap::new();
    let values = Values {
        lead_name: None,
        lead_phone: "+919876500001",
        lead_external_id: None,
        attributes: &attributes,
        campaign_name: "Spring",
        client_name: "Acme Homes",
    };
    let flow =
        read(&text).unwrap_or_else(|problems| panic!("{problems}")).fill(&values).expect("every value");
    let said =
        |heard| flow.hear(At::BEGINNING, &heard).lines.into_iter().map(|line| line.text).collect::<Vec<_>>();
    assert_eq!(said(Heard::Mailbox), ["We call again."]);
    assert_eq!(said(Heard::Began)[0], "Welcome to Acme Homes, there.");
    let lost = read(&text.replace("voicemail = \"left\"", "voicemail = \"lost\"")).expect_err("no such step");
    assert!(lost.to_string().contains("voicemail: `lost` is no step"), "{lost}");
    // A flow without it says to a mailbox what it says to anybody.
    let without = self::flow();
    assert_eq!(without.hear(At::BEGINNING, &Heard::Mailbox), without.hear(At::BEGINNING, &Heard::Began));
}

#[test]
fn all_that_is_wrong_with_a_flow_is_told_with_its_line() {
    let wrong = r##"name = "x"
language = "english!"
[[steps]]
name = "a"
say = "Hello {{ lead.nmae }}"
digits = 3
[[steps]]
name = "a"
ask = "Which?"
on = { 12 = "b", hello = "end" }
[[steps]]
name = "end"
hang_up = ""
[[steps]]
name = "two"
say = "x"
play = "ftp://example.com"
[[steps]]
name = "round"
play = "ftp://example.com"
then = "round"
[[steps]]
name = "open"
ask = " "
wait_s = 90
[[steps]]
name = "far"
dial = "12"
ring_s = 4
then = "nowhere"
"##;
    let problems = read(wrong).expect_err("it is wrong").to_string();
    let told: Vec<&str> = problems.lines().collect();
    for expected in [
        "line 2: language: `english!` is no language tag",
        "line 5: steps[0].say: `lead.nmae` is not a variable",
        "line 6: steps[0].digits: a step that does `say` has none",
        "line 8: steps[1].name: `a` is there already",
        "line 10: steps[1].on.\"12\": it has 2 keys; `digits` allows 1 to 1",
        "line 10: steps[1].on.\"12\": `b` is no step; there are a, a, end, two, round, open, far, and `end`",
        "line 10: steps[1].on.\"hello\": the answer is pressed; set input to words or either",
        "line 12: steps[2].name: `end` is the end of the call",
        "line 14: steps[3]: a step does one thing; give one of say, play, ask",
        "line 20: steps[4].play: give an address that the carrier can reach",
        "line 18: steps[4]: from here on the call goes round for ever",
        "line 24: steps[5]: say where answers lead",
        "line 24: steps[5].ask: is empty",
        "line 25: steps[5].wait_s: give 1 to 60",
        "line 28: steps[6].dial: give a number in E.164",
        "line 29: steps[6].ring_s: give 5 to 120",
        "line 30: steps[6].then: `nowhere` is no step",
        "line 22: steps[5]: no way leads to `open`",
    ] {
        assert!(told.iter().any(|told| told.starts_with(expected)), "{expected}\n\n{problems}");
    }
    let nothing = read("name = \"x\"\nlanguage = \"en\"\n").expect_err("it has no step").to_string();
    assert_eq!(nothing, "steps: give at least one step, and 200 at most");
    assert!(read("name = ").expect_err("no TOML").to_string().starts_with("line 1: "));
}

fn heard() -> impl Strategy<Value = Heard> {
    prop_oneof![
        Just(Heard::Began),
        "[0-9*#]{0,8}".prop_map(Heard::Keys),
        "[a-z 0-9]{0,20}".prop_map(Heard::Words),
        Just(Heard::Nothing),
        proptest::option::of("https://example\\.com/[a-z]{3}").prop_map(Heard::Recorded),
        any::<bool>().prop_map(Heard::Dialled),
        Just(Heard::Talked),
    ]
}

proptest! {
    /// Carriers repeat requests, send them late, and anybody can make an address up.
    #[test]
    fn wherever_a_call_stands_and_whatever_is_heard_it_waits_once_or_ends(step in 0_usize..20, tried: u8, heard in heard()) {
        let turn = flow().hear(At { step, tried }, &heard);
        let last = |verb: &Verb| !matches!(verb, Verb::Say(_) | Verb::Play(_));
        prop_assert_eq!(turn.verbs.iter().filter(|verb| last(verb)).count(), 1, "{:?}", turn.verbs);
        prop_assert!(turn.verbs.last().is_some_and(last));
        prop_assert_eq!(flow().hear(At { step, tried }, &heard), turn, "asked again, it says the same");
    }

    #[test]
    fn nobody_is_asked_for_ever_who_never_answers_what_fits(answers in proptest::collection::vec("[5-8]", 40)) {
        let mut caller = Caller::new();
        let mut asked = 0;
        for answer in answers {
            if caller.at.is_none() {
                break;
            }
            caller.presses(&answer);
            asked += 1;
        }
        prop_assert!(caller.at.is_none() && asked <= 5, "{}", caller.path());
    }
}
