//! How things are written on a page.

use std::fmt;
use std::fmt::Write as _;

use askama::filters::HtmlSafe;
use chrono::{SecondsFormat, TimeDelta};
use outdial_workflows::Moment;
use serde_json::Value;

/// Text that is HTML already.
#[derive(Clone, Debug, Default)]
pub(super) struct Html(pub(super) String);

impl fmt::Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Html {}

/// Text as it stands in HTML, in attributes too.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// How long ago, or in how long. Scripts keep it right, and add the viewer's own time.
pub(super) fn time(at: Moment, now: Moment) -> Html {
    let exact = at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let shown = at.format("%-d %b %Y, %H:%M:%S UTC");
    Html(format!("<time datetime=\"{exact}\" title=\"{shown}\" tabindex=\"0\">{}</time>", apart(at - now)))
}

/// A distance in time, in its largest unit.
pub(super) fn apart(distance: TimeDelta) -> String {
    let seconds = distance.num_seconds();
    let (amount, unit) = match seconds.abs() {
        0..5 => return "now".into(),
        s @ 5..60 => (s, "s"),
        s @ 60..3_600 => (s / 60, "min"),
        s @ 3_600..86_400 => (s / 3_600, "h"),
        s => (s / 86_400, "d"),
    };
    if seconds < 0 { format!("{amount} {unit} ago") } else { format!("in {amount} {unit}") }
}

/// A name of ours in the words of people: `no_answer` is *no answer*.
pub(super) fn words(name: &(impl fmt::Display + ?Sized)) -> String {
    name.to_string().replace('_', " ")
}

/// A state or an outcome, in its colour and in words: nobody has to tell colours apart.
pub(super) fn badge(name: &(impl fmt::Display + ?Sized)) -> Html {
    let name = &*name.to_string().replace(' ', "_");
    let kind = match name {
        "running"
        | "calling"
        | "connected"
        | "in_progress"
        | "successful"
        | "appointment_scheduled"
        | "qualified_lead"
        | "sale_made"
        | "done"
        | "delivered"
        | "answered"
        | "open"
        | "bound"
        | "now"
        | "enabled"
        | "taken_in" => "good",
        "paused" | "held" | "unknown" | "backing_off" | "busy" | "settling" | "resting" | "receiving"
        | "closed" | "later" | "ringing" | "dialling" | "initiated" | "voicemail" | "submitted"
        | "reserved" | "under_way" | "asked" | "ordered" => "wait",
        "quarantined" | "failed" | "do_not_call" | "invalid_number" | "refused" | "wrong_number"
        | "disabled" | "never" | "lost" | "bound_late" | "absent" => "bad",
        _ => "plain",
    };
    Html(format!("<span class=\"badge {kind}\">{}</span>", escaped(&words(name))))
}

/// A name of ours as it stands in data, of any closed set.
pub(super) fn name(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(name)) => name,
        Ok(_) | Err(_) => String::new(),
    }
}

/// The same as a badge.
pub(super) fn badge_of(value: &impl serde::Serialize) -> Html {
    badge(&name(value))
}

/// The same in words.
pub(super) fn words_of(value: &impl serde::Serialize) -> String {
    words(&name(value))
}

/// A count, in groups of three digits.
pub(super) fn count(number: i64) -> String {
    n(&number)
}

/// The same of whatever is printed as a whole number.
pub(super) fn n(number: &impl fmt::Display) -> String {
    let text = number.to_string();
    let (is_negative, digits) = text.strip_prefix('-').map_or((false, &*text), |digits| (true, digits));
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if is_negative { format!("−{out}") } else { out }
}

/// A text, or a dash where there is none.
pub(super) fn or_dash(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or("–")
}

/// How many of a count stand so.
pub(super) fn of(counts: &std::collections::BTreeMap<&'static str, i64>, name: &str) -> String {
    count(counts.get(name).copied().unwrap_or_default())
}

/// A part of a whole, in percent.
pub(super) fn share(part: &i64, whole: &i64) -> String {
    percent(*part, *whole)
}

/// The same.
pub(super) fn percent(part: i64, whole: i64) -> String {
    if whole <= 0 {
        return "–".into();
    }
    #[expect(clippy::cast_precision_loss, reason = "it is rounded to a percent")]
    let share = part as f64 * 100.0 / whole as f64;
    match share {
        share if share > 0.0 && share < 1.0 => format!("{share:.1} %"),
        share => format!("{share:.0} %"),
    }
}

/// A duration of so many milliseconds, as a clock shows it.
pub(super) fn clock(ms: i64) -> String {
    let s = ms / 1_000;
    if s >= 3_600 {
        format!("{}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
    } else {
        format!("{}:{:02}", s / 60, s % 60)
    }
}

/// The same of the milliseconds that a row has.
pub(super) fn clock_of(ms: &i32) -> String {
    clock((*ms).into())
}

/// The same of seconds and parts of them.
pub(super) fn clock_of_s(s: &f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "no call lasts for years")]
    let ms = (*s * 1_000.0) as i64;
    clock(ms)
}

/// A long duration of so many seconds, in its largest unit.
pub(super) fn duration(s: &i64) -> String {
    apart(TimeDelta::seconds(*s)).replace("in ", "").replace("now", "0 s")
}

/// What a value of JSON says, on one line.
pub(super) fn short(value: &Value) -> String {
    match value {
        Value::Null => "–".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// JSON, with its lines and indents.
pub(super) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// What a progress is, as a bar: `done` of `all`.
pub(super) fn bar(done: &i64, all: &i64) -> Html {
    let (done, all) = (*done, *all);
    let mut out = String::new();
    let _ = write!(
        out,
        "<progress max=\"{}\" value=\"{}\" aria-label=\"finished\">{}</progress>",
        all.max(1),
        done.clamp(0, all.max(1)),
        percent(done, all)
    );
    Html(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_in_time_is_told_in_its_largest_unit() {
        for (seconds, told) in [
            (0, "now"),
            (-4, "now"),
            (-59, "59 s ago"),
            (61, "in 1 min"),
            (-7_200, "2 h ago"),
            (180_000, "in 2 d"),
        ] {
            assert_eq!(apart(TimeDelta::seconds(seconds)), told);
        }
    }

    #[test]
    fn what_people_wrote_is_no_html() {
        assert_eq!(escaped("<a href='x'>&\""), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;");
        assert!(badge("<script>").0.contains("&lt;script&gt;"));
    }

    #[test]
    fn large_counts_can_be_read() {
        for (number, told) in
            [(0_i64, "0"), (999, "999"), (1_204, "1,204"), (10_000_000, "10,000,000"), (-1_000, "−1,000")]
        {
            assert_eq!(count(number), told);
        }
    }
}
