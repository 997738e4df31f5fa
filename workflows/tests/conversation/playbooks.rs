//! Playbooks are read whole, or every problem of theirs is told with its line.

use insta::assert_snapshot;
use outdial_workflows::playbook::{self, Problem, Text};

use crate::sim::script;

const SHIPPED: [&str; 3] = [
    include_str!("../../playbooks/minimal.toml"),
    include_str!("../../playbooks/property-enquiry.toml"),
    include_str!("../../playbooks/loan-interest.toml"),
];

#[test]
fn the_playbooks_that_are_shipped_are_right() {
    for text in SHIPPED {
        let playbook = playbook::read(text).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(!playbook.stages.is_empty(), "{}", playbook.name);
    }
}

#[test]
fn every_problem_is_told_with_its_line() {
    let problems = playbook::read(
        r#"
name = "Wrong"
language = "english"
agent = "You call for {{ client.nme }}."
opt_out_key = "99"

[says]
greeting = "Hello {{ lead.name"
disclosure = " "

[timing]
model_ms = 100

[fields.size]
about = "How large"
kind = "choice"

[[stages]]
name = "first"
goal = "Begin"
collect = ["colour"]
tools = ["dance", "transfer"]
next = [{ to = "third", is = { size = 3 } }]

[[stages]]
name = "second"
goal = "Nobody comes here"

[[knowledge]]
name = "both"
text = "a"
file = "b.md"
"#,
    );
    assert_snapshot!(problems.expect_err("it is wrong"), @r#"
    says.recording: is left out, which only a playbook in English can; as `This call is recorded.`
    says.one_moment: is left out, which only a playbook in English can; as `One moment, please.`
    says.sorry: is left out, which only a playbook in English can; as `I am sorry, I cannot go on just now. We will be in touch.`
    says.lost: is left out, which only a playbook in English can; as `Sorry, I could not hear you for a moment. Could you say that again?`
    says.transfer: is left out, which only a playbook in English can; as `I am connecting you to a colleague now.`
    says.goodbye: is left out, which only a playbook in English can; as `Thank you for your time. Goodbye.`
    says.opted_out: is left out, which only a playbook in English can; as `We will not call you again. Goodbye.`
    line 3: language: `english` is no language tag; give one as en-IN
    line 4: agent: `client.nme` is not a variable; one of lead.name, lead.phone, lead.external_id, lead.attributes.<name>, campaign.name or client.name
    line 5: opt_out_key: give one key of a telephone: a digit, * or #
    line 8: says.greeting: `{{ lead.name` opens a place that is not closed; write {{ lead.name }}
    line 9: says.disclosure: is empty
    line 11: timing.model_ms: the model would be given up before the wait is bridged
    line 14: fields.size.choices: give at least two
    line 21: stages[0].collect[0]: `colour` is no field; there are size
    line 22: stages[0].tools[0]: `dance` is no tool; one of note, end_call, do_not_call, call_back, transfer
    line 22: stages[0].tools[1]: say whom to transfer to, in `transfer_to`
    line 23: stages[0].next[0].is.size: give one of 
    line 23: stages[0].next[0].to: `third` is no stage; there are first, second
    line 25: stages[1]: no way leads to `second`; name it in `next` of a stage
    line 29: knowledge[0]: give either `text` or `file`
    "#);
}

#[test]
fn what_is_not_known_or_missing_is_told_with_its_line() {
    let problem = |text: &str| playbook::read(text).expect_err("it is wrong").to_string();
    assert_snapshot!(problem("name = \"A\"\nlanguage = \"en\"\ncolour = 3\n"), @"line 3: unknown field `colour`, expected one of `name`, `language`, `agent`, `always_disclose`, `opt_out_key`, `transfer_to`, `says`, `timing`, `fields`, `stages`, `knowledge`");
    assert_snapshot!(problem("name = \"A\nlanguage"), @"line 2: key with no value, expected `=`");
    let german = SHIPPED[0].replace("\"en\"", "\"de\"");
    assert_snapshot!(problem(&german), @r#"
    says.recording: is left out, which only a playbook in English can; as `This call is recorded.`
    says.one_moment: is left out, which only a playbook in English can; as `One moment, please.`
    says.sorry: is left out, which only a playbook in English can; as `I am sorry, I cannot go on just now. We will be in touch.`
    says.lost: is left out, which only a playbook in English can; as `Sorry, I could not hear you for a moment. Could you say that again?`
    says.transfer: is left out, which only a playbook in English can; as `I am connecting you to a colleague now.`
    says.goodbye: is left out, which only a playbook in English can; as `Thank you for your time. Goodbye.`
    says.opted_out: is left out, which only a playbook in English can; as `We will not call you again. Goodbye.`
    "#);
}

#[test]
fn files_of_knowledge_take_their_place() {
    let text = format!("{}\n[[knowledge]]\nname = \"prices\"\nfile = \"prices.md\"\n", SHIPPED[0]);
    let playbook = playbook::read(&text).expect("it is right");
    let missing = playbook.clone().with_files(|_| Err("no such file".into()));
    let expected =
        Problem { line: None, place: "knowledge[0].file".into(), problem: "prices.md: no such file".into() };
    assert_eq!(missing.expect_err("it is not there"), expected);
    let whole = playbook.with_files(|file| Ok(format!("The text of {file}"))).expect("it is there");
    assert_eq!(whole.knowledge[0].text, Text::Is("The text of prices.md".into()));
}

#[test]
fn a_model_is_told_where_the_conversation_stands() {
    let script = script(SHIPPED[1]);
    let known =
        [("good_time".to_owned(), true.into()), ("bedrooms".to_owned(), 3.into())].into_iter().collect();
    let stage = script.next_stage(0, &known);
    assert_eq!(script.stages[stage].name, "need");
    assert_snapshot!(script.instructions(stage, &known, "Thursday 14 January 2027, 10:05"), @r#"
    You are Kavya, who calls for Acme Homes, a property adviser in Bangalore. You are warm, brief and honest. People may answer in English mixed with Hindi or Kannada; answer in simple English. Amounts are in rupees: a lakh is 100,000 and a crore is 10,000,000.

    You are speaking on the telephone. Answer in one to three short sentences, in plain words that sound natural when read aloud: no lists, headings, emoji or symbols. Ask one question at a time. If you did not understand, say so and ask. Never invent facts, prices or promises: what you were not told, you do not know. Do not repeat your introduction.
    Speak en-IN.
    It is Thursday 14 January 2027, 10:05.

    # Now: need
    Learn what they are looking for.
    Ask for one thing at a time, in the order below. Do not suggest a price.
    Find out, and note as soon as you hear it:
    - area: The part of the city that they want to live in
    - budget_lakh: The most that they would spend, in lakh rupees; a crore is 100 lakh
    - ready: When they want to move in
    Known already; do not ask again:
    - bedrooms: 3
    - good_time: true

    # What you know: where we have homes
    Whitefield, Sarjapur Road, Hebbal, Electronic City and Jayanagar.
    Two bedrooms begin at 65 lakh, three at 95 lakh. Exact prices come from the adviser, in writing.
    "#);
    let tools = playbook::tools(&script, stage);
    let told: Vec<String> =
        tools.iter().map(|spec| format!("{}: {}", spec.tool.name(), spec.parameters)).collect();
    assert_snapshot!(told.join("\n"), @r#"
    note: {"additionalProperties":false,"properties":{"area":{"description":"The part of the city that they want to live in","maxLength":1000,"type":"string"},"bedrooms":{"description":"How many bedrooms they want","type":"number"},"budget_lakh":{"description":"The most that they would spend, in lakh rupees; a crore is 100 lakh","type":"number"},"good_time":{"description":"Whether they have time now","type":"boolean"},"interested":{"description":"Whether they are still looking for a home","type":"boolean"},"ready":{"description":"When they want to move in","enum":["at once","within six months","later","only looking"],"type":"string"},"visit":{"description":"The day on which they would visit","format":"date","type":"string"}},"required":[],"type":"object"}
    end_call: {"additionalProperties":false,"properties":{"reason":{"description":"Why, in a few words.","type":"string"}},"required":[],"type":"object"}
    do_not_call: {"additionalProperties":false,"properties":{},"required":[],"type":"object"}
    call_back: {"additionalProperties":false,"properties":{"at":{"description":"The time, where the person is, as 2026-01-14T10:00.","type":"string"}},"required":["at"],"type":"object"}
    "#);
}
