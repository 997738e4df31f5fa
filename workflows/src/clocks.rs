//! A machine's clock beside the database's. Decisions go by the database's; a machine that disagrees
//! with it may be wrong about much else, or the database may be, and in doubt nobody is called.

use chrono::TimeDelta;

use crate::Moment;

/// A node whose clock is further off than this does not dial.
pub const MAY_BE_OFF: TimeDelta = TimeDelta::seconds(1);

/// How far a clock is off that showed `asked` before the database was asked for its time, and
/// `answered` when the answer, `theirs`, was there. At the least: a slow answer proves nothing.
pub fn off_by(asked: Moment, answered: Moment, theirs: Moment) -> TimeDelta {
    (asked - theirs).max(theirs - answered).max(TimeDelta::zero())
}

/// Whether a node may dial whose clock is off by this.
pub fn may_dial(off_by: TimeDelta) -> bool {
    off_by <= MAY_BE_OFF
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Moment {
        Moment::from_timestamp_millis(1_700_000_000_000 + ms).expect("in range")
    }

    #[test]
    fn a_clock_is_off_by_what_no_delay_of_the_answer_explains() {
        let off = |asked, answered, theirs| off_by(at(asked), at(answered), at(theirs)).num_milliseconds();
        assert_eq!(off(0, 5_000, 3_000), 0, "the database was slow, and may have read its clock then");
        assert_eq!(off(0, 10, 1_500), 1_490);
        assert_eq!(off(2_000, 2_010, 0), 2_000);
    }

    #[test]
    fn a_node_dials_until_its_clock_is_more_than_a_second_off() {
        assert!(may_dial(TimeDelta::zero()) && may_dial(TimeDelta::seconds(1)));
        assert!(!may_dial(TimeDelta::milliseconds(1_001)));
    }
}
