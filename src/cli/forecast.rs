//! `outdial campaign preview` and `outdial campaign simulate`.

use std::time::Duration;

use clap::Args;
use outdial_jobs::operations::forecast::LaunchPreview;
use outdial_workflows::preview::Prospect;
use outdial_workflows::simulate::{Assumed, Brake, Simulated};

use super::backend::Backend;
use super::leads::spinner;
use super::output::{Output, table};

/// What is assumed of the people who are called.
#[derive(Args, Debug)]
pub(super) struct People {
    /// Of a hundred calls, how many are answered.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u8).range(0..=100))]
    answered: u8,
    /// Of a hundred calls, how many find the line busy. The rest are not answered.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(0..=100))]
    busy: u8,
    /// How long an answered phone has rung, in seconds.
    #[arg(long, default_value_t = 10)]
    ring_s: u32,
    /// How long an answered call lasts, in seconds.
    #[arg(long, default_value_t = 90)]
    talk_s: u32,
    /// Another number, other people.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

pub(super) async fn preview(to: &Backend<'_>, campaign: &str, output: &Output) -> anyhow::Result<()> {
    let place = to.find_campaign(campaign).await?;
    let bar = spinner(output, "leads looked at");
    let preview = to.preview_campaign(place, |read| bar.set_position(read)).await;
    bar.finish_and_clear();
    let preview = preview?;
    output.say(foreseen(campaign, &preview), &preview);
    Ok(())
}

fn foreseen(campaign: &str, preview: &LaunchPreview) -> String {
    let LaunchPreview { leads, now, later, held, never, groups, blockers } = preview;
    let mut text = format!(
        "`{campaign}`, if it dialled now: of {leads} leads, {now} would be called at once, {later} later, \
         {held} would be held and {never} not called\n"
    );
    for blocker in blockers {
        text += &format!("Nobody would be called: {blocker}\n");
    }
    let rows = groups.iter().map(|group| {
        let prospect = match group.prospect {
            Prospect::Now => "now",
            Prospect::Later => "later",
            Prospect::Held => "held",
            Prospect::Never => "never",
            Prospect::UnderWay => "under way",
            Prospect::Finished => "finished",
        };
        let from = group.from.filter(|_| group.prospect == Prospect::Later);
        let from = from.map(|at| at.format("%a %d %b %H:%M UTC").to_string()).unwrap_or_default();
        let example = group.examples.first().map(ToString::to_string).unwrap_or_default();
        vec![group.leads.to_string(), prospect.to_owned(), from, group.reason.clone(), example]
    });
    if groups.is_empty() {
        return text.trim_end().to_owned();
    }
    text + &table(&["leads", "when", "first of them", "why", "for example"], rows)
}

pub(super) async fn simulate(
    to: &Backend<'_>,
    campaign: &str,
    people: &People,
    output: &Output,
) -> anyhow::Result<()> {
    let place = to.find_campaign(campaign).await?;
    let assumed = Assumed {
        answered_percent: people.answered,
        busy_percent: people.busy,
        ring_s: people.ring_s,
        talk_s: people.talk_s,
        seed: people.seed,
    };
    let bar = spinner(output, "leads read");
    let played = to.simulate_campaign(place, assumed, |read| bar.set_position(read)).await;
    bar.finish_and_clear();
    let played = played?;
    output.say(foretold(campaign, &played), &played);
    Ok(())
}

fn foretold(campaign: &str, played: &Simulated) -> String {
    let end = match played.finishes_at {
        Some(at) => format!("would be over on {}", at.format("%a %d %b %Y at %H:%M UTC")),
        None => "would not be over within a year".to_owned(),
    };
    let mut text = format!(
        "`{campaign}`, started now, {end}: {} calls to {} leads, at most {} at once\n",
        played.calls, played.leads, played.most_at_once
    );
    let hours =
        |seconds: i64| humantime::format_duration(Duration::from_secs(seconds.unsigned_abs())).to_string();
    let brake = |brake: &Brake| match brake {
        Brake::CallsAtOnce => "as many calls under way as may be",
        Brake::CallRate => "as many calls begun as may be",
        Brake::Spending => "the day's money spent",
        Brake::CallingHours => "outside calling hours",
        Brake::NothingDue => "nobody due",
    };
    let brakes = played.braked_s.iter().map(|(what, seconds)| vec![brake(what).to_owned(), hours(*seconds)]);
    text += &table(&["held up by", "for"], brakes);
    let outcomes =
        played.by_outcome.iter().map(|(outcome, leads)| vec![outcome.to_string(), leads.to_string()]);
    text += &format!("\n{}", table(&["outcome", "leads"], outcomes));
    for (why, leads) in &played.held {
        text += &format!("\n{leads} leads would wait to be mended: {why}");
    }
    text
}
