//! Frames of audio put back into order: Telnyx does not promise it (protocol page §6).

use std::collections::BTreeMap;

use bytes::Bytes;

/// So many frames may be ahead of one that is missing, before it counts as lost: 100 ms of Telnyx' frames, about what
/// the networks of telephones reorder over, and short enough not to be noticed in a reply.
const AHEAD: usize = 5;

/// Puts frames into order.
#[derive(Debug, Default)]
pub struct Order {
    /// The next frame's place; `None` until the first has come.
    next: Option<u64>,
    /// Frames that are ahead.
    waiting: BTreeMap<u64, Bytes>,
    /// How many frames were missed, or came too late.
    lost: u64,
}

impl Order {
    /// Takes in a frame, and gives those that are due, in order. One that says no place is due at once; one that came
    /// twice, or too late, is dropped.
    pub fn push(&mut self, place: Option<u64>, frame: Bytes) -> Vec<Bytes> {
        let Some(place) = place else { return vec![frame] };
        let next = *self.next.get_or_insert(place);
        if place < next {
            return vec![];
        }
        self.waiting.insert(place, frame);
        let mut due = vec![];
        while let Some(entry) = self.waiting.first_entry() {
            let place = *entry.key();
            let next = self.next.unwrap_or(place);
            if place != next && self.waiting.len() <= AHEAD {
                break;
            }
            self.lost += place - next;
            due.extend(self.waiting.pop_first().map(|(_, frame)| frame));
            self.next = Some(place + 1);
        }
        due
    }

    /// How many frames never came, or too late.
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn played(places: &[u64]) -> (Vec<u8>, u64) {
        let mut order = Order::default();
        let mut played = vec![];
        for place in places {
            let frame = Bytes::copy_from_slice(&[u8::try_from(*place).expect("a small number")]);
            played.extend(order.push(Some(*place), frame).iter().map(|frame| frame[0]));
        }
        (played, order.lost())
    }

    #[test]
    fn frames_that_changed_places_are_put_back_and_one_that_came_twice_is_heard_once() {
        assert_eq!(played(&[1, 3, 2, 2, 5, 4, 6]), (vec![1, 2, 3, 4, 5, 6], 0));
    }

    #[test]
    fn a_frame_that_is_lost_is_waited_for_no_longer_than_five_others() {
        assert_eq!(played(&[1, 3, 4, 5, 6, 7]), (vec![1], 0));
        assert_eq!(played(&[1, 3, 4, 5, 6, 7, 8, 2, 9]), (vec![1, 3, 4, 5, 6, 7, 8, 9], 1));
    }

    #[test]
    fn frames_without_a_place_pass() {
        let mut order = Order::default();
        assert_eq!(order.push(None, Bytes::from_static(b"a")), [Bytes::from_static(b"a")]);
    }

    proptest! {
        #[test]
        fn what_is_heard_is_in_order_and_never_twice(places in prop::collection::vec(1_u64..40, 0..80)) {
            let (played, _) = played(&places);
            prop_assert!(played.windows(2).all(|two| two[0] < two[1]), "{:?}", played);
        }

        #[test]
        fn nothing_is_lost_where_no_frame_is_late_by_more_than_five(shifts in prop::collection::vec(0_u64..5, 1..100)) {
            let mut places: Vec<(u64, u64)> = (1..).zip(&shifts).map(|(place, shift)| (place + shift, place)).collect();
            // The first one says where the count begins.
            places[0].0 = 0;
            places.sort();
            let order: Vec<u64> = places.iter().map(|(_, place)| *place).collect();
            let mut all = Order::default();
            let mut heard: usize = 0;
            for place in &order {
                heard += all.push(Some(*place), Bytes::new()).len();
            }
            prop_assert_eq!(all.lost(), 0);
            prop_assert!(heard + 5 >= order.len());
        }
    }
}
