//! TeXML as it is read: enough of it to time a call (protocol page, §7.4).

use std::time::Duration;

use roxmltree::{Document, Node};

use crate::telnyx::{hooks::Route, stream::Settings};

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verb {
    Say {
        text: String,
        times: Option<u32>,
    },
    Play {
        url: String,
        times: Option<u32>,
    },
    Pause(Duration),
    Gather(Box<GatherVerb>),
    Dial(DialVerb),
    Record {
        longest: Duration,
        finish: String,
        action: Option<Action>,
    },
    Redirect(Action),
    Hangup,
    Reject {
        busy: bool,
    },
    /// With whether the document waits for its end.
    Stream {
        settings: Box<Settings>,
        callback: Option<Route>,
        waits: bool,
    },
    StopStream,
    /// Not emulated.
    Unknown(String),
}

/// Where to ask next; relative to the document's own address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Action {
    pub(super) url: String,
    pub(super) get: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GatherVerb {
    pub(super) prompts: Vec<Verb>,
    pub(super) action: Option<Action>,
    pub(super) timeout: Duration,
    pub(super) finish: Option<char>,
    pub(super) least: usize,
    pub(super) most: usize,
    pub(super) dtmf: bool,
    pub(super) speech: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DialVerb {
    /// The first that is a number; several at once are not emulated, nor are SIP addresses, which nobody answers.
    pub(super) number: Option<String>,
    pub(super) caller_id: Option<String>,
    pub(super) timeout: Duration,
    pub(super) time_limit: Duration,
    pub(super) action: Option<Action>,
}

/// The verbs of a document; `None` if it is none.
pub(super) fn parse(text: &str) -> Option<Vec<Verb>> {
    let document = Document::parse(text.trim()).ok()?;
    let root = document.root_element();
    root.has_tag_name("Response").then(|| verbs(root))
}

fn verbs(parent: Node<'_, '_>) -> Vec<Verb> {
    parent.children().filter(Node::is_element).map(verb).collect()
}

fn verb(node: Node<'_, '_>) -> Verb {
    let name = node.tag_name().name();
    match name {
        "Say" => Verb::Say { text: text(node), times: times(node) },
        "Play" => Verb::Play { url: text(node), times: times(node) },
        "Pause" => Verb::Pause(seconds(node, "length", 1)),
        "Gather" => Verb::Gather(Box::new(gather(node))),
        "Dial" => Verb::Dial(dial(node)),
        "Record" => Verb::Record {
            longest: seconds(node, "maxLength", 3600),
            finish: node.attribute("finishOnKey").unwrap_or("1234567890*#").to_owned(),
            action: action(node, "action"),
        },
        "Redirect" => Verb::Redirect(Action { url: text(node), get: is_get(node, "method") }),
        "Hangup" => Verb::Hangup,
        "Reject" => Verb::Reject { busy: node.attribute("reason") == Some("busy") },
        "Connect" => stream(node, true),
        "Start" => stream(node, false),
        "Stop" if child(node, "Stream").is_some() => Verb::StopStream,
        other => Verb::Unknown(other.to_owned()),
    }
}

fn gather(node: Node<'_, '_>) -> GatherVerb {
    let count = |name| node.attribute(name).and_then(|value| value.parse().ok());
    let exact = count("numDigits");
    GatherVerb {
        prompts: verbs(node),
        action: action(node, "action"),
        timeout: seconds(node, "timeout", 5),
        finish: node.attribute("finishOnKey").unwrap_or("#").chars().next(),
        least: exact.or(count("minDigits")).unwrap_or(1),
        most: exact.or(count("maxDigits")).unwrap_or(128),
        dtmf: node.attribute("input").unwrap_or("dtmf").contains("dtmf"),
        speech: node.attribute("input").is_some_and(|input| input.contains("speech")),
    }
}

fn dial(node: Node<'_, '_>) -> DialVerb {
    let noun = child(node, "Number").map(text);
    let number = noun.or_else(|| Some(text(node)));
    DialVerb {
        number: number.filter(|number| !number.is_empty()),
        caller_id: node.attribute("callerId").map(str::to_owned),
        timeout: seconds(node, "timeout", 30).clamp(Duration::from_secs(5), Duration::from_secs(120)),
        time_limit: seconds(node, "timeLimit", 14_400),
        action: action(node, "action"),
    }
}

fn stream(node: Node<'_, '_>, waits: bool) -> Verb {
    let Some(stream) = child(node, "Stream") else {
        return Verb::Unknown(format!("{} without Stream", node.tag_name().name()));
    };
    let pair = |parameter: Node<'_, '_>| {
        Some((parameter.attribute("name")?.to_owned(), parameter.attribute("value")?.to_owned()))
    };
    let parameters = stream.children().filter(|child| child.has_tag_name("Parameter"));
    let settings = Settings::of_texml(|name| stream.attribute(name), parameters.filter_map(pair).collect());
    let callback = stream.attribute("statusCallback").and_then(|url| url.parse().ok());
    let get = is_get(stream, "statusCallbackMethod");
    let callback = callback.map(|url| Route { to: vec![url], get });
    match settings {
        Some(settings) => Verb::Stream { settings: Box::new(settings), callback, waits },
        None => Verb::Unknown("Stream without a wss URL".into()),
    }
}

fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.has_tag_name(name))
}

fn text(node: Node<'_, '_>) -> String {
    let parts = node.descendants().filter(Node::is_text).filter_map(|part| part.text());
    parts.collect::<String>().trim().to_owned()
}

/// `loop`; 0 is for ever, which is `None`.
fn times(node: Node<'_, '_>) -> Option<u32> {
    let given = node.attribute("loop").and_then(|value| value.parse().ok()).unwrap_or(1);
    (given > 0).then_some(given)
}

fn seconds(node: Node<'_, '_>, name: &str, usual: u64) -> Duration {
    let given = node.attribute(name).and_then(|value| value.parse().ok());
    Duration::from_secs(given.unwrap_or(usual).min(14_400))
}

fn action(node: Node<'_, '_>, name: &str) -> Option<Action> {
    let url = node.attribute(name)?.to_owned();
    Some(Action { url, get: is_get(node, "method") })
}

fn is_get(node: Node<'_, '_>, name: &str) -> bool {
    node.attribute(name).is_some_and(|method| method.eq_ignore_ascii_case("get"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_are_read_in_order_with_their_defaults() {
        let verbs = parse(
            "<?xml version=\"1.0\"?><Response><Say voice=\"alice\">Hi <b>you</b></Say><Play loop=\"0\">x</Play>\
             <Pause/><Redirect method=\"GET\">/next</Redirect><Enqueue/></Response>",
        )
        .expect("a document");
        assert_eq!(verbs[0], Verb::Say { text: "Hi you".into(), times: Some(1) });
        assert_eq!(verbs[1], Verb::Play { url: "x".into(), times: None });
        assert_eq!(verbs[2], Verb::Pause(Duration::from_secs(1)));
        assert_eq!(verbs[3], Verb::Redirect(Action { url: "/next".into(), get: true }));
        assert_eq!(verbs[4], Verb::Unknown("Enqueue".into()));
    }

    #[test]
    fn a_gathering_holds_its_prompts() {
        let verbs = parse("<Response><Gather action='/d' numDigits='4'><Say>Code?</Say></Gather></Response>");
        let Some([Verb::Gather(gather)]) = verbs.as_deref() else { panic!("{verbs:?}") };
        assert_eq!((gather.least, gather.most, gather.finish), (4, 4, Some('#')));
        assert_eq!((gather.prompts.len(), gather.timeout), (1, Duration::from_secs(5)));
        assert_eq!(gather.action, Some(Action { url: "/d".into(), get: false }));
    }

    #[test]
    fn a_stream_waits_under_connect_and_not_under_start() {
        let read = |around: &str| {
            let text = format!(
                "<Response><{around}><Stream url='wss://b/'><Parameter name='a' value='1'/></Stream></{around}></Response>"
            );
            match parse(&text).expect("a document").remove(0) {
                Verb::Stream { waits, .. } => waits,
                other => panic!("{other:?}"),
            }
        };
        assert!(read("Connect") && !read("Start"));
    }

    #[test]
    fn what_is_not_texml_is_no_document() {
        for text in ["", "<html/>", "{}", "<Response>"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
