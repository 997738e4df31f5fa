//! What whoever a call is handed to is told before they are put through: spoken as their carrier asks for it.
//!
//! Only processes that hold conversations have a voice, and the carrier may ask any. One without passes it on, as it does
//! with sockets.

use std::io::Cursor;
use std::num::NonZeroU16;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use hound::{SampleFormat, WavSpec, WavWriter};
use outdial_workflows::ids::{AttemptRef, DialKey};
use outdial_workflows::transfer::{Briefing, TransferState};
use url::Url;

use super::audio::Format;
use super::http::SetupError;
use super::reception;
use super::services::{Voice as _, VoiceError};
use crate::engine::Engine;
use crate::jobs::JobError;
use crate::operations::{OperationError, playbooks, transferring};
use crate::store::StoreError;

/// What telephones carry, in what everybody can play.
const FORMAT: Format = Format::LINEAR16_8000;

/// Whoever answered hears nothing meanwhile, and is put through untold if this takes longer.
const SPOKEN_WITHIN: Duration = Duration::from_secs(10);

/// A briefing, as it can be had here.
#[derive(Debug)]
pub enum Told {
    /// A WAV file.
    Spoken(Vec<u8>),
    /// Another process has a voice.
    By(Url),
    /// There is none, or none any more.
    Nothing,
}

/// Why a briefing cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum CannotTell {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored of the call.
    #[error(transparent)]
    Call(#[from] JobError),
    /// The playbook that the call goes by.
    #[error(transparent)]
    Playbook(#[from] OperationError),
    /// The voice that it names.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The voice.
    #[error(transparent)]
    Voice(#[from] VoiceError),
    /// It takes too long.
    #[error("the voice took longer than {SPOKEN_WITHIN:?}")]
    Late,
    /// The file.
    #[error(transparent)]
    File(#[from] hound::Error),
}

/// The briefing of a call's transfer. `may_pass`: to a process that has a voice, if this one has none.
///
/// # Errors
/// If it cannot be looked up or spoken.
pub async fn tell(
    engine: &Engine,
    DialKey(attempt): DialKey,
    transfer: NonZeroU16,
    may_pass: bool,
) -> Result<Told, CannotTell> {
    let Some(briefing) = briefing(engine, attempt, transfer).await? else { return Ok(Told::Nothing) };
    let Some(reception) = engine.reception() else {
        let by = if may_pass { reception::voice_elsewhere(engine, attempt).await? } else { None };
        return Ok(by.map_or(Told::Nothing, Told::By));
    };
    let Some((_, name, version)) = reception::named(engine, attempt).await? else { return Ok(Told::Nothing) };
    let (playbook, _) = playbooks::of(engine, attempt.client, &name, version).await?;
    let voice = reception.speech().voice(FORMAT, playbook.voice.as_deref())?;
    let spoken = voice.speak(briefing.as_str(), "").try_fold(vec![], |mut audio, more| async move {
        audio.extend_from_slice(&more);
        Ok(audio)
    });
    let audio = tokio::time::timeout(SPOKEN_WITHIN, spoken).await.map_err(|_| CannotTell::Late)??;
    Ok(Told::Spoken(file(&audio)?))
}

/// What is to be said, while it may still be asked for.
async fn briefing(
    engine: &Engine,
    attempt: AttemptRef,
    transfer: NonZeroU16,
) -> Result<Option<Briefing>, StoreError> {
    let latest = transferring::latest(engine, attempt).await?;
    let ordered = latest.filter(|ordered| ordered.number == transfer);
    Ok(ordered.and_then(|ordered| match ordered.state {
        // That it is done may be told before whoever answered was told anything.
        TransferState::Asked | TransferState::UnderWay | TransferState::Unknown | TransferState::Done => {
            ordered.briefing
        }
        TransferState::Ordered | TransferState::Refused => None,
    }))
}

fn file(audio: &[u8]) -> Result<Vec<u8>, hound::Error> {
    let spec = WavSpec {
        channels: 1,
        sample_rate: FORMAT.rate,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let mut samples = vec![];
    FORMAT.decode(audio, &mut samples);
    let mut file = Cursor::new(vec![]);
    let mut writer = WavWriter::new(&mut file, spec)?;
    for sample in samples {
        writer.write_sample(sample)?;
    }
    writer.finalize()?;
    Ok(file.into_inner())
}
