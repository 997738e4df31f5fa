use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use outdial_emulators::audio::Encoding;
use outdial_emulators::deepgram::{Config, Deepgram as Emulator, Quirk, Reply, Session, SessionEnd};
use outdial_emulators::speech::{say, silence};
use outdial_jobs::media::audio::{self, Format};
use outdial_jobs::media::deepgram::{Deepgram, Patience, Settings};
use outdial_jobs::media::services::{Recognised, Recogniser as _};
use tokio::sync::mpsc;

use crate::{all, ms, within};

/// A telephone sends a frame of µ-law so long.
const FRAME: usize = 160;

async fn started(config: Config) -> Emulator {
    Emulator::start(config).await.expect("a free port")
}

fn settings(emulator: &Emulator) -> Settings {
    Settings {
        base: emulator.base_url().parse().expect("a URL"),
        key: emulator.config().key.into(),
        model: "nova-3".into(),
        keyterms: vec![],
        patience: Patience { first_wait: ms(1), ..Patience::default() },
    }
}

/// A call: its audio, and what is recognised of it.
struct Call {
    audio: mpsc::Sender<Bytes>,
    told: BoxStream<'static, Recognised>,
}

impl Call {
    fn new(settings: Settings) -> Self {
        let (audio, listened) = mpsc::channel(4_096);
        let deepgram = Deepgram::new(settings).expect("settings");
        let told = deepgram.for_call(Format::MULAW_8000, "en-IN").listen(listened);
        Self { audio, told }
    }

    async fn hear(&self, samples: &[i16]) {
        for frame in Encoding::Mulaw.encode(samples).chunks(FRAME) {
            self.audio.send(Bytes::copy_from_slice(frame)).await.expect("somebody listens");
        }
    }

    /// Something said, and silence after it.
    async fn say(&self, text: &str, pause: Duration) {
        self.hear(&say(text, 8_000)).await;
        self.hear(&silence(pause, 8_000)).await;
    }

    /// All that is told, of which words that may change are left out, until this is.
    async fn until(&mut self, last: &str) -> Vec<String> {
        let mut lines = vec![];
        while lines.last().is_none_or(|line: &String| line != last) {
            let recognised = within(self.told.next()).await.expect("more is told");
            lines.extend(line(recognised));
        }
        lines
    }

    /// The same until nothing is, with no more audio.
    async fn rest(self) -> Vec<String> {
        drop(self.audio);
        all(self.told).await.into_iter().filter_map(line).collect()
    }
}

fn line(recognised: Recognised) -> Option<String> {
    match recognised {
        Recognised::Words { confirmed: false, .. } => None,
        Recognised::Words { text, confirmed: true } => Some(text),
        Recognised::Ended => Some("ended".into()),
        Recognised::Failed(why) => Some(format!("failed: {why}")),
    }
}

#[tokio::test]
async fn what_is_said_is_told_and_the_end_of_it_and_the_stream_is_closed_behind_the_audio() {
    let emulator = started(Config::default()).await;
    let keyterms = vec!["Lake View".to_owned()];
    let call = Call::new(Settings { keyterms, ..settings(&emulator) });
    call.say("Hello there.", ms(1_500)).await;
    call.say("Two rooms.", ms(100)).await;
    assert_eq!(call.rest().await, ["Hello there.", "ended", "Two rooms.", "ended"]);
    let report = &within(emulator.until(|reports| reports[0].ended.is_some())).await[0];
    assert_eq!(report.ended, Some(SessionEnd::Closed));
    assert_eq!((report.audio, report.nonsense), (ms(22 * 60 + 1_600), 0));
    for (name, value) in [
        ("model", "nova-3"),
        ("language", "en-IN"),
        ("encoding", "mulaw"),
        ("sample_rate", "8000"),
        ("endpointing", "300"),
        ("keyterm", "Lake View"),
    ] {
        assert!(report.parameters.contains(&(name.into(), value.into())), "{name}: {:?}", report.parameters);
    }
}

#[tokio::test]
async fn words_that_may_change_are_all_those_behind_the_last_confirmed_ones() {
    let config = Config { interim_every: ms(200), stretch_max: ms(1_500), ..Config::default() };
    let emulator = started(config).await;
    let call = Call::new(settings(&emulator));
    let text = "this goes on and on and on and never ends at all";
    call.say(text, ms(500)).await;
    drop(call.audio);
    let (mut confirmed, mut interims, mut parts) = (String::new(), 0, 0);
    for recognised in all(call.told).await {
        let Recognised::Words { text: part, confirmed: fixed } = recognised else { continue };
        let so_far = format!("{confirmed} {part}").trim().to_owned();
        assert!(text.starts_with(&so_far), "{so_far}");
        if fixed {
            (confirmed, parts) = (so_far, parts + 1);
        } else {
            interims += 1;
        }
    }
    assert_eq!(confirmed, text);
    assert!(interims > 5 && parts > 1, "{interims} {parts}");
}

#[tokio::test]
async fn every_format_of_a_call_is_understood() {
    let emulator = started(Config::default()).await;
    for (encoding, wire, rate) in [
        (audio::Encoding::Alaw, Encoding::Alaw, 8_000),
        (audio::Encoding::Linear16, Encoding::Linear16, 8_000),
        (audio::Encoding::Linear16, Encoding::Linear16, 16_000),
    ] {
        let (audio, listened) = mpsc::channel(8);
        let deepgram = Deepgram::new(settings(&emulator)).expect("settings");
        let told = deepgram.for_call(Format { encoding, rate }, "en").listen(listened);
        audio.send(wire.encode(&say("Hello there.", rate)).into()).await.expect("somebody listens");
        drop(audio);
        let told: Vec<_> = all(told).await.into_iter().filter_map(line).collect();
        assert_eq!(told, ["Hello there.", "ended"], "{encoding:?} {rate}");
    }
}

#[tokio::test]
async fn in_noise_the_gap_between_words_tells_the_end() {
    let emulator = started(Config::default()).await;
    emulator.script([Session::default().with(Quirk::NoSpeechFinal)]);
    let mut call = Call::new(settings(&emulator));
    call.say("Hello there.", ms(1_500)).await;
    assert_eq!(call.until("ended").await, ["Hello there.", "ended"]);
}

#[tokio::test]
async fn words_across_a_lost_stream_are_neither_lost_nor_told_twice() {
    for (quirk, in_order) in [
        (Quirk::Cut { after: ms(3_000) }, false),
        (Quirk::Close { after: ms(3_000), code: 1011, reason: "NET-0000".into() }, true),
        (Quirk::Close { after: ms(3_000), code: 1000, reason: String::new() }, true),
    ] {
        let emulator = started(Config::default()).await;
        emulator.script([Session::default().with(quirk.clone())]);
        let mut call = Call::new(settings(&emulator));
        // Up to 1,920 ms; the stream is lost in the middle of what follows.
        call.say("This is heard at once.", ms(600)).await;
        assert_eq!(call.until("ended").await, ["This is heard at once.", "ended"], "{quirk:?}");
        call.say("This is heard on two streams.", ms(600)).await;
        assert_eq!(call.until("ended").await, ["This is heard on two streams.", "ended"], "{quirk:?}");
        call.say("So is this.", ms(0)).await;
        assert_eq!(call.rest().await, ["So is this.", "ended"], "{quirk:?}");
        let reports = emulator.reports();
        assert_eq!(reports.len(), 2, "{quirk:?}");
        // What was confirmed is not sent again.
        let all = ms((22 + 29 + 11) * 60 + 1_200);
        assert!(reports[1].audio < all - ms(1_500), "{quirk:?}: {:?} of {all:?}", reports[1].audio);
        assert_eq!(reports[0].ended, Some(SessionEnd::Quirk), "{in_order}");
    }
}

#[tokio::test]
async fn the_end_of_a_call_is_recognised_though_the_stream_is_lost_with_it() {
    let emulator = started(Config::default()).await;
    emulator.script([Session::default().with(Quirk::Cut { after: ms(900) })]);
    let call = Call::new(settings(&emulator));
    call.say("Goodbye and thank you.", ms(100)).await;
    assert_eq!(call.rest().await, ["Goodbye and thank you.", "ended"]);
    assert_eq!(emulator.reports().len(), 2);
}

#[tokio::test]
async fn a_stream_that_falls_silent_is_left_for_another() {
    let emulator = started(Config::default()).await;
    emulator.script([Session::default().with(Quirk::Stall { after: ms(20) })]);
    let patience = Patience { told_nothing: ms(1_000), first_wait: ms(1), ..Patience::default() };
    let mut call = Call::new(Settings { patience, ..settings(&emulator) });
    call.say("Hello there.", ms(1_500)).await;
    assert_eq!(call.until("ended").await, ["Hello there.", "ended"]);
    assert_eq!(emulator.reports().len(), 2);
}

#[tokio::test]
async fn messages_that_cannot_be_read_or_come_late_do_no_harm() {
    for quirk in [
        Quirk::Garbage { after: ms(300) },
        Quirk::UnknownType { after: ms(300) },
        Quirk::RepeatedSpeechStarted,
        Quirk::Slow { by: ms(100) },
    ] {
        let emulator = started(Config::default()).await;
        emulator.script([Session::default().with(quirk.clone())]);
        let call = Call::new(settings(&emulator));
        call.say("Hello there.", ms(600)).await;
        assert_eq!(call.rest().await, ["Hello there.", "ended"], "{quirk:?}");
        assert_eq!(emulator.reports().len(), 1, "{quirk:?}");
    }
}

#[tokio::test]
async fn a_stream_without_audio_is_kept_open_and_no_empty_frame_closes_it() {
    let emulator = started(Config { idle: ms(2_000), ..Config::default() }).await;
    let patience = Patience { keep_alive: ms(20), ..Patience::default() };
    let call = Call::new(Settings { patience, ..settings(&emulator) });
    call.hear(&silence(ms(20), 8_000)).await;
    call.audio.send(Bytes::new()).await.expect("somebody listens");
    within(emulator.until(|reports| reports.first().is_some_and(|report| report.keep_alives >= 3))).await;
    call.audio.send(Bytes::new()).await.expect("somebody listens");
    call.say("Hello there.", ms(0)).await;
    assert_eq!(call.rest().await, ["Hello there.", "ended"]);
    let reports = emulator.reports();
    assert_eq!((reports.len(), reports[0].frames), (1, 1 + 36));
}

#[tokio::test]
async fn what_does_not_pass_by_itself_is_not_tried_again() {
    let emulator = started(Config::default()).await;
    let key = emulator.config().key;
    let stranger = Settings { key: "dg-wrong-key".into(), ..settings(&emulator) };
    let nova_9 = Settings { model: "nova-9".into(), ..settings(&emulator) };
    let reply = |status, code, message: &str| Some(Reply::new(status, code, message));
    let loud = format!("The key {key} has no credit.");
    for (settings, reply, says) in [
        (stranger, None, "HTTP 401: INVALID_AUTH"),
        (nova_9, None, "HTTP 400"),
        (
            settings(&emulator),
            reply(402, "ASR_PAYMENT_REQUIRED", &loud),
            "402: ASR_PAYMENT_REQUIRED: The key [key]",
        ),
        (settings(&emulator), reply(403, "INSUFFICIENT_PERMISSIONS", "No."), "403: INSUFFICIENT_PERMISSIONS"),
    ] {
        emulator.reset();
        emulator.script(reply.map(Session::refused));
        let mut call = Call::new(settings);
        call.hear(&silence(ms(20), 8_000)).await;
        let told: Vec<_> = within(call.told.by_ref().collect::<Vec<_>>()).await;
        let [Recognised::Failed(why)] = &told[..] else { panic!("{told:?}") };
        assert!(why.contains(says), "{why}");
        assert!(!why.contains(&key) && !why.contains("dg-wrong-key"), "{why}");
        assert_eq!(emulator.reports().len(), 1);
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_given_up_in_the_end() {
    let emulator = started(Config::default()).await;
    let throttled = || Session::refused(Reply::new(429, "TOO_MANY_REQUESTS", "Later."));
    emulator.script([throttled(), Session::refused(Reply::default()), throttled()]);
    let call = Call::new(settings(&emulator));
    call.say("Hello there.", ms(0)).await;
    assert_eq!(call.rest().await, ["Hello there.", "ended"]);
    assert_eq!(emulator.reports().len(), 4);

    emulator.reset();
    emulator.script((0..9).map(|_| throttled()));
    let mut call = Call::new(settings(&emulator));
    call.hear(&silence(ms(20), 8_000)).await;
    let told: Vec<_> = within(call.told.by_ref().collect::<Vec<_>>()).await;
    assert_eq!(told, [Recognised::Failed("Deepgram answered HTTP 429: TOO_MANY_REQUESTS: Later.".into())]);
    assert_eq!(emulator.reports().len(), 6);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_given_up() {
    let emulator = started(Config::default()).await;
    let mut call = Call::new(settings(&emulator));
    emulator.stop().await;
    call.hear(&silence(ms(20), 8_000)).await;
    let told: Vec<_> = within(call.told.by_ref().collect::<Vec<_>>()).await;
    let [Recognised::Failed(why)] = &told[..] else { panic!("{told:?}") };
    assert!(why.contains("could not be reached"), "{why}");
}

#[tokio::test]
async fn nothing_is_opened_before_there_is_audio_and_whoever_stops_listening_hangs_up() {
    let emulator = started(Config::default()).await;
    let silent = Call::new(settings(&emulator));
    assert_eq!(silent.rest().await, [""; 0]);
    assert!(emulator.reports().is_empty());
    let call = Call::new(settings(&emulator));
    call.hear(&silence(ms(20), 8_000)).await;
    within(emulator.until(|reports| reports.first().is_some_and(|report| report.frames == 1))).await;
    drop(call);
    within(emulator.until(|reports| reports[0].ended == Some(SessionEnd::Gone))).await;
}
