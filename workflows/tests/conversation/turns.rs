//! Who has the turn.

use std::time::Duration;

use insta::assert_snapshot;
use outdial_workflows::conversation::{
    Answerer, CallTime, Conversation, Duties, Heard, Order, SentenceId, Standing, Transferred,
};

use crate::sim::{Sim, minimal, says, script};

fn talk() -> Sim {
    Sim::new(minimal(), Duties::default())
}

#[test]
fn a_person_answers_and_is_answered() {
    let mut sim = talk();
    sim.person(4_000, "Yes, go ahead.").model([
        says(300, "Thank you. Would you like to hear about new flats?"),
        says(300, "Wonderful, we will write to you. Goodbye.")
            .using("end_call", r#"{"reason": "wants to hear from us"}"#),
    ]);
    sim.person(10_000, "Yes please.");
    assert_snapshot!(sim.run(), @r#"
     0.000 say: Hello Asha, do you have a minute?
     2.328 1. agent: Hello Asha, do you have a minute?
     5.124 ask early: Person("Yes, go ahead.")
     5.624 say: Thank you. Would you like to hear about new flats?
     5.624 2. person: Yes, go ahead.
     9.074 3. agent: Thank you. Would you like to hear about new flats? [850 = turn 500 + model 0 + sentence 200 + speech 150]
    10.926 ask early: Person("Yes please.")
    11.326 say: Wonderful, we will write to you.
    11.386 say: Goodbye.
    11.386 4. person: Yes please.
    14.116 5. agent: Wonderful, we will write to you. Goodbye. [750 = turn 500 + model 0 + sentence 100 + speech 150]
    14.116 end: Finished("wants to hear from us")
    "#);
}

#[test]
fn what_the_law_asks_is_said_first_and_to_the_end() {
    let mut sim =
        Sim::new(minimal(), Duties { disclose: true, announce_recording: true, ..Duties::default() });
    sim.person(500, "Wait, who is calling?").model([says(300, "Acme Homes is.").using("end_call", "{}")]);
    assert_snapshot!(sim.run(), @r#"
    0.000 say: This is an automated assistant of Acme Homes.
    0.000 say: This call is recorded.
    0.000 say: Hello Asha, do you have a minute?
    6.750 1. agent: This is an automated assistant of Acme Homes. This call is recorded. Hello Asha, do you have a minute?
    6.750 ask: Person("Wait, who is calling?")
    7.130 say: Acme Homes is.
    7.130 2. person: Wait, who is calling?
    8.204 3. agent: Acme Homes is. [5394 = turn 4864 + model 300 + sentence 80 + speech 150]
    8.204 end: Finished("")
    "#);
}

#[test]
fn a_cough_and_an_mm_hm_do_not_interrupt() {
    let mut sim = talk();
    sim.noise(500, 400).person(1_500, "Mm-hm.");
    sim.person(6_000, "Yes.").model([says(200, "Good. Goodbye.").using("end_call", "{}")]);
    assert_snapshot!(sim.run(), @r#"
    0.000 say: Hello Asha, do you have a minute?
    2.328 1. agent: Hello Asha, do you have a minute?
    6.464 ask early: Person("Yes.")
    6.764 say: Good. Goodbye.
    6.764 2. person: Yes.
    7.838 3. agent: Good. Goodbye. [650 = turn 500 + model 0 + sentence 0 + speech 150]
    7.838 end: Finished("")
    "#);
}

#[test]
fn real_speech_interrupts_and_the_transcript_says_what_was_heard() {
    let mut sim = talk();
    sim.person(4_000, "Yes.").person(6_500, "How much does it cost?").model([
        says(
            200,
            "We have many homes in Hebbal and in Whitefield, and also a few in Jayanagar, which are large.",
        ),
        says(200, "From 65 lakh. Goodbye.").using("end_call", "{}"),
    ]);
    assert_snapshot!(sim.run(), @r#"
    0.000 say: Hello Asha, do you have a minute?
    2.328 1. agent: Hello Asha, do you have a minute?
    4.464 ask early: Person("Yes.")
    5.024 say: We have many homes in Hebbal and in Whitefield, and also a few in Jayanagar, which are large.
    5.024 2. person: Yes.
    7.426 hush
    7.426 3. agent (cut off): We have many homes in Hebbal and [910 = turn 500 + model 0 + sentence 260 + speech 150]
    8.152 ask early: Person("How much does it cost?")
    8.452 say: From 65 lakh.
    8.452 say: Goodbye.
    8.452 4. person: How much does it cost?
    9.988 5. agent: From 65 lakh. Goodbye. [650 = turn 500 + model 0 + sentence 0 + speech 150]
    9.988 end: Finished("")
    "#);
}

#[test]
fn a_pause_in_the_middle_of_a_sentence_is_not_the_end_of_a_turn() {
    let mut sim = talk();
    sim.person(4_000, "I am looking for a").person(5_900, "flat with two bedrooms.");
    sim.model([says(400, "Never heard."), says(200, "Two bedrooms. Noted.").using("end_call", "{}")]);
    let told = sim.run();
    assert_snapshot!(told, @r#"
    0.000 say: Hello Asha, do you have a minute?
    2.328 1. agent: Hello Asha, do you have a minute?
    5.388 ask early: Person("I am looking for a")
    6.859 abandon
    7.618 ask early: Person("I am looking for a flat with two bedrooms.")
    7.918 say: Two bedrooms.
    7.918 say: Noted.
    7.918 2. person: I am looking for a flat with two bedrooms.
    9.322 3. agent: Two bedrooms. Noted. [650 = turn 500 + model 0 + sentence 0 + speech 150]
    9.322 end: Finished("")
    "#);
    assert_eq!(sim.conversation().speculated_in_vain(), 1);
}

#[test]
fn whoever_goes_on_before_an_answer_is_heard_has_not_finished() {
    let mut sim = talk();
    sim.person(4_000, "Two bedrooms.").person(5_700, "Or three bedrooms.");
    sim.model([says(1_500, "Two it is."), says(200, "Two or three.").using("end_call", "{}")]);
    assert_snapshot!(sim.run(), @r#"
    0.000 say: Hello Asha, do you have a minute?
    2.328 1. agent: Hello Asha, do you have a minute?
    5.058 ask early: Person("Two bedrooms.")
    6.494 abandon
    7.088 ask early: Person("Two bedrooms. Or three bedrooms.")
    7.388 say: Two or three.
    7.388 2. person: Two bedrooms. Or three bedrooms.
    8.396 3. agent: Two or three. [650 = turn 500 + model 0 + sentence 0 + speech 150]
    8.396 end: Finished("")
    "#);
}

#[test]
fn silence_is_asked_about_and_then_ends_the_call() {
    let mut playbook = minimal();
    playbook.says.still_there = vec!["Are you still there?".into(), "Hello?".into()];
    let mut sim = Sim::new(playbook, Duties::default());
    assert_snapshot!(sim.run(), @r#"
     0.000 say: Hello Asha, do you have a minute?
     2.328 1. agent: Hello Asha, do you have a minute?
     9.328 say: Are you still there?
    10.798 2. agent: Are you still there?
    17.798 say: Hello?
    18.344 3. agent: Hello?
    25.344 say: Thank you for your time. Goodbye.
    27.672 4. agent: Thank you for your time. Goodbye.
    27.672 end: Silence
    "#);
}

#[test]
fn a_television_is_no_answer() {
    let mut sim = talk();
    sim.noise(4_000, 600_000);
    assert_snapshot!(sim.run(), @r#"
     0.000 say: Hello Asha, do you have a minute?
     2.328 1. agent: Hello Asha, do you have a minute?
    16.328 say: Thank you for your time. Goodbye.
    18.656 2. agent: Thank you for your time. Goodbye.
    18.656 end: Silence
    "#);
}

#[test]
fn somebody_who_never_stops_is_answered_in_between() {
    let mut playbook = minimal();
    playbook.timing.longest_turn_ms = 10_000;
    let mut sim = Sim::new(playbook, Duties::default());
    sim.at(4_000, Heard::VoiceBegan { ago: Duration::ZERO });
    for n in 0..40 {
        sim.at(4_500 + n * 500, Heard::Words { text: format!("and {n}"), confirmed: true });
    }
    sim.model([says(200, "Let me answer that first.").using("end_call", "{}")]);
    let told = sim.run();
    let answered = told.lines().find(|line| line.contains("say: Let me")).expect("an answer");
    assert!(answered.starts_with(" 14."), "{told}");
}

#[test]
fn a_call_that_takes_too_long_is_ended_with_a_goodbye() {
    let mut playbook = minimal();
    playbook.timing.call_ms = 9_000;
    let mut sim = Sim::new(playbook, Duties::default());
    sim.person(4_000, "Yes.")
        .model([says(200, "This is a long story, which I shall tell you from the beginning, slowly.")]);
    assert_snapshot!(sim.run(), @r#"
     0.000 say: Hello Asha, do you have a minute?
     2.328 1. agent: Hello Asha, do you have a minute?
     4.464 ask early: Person("Yes.")
     4.944 say: This is a long story, which I shall tell you from the beginning, slowly.
     4.944 2. person: Yes.
     9.000 hush
     9.000 3. agent (cut off): This is a long story, which I shall tell you from the [830 = turn 500 + model 0 + sentence 180 + speech 150]
     9.000 say: Thank you for your time. Goodbye.
    11.328 4. agent: Thank you for your time. Goodbye.
    11.328 end: TooLong
    "#);
}

#[test]
fn the_key_to_opt_out_works_at_any_time() {
    let mut playbook = minimal();
    playbook.opt_out_key = Some('9');
    let mut sim = Sim::new(playbook, Duties { disclose: true, ..Duties::default() });
    sim.at(1_000, Heard::Key('9'));
    assert_snapshot!(sim.run(), @r#"
    0.000 say: This is an automated assistant of Acme Homes.
    0.000 say: Hello Asha, do you have a minute?
    1.000 never call again
    1.000 hush
    1.000 1. agent (cut off): This is an
    1.000 say: We will not call you again. Goodbye.
    3.526 2. agent: We will not call you again. Goodbye.
    3.526 end: OptedOut
    "#);
}

#[test]
fn other_keys_are_what_the_person_says() {
    let mut sim = talk();
    for (n, key) in ['4', '2'].into_iter().enumerate() {
        sim.at(5_000 + n as u64 * 500, Heard::Key(key));
    }
    sim.model([says(200, "Forty-two, thank you.").using("end_call", "{}")]);
    assert_snapshot!(sim.run(), @r#"
    0.000 say: Hello Asha, do you have a minute?
    2.328 1. agent: Hello Asha, do you have a minute?
    8.000 ask: Person("(presses 42)")
    8.280 say: Forty-two, thank you.
    8.280 2. person: (presses 42)
    9.816 3. agent: Forty-two, thank you. [430 = turn 0 + model 200 + sentence 80 + speech 150]
    9.816 end: Finished("")
    "#);
}

#[test]
fn a_mailbox_is_told_a_message_after_its_tone_or_nothing() {
    let mut playbook = minimal();
    playbook.says.mailbox = Some("Acme Homes will call you again.".into());
    let mut sim = Sim::new(playbook, Duties { disclose: true, ..Duties::default() });
    sim.person(1_000, "Please leave a message after the tone.").at(6_000, Heard::Tone);
    assert_snapshot!(sim.run(), @r#"
     0.000 say: This is an automated assistant of Acme Homes.
     0.000 say: Hello Asha, do you have a minute?
     2.454 hush
     2.454 1. agent (cut off): This is an automated assistant of
     5.708 say: This is an automated assistant of Acme Homes.
     5.708 say: Acme Homes will call you again.
     6.000 hush
     6.000 say: This is an automated assistant of Acme Homes.
     6.000 say: Acme Homes will call you again.
    11.166 2. agent: This is an automated assistant of Acme Homes. Acme Homes will call you again.
    11.166 end: Mailbox { left: true }
    "#);

    let mut sim = talk();
    sim.at(2_000, Heard::Answerer(Answerer::Machine));
    assert_snapshot!(sim.run(), @r#"
    0.000 say: Hello Asha, do you have a minute?
    2.000 hush
    2.000 1. agent (cut off): Hello Asha, do you have a
    2.000 end: Mailbox { left: false }
    "#);
}

#[test]
fn a_mailbox_without_a_tone_is_told_once_it_is_silent() {
    let mut playbook = minimal();
    playbook.says.mailbox = Some("Acme Homes will call you again.".into());
    let mut sim = Sim::new(playbook, Duties::default());
    sim.at(2_000, Heard::Answerer(Answerer::Machine)).person(2_100, "You have reached Asha and Vikram.");
    assert_snapshot!(sim.run(), @r#"
    0.000 say: Hello Asha, do you have a minute?
    2.000 hush
    2.000 1. agent (cut off): Hello Asha, do you have a
    6.478 say: Acme Homes will call you again.
    8.674 2. agent: Acme Homes will call you again.
    8.674 end: Mailbox { left: true }
    "#);
}

#[test]
fn a_message_that_was_begun_before_the_tone_begins_again() {
    let mut playbook = minimal();
    playbook.says.mailbox = Some("Acme Homes will call you again.".into());
    let mut sim = Sim::new(playbook, Duties::default());
    sim.at(2_000, Heard::Answerer(Answerer::Machine)).at(4_500, Heard::Tone).at(5_000, Heard::Tone);
    assert_snapshot!(sim.run(), @r#"
    0.000 say: Hello Asha, do you have a minute?
    2.000 hush
    2.000 1. agent (cut off): Hello Asha, do you have a
    4.000 say: Acme Homes will call you again.
    4.500 hush
    4.500 say: Acme Homes will call you again.
    6.696 2. agent: Acme Homes will call you again.
    6.696 end: Mailbox { left: true }
    "#);
}

#[test]
fn a_call_is_handed_over_after_the_last_words() {
    let playbook = script(include_str!("../../playbooks/loan-interest.toml"));
    let mut sim = Sim::new(playbook, Duties::default());
    sim.person(12_000, "Yes, five lakh, and I am employed.").person(22_000, "Yes please.");
    sim.model([
        says(200, "Shall I connect you?")
            .using("note", r#"{"interest": "high", "amount_lakh": "5", "employed": true}"#),
        says(200, "").using("transfer", r#"{"briefing": "Asha, employed, wants five lakh."}"#),
    ]);
    sim.at(40_000, Heard::Transferred(Transferred::Done));
    assert_snapshot!(sim.run(), @r#"
     0.000 say: This is an automated call from Acme Homes. Press 9 if you do not want such calls.
     0.000 say: Hello Asha, you asked about a personal loan. May I ask you three short questions?
    10.842 1. agent: This is an automated call from Acme Homes. Press 9 if you do not want such calls. Hello Asha, you asked about a personal loan. May I ask you three short questions?
    14.444 ask early: Person("Yes, five lakh, and I am employed.")
    14.744 say: Shall I connect you?
    14.744 2. person: Yes, five lakh, and I am employed.
    14.744 note amount_lakh = 5.0, from turn 2
    14.744 note employed = true, from turn 2
    14.744 note interest = "high", from turn 2
    16.214 3. agent: Shall I connect you? [650 = turn 500 + model 0 + sentence 0 + speech 150]
    22.926 ask early: Person("Yes please.")
    23.226 4. person: Yes please.
    23.226 say: Thank you. I am connecting you to a loan adviser now; please stay on the line.
    28.524 5. agent: Thank you. I am connecting you to a loan adviser now; please stay on the line. [650 = turn 500 + model 0 + sentence 0 + speech 150]
    28.524 transfer to +911204000000, who is told: Asha, employed, wants five lakh.
    40.000 end: Transferred
    "#);
}

#[test]
fn who_is_handing_over_already_is_not_made_to_begin_anew_by_the_order_for_it() {
    let mut sim = talk();
    sim.at(4_000, Heard::Ordered(Order::HandOver));
    sim.at(5_000, Heard::Ordered(Order::HandOver));
    sim.at(7_000, Heard::Ordered(Order::HandOver));
    sim.at(9_000, Heard::Transferred(Transferred::Done));
    assert_snapshot!(sim.run(), @r#"
     0.000 say: Hello Asha, do you have a minute?
     2.328 1. agent: Hello Asha, do you have a minute?
     4.000 say: I am connecting you to a colleague now.
     6.724 2. agent: I am connecting you to a colleague now.
     6.724 follow the transfer
     9.000 end: Transferred
    "#);
}

#[test]
fn a_call_that_nobody_takes_over_goes_on() {
    let mut sim = talk();
    sim.at(4_000, Heard::Ordered(Order::HandOver));
    sim.at(9_000, Heard::Transferred(Transferred::Failed("busy".into())));
    sim.model([says(200, "Nobody is free. Goodbye.").using("end_call", "{}")]);
    assert_snapshot!(sim.run(), @r#"
     0.000 say: Hello Asha, do you have a minute?
     2.328 1. agent: Hello Asha, do you have a minute?
     4.000 say: I am connecting you to a colleague now.
     6.724 2. agent: I am connecting you to a colleague now.
     6.724 follow the transfer
     9.000 ask: Happened("The call could not be handed over: busy. Say so, and go on.")
     9.240 say: Nobody is free.
     9.300 say: Goodbye.
    10.908 3. agent: Nobody is free. Goodbye.
    10.908 end: Finished("")
    "#);
}

#[test]
fn a_callback_is_taken_down_and_a_wish_not_to_be_called_is_kept_at_once() {
    let playbook = script(include_str!("../../playbooks/property-enquiry.toml"));
    let mut sim = Sim::new(playbook, Duties::default());
    sim.person(16_000, "Call me tomorrow at ten.").person(26_000, "No, do not call at all.");
    sim.model([
        says(200, "Tomorrow at ten, then?").using("call_back", r#"{"at": "2027-01-15T10:00"}"#),
        says(200, "").using("do_not_call", ""),
    ]);
    assert_snapshot!(sim.run(), @r#"
     0.000 say: This is an automated call from Acme Homes. Press 9 if you do not want such calls.
     0.000 say: Hello Asha, you asked us about homes in Hebbal. Is this a good time to talk?
    10.512 1. agent: This is an automated call from Acme Homes. Press 9 if you do not want such calls. Hello Asha, you asked us about homes in Hebbal. Is this a good time to talk?
    17.784 ask early: Person("Call me tomorrow at ten.")
    18.084 say: Tomorrow at ten, then?
    18.084 2. person: Call me tomorrow at ten.
    18.084 call back at 2027-01-15 10:00:00
    19.686 3. agent: Tomorrow at ten, then? [650 = turn 500 + model 0 + sentence 0 + speech 150]
    27.718 ask early: Person("No, do not call at all.")
    28.018 4. person: No, do not call at all.
    28.018 never call again
    28.018 say: We will not call you again. Goodbye.
    30.544 5. agent: We will not call you again. Goodbye. [650 = turn 500 + model 0 + sentence 0 + speech 150]
    30.544 end: DoNotCall
    "#);
}

#[test]
fn it_is_known_where_a_conversation_stands() {
    let mut sim = talk();
    assert_eq!(sim.conversation().standing(), Standing::Waiting);
    sim.at(1_000, Heard::Left);
    assert_snapshot!(sim.run(), @r#"
    0.000 say: Hello Asha, do you have a minute?
    1.000 hush
    1.000 1. agent (cut off): Hello Asha,
    1.000 end: PersonLeft
    "#);
    assert_eq!(sim.conversation().standing(), Standing::Over);
}

#[test]
fn whoever_answers_and_hears_nothing_for_two_seconds_has_answered_to_nobody() {
    let sounding = |first_at: Option<u64>, heard: &[Heard]| {
        let mut script = minimal();
        script.says.mailbox = Some("Please call us back.".into());
        let mut conversation = Conversation::new(script, Duties::default(), "Monday, 10:00");
        conversation.hear(Heard::Connected, CallTime::ms(500));
        while conversation.next_act().is_some() {}
        heard.iter().for_each(|heard| conversation.hear(heard.clone(), CallTime::ms(600)));
        if let Some(at) = first_at {
            conversation.hear(Heard::Sounding(SentenceId(1)), CallTime::ms(at));
        }
        conversation
    };
    let abandoned = |first_at, heard: &[Heard], lasted_ms| {
        sounding(first_at, heard).is_abandoned(Duration::from_millis(lasted_ms))
    };
    assert_eq!(
        abandoned(Some(2_500), &[], 9_000),
        Some(false),
        "it is counted from when we were on the line"
    );
    assert_eq!(abandoned(Some(2_501), &[], 9_000), Some(true));
    assert_eq!(sounding(Some(2_501), &[]).first_words(), Some(Duration::from_millis(2_001)));
    assert_eq!(abandoned(None, &[], 9_000), Some(true));
    assert_eq!(abandoned(None, &[], 2_000), Some(false), "they did not wait for as long as we may take");
    let machine = Heard::Answerer(Answerer::Machine);
    assert_eq!(
        abandoned(None, std::slice::from_ref(&machine), 9_000),
        None,
        "there was nobody to be kept waiting"
    );
    assert_eq!(abandoned(None, &[machine, Heard::Answerer(Answerer::Person)], 9_000), Some(true));
}
