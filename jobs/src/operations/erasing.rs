//! Erasing a person by their number, with a certificate of what was erased.
//!
//! Nothing can be called any more: their leads are ended first. Histories and counts stay, as they name nobody, and so does
//! who ordered what. Entries of lists that forbid calls to the number are kept unless told otherwise: without them
//! the next file with the number in it would have the person called again.

use std::io;
use std::path::Path;

use outdial_workflows::ids::{ClientId, new_id};
use outdial_workflows::input::{Command, Input};
use outdial_workflows::phone::PhoneNumber;
use serde_json::json;
use uuid::Uuid;

use super::{By, OperationError};
use crate::engine::Engine;
use crate::store;
use crate::store::audit::Entry;
pub use crate::store::erasing::Certificate;
use crate::store::erasing::{self, Lead, Person};

/// What text is searched for: national numbers have ten digits at most, and are written in many ways before that.
const DIGITS: usize = 10;

/// Erases the person with this number from everything that a client has. Their leads are cancelled first. `lists_too` also
/// takes the number off lists that forbid calls to it.
///
/// # Errors
/// If a call to them is under way, or one of their leads is in quarantine, or the recording of a call lies where this
/// process cannot reach it. Then nothing is erased.
pub async fn erase(
    engine: &Engine,
    client: ClientId,
    phone: &PhoneNumber,
    lists_too: bool,
    by: By<'_>,
) -> Result<Certificate, OperationError> {
    cancel_open(engine, client, phone, by).await?;
    let hash = hash_of(engine, client, phone);
    let directory = engine.recordings();
    let erased = engine.forbid(client, async |conn, now| {
        let found = erasing::leads(conn, client, phone.as_str()).await?;
        if let Some(hindered) = hindrance(&found) {
            return Ok(Err(hindered));
        }
        let leads: Vec<Uuid> = found.iter().map(|lead| lead.lead.0).collect();
        let calls = erasing::calls(conn, client, phone.as_str(), &leads).await?;
        let files = erasing::recordings(conn, client, &calls).await?;
        if directory.is_none() && !files.is_empty() {
            return Ok(Err(
                "calls of theirs are recorded, and this process has no directory of recordings: give the \
                           order to a server that has (--recordings)"
                    .to_owned(),
            ));
        }
        // First: what cannot be removed leaves everything as it was, to be tried again.
        if let Some(problem) = directory.and_then(|directory| remove(directory, &files).err()) {
            return Ok(Err(format!("a recording of theirs cannot be removed: {problem}")));
        }
        let digits: String = phone.as_str().chars().filter(char::is_ascii_digit).collect();
        let digits = &digits[digits.len().saturating_sub(DIGITS)..];
        let person = Person { phone: phone.as_str(), digits, leads: &leads, calls: &calls };
        let mut erased = erasing::erase(conn, client, person, now).await?;
        let (gone, kept) = erasing::unlist(conn, client, phone.as_str(), lists_too, now).await?;
        let mut count = |table: &str, rows: u64| (rows > 0).then(|| erased.insert(table.to_owned(), rows));
        count("suppressions", gone);
        count("recordings", files.len() as u64);
        let kept = [("suppressions".to_owned(), kept)].into_iter().filter(|(_, rows)| *rows > 0).collect();
        let (actor, reason) = (by.actor.to_owned(), by.reason.map(ToOwned::to_owned));
        let certificate =
            Certificate { id: new_id(now), number_hash: hash.clone(), actor, reason, at: now, erased, kept };
        erasing::certify(conn, client, &certificate).await?;
        let details = json!({ "number_hash": hash, "lists_too": lists_too });
        let entry = Entry {
            actor: by.actor,
            action: "erase",
            subject: "person",
            id: certificate.id,
            reason: by.reason,
            details: &details,
        };
        store::audit::note(conn, client, entry, now).await?;
        Ok(Ok(certificate))
    });
    erased.await?.map_err(OperationError::NotPossible)
}

/// The certificates for a number.
///
/// # Errors
/// If the database cannot be asked.
pub async fn certificates(
    engine: &Engine,
    client: ClientId,
    phone: &PhoneNumber,
) -> Result<Vec<Certificate>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    Ok(erasing::certificates(&mut conn, client, &hash_of(engine, client, phone)).await?)
}

/// Another for each client: none can tell whom another has erased.
fn hash_of(engine: &Engine, client: ClientId, phone: &PhoneNumber) -> String {
    engine.key().proof_of("erased number", &format!("{client} {}", phone.as_str()))
}

async fn cancel_open(
    engine: &Engine,
    client: ClientId,
    phone: &PhoneNumber,
    by: By<'_>,
) -> Result<(), OperationError> {
    let found = store::in_time(async {
        let mut conn = engine.pool().acquire().await?;
        erasing::leads(&mut conn, client, phone.as_str()).await
    });
    for lead in found.await?.into_iter().filter(|lead| lead.open && !lead.quarantined) {
        let cancel = Input::Command {
            command: Command::Cancel,
            actor: by.actor.to_owned(),
            reason: Some("the person is erased".to_owned()),
            alone: false,
        };
        engine.input(client, lead.lead, cancel, None).await?;
    }
    Ok(())
}

fn hindrance(found: &[Lead]) -> Option<String> {
    let hindered = found.iter().find(|lead| lead.open || lead.quarantined)?;
    let lead = hindered.lead;
    Some(match hindered.quarantined {
        true => format!("the lead {lead} is in quarantine: have it released or discarded first"),
        false => format!(
            "the lead {lead} is being called: it is cancelled, and can be erased once that call has ended"
        ),
    })
}

pub(super) fn remove(directory: &Path, files: &[String]) -> io::Result<()> {
    for file in files {
        match std::fs::remove_file(directory.join(file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}
