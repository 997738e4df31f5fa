//! Charts, drawn here: bars over time, with their values where one points at them.

use std::fmt::Write as _;

use chrono::SecondsFormat;
use outdial_jobs::operations::analytics::Hour;
use outdial_workflows::analytics::is_success;
use outdial_workflows::conversation::Latency;
use outdial_workflows::outcome::Outcome;

use super::show::{Html, count, escaped};

const WIDTH: i64 = 760;
const HEIGHT: i64 = 190;
const LEFT: i64 = 44;
const BOTTOM: i64 = 22;
const TOP: i64 = 8;

/// How calls of one hour are told apart in a chart.
struct Stack {
    successes: i64,
    answered: i64,
    unanswered: i64,
    failed: i64,
}

impl Stack {
    fn of(hour: &Hour) -> Self {
        let mut stack = Self { successes: 0, answered: 0, unanswered: 0, failed: 0 };
        for (outcome, n) in &hour.by_outcome {
            *match outcome {
                outcome if is_success(*outcome) => &mut stack.successes,
                Outcome::NotInterested | Outcome::WrongNumber | Outcome::DoNotCall => &mut stack.answered,
                Outcome::NoAnswer | Outcome::Voicemail | Outcome::Busy => &mut stack.unanswered,
                _ => &mut stack.failed,
            } += n;
        }
        stack
    }

    fn parts(&self) -> [(i64, &'static str); 4] {
        [
            (self.successes, "successful"),
            (self.answered, "other answers"),
            (self.unanswered, "not reached"),
            (self.failed, "failed"),
        ]
    }
}

/// A bound above `most` that reads well: 1, 2 or 5 times a power of ten.
fn round_up(most: i64) -> i64 {
    let mut step = 1;
    loop {
        for times in [1, 2, 5] {
            if step * times >= most {
                return step * times;
            }
        }
        step *= 10;
    }
}

/// What came of calls, hour by hour.
pub(super) fn outcomes(hours: &[Hour]) -> Html {
    let stacks: Vec<Stack> = hours.iter().map(Stack::of).collect();
    let most = round_up(hours.iter().map(|hour| hour.attempts).max().unwrap_or(0).max(4));
    let room = HEIGHT - BOTTOM - TOP;
    let step = (WIDTH - LEFT) / i64::try_from(hours.len().max(1)).unwrap_or(1);
    let mut out = format!(
        "<div class=\"plot\"><svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"group\" aria-label=\"Calls by hour and outcome\">"
    );
    for part in [0, 1, 2] {
        let y = TOP + room - room * part / 2;
        let _ = write!(
            out,
            "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y}\" y2=\"{y}\"/><text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            LEFT - 6,
            y + 4,
            count(most * part / 2)
        );
    }
    for (place, (hour, stack)) in hours.iter().zip(&stacks).enumerate() {
        let x = LEFT + step * i64::try_from(place).unwrap_or_default();
        let mut told = format!("{} UTC: {} calls", hour.from.format("%-d %b %H:00"), count(hour.attempts));
        for (n, name) in stack.parts().into_iter().filter(|(n, _)| *n > 0) {
            let _ = write!(told, "\n{} {name}", count(n));
        }
        let told = escaped(&told);
        let _ = write!(
            out,
            "<g data-tip=\"{told}\" tabindex=\"0\" role=\"img\" aria-label=\"{told}\" data-at=\"{}\"><rect class=\"hit\" x=\"{x}\" y=\"{TOP}\" width=\"{step}\" height=\"{room}\"/>",
            hour.from.to_rfc3339_opts(SecondsFormat::Secs, true)
        );
        let mut y = TOP + room;
        for (series, (n, _)) in stack.parts().into_iter().enumerate() {
            // What happened is seen, however little it is.
            let height = if n > 0 { (room * n / most).max(2) } else { 0 };
            y -= height;
            if height > 0 {
                let _ = write!(
                    out,
                    "<rect class=\"s{}\" x=\"{}\" y=\"{y}\" width=\"{}\" height=\"{height}\"/>",
                    [2, 1, 4, 3][series],
                    x + 2,
                    (step - 4).max(2)
                );
            }
        }
        out.push_str("</g>");
        if place % 4 == 0 {
            let _ = write!(
                out,
                "<text x=\"{}\" y=\"{}\" data-at=\"{}\">{}</text>",
                x + 2,
                HEIGHT - 6,
                hour.from.to_rfc3339_opts(SecondsFormat::Secs, true),
                hour.from.format("%H:00")
            );
        }
    }
    out.push_str(
        "</svg></div><ul class=\"legend\"><li class=\"s2\">successful</li><li class=\"s1\">other answers</li>\
         <li class=\"s4\">not reached</li><li class=\"s3\">failed</li></ul>",
    );
    Html(out)
}

/// What an answer took, part after part, from the end of the person's voice on; `slowest` fills the width.
pub(super) fn waterfall(latency: Latency, slowest: u32) -> Html {
    const WIDE: u64 = 1_000;
    let Latency { turn_ms, model_ms, sentence_ms, speech_ms, total_ms } = latency;
    let told = format!(
        "{total_ms} ms: end of turn {turn_ms}, model {model_ms}, sentence {sentence_ms}, voice {speech_ms}"
    );
    let mut out = format!(
        "<svg class=\"waterfall\" viewBox=\"0 0 {WIDE} 10\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{told}\"><title>{told}</title><rect class=\"ground\" width=\"{WIDE}\" height=\"1\" y=\"9\"/>"
    );
    let place = |ms: u64| (ms * WIDE / u64::from(slowest.max(1))).min(WIDE);
    let mut before = 0;
    for (series, ms) in [turn_ms, model_ms, sentence_ms, speech_ms].into_iter().enumerate() {
        let after = before + u64::from(ms);
        let (x, width) = (place(before), place(after) - place(before));
        let _ = write!(out, "<rect class=\"s{}\" x=\"{x}\" width=\"{width}\" height=\"10\"/>", series + 1);
        before = after;
    }
    out.push_str("</svg>");
    Html(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answers_parts_follow_each_other_to_the_scale_of_the_slowest() {
        let latency = Latency { turn_ms: 100, model_ms: 200, sentence_ms: 50, speech_ms: 150, total_ms: 500 };
        let drawn = waterfall(latency, 1_000).0;
        for part in [
            "class=\"s1\" x=\"0\" width=\"100\"",
            "class=\"s2\" x=\"100\" width=\"200\"",
            "class=\"s3\" x=\"300\" width=\"50\"",
            "class=\"s4\" x=\"350\" width=\"150\"",
        ] {
            assert!(drawn.contains(part), "{drawn}");
        }
        // Parts that add up to more than was measured stay within the picture.
        assert!(waterfall(latency, 0).0.contains("class=\"s4\" x=\"1000\" width=\"0\""));
    }

    #[test]
    fn the_scale_of_a_chart_ends_at_a_round_number() {
        for (most, bound) in [(1, 1), (4, 5), (11, 20), (50, 50), (51, 100), (1_204, 2_000)] {
            assert_eq!(round_up(most), bound);
        }
    }
}
