//! What goes wrong around a conversation ends it well, with the reason.

use std::time::Duration;

use insta::assert_snapshot;
use outdial_workflows::conversation::{Answerer, Duties, Heard};

use crate::sim::{Sim, fails, minimal, says, script, stalls};

fn talk() -> Sim {
    let mut sim = Sim::new(minimal(), Duties::default());
    sim.person(4_000, "Yes.");
    sim
}

#[test]
fn a_model_that_fails_is_replaced_by_the_other_one() {
    let mut sim = talk();
    sim.model([fails(200), says(200, "Here I am. Goodbye.").using("end_call", "{}")]);
    assert_snapshot!(sim.run(), @r#"
    0.000 say: Hello Asha, do you have a minute?
    2.328 1. agent: Hello Asha, do you have a minute?
    4.464 ask early: Person("Yes.")
    4.664 ask the other model: Person("Yes.")
    4.964 say: Here I am. Goodbye.
    4.964 2. person: Yes.
    6.368 3. agent: Here I am. Goodbye. [850 = turn 500 + model 100 + sentence 100 + speech 150]
    6.368 end: Finished("")
    "#);
}

#[test]
fn when_no_model_answers_the_wait_is_bridged_and_the_call_ends_with_an_apology() {
    let mut sim = talk();
    sim.model([stalls(), stalls()]);
    assert_snapshot!(sim.run(), @r#"
     0.000 say: Hello Asha, do you have a minute?
     2.328 1. agent: Hello Asha, do you have a minute?
     4.464 ask early: Person("Yes.")
     6.764 say: One moment, please.
     6.914 2. person: Yes.
     9.764 abandon
     9.764 ask the other model: Person("Yes.")
    14.764 abandon
    14.764 hush
    14.764 3. agent: One moment, please. [2650 = turn 500 + model 2000 + sentence 0 + speech 150]
    14.764 say: I am sorry, I cannot go on just now. We will be in touch.
    18.676 4. agent: I am sorry, I cannot go on just now. We will be in touch.
    18.676 end: ModelFailed("it did not answer in time")
    "#);
}

#[test]
fn a_model_that_stalls_in_the_middle_has_said_what_it_said() {
    let mut sim = talk();
    sim.model([
        says(200, "We have homes in Hebbal. And in").stalling_after(5),
        says(200, "Goodbye.").using("end_call", "{}"),
    ]);
    sim.person(14_000, "Fine.");
    assert_snapshot!(sim.run(), @r#"
     0.000 say: Hello Asha, do you have a minute?
     2.328 1. agent: Hello Asha, do you have a minute?
     4.464 ask early: Person("Yes.")
     4.764 say: We have homes in Hebbal.
     4.914 2. person: Yes.
     9.764 abandon
     9.764 3. agent: We have homes in Hebbal. [650 = turn 500 + model 0 + sentence 0 + speech 150]
    14.530 ask early: Person("Fine.")
    14.830 say: Goodbye.
    14.830 4. person: Fine.
    15.508 5. agent: Goodbye. [650 = turn 500 + model 0 + sentence 0 + speech 150]
    15.508 end: Finished("")
    "#);
}

#[test]
fn a_tool_that_is_used_wrongly_is_explained_to_the_model() {
    let playbook = script(include_str!("../../playbooks/property-enquiry.toml"));
    let mut sim = Sim::new(playbook, Duties::default());
    sim.person(16_000, "Three bedrooms, up to ninety lakh.").model([
        says(200, "").using("note", r#"{"bedrooms": "three", "budget_lakh": 90, "balcony": true}"#),
        says(200, "").using("transfer", "{}"),
        says(200, "").using("note", "{bedrooms: 3}"),
        says(200, "Three bedrooms, then. Goodbye.").using("note", r#"{"bedrooms": 3}"#),
    ]);
    let told = sim.run();
    assert_snapshot!(told, @r#"
     0.000 say: This is an automated call from Acme Homes. Press 9 if you do not want such calls.
     0.000 say: Hello Asha, you asked us about homes in Hebbal. Is this a good time to talk?
    10.512 1. agent: This is an automated call from Acme Homes. Press 9 if you do not want such calls. Hello Asha, you asked us about homes in Hebbal. Is this a good time to talk?
    18.444 ask early: Person("Three bedrooms, up to ninety lakh.")
    18.744 2. person: Three bedrooms, up to ninety lakh.
    18.744 note budget_lakh = 90, from turn 2
    18.744 ask: Result { call: "call_note", text: "balcony: there is no such field; bedrooms: give a number" }
    18.964 ask: Result { call: "call_transfer", text: "there is no tool `transfer` now; there are note, end_call, do_not_call, call_back" }
    19.184 ask: Result { call: "call_note", text: "the arguments are no JSON object: key must be a string at line 1 column 2" }
    19.424 say: Three bedrooms, then.
    19.484 say: Goodbye.
    19.484 note bedrooms = 3, from turn 2
    21.488 3. agent: Three bedrooms, then. Goodbye. [1330 = turn 500 + model 640 + sentence 40 + speech 150]
    28.488 say: Are you still there?
    29.958 4. agent: Are you still there?
    36.958 say: I cannot hear you. Are you there?
    39.286 5. agent: I cannot hear you. Are you there?
    46.286 say: Thank you for your time. Goodbye.
    48.614 6. agent: Thank you for your time. Goodbye.
    48.614 end: Silence
    "#);
}

#[test]
fn a_model_that_only_uses_tools_does_not_do_so_for_ever() {
    let mut sim = Sim::new(script(include_str!("../../playbooks/property-enquiry.toml")), Duties::default());
    sim.person(16_000, "Yes.").model((0..10).map(|_| says(100, "").using("note", r#"{"good_time": true}"#)));
    let told = sim.run();
    assert!(told.contains("it only used tools"), "{told}");
}

#[test]
fn a_sentence_that_cannot_be_spoken_is_tried_once_more_and_then_the_call_ends() {
    let mut sim = talk();
    sim.voice_fails(1).model([says(200, "Good. Goodbye.").using("end_call", "{}")]);
    assert!(sim.run().contains("end: Finished"));
    let mut sim = talk();
    sim.voice_fails(2);
    assert_snapshot!(sim.run(), @r#"
    0.000 say: Hello Asha, do you have a minute?
    0.150 say: Hello Asha, do you have a minute?
    0.300 hush
    0.300 end: SpeechFailed
    "#);
}

#[test]
fn a_lost_stream_may_come_back() {
    let mut sim = talk();
    sim.model([
        says(200, "We have homes in Hebbal and in many other places."),
        says(200, "Hebbal. Goodbye.").using("end_call", "{}"),
    ]);
    sim.at(6_500, Heard::StreamLost).at(8_000, Heard::StreamBack).person(13_000, "Where did you say?");
    assert_snapshot!(sim.run(), @r#"
     0.000 say: Hello Asha, do you have a minute?
     2.328 1. agent: Hello Asha, do you have a minute?
     4.464 ask early: Person("Yes.")
     4.864 say: We have homes in Hebbal and in many other places.
     4.864 2. person: Yes.
     6.500 hush
     6.500 3. agent (cut off): We have homes in [750 = turn 500 + model 0 + sentence 100 + speech 150]
     8.000 say: Sorry, I could not hear you for a moment. Could you say that again?
    12.572 4. agent: Sorry, I could not hear you for a moment. Could you say that again?
    14.388 ask early: Person("Where did you say?")
    14.688 say: Hebbal. Goodbye.
    14.688 5. person: Where did you say?
    15.894 6. agent: Hebbal. Goodbye. [650 = turn 500 + model 0 + sentence 0 + speech 150]
    15.894 end: Finished("")
    "#);
}

#[test]
fn a_stream_that_stays_away_ends_the_call() {
    let mut sim = talk();
    sim.at(4_700, Heard::StreamLost);
    assert_snapshot!(sim.run(), @r#"
    0.000 say: Hello Asha, do you have a minute?
    2.328 1. agent: Hello Asha, do you have a minute?
    4.464 ask early: Person("Yes.")
    4.700 abandon
    9.700 2. person: Yes.
    9.700 end: StreamLost
    "#);
}

#[test]
fn a_recogniser_that_confirms_nothing_is_believed_as_it_is() {
    let mut sim = Sim::new(minimal(), Duties::default());
    sim.at(4_000, Heard::VoiceBegan { ago: Duration::ZERO })
        .at(4_400, Heard::Words { text: "yes please".into(), confirmed: false })
        .at(4_800, Heard::VoiceEnded { ago: Duration::ZERO });
    sim.model([says(200, "Good. Goodbye.").using("end_call", "{}")]);
    assert_snapshot!(sim.run(), @r#"
    0.000 say: Hello Asha, do you have a minute?
    2.328 1. agent: Hello Asha, do you have a minute?
    6.000 ask: Person("yes please")
    6.260 say: Good. Goodbye.
    6.260 2. person: yes please
    7.334 3. agent: Good. Goodbye. [1610 = turn 1200 + model 200 + sentence 60 + speech 150]
    7.334 end: Finished("")
    "#);
}

#[test]
fn whoever_can_no_longer_understand_says_sorry_and_ends() {
    let mut sim = talk();
    sim.at(3_000, Heard::Deaf("Deepgram could not be reached".into()));
    assert_snapshot!(sim.run(), @r#"
    0.000 say: Hello Asha, do you have a minute?
    2.328 1. agent: Hello Asha, do you have a minute?
    3.000 say: I am sorry, I cannot go on just now. We will be in touch.
    6.912 2. agent: I am sorry, I cannot go on just now. We will be in touch.
    6.912 3. person: Yes.
    6.912 end: RecogniserFailed("Deepgram could not be reached")
    "#);
}

#[test]
fn a_mailbox_need_not_be_understood() {
    let mut playbook = minimal();
    playbook.says.mailbox = Some("Acme Homes will call you again.".into());
    let mut sim = Sim::new(playbook, Duties::default());
    sim.at(500, Heard::Answerer(Answerer::Machine))
        .at(1_000, Heard::Deaf("gone".into()))
        .at(5_000, Heard::Tone);
    assert_snapshot!(sim.run(), @r#"
    0.000 say: Hello Asha, do you have a minute?
    0.500 hush
    2.500 say: Acme Homes will call you again.
    4.696 1. agent: Acme Homes will call you again.
    4.696 end: Mailbox { left: true }
    "#);
}
