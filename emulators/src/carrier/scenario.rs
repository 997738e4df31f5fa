//! What the scenarios of all carriers say in the same words.

use std::time::Duration;

/// How long a phone rings where nothing else is said.
pub(crate) fn usual_ring() -> Duration {
    Duration::from_secs(5)
}

/// Writes what every carrier's scenario has: the outcomes they share, the ways to change one, and how one
/// follows from a number. `Scenario` needs `new`, `answered`, `ring` and `quirks`, `Outcome` the variants.
macro_rules! scenario {
    ($scenario:ident, $outcome:ident, $mix:path) => {
        impl $scenario {
            /// Rings for 30 s in vain.
            pub fn no_answer() -> Self {
                Self::new($outcome::NoAnswer).ringing_for(Duration::from_secs(30))
            }

            /// Engaged.
            pub fn busy() -> Self {
                Self::new($outcome::Busy)
            }

            /// Cannot be reached.
            pub fn failed() -> Self {
                Self::new($outcome::Failed)
            }

            /// Never heard of again.
            pub fn silent() -> Self {
                Self::new($outcome::Silent)
            }

            /// The same with another ring time.
            pub fn ringing_for(self, ring: Duration) -> Self {
                Self { ring, ..self }
            }

            /// The same with one more thing going wrong.
            pub fn with(mut self, quirk: Quirk) -> Self {
                self.quirks.push(quirk);
                self
            }
        }

        impl carrier::Scenario for $scenario {
            fn quirks(&self) -> &[Quirk] {
                &self.quirks
            }

            fn by_phone(phone: Phone, dial: u32) -> Self {
                $mix(phone, dial)
            }
        }

        impl carrier::Outcomes for $scenario {
            fn answered(talk: Duration) -> Self {
                Self::answered(talk)
            }

            fn no_answer() -> Self {
                Self::no_answer()
            }

            fn with(self, quirk: Quirk) -> Self {
                self.with(quirk)
            }

            fn ringing_for(self, ring: Duration) -> Self {
                self.ringing_for(ring)
            }
        }
    };
}
pub(crate) use scenario;
