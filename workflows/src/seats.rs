//! How the seats for conversations of our own agent are shared among clients.
//!
//! A call takes its seat when it is reserved, long before anybody picks up: whoever picks up finds somebody to talk
//! with. A grant is never less than what a client's calls take already, so it shrinks only as calls end.

/// How a client stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Its calls under way, ringing ones too, that our own agent is to talk on.
    pub taken: u32,
    /// Its leads that are due for such a call.
    pub due: u32,
}

/// The seats of each client, in the order given.
///
/// Whoever has leads due is given the next seat before anybody who has more; what nobody has use for now is shared
/// evenly, so that the next lead that is due finds a seat at once.
pub fn share_out(seats: u32, clients: &[Standing]) -> Vec<u32> {
    let mut grants: Vec<u32> = clients.iter().map(|client| client.taken).collect();
    let taken = grants.iter().fold(0, |sum: u32, taken| sum.saturating_add(*taken));
    let mut left = seats.saturating_sub(taken);
    raise(&mut grants, &mut left, |at| clients[at].taken.saturating_add(clients[at].due));
    raise(&mut grants, &mut left, |_| u32::MAX);
    grants
}

/// Gives what is left to whoever has least, up to a bound for each.
fn raise(grants: &mut [u32], left: &mut u32, most: impl Fn(usize) -> u32) {
    while *left > 0 {
        let open = (0..grants.len()).filter(|at| grants[*at] < most(*at));
        let Some(least) = open.min_by_key(|at| grants[*at]) else { return };
        grants[least] += 1;
        *left -= 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shared(seats: u32, clients: &[(u32, u32)]) -> Vec<u32> {
        let clients: Vec<_> = clients.iter().map(|&(taken, due)| Standing { taken, due }).collect();
        share_out(seats, &clients)
    }

    #[test]
    fn the_only_client_has_every_seat() {
        assert_eq!(shared(64, &[(3, 0)]), [64]);
    }

    #[test]
    fn who_has_leads_due_comes_before_who_has_none() {
        assert_eq!(shared(10, &[(0, 100), (0, 0)]), [10, 0]);
        assert_eq!(shared(10, &[(0, 4), (0, 0)]), [5, 5]);
        assert_eq!(shared(10, &[(0, 4), (0, 100)]), [4, 6]);
    }

    #[test]
    fn a_client_that_has_every_seat_gives_them_up_as_its_calls_end() {
        assert_eq!(shared(10, &[(10, 100), (0, 100)]), [10, 0]);
        assert_eq!(shared(10, &[(9, 100), (0, 100)]), [9, 1]);
        assert_eq!(shared(10, &[(5, 100), (5, 100)]), [5, 5]);
    }

    #[test]
    fn seats_that_are_lost_with_their_process_are_granted_to_nobody() {
        assert_eq!(shared(4, &[(3, 9), (3, 9)]), [3, 3]);
        assert_eq!(shared(0, &[(0, 9)]), [0]);
    }

    proptest! {
        #[test]
        fn grants_cover_what_is_taken_never_exceed_the_seats_and_envy_nobody(
            seats in 0_u32..200,
            clients in prop::collection::vec((0_u32..40, 0_u32..40), 1..8),
        ) {
            let taken: u32 = clients.iter().map(|(taken, _)| taken).sum();
            let grants = shared(seats, &clients);
            prop_assert_eq!(grants.iter().sum::<u32>(), seats.max(taken));
            for (at, (taken, due)) in clients.iter().enumerate() {
                prop_assert!(grants[at] >= *taken);
                if grants[at] < taken + due {
                    let enviable = |other: usize| grants[other] > clients[other].0.max(grants[at] + 1);
                    prop_assert!(!(0..clients.len()).any(enviable), "{:?} of {:?}", grants, clients);
                }
            }
        }
    }
}
