//! Who may come in, and what they may do (protocol page, §1 and §2).

use axum::{
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    response::{IntoResponse as _, Response},
};

use super::{
    config::Key,
    error::Refusal,
    token::{self, Claims, Untrusted},
};

/// What a method needs its token to grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need<'a> {
    CreateRooms,
    ListRooms,
    /// Rights over this room.
    Administer(&'a str),
    Dial,
    /// To dial, and rights over this room.
    Transfer(&'a str),
    ManageTrunks,
}

/// Reads the token of a request, if it has one. A token that is no good is refused before anything
/// else is looked at, in plain text.
pub(super) fn admit(
    keys: &[Key],
    headers: &HeaderMap,
    query: Option<&str>,
    now: i64,
) -> Result<Option<Claims>, Box<Response>> {
    let token = match headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap_or_default()) {
        Some(value) => match value.strip_prefix("Bearer ") {
            Some(token) => token.to_owned(),
            None => return Err(plain("invalid authorization header. Must start with Bearer ")),
        },
        None => {
            let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
            let token = pairs.into_owned().find(|(name, _)| name == "access_token");
            token.map(|(_, token)| token).unwrap_or_default()
        }
    };
    if token.is_empty() {
        return Ok(None);
    }
    match token::verify(&token, keys, now) {
        Ok(claims) => Ok(Some(claims)),
        Err(Untrusted::UnknownKey) => Err(plain("invalid API key")),
        Err(Untrusted::Invalid(why)) => Err(plain(&format!("invalid authorization token: {why}"))),
    }
}

fn plain(text: &str) -> Box<Response> {
    Box::new((StatusCode::UNAUTHORIZED, text.to_owned()).into_response())
}

/// Whether the claims grant what is needed.
pub(super) fn allow(claims: Option<&Claims>, need: Need<'_>) -> Result<(), Refusal> {
    let claims = claims.ok_or_else(Refusal::denied)?;
    let administers = |room: &str| claims.video.room_admin && claims.video.room == room;
    let granted = match need {
        Need::CreateRooms => claims.video.room_create,
        Need::ListRooms => claims.video.room_list,
        Need::Administer(room) => administers(room),
        Need::Dial => claims.sip.call,
        Need::Transfer(room) => claims.sip.call && administers(room),
        Need::ManageTrunks => claims.sip.admin,
    };
    if granted { Ok(()) } else { Err(Refusal::denied()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::livekit::token::{Sip, Video};

    #[test]
    fn each_need_is_met_by_its_own_grant_and_no_other() {
        let room = "r".to_owned();
        let video = |create, list, admin| Claims {
            video: Video { room_create: create, room_list: list, room_admin: admin, room: room.clone() },
            ..Claims::default()
        };
        let sip = |admin, call| Claims { sip: Sip { admin, call }, ..Claims::default() };
        let transfer = Claims { sip: Sip { admin: false, call: true }, ..video(false, false, true) };
        let grants = [
            video(true, false, false),
            video(false, true, false),
            video(false, false, true),
            sip(false, true),
            transfer,
            sip(true, false),
        ];
        let needs = [
            (Need::CreateRooms, &[0][..]),
            (Need::ListRooms, &[1]),
            (Need::Administer("r"), &[2, 4]),
            (Need::Administer("other"), &[]),
            (Need::Dial, &[3, 4]),
            (Need::Transfer("r"), &[4]),
            (Need::ManageTrunks, &[5]),
        ];
        for (need, met_by) in needs {
            for (place, claims) in grants.iter().enumerate() {
                assert_eq!(allow(Some(claims), need).is_ok(), met_by.contains(&place), "{need:?} {place}");
            }
            assert_eq!(allow(None, need), Err(Refusal::denied()));
        }
    }
}
