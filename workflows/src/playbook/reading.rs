//! Reading a playbook: every problem of the file at once, each with its line.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;
use toml::Spanned;

use super::{Field, Kind, Knowledge, Playbook, Says, Stage, Tool, Way};
use crate::conversation::timing::Timing;
use crate::template::Template;
use crate::written::{Page, Problems, Told};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: Told,
    language: Told,
    voice: Option<Told>,
    agent: Told,
    #[serde(default)]
    always_disclose: bool,
    opt_out_key: Option<Told>,
    transfer_to: Option<Told>,
    says: SaysFile,
    timing: Option<Spanned<Timing>>,
    #[serde(default)]
    fields: BTreeMap<String, Spanned<FieldFile>>,
    stages: Vec<Spanned<StageFile>>,
    #[serde(default)]
    knowledge: Vec<Spanned<KnowledgeFile>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SaysFile {
    greeting: Told,
    disclosure: Told,
    recording: Option<Told>,
    #[serde(default)]
    still_there: Vec<Told>,
    one_moment: Option<Told>,
    sorry: Option<Told>,
    lost: Option<Told>,
    transfer: Option<Told>,
    goodbye: Option<Told>,
    opted_out: Option<Told>,
    mailbox: Option<Told>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldFile {
    about: String,
    kind: Told,
    #[serde(default)]
    choices: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StageFile {
    name: Told,
    goal: Told,
    prompt: Option<Told>,
    #[serde(default)]
    collect: Vec<Told>,
    #[serde(default)]
    tools: Vec<Told>,
    #[serde(default)]
    next: Vec<WayFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WayFile {
    to: Told,
    #[serde(default)]
    known: Vec<Told>,
    #[serde(default)]
    is: BTreeMap<String, Spanned<toml::Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KnowledgeFile {
    name: String,
    text: Option<String>,
    file: Option<Told>,
}

/// What is said where a playbook that speaks English leaves it out.
const USUAL: [(&str, &str); 7] = [
    ("recording", "This call is recorded."),
    ("one_moment", "One moment, please."),
    ("sorry", "I am sorry, I cannot go on just now. We will be in touch."),
    ("lost", "Sorry, I could not hear you for a moment. Could you say that again?"),
    ("transfer", "I am connecting you to a colleague now."),
    ("goodbye", "Thank you for your time. Goodbye."),
    ("opted_out", "We will not call you again. Goodbye."),
];

/// The longest playbook, in bytes; files of knowledge count by themselves.
pub const LONGEST: usize = 256 * 1024;

/// The most that a playbook may know, in bytes, wherever it is written. All of it is told to the model at every
/// turn: this is about half of what a model with room for 128,000 tokens takes in.
pub const MOST_KNOWLEDGE: usize = 256 * 1024;

/// The longest name of a file of knowledge, in bytes.
const MOST_NAME: usize = 200;

/// Reads a playbook that names no files.
///
/// # Errors
/// All that is wrong with it, each with its line.
pub fn read(text: &str) -> Result<Playbook, Problems> {
    read_with(text, |_| Err("no file was given with the playbook".to_owned()))
}

/// Reads a playbook, and puts the texts of files where its knowledge names them. `files` is asked for each by its
/// name, and says why one cannot be had.
///
/// # Errors
/// All that is wrong with it, each with its line.
pub fn read_with(
    text: &str,
    mut files: impl FnMut(&str) -> Result<String, String>,
) -> Result<Playbook, Problems> {
    if text.len() > LONGEST {
        let problem =
            format!("a playbook has up to {LONGEST} bytes; put long texts into files of `knowledge`");
        return Err(Problems::whole(problem));
    }
    let (page, file) = Page::read(text)?;
    let mut reader = Reader { page, files: &mut files };
    let playbook = reader.playbook(file);
    reader.page.end(playbook)
}

/// Whether a name leads to a file beside the playbook, or below: a playbook that somebody else wrote is not to have
/// other files of this machine read and sent.
fn is_beside(file: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    file.len() <= MOST_NAME
        && file.split('/').all(plain)
        && !file.contains(|c: char| c.is_control() || c == '\\' || c == ':')
}

struct Reader<'a> {
    page: Page<'a>,
    files: &'a mut dyn FnMut(&str) -> Result<String, String>,
}

impl Reader<'_> {
    fn playbook(&mut self, file: File) -> Playbook {
        let language = self.page.language(&file.language, "language");
        let voice = file.voice.as_ref().and_then(|voice| self.page.voice(voice, "voice"));
        let fields = self.fields(file.fields);
        let names: Vec<String> =
            file.stages.iter().map(|stage| stage.get_ref().name.get_ref().clone()).collect();
        if names.is_empty() {
            let problem = "give at least one stage".to_owned();
            self.page.lacks("stages", problem);
        }
        let can_transfer = file.transfer_to.is_some();
        let stages: Vec<_> = file.stages.iter().enumerate().collect();
        let stages =
            stages.into_iter().map(|(index, stage)| self.stage(index, stage, &names, &fields, can_transfer));
        let stages: Vec<Stage<Template>> = stages.collect();
        self.reachable(&file.stages, &stages);
        let says = self.says(&file.says, file.always_disclose, &language);
        if let Some(timing) = &file.timing
            && let Err((name, problem)) = timing.get_ref().check()
        {
            self.page.wrong(timing, format!("timing.{name}"), problem);
        }
        let knowledge = file.knowledge.into_iter().enumerate();
        let knowledge: Vec<_> =
            knowledge.filter_map(|(index, knowledge)| self.knowledge(index, &knowledge)).collect();
        let known: usize = knowledge.iter().map(|knowledge| knowledge.text.len()).sum();
        if known > MOST_KNOWLEDGE {
            let problem = format!(
                "all of it has {known} bytes; leave what a call does not need out, down to {MOST_KNOWLEDGE}"
            );
            self.page.lacks("knowledge", problem);
        }
        let opt_out_key = file.opt_out_key.as_ref().and_then(|key| self.page.key(key, "opt_out_key"));
        Playbook {
            agent: self.page.template(&file.agent, "agent"),
            name: self.page.name(&file.name, "name"),
            language,
            voice,
            says,
            opt_out_key,
            transfer_to: file.transfer_to.map(|to| self.page.transfer_to(&to, "transfer_to")),
            timing: file.timing.map(Spanned::into_inner).unwrap_or_default(),
            fields,
            stages,
            knowledge,
        }
    }

    fn says(&mut self, says: &SaysFile, always_disclose: bool, language: &str) -> Says<Template> {
        let english = language.split('-').next() == Some("en");
        let mut said = |name: &str, told: &Option<Told>| match told {
            Some(told) => self.page.template(told, format!("says.{name}")),
            None => {
                let usual = USUAL.iter().find(|(usual, _)| *usual == name).map_or("", |(_, text)| *text);
                if !english {
                    let problem = format!("is left out, which only a playbook in English can; as `{usual}`");
                    self.page.lacks(format!("says.{name}"), problem);
                }
                usual.parse().unwrap_or_default()
            }
        };
        let recording = said("recording", &says.recording);
        let one_moment = said("one_moment", &says.one_moment);
        let sorry = said("sorry", &says.sorry);
        let lost = said("lost", &says.lost);
        let transfer = said("transfer", &says.transfer);
        let goodbye = said("goodbye", &says.goodbye);
        let opted_out = said("opted_out", &says.opted_out);
        for (name, told) in [("greeting", &says.greeting), ("disclosure", &says.disclosure)] {
            if told.get_ref().trim().is_empty() {
                self.page.wrong(told, format!("says.{name}"), "is empty");
            }
        }
        let still_there = says.still_there.iter().enumerate();
        Says {
            still_there: still_there
                .map(|(n, told)| self.page.template(told, format!("says.still_there[{n}]")))
                .collect(),
            greeting: self.page.template(&says.greeting, "says.greeting"),
            disclosure: self.page.template(&says.disclosure, "says.disclosure"),
            mailbox: says.mailbox.as_ref().map(|told| self.page.template(told, "says.mailbox")),
            always_disclose,
            recording,
            one_moment,
            sorry,
            lost,
            transfer,
            goodbye,
            opted_out,
        }
    }

    fn fields(&mut self, fields: BTreeMap<String, Spanned<FieldFile>>) -> BTreeMap<String, Field> {
        let mut read = BTreeMap::new();
        for (name, spanned) in fields {
            let place = format!("fields.{name}");
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            if !name.chars().all(plain) || name.len() > 60 {
                self.page.wrong(&spanned, &place, "name fields with small letters, digits and _, up to 60");
            }
            let field = spanned.get_ref();
            let choices = &field.choices;
            let kind = match field.kind.get_ref().as_str() {
                "text" => Kind::Text,
                "number" => Kind::Number,
                "yes_no" => Kind::YesNo,
                "date" => Kind::Date,
                "choice" => Kind::Choice(choices.clone()),
                other => {
                    let problem = format!("`{other}` is no kind; one of text, number, yes_no, date, choice");
                    self.page.wrong(&field.kind, format!("{place}.kind"), problem);
                    Kind::Text
                }
            };
            match &kind {
                Kind::Choice(choices) if choices.len() < 2 => {
                    self.page.wrong(&spanned, format!("{place}.choices"), "give at least two");
                }
                Kind::Choice(_) => {}
                Kind::Text | Kind::Number | Kind::YesNo | Kind::Date if !choices.is_empty() => {
                    self.page.wrong(
                        &spanned,
                        format!("{place}.choices"),
                        "are for fields of the kind choice",
                    );
                }
                Kind::Text | Kind::Number | Kind::YesNo | Kind::Date => {}
            }
            read.insert(name, Field { about: field.about.trim().to_owned(), kind });
        }
        read
    }

    fn stage(
        &mut self,
        index: usize,
        spanned: &Spanned<StageFile>,
        names: &[String],
        fields: &BTreeMap<String, Field>,
        can_transfer: bool,
    ) -> Stage<Template> {
        let stage = spanned.get_ref();
        let place = format!("stages[{index}]");
        let name = self.page.name(&stage.name, &format!("{place}.name"));
        if names.iter().take(index).any(|earlier| *earlier == name) {
            self.page.wrong(&stage.name, format!("{place}.name"), format!("`{name}` is there already"));
        }
        let collect = stage.collect.iter().enumerate();
        let collect: Vec<_> = collect.map(|(n, told)| (format!("{place}.collect[{n}]"), told)).collect();
        collect.iter().for_each(|(place, told)| self.field(told, place, fields));
        let tools = stage.tools.iter().enumerate();
        let tools = tools
            .filter_map(|(n, told)| self.tool(told, format!("{place}.tools[{n}]"), can_transfer))
            .collect();
        let next = stage.next.iter().enumerate();
        let next =
            next.filter_map(|(n, way)| self.way(way, &format!("{place}.next[{n}]"), names, fields)).collect();
        Stage {
            goal: self.page.template(&stage.goal, format!("{place}.goal")),
            prompt: match &stage.prompt {
                Some(prompt) => self.page.template(prompt, format!("{place}.prompt")),
                None => Template::default(),
            },
            collect: collect.into_iter().map(|(_, told)| told.get_ref().clone()).collect(),
            name,
            tools,
            next,
        }
    }

    fn field(&mut self, told: &Told, place: &str, fields: &BTreeMap<String, Field>) {
        let name = told.get_ref();
        if !fields.contains_key(name) {
            let there = fields.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            self.page.wrong(told, place, format!("`{name}` is no field; there are {there}"));
        }
    }

    fn tool(&mut self, told: &Told, place: String, can_transfer: bool) -> Option<Tool> {
        let tool = Tool::ALL.into_iter().find(|tool| tool.name() == told.get_ref());
        match tool {
            None => {
                let all = Tool::ALL.map(Tool::name).join(", ");
                self.page.wrong(told, place, format!("`{}` is no tool; one of {all}", told.get_ref()));
            }
            Some(Tool::Transfer) if !can_transfer => {
                self.page.wrong(told, place, "say whom to transfer to, in `transfer_to`");
            }
            Some(_) => {}
        }
        tool
    }

    fn way(
        &mut self,
        way: &WayFile,
        place: &str,
        names: &[String],
        fields: &BTreeMap<String, Field>,
    ) -> Option<Way> {
        way.known
            .iter()
            .enumerate()
            .for_each(|(n, told)| self.field(told, &format!("{place}.known[{n}]"), fields));
        let mut is = BTreeMap::new();
        for (name, value) in &way.is {
            let place = format!("{place}.is.{name}");
            let Some(field) = fields.get(name) else {
                self.page.wrong(value, place, format!("`{name}` is no field"));
                continue;
            };
            let given = serde_json::to_value(value.get_ref()).unwrap_or(Value::Null);
            match field.kind.check(&given) {
                Ok(value) => drop(is.insert(name.clone(), value)),
                Err(wanted) => self.page.wrong(value, place, format!("give {wanted}")),
            }
        }
        let to = names.iter().position(|name| name == way.to.get_ref());
        if to.is_none() {
            let problem = format!("`{}` is no stage; there are {}", way.to.get_ref(), names.join(", "));
            self.page.wrong(&way.to, format!("{place}.to"), problem);
        }
        Some(Way { to: to?, known: way.known.iter().map(|told| told.get_ref().clone()).collect(), is })
    }

    /// Says which stages no way leads to.
    fn reachable(&mut self, files: &[Spanned<StageFile>], stages: &[Stage<Template>]) {
        let mut met = BTreeSet::from([0]);
        let mut open = vec![0];
        while let Some(stage) = open.pop().and_then(|at: usize| stages.get(at)) {
            open.extend(stage.next.iter().map(|way| way.to).filter(|to| met.insert(*to)));
        }
        for (index, file) in files.iter().enumerate().filter(|(index, _)| !met.contains(index)) {
            let problem =
                format!("no way leads to `{}`; name it in `next` of a stage", file.get_ref().name.get_ref());
            self.page.wrong(file, format!("stages[{index}]"), problem);
        }
    }

    fn knowledge(&mut self, index: usize, spanned: &Spanned<KnowledgeFile>) -> Option<Knowledge> {
        let KnowledgeFile { name, text, file } = spanned.get_ref();
        let text = match (text, file) {
            (Some(text), None) => text.trim().to_owned(),
            (None, Some(file)) => self.file(file, format!("knowledge[{index}].file"))?,
            _ => {
                self.page.wrong(spanned, format!("knowledge[{index}]"), "give either `text` or `file`");
                return None;
            }
        };
        Some(Knowledge { name: name.clone(), text })
    }

    fn file(&mut self, told: &Told, place: String) -> Option<String> {
        let name = told.get_ref();
        if !is_beside(name) {
            let problem = format!("`{name}` is to be a file beside the playbook, or in a folder there");
            self.page.wrong(told, place, problem);
            return None;
        }
        match (self.files)(name) {
            Ok(text) if text.contains('\0') => {
                self.page.wrong(told, place, format!("{name} holds the character U+0000; is it text?"));
                None
            }
            Ok(text) => Some(text.trim().to_owned()),
            Err(error) => {
                self.page.wrong(told, place, format!("{name}: {error}"));
                None
            }
        }
    }
}
