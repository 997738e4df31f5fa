//! Answering machine detection: what is told, and when after the answer (protocol page, §5).

use std::time::Duration;

use super::{
    fields::Fields,
    reply::Refusal,
    scenario::{Answerer, Scenario},
};

/// Detection never takes longer.
const LONGEST: Duration = Duration::from_secs(30);

/// What a dial asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Amd {
    pub(super) mode: Mode,
    /// After which detection gives up.
    pub(super) longest: Duration,
}

/// `answering_machine_detection`, without `disabled`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Whether it is a machine.
    Detect,
    /// And the beep, if there is one.
    DetectBeep,
    /// And the end of the greeting (`detect_words`, `greeting_end`).
    GreetingEnd,
    /// By better means, greeting included.
    Premium,
}

/// One thing found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Finding {
    /// Since the answer.
    pub(super) after: Duration,
    pub(super) event: &'static str,
    pub(super) result: &'static str,
}

const MODES: [&str; 7] = [
    "premium",
    "premium_ios_call_screening_detection",
    "detect",
    "detect_beep",
    "detect_words",
    "greeting_end",
    "disabled",
];

impl Amd {
    pub(super) fn read(fields: Fields<'_>) -> Result<Option<Self>, Refusal> {
        let given = fields.one_of("answering_machine_detection", &MODES)?;
        let settings = fields.object("answering_machine_detection_config")?;
        let longest = match settings {
            Some(settings) => settings.milliseconds("total_analysis_time_millis", 1..=u64::from(u32::MAX))?,
            None => None,
        };
        let mode = match given {
            None | Some("disabled") => return Ok(None),
            Some("detect") => Mode::Detect,
            Some("detect_beep") => Mode::DetectBeep,
            Some("detect_words" | "greeting_end") => Mode::GreetingEnd,
            Some(_) => Mode::Premium,
        };
        Ok(Some(Self { mode, longest: longest.unwrap_or(LONGEST).min(LONGEST) }))
    }

    /// All that is told of an answered call, in order.
    pub(super) fn findings(self, scenario: &Scenario) -> Vec<Finding> {
        let (detected, greeted) = match self.mode {
            Mode::Premium => ("call.machine.premium.detection.ended", "call.machine.premium.greeting.ended"),
            Mode::Detect | Mode::DetectBeep | Mode::GreetingEnd => {
                ("call.machine.detection.ended", "call.machine.greeting.ended")
            }
        };
        let (after, result) = self.verdict(scenario);
        let verdict = Finding { after, event: detected, result };
        let greeting = self.greeting(scenario.answerer).map(|result| {
            let after = scenario.greeting.min(LONGEST);
            Finding { after, event: greeted, result }
        });
        match greeting {
            // A beep that is heard first says it all.
            Some(greeting) if self.mode == Mode::Premium && greeting.after < verdict.after => vec![greeting],
            Some(greeting) => {
                let after = greeting.after.max(verdict.after);
                vec![verdict, Finding { after, ..greeting }]
            }
            None => vec![verdict],
        }
    }

    /// When detection ends, and with which result.
    pub(super) fn verdict(self, scenario: &Scenario) -> (Duration, &'static str) {
        if scenario.detection > self.longest {
            return (self.longest, "not_sure");
        }
        let premium = self.mode == Mode::Premium;
        let result = match scenario.answerer {
            Answerer::Human if premium => "human_residence",
            Answerer::Business if premium => "human_business",
            Answerer::Human | Answerer::Business => "human",
            Answerer::MachineWithBeep | Answerer::Machine | Answerer::Screening => "machine",
            Answerer::Fax if premium => "fax_detected",
            Answerer::Silence if premium => "silence",
            Answerer::Fax | Answerer::Silence | Answerer::NotSure => "not_sure",
        };
        let after = if result == "not_sure" { self.longest } else { scenario.detection };
        (after, result)
    }

    fn greeting(self, answerer: Answerer) -> Option<&'static str> {
        match (answerer, self.mode) {
            (Answerer::MachineWithBeep, Mode::DetectBeep | Mode::GreetingEnd | Mode::Premium) => {
                Some("beep_detected")
            }
            (Answerer::Machine | Answerer::Screening, Mode::GreetingEnd) => Some("ended"),
            (Answerer::Machine, Mode::Premium) => Some("no_beep_detected"),
            (Answerer::Screening, Mode::Premium) => Some("prompt_ended"),
            (Answerer::Human | Answerer::Business | Answerer::Fax, _) => None,
            (Answerer::Silence | Answerer::NotSure, _) | (_, Mode::Detect | Mode::DetectBeep) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(mode: Mode, scenario: &Scenario) -> Vec<(u64, &'static str, &'static str)> {
        let findings = Amd { mode, longest: LONGEST }.findings(scenario);
        let short = |event: &'static str| event.trim_start_matches("call.machine.");
        findings.iter().map(|told| (told.after.as_secs(), short(told.event), told.result)).collect()
    }

    fn by(answerer: Answerer) -> Scenario {
        Scenario::answered(Duration::from_secs(60)).by(answerer)
    }

    #[test]
    fn plain_detection_tells_people_from_machines() {
        assert_eq!(told(Mode::Detect, &by(Answerer::Human)), [(3, "detection.ended", "human")]);
        assert_eq!(told(Mode::Detect, &by(Answerer::MachineWithBeep)), [(3, "detection.ended", "machine")]);
        assert_eq!(told(Mode::Detect, &by(Answerer::Fax)), [(30, "detection.ended", "not_sure")]);
    }

    #[test]
    fn a_beep_is_told_only_if_there_is_one_and_the_end_of_a_greeting_always() {
        let machine = (3, "detection.ended", "machine");
        let beep = (8, "greeting.ended", "beep_detected");
        assert_eq!(told(Mode::DetectBeep, &by(Answerer::MachineWithBeep)), [machine, beep]);
        assert_eq!(told(Mode::DetectBeep, &by(Answerer::Machine)), [machine]);
        let ended = (8, "greeting.ended", "ended");
        assert_eq!(told(Mode::GreetingEnd, &by(Answerer::Machine)), [machine, ended]);
    }

    #[test]
    fn premium_has_words_of_its_own_and_an_early_beep_says_it_all() {
        let one = |answerer| told(Mode::Premium, &by(answerer))[0].2;
        assert_eq!(one(Answerer::Human), "human_residence");
        assert_eq!(one(Answerer::Business), "human_business");
        assert_eq!(one(Answerer::Fax), "fax_detected");
        assert_eq!(one(Answerer::Silence), "silence");
        assert_eq!(told(Mode::Premium, &by(Answerer::Machine))[1].2, "no_beep_detected");
        let early = Scenario { greeting: Duration::from_secs(2), ..by(Answerer::MachineWithBeep) };
        assert_eq!(told(Mode::Premium, &early), [(2, "premium.greeting.ended", "beep_detected")]);
    }

    #[test]
    fn detection_gives_up_when_its_time_is_over() {
        let amd = Amd { mode: Mode::Detect, longest: Duration::from_secs(2) };
        assert_eq!(amd.verdict(&by(Answerer::Human)), (Duration::from_secs(2), "not_sure"));
    }
}
