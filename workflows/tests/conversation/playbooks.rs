//! Playbooks are read whole, or every problem of theirs is told with its line.

use insta::assert_snapshot;
use outdial_workflows::playbook::{self, MOST_KNOWLEDGE, SHIPPED, Source};
use outdial_workflows::template::Values;

use crate::sim::script;

fn minimal() -> &'static str {
    playbook::shipped("minimal").expect("it is shipped")
}

#[test]
fn the_playbooks_that_are_shipped_are_right() {
    for (name, text) in SHIPPED {
        let playbook = playbook::read(text).unwrap_or_else(|problems| panic!("{name}: {problems}"));
        assert!(playbook::is_name(name) && !playbook.stages.is_empty(), "{name}");
    }
    assert!(SHIPPED.is_sorted(), "lists of playbooks go by name");
}

#[test]
fn every_problem_is_told_with_its_line() {
    let problems = playbook::read(
        r#"
name = "Wrong"
language = "english"
voice = "a voice"
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
    line 4: voice: `a voice` is no id of a voice; copy it from the speech service's list of voices
    line 5: agent: `client.nme` is not a variable; one of lead.name, lead.phone, lead.external_id, lead.attributes.<name>, campaign.name or client.name
    line 6: opt_out_key: give one key of a telephone: a digit, * or #
    line 9: says.greeting: `{{ lead.name` opens a place that is not closed; write {{ lead.name }}
    line 10: says.disclosure: is empty
    line 12: timing.model_ms: the model would be given up before the wait is bridged
    line 15: fields.size.choices: give at least two
    line 22: stages[0].collect[0]: `colour` is no field; there are size
    line 23: stages[0].tools[0]: `dance` is no tool; one of note, end_call, do_not_call, call_back, transfer
    line 23: stages[0].tools[1]: say whom to transfer to, in `transfer_to`
    line 24: stages[0].next[0].is.size: give one of 
    line 24: stages[0].next[0].to: `third` is no stage; there are first, second
    line 26: stages[1]: no way leads to `second`; name it in `next` of a stage
    line 30: knowledge[0]: give either `text` or `file`
    "#);
}

#[test]
fn what_is_not_known_or_missing_is_told_with_its_line() {
    let problem = |text: &str| playbook::read(text).expect_err("it is wrong").to_string();
    assert_snapshot!(problem("name = \"A\"\nlanguage = \"en\"\ncolour = 3\n"), @"line 3: unknown field `colour`, expected one of `name`, `language`, `voice`, `agent`, `always_disclose`, `opt_out_key`, `transfer_to`, `says`, `timing`, `fields`, `stages`, `knowledge`");
    assert_snapshot!(problem("name = \"A\nlanguage"), @"line 2: key with no value, expected `=`");
    let german = minimal().replace("\"en\"", "\"de\"");
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
    let text = with_files(&["prices.md"]);
    let missing = playbook::read_with(&text, |_| Err("no such file".into()));
    let missing = missing.expect_err("it is not there").to_string();
    assert_snapshot!(missing, @"line 16: knowledge[0].file: prices.md: no such file");
    let whole = playbook::read_with(&text, |file| Ok(format!("The text of {file}\n"))).expect("it is there");
    assert_eq!(whole.knowledge[0].text, "The text of prices.md");
}

/// The least playbook, with these files of knowledge.
fn with_files(files: &[&str]) -> String {
    let each = files.iter().map(|file| format!("\n[[knowledge]]\nname = \"prices\"\nfile = '{file}'\n"));
    format!("{}{}", minimal(), each.collect::<String>())
}

#[test]
fn only_files_beside_the_playbook_are_asked_for() {
    for file in
        ["/etc/hostname", "../prices.md", "a/../b.md", "", "C:prices.md", r"a\b.md", "a//b.md", "./a.md"]
    {
        let read = playbook::read_with(&with_files(&[file]), |asked| panic!("{asked} was asked for"));
        let told = read.expect_err(file).to_string();
        assert!(told.contains("is to be a file beside the playbook"), "{file}: {told}");
    }
    let below = playbook::read_with(&with_files(&["kb/prices.md"]), |_| Ok("Prices".into()));
    assert_eq!(below.expect("it is right").knowledge[0].text, "Prices");
}

#[test]
fn what_is_given_with_a_playbook_and_not_named_in_it_is_told() {
    let files = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), "A text".to_owned())).collect();
    let text = with_files(&["prices.md"]);
    let read = |names: &[&str]| Source { text: text.clone(), files: files(names) }.read();
    assert_eq!(read(&["prices.md"]).expect("it is right").knowledge[0].text, "A text");
    let told = read(&["price.md"]).expect_err("it is wrong").to_string();
    assert_snapshot!(told, @r"
    files.price.md: no `knowledge` names it as its `file`
    line 16: knowledge[0].file: prices.md: it was not given with the playbook
    ");
    let broken = Source { text: "name = ".into(), files: files(&["prices.md"]) };
    let told = broken.read().expect_err("it is no TOML").to_string();
    assert!(!told.contains("prices.md"), "{told}");
}

#[test]
fn a_playbook_knows_no_more_than_a_model_can_be_told() {
    let sized = |bytes: usize| playbook::read_with(&with_files(&["a.md", "b.md"]), |_| Ok("x".repeat(bytes)));
    assert!(sized(MOST_KNOWLEDGE / 2).is_ok());
    let told = sized(MOST_KNOWLEDGE / 2 + 1).expect_err("it is too much").to_string();
    assert!(told.starts_with("knowledge: all of it has 262146 bytes"), "{told}");
    let told = playbook::read_with(&with_files(&["a.md"]), |_| Ok("a\0b".into())).expect_err("it is no text");
    assert!(told.to_string().contains("U+0000"), "{told}");
}

#[test]
fn a_voice_is_named_by_the_speech_services_id() {
    let with = |voice: &str| {
        minimal().replace("language = \"en\"", &format!("language = \"en\"\nvoice = \"{voice}\""))
    };
    let read = playbook::read(&with("EXAMPLE_voice-01")).expect("it is right");
    assert_eq!(read.voice.as_deref(), Some("EXAMPLE_voice-01"));
    assert_eq!(playbook::read(minimal()).expect("it is right").voice, None);
    for wrong in ["", "two words", "../voice", "voice?x=1"] {
        let told = playbook::read(&with(wrong)).expect_err(wrong).to_string();
        assert!(told.starts_with("line 4: voice: "), "{wrong}: {told}");
    }
    assert_eq!(script(&with("EXAMPLE_voice-01")).voice.as_deref(), Some("EXAMPLE_voice-01"));
}

#[test]
fn whom_calls_are_handed_to_is_a_number_or_a_sip_address() {
    let with = |to: &str| minimal().replacen("agent =", &format!("transfer_to = '{to}'\nagent ="), 1);
    for right in ["+14155550177", "sip:desk@pbx.example.com"] {
        let read = playbook::read(&with(right)).expect(right);
        assert_eq!(read.transfer_to.as_deref(), Some(right));
    }
    for wrong in ["", "the desk", "4155550177", "https://pbx.example.com"] {
        let told = playbook::read(&with(wrong)).expect_err(wrong).to_string();
        assert!(told.contains(": transfer_to: give a number in E.164"), "{wrong}: {told}");
    }
}

#[test]
fn a_name_is_made_of_what_a_playbook_calls_itself() {
    for (title, name) in [
        ("Property enquiry, Bangalore", Some("property-enquiry-bangalore")),
        (" 2nd  call ", Some("2nd-call")),
        ("संपत्ति", None),
        ("--", None),
    ] {
        assert_eq!(playbook::name_from(title).as_deref(), name, "{title}");
    }
    let long = playbook::name_from(&"ab ".repeat(40)).expect("a name");
    assert!(playbook::is_name(&long), "{long}");
    for wrong in ["", "Property", "two words", "-a", "_a", "a/b", "ä", &"a".repeat(61)] {
        assert!(!playbook::is_name(wrong), "{wrong}");
    }
}

#[test]
fn whether_a_lead_lacks_something_that_is_to_be_said_is_known_before() {
    let text = minimal().replace("goal = \"Find", "goal = \"About {{ lead.attributes.area }}: find");
    let playbook = playbook::read(&text).expect("it is right");
    let variables: Vec<String> = playbook.variables().into_iter().map(ToString::to_string).collect();
    assert_eq!(variables, ["lead.name", "lead.attributes.area", "client.name"]);
    let lacking = |area: &str| {
        let attributes = [("area".to_owned(), area.to_owned())].into();
        let values = Values {
            lead_name: None,
            lead_phone: "+919876500001",
            lead_external_id: None,
            attributes: &attributes,
            campaign_name: "Spring",
            client_name: "Acme Homes",
        };
        assert_eq!(playbook.can_fill(&values).err(), playbook.fill(&values).err());
        playbook.can_fill(&values).err().map(|missing| missing.0.to_string())
    };
    assert_eq!(lacking("Whitefield"), None);
    assert_eq!(lacking(" ").as_deref(), Some("lead.attributes.area"));
}

#[test]
fn a_model_is_told_where_the_conversation_stands() {
    let script = script(playbook::shipped("property-enquiry").expect("it is shipped"));
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
