//! What every carrier's adapter must do, against that carrier's emulator, over sockets both ways.
//!
//! A carrier takes part by implementing [`played::Played`] in a file of its own, and by its module below.

mod exotel;
mod livekit;
mod played;
mod retell;
mod suite;
mod telnyx;
mod texml;
mod world;

mod exotel_conforms {
    crate::suite::each!(crate::exotel::Exotel);
}

mod retell_conforms {
    crate::suite::each!(crate::retell::Retell);
}

mod livekit_conforms {
    crate::suite::each!(crate::livekit::LiveKit);
}

mod telnyx_conforms {
    crate::suite::each!(crate::telnyx::Telnyx);
}

mod telnyx_with_all_extras_conforms {
    crate::suite::each!(crate::telnyx::Lavish);
}

mod texml_conforms {
    crate::suite::each!(crate::texml::Texml);
}

mod texml_with_all_extras_conforms {
    crate::suite::each!(crate::texml::Lavish);
}
