//! Which of a campaign's numbers a call comes from.

use serde::{Deserialize, Serialize};

use crate::call::CallerId;
use crate::phone::PhoneNumber;

/// How a number is picked from a campaign's numbers. Those without room are passed over: what is
/// preferred is a preference, and no lead waits for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberChoice {
    /// Each in turn.
    #[default]
    RoundRobin,
    /// The one that called the lead last; the first time, each in turn.
    Sticky,
    /// The one whose leading digits agree with the lead's number the furthest, at least through the
    /// country's code and a digit of the area's; where several or none do, those in turn.
    SameArea,
}

impl NumberChoice {
    /// Whether it looks at the lead.
    pub fn looks_at_lead(self) -> bool {
        self != Self::RoundRobin
    }
}

/// What is known of a lead for the choice of a number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lead {
    /// The number that called it last.
    pub last: Option<CallerId>,
    /// Its own number.
    pub phone: Option<PhoneNumber>,
}

/// Picks from `pool` a number that `has_room`; its place, so that the next turn can begin after it.
/// `turn`: where the turn begins, any number.
pub fn choose(
    pool: &[CallerId],
    choice: NumberChoice,
    lead: &Lead,
    turn: usize,
    has_room: impl Fn(&CallerId) -> bool,
) -> Option<usize> {
    let count = pool.len();
    let in_turn = (0..count).map(|step| (turn % count + step) % count);
    let free = in_turn.filter(|place| pool.get(*place).is_some_and(&has_room));
    let preferred = |place: &usize| -> usize {
        let number = &pool[*place];
        match choice {
            NumberChoice::RoundRobin => 0,
            NumberChoice::Sticky => usize::from(lead.last.as_ref() == Some(number)),
            NumberChoice::SameArea => lead.phone.as_ref().map_or(0, |phone| agreement(number, phone)),
        }
    };
    // The first of the best: the turn decides between equals.
    free.max_by_key(|place| (preferred(place), std::cmp::Reverse((place + count - turn % count) % count)))
}

/// How many leading digits two numbers share; 0 unless they share the country's code and more. A number
/// that is not written with its country (as carriers write some of theirs) is taken to be of the lead's.
fn agreement(ours: &CallerId, theirs: &PhoneNumber) -> usize {
    let Some(country) = theirs.country_code().map(|code| code.to_string()) else { return 0 };
    let theirs = theirs.as_str().trim_start_matches('+');
    let digits: String = ours.0.chars().filter(char::is_ascii_digit).collect();
    let ours = match ours.0.trim_start().starts_with('+') {
        true => digits,
        false => format!("{country}{}", digits.trim_start_matches('0')),
    };
    let shared = ours.bytes().zip(theirs.bytes()).take_while(|(a, b)| a == b).count();
    if shared > country.len() { shared } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(given: &[&str]) -> Vec<CallerId> {
        given.iter().map(|number| CallerId((*number).to_owned())).collect()
    }

    fn lead(phone: &str, last: Option<&str>) -> Lead {
        let last = last.map(|last| CallerId(last.to_owned()));
        Lead { last, phone: Some(phone.parse().expect("a number")) }
    }

    #[test]
    fn each_number_has_its_turn_and_a_full_one_is_passed_over() {
        let pool = numbers(&["+12025550101", "+12025550102", "+12025550103"]);
        let full = |number: &CallerId| number.0.ends_with('2');
        let picked: Vec<_> = (0..6)
            .map(|turn| choose(&pool, NumberChoice::RoundRobin, &Lead::default(), turn, |n| !full(n)))
            .collect();
        assert_eq!(picked, [Some(0), Some(2), Some(2), Some(0), Some(2), Some(2)]);
        assert_eq!(choose(&pool, NumberChoice::RoundRobin, &Lead::default(), 0, |_| false), None);
        assert_eq!(choose(&[], NumberChoice::RoundRobin, &Lead::default(), 0, |_| true), None);
    }

    #[test]
    fn a_lead_is_called_from_the_number_that_called_it_before_unless_that_has_no_room() {
        let pool = numbers(&["+12025550101", "+12025550102"]);
        let again = lead("+13125550100", Some("+12025550102"));
        assert_eq!(choose(&pool, NumberChoice::Sticky, &again, 0, |_| true), Some(1));
        assert_eq!(choose(&pool, NumberChoice::Sticky, &again, 0, |n| n.0.ends_with('1')), Some(0));
        let gone = lead("+13125550100", Some("+12025550109"));
        assert_eq!(choose(&pool, NumberChoice::Sticky, &gone, 1, |_| true), Some(1), "its turn");
    }

    #[test]
    fn the_number_nearest_to_the_leads_own_goes_first() {
        let pool = numbers(&["+13125550101", "+12025550101", "+12025550102", "+442079460000"]);
        let pick = |phone, turn| choose(&pool, NumberChoice::SameArea, &lead(phone, None), turn, |_| true);
        assert_eq!(pick("+12025550199", 0), Some(1));
        assert_eq!(pick("+12025550199", 2), Some(2), "equals in turn");
        assert_eq!(pick("+442079460001", 0), Some(3));
        assert_eq!(pick("+918040000001", 3), Some(3), "none is near: each in turn");
    }

    #[test]
    fn a_number_without_its_country_is_one_of_the_leads() {
        let pool = numbers(&["02240000000", "08040000000"]);
        let bangalore = lead("+918040000001", None);
        assert_eq!(choose(&pool, NumberChoice::SameArea, &bangalore, 0, |_| true), Some(1));
    }
}
