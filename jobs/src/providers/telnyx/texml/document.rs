//! What a flow has Telnyx do, as TeXML, and what Telnyx tells of the person.

use std::collections::HashMap;
use std::io;

use outdial_workflows::ivr::{At, Filled, Heard, Input, Verb};
use outdial_workflows::transfer::TransferTo;
use quick_xml::Writer;
use quick_xml::events::BytesText;

use super::mapping::{Answerer, answerer};

/// Said behind an address when nothing was heard there.
const NOTHING: &str = "nothing";

/// Where a call of a flow is asked about, and where our agent's stream is.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// Where Telnyx asks, in front of the place where the call stands.
    pub flow: String,
    /// Where the audio goes when our agent talks.
    pub stream: String,
    /// Which number people see who are put through.
    pub caller_id: String,
}

/// The document for what comes next; `place` is how a place of the flow is written in addresses.
///
/// # Errors
/// Of the writer alone.
pub fn document(
    flow: &Filled,
    verbs: &[Verb],
    addresses: &Addresses,
    place: &dyn Fn(At) -> String,
) -> io::Result<String> {
    let mut writer = Writer::new(Vec::new());
    let document = Document { flow, addresses, place };
    writer
        .create_element("Response")
        .write_inner_content(|writer| verbs.iter().try_for_each(|verb| document.verb(writer, verb)))?;
    String::from_utf8(writer.into_inner()).map_err(io::Error::other)
}

struct Document<'a> {
    flow: &'a Filled,
    addresses: &'a Addresses,
    place: &'a dyn Fn(At) -> String,
}

impl Document<'_> {
    fn at(&self, at: At) -> String {
        format!("{}/{}", self.addresses.flow, (self.place)(at))
    }

    fn verb(&self, to: &mut Writer<Vec<u8>>, verb: &Verb) -> io::Result<()> {
        match verb {
            Verb::Say(text) => self.say(to, text),
            Verb::Play(url) => element(to, "Play", &[], url),
            Verb::Gather { text, input, digits, finish_on, wait_s, hints, at } => {
                let action = self.at(*at);
                let (wait, finish) = (wait_s.to_string(), finish_on.to_string());
                let (least, most) = (digits.0.to_string(), digits.1.to_string());
                let hints = hints.join(", ");
                let mut with = vec![
                    ("action", action.as_str()),
                    ("method", "POST"),
                    ("input", words(*input)),
                    ("timeout", &wait),
                    ("language", &self.flow.language),
                ];
                if input.takes_keys() {
                    with.extend([
                        ("finishOnKey", finish.as_str()),
                        ("minDigits", &least),
                        ("maxDigits", &most),
                    ]);
                    if digits.0 == digits.1 {
                        with.push(("numDigits", &most));
                    }
                }
                if !hints.is_empty() {
                    with.push(("hints", &hints));
                }
                let gather = to.create_element("Gather").with_attributes(with);
                gather.write_inner_content(|to| self.say(to, text))?;
                self.on(to, *at)
            }
            Verb::Record { longest_s, finish_on, at } => {
                let (action, longest) = (self.at(*at), longest_s.to_string());
                let finish = finish_on.to_string();
                let with = [
                    ("action", action.as_str()),
                    ("method", "POST"),
                    ("maxLength", &longest),
                    ("finishOnKey", &finish),
                    ("playBeep", "true"),
                ];
                to.create_element("Record").with_attributes(with).write_empty()?;
                self.on(to, *at)
            }
            Verb::Dial { to: whom, ring_s, at } => {
                let (action, ring) = (self.at(*at), ring_s.to_string());
                let with = [
                    ("action", action.as_str()),
                    ("method", "POST"),
                    ("timeout", &ring),
                    ("callerId", self.addresses.caller_id.as_str()),
                ];
                let noun = match whom {
                    TransferTo::Phone(_) => "Number",
                    TransferTo::Sip(_) => "Sip",
                };
                let dial = to.create_element("Dial").with_attributes(with);
                dial.write_inner_content(|to| element(to, noun, &[], whom.dialled()))?;
                Ok(())
            }
            Verb::Stream { at, .. } => {
                let url = &self.addresses.stream;
                // As calls of ours are streamed that no document answers.
                let with = [
                    ("url", url.as_str()),
                    ("track", "inbound_track"),
                    ("codec", "PCMU"),
                    ("bidirectionalMode", "rtp"),
                    ("bidirectionalCodec", "PCMU"),
                ];
                to.create_element("Connect").write_inner_content(|to| {
                    to.create_element("Stream").with_attributes(with).write_empty().map(drop)
                })?;
                self.on(to, *at)
            }
            Verb::Redirect(url) => element(to, "Redirect", &[("method", "POST")], url),
            Verb::HangUp => to.create_element("Hangup").write_empty().map(drop),
        }
    }

    fn say(&self, to: &mut Writer<Vec<u8>>, text: &str) -> io::Result<()> {
        let mut with = vec![("language", self.flow.language.as_str())];
        with.extend(self.flow.voice.as_deref().map(|voice| ("voice", voice)));
        element(to, "Say", &with, text)
    }

    /// A document goes on behind a verb that heard nothing.
    fn on(&self, to: &mut Writer<Vec<u8>>, at: At) -> io::Result<()> {
        let url = format!("{}/{NOTHING}", self.at(at));
        element(to, "Redirect", &[("method", "POST")], &url)
    }
}

fn element(to: &mut Writer<Vec<u8>>, name: &str, with: &[(&str, &str)], text: &str) -> io::Result<()> {
    // Telnyx fills what stands in double braces, wherever it comes from: also from a name in somebody's list.
    let text = text.replace("{{", "{ {").replace("}}", "} }");
    let element = to.create_element(name).with_attributes(with.iter().copied());
    element.write_text_content(BytesText::new(&text)).map(drop)
}

fn words(input: Input) -> &'static str {
    match input {
        Input::Keys => "dtmf",
        Input::Words => "speech",
        Input::Either => "dtmf speech",
    }
}

/// What a request says that asks how a call begins.
pub fn begun(form: &[u8]) -> Heard {
    let mailbox = Form::read(form).get("AnsweredBy").and_then(answerer) == Some(Answerer::Machine);
    if mailbox { Heard::Mailbox } else { Heard::Began }
}

/// What a request tells of the person. `silent`: it comes from behind a verb that heard nothing.
pub fn heard(form: &[u8], silent: bool) -> Heard {
    let form = Form::read(form);
    if silent {
        return Heard::Nothing;
    }
    if let Some(status) = form.get("DialCallStatus") {
        return Heard::Dialled(matches!(status, "completed" | "answered"));
    }
    if let Some(keys) = form.get("Digits") {
        return Heard::Keys(keys.to_owned());
    }
    if let Some(words) = form.get("SpeechResult") {
        return Heard::Words(words.to_owned());
    }
    match form.get("RecordingUrl") {
        Some(url) => Heard::Recorded(Some(url.to_owned())),
        None => Heard::Nothing,
    }
}

/// The fields of a request; those that are empty say nothing.
struct Form(HashMap<String, String>);

impl Form {
    fn read(form: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(form).into_owned().collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }
}
