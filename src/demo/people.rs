//! Fictional people, as many as a demo wants, and the same ones every time.
//!
//! Their numbers ring nowhere. Indian ones begin with `+91 10`: no area code or mobile series
//! there does, and the plan's 8 further digits make 100 million of them, counted up from
//! `+91 10000 00000`. American ones are those kept for fiction, 555-0100 to 555-0199 in each area.
//! [`PhoneNumber::parse`] takes both.

use outdial_jobs::operations::leads::LeadSpec;
use outdial_workflows::phone::PhoneNumber;
use outdial_workflows::workflow::Priority;
use serde_json::{Map, Value, json};

/// The most people there are.
pub const MOST: u32 = 100_000_000;

/// One person in this many lives in America, until those numbers are used up.
const AMERICAN_EVERY: u32 = 5;

/// Numbers kept for fiction in an area.
const NUMBERS_PER_AREA: u32 = 100;

/// How many Americans there are.
const AMERICANS: u32 = AREA_COUNT * NUMBERS_PER_AREA;

const AREA_COUNT: u32 = 16;

/// Area code, zone and city.
const AREAS: [(u16, &str, &str); AREA_COUNT as usize] = [
    (212, "America/New_York", "New York"),
    (312, "America/Chicago", "Chicago"),
    (415, "America/Los_Angeles", "San Francisco"),
    (303, "America/Denver", "Denver"),
    (305, "America/New_York", "Miami"),
    (512, "America/Chicago", "Austin"),
    (206, "America/Los_Angeles", "Seattle"),
    (602, "America/Phoenix", "Phoenix"),
    (617, "America/New_York", "Boston"),
    (214, "America/Chicago", "Dallas"),
    (619, "America/Los_Angeles", "San Diego"),
    (801, "America/Denver", "Salt Lake City"),
    (404, "America/New_York", "Atlanta"),
    (615, "America/Chicago", "Nashville"),
    (702, "America/Los_Angeles", "Las Vegas"),
    (808, "Pacific/Honolulu", "Honolulu"),
];

const INDIAN_FIRST: [&str; 16] = [
    "Aarav", "Ananya", "Arjun", "Divya", "Farhan", "Ishaan", "Kavya", "Lakshmi", "Meera", "Nikhil", "Pooja",
    "Rahul", "Sana", "Tara", "Vikram", "Zoya",
];
const INDIAN_LAST: [&str; 16] = [
    "Bhat",
    "Desai",
    "Fernandes",
    "Gowda",
    "Hegde",
    "Iyer",
    "Khan",
    "Kulkarni",
    "Mehta",
    "Nair",
    "Patel",
    "Rao",
    "Reddy",
    "Sharma",
    "Shetty",
    "Singh",
];
const AMERICAN_FIRST: [&str; 12] = [
    "Alex", "Carlos", "Chloe", "Deshawn", "Emily", "Grace", "Hannah", "Luis", "Maya", "Noah", "Olivia", "Sam",
];
const AMERICAN_LAST: [&str; 12] = [
    "Bennett", "Carter", "Garcia", "Goldberg", "Johnson", "Kim", "Murphy", "Nguyen", "Ortega", "Rivera",
    "Smith", "Thompson",
];
const HOMES: [&str; 6] =
    ["Apartment (1 BHK)", "Apartment (2 BHK)", "Apartment (3 BHK)", "Villa (3 BHK)", "Villa (4 BHK)", "Plot"];
const LOCALITIES: [&str; 12] = [
    "Bellandur",
    "Devanahalli",
    "Electronic City",
    "Hennur",
    "HSR Layout",
    "Indiranagar",
    "Jayanagar",
    "Koramangala",
    "Malleshwaram",
    "Sarjapur Road",
    "Whitefield",
    "Yelahanka",
];
const CONDOS: [&str; 3] = ["Condo (1 bed)", "Condo (2 bed)", "Condo (3 bed)"];

/// The first `n` people, at most [`MOST`]. No two have the same number, and the first of many are
/// the same as of few.
pub fn generate(n: u32) -> impl Iterator<Item = LeadSpec> {
    (0..n.min(MOST)).map(person)
}

fn person(index: u32) -> LeadSpec {
    let americans_before = (index / AMERICAN_EVERY).min(AMERICANS);
    let mut chance = Chance(u64::from(index));
    if index % AMERICAN_EVERY == AMERICAN_EVERY - 1 && americans_before < AMERICANS {
        american(index, americans_before, &mut chance)
    } else {
        indian(index, index - americans_before, &mut chance)
    }
}

fn american(index: u32, nth: u32, chance: &mut Chance) -> LeadSpec {
    let (area, zone, city) = AREAS[(nth % AREA_COUNT) as usize];
    let line = nth / AREA_COUNT;
    let name = [chance.of(&AMERICAN_FIRST), chance.of(&AMERICAN_LAST)];
    let budget = format!("${},000", 300 + 10 * chance.below(70));
    let home = [chance.of(&CONDOS), city, &budget];
    lead(index, &format!("+1{area}55501{line:02}"), name, zone, home, chance)
}

fn indian(index: u32, nth: u32, chance: &mut Chance) -> LeadSpec {
    let name = [chance.of(&INDIAN_FIRST), chance.of(&INDIAN_LAST)];
    let budget = format!("₹{} lakh", 40 + 5 * chance.below(70));
    let home = [chance.of(&HOMES), chance.of(&LOCALITIES), &budget];
    lead(index, &format!("+9110{nth:08}"), name, "Asia/Kolkata", home, chance)
}

fn lead(
    index: u32,
    number: &str,
    [first, last]: [&str; 2],
    zone: &str,
    [property_type, location, budget]: [&str; 3],
    chance: &mut Chance,
) -> LeadSpec {
    let phone: PhoneNumber = number.parse().expect("the numbers are made in the stored form");
    let email = format!("{first}.{last}.{index}@example.com").to_lowercase();
    let attributes = [
        ("email", email.as_str()),
        ("property_type", property_type),
        ("location", location),
        ("budget", budget),
    ];
    let attributes: Map<String, Value> =
        attributes.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    LeadSpec {
        name: Some(format!("{first} {last}")),
        zone: Some(zone.to_owned()),
        priority: priority(chance),
        attributes,
        ..LeadSpec::new(phone)
    }
}

/// Most are normal; in a hundred 3 are urgent, 10 high and 10 low.
fn priority(chance: &mut Chance) -> Priority {
    match chance.below(100) {
        0..3 => Priority::Urgent,
        3..13 => Priority::High,
        13..23 => Priority::Low,
        _ => Priority::Normal,
    }
}

/// What looks like chance and is the same on every machine and in every version: SplitMix64 (Steele,
/// Lea and Flood, 2014), begun anew for each person.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 32) as u32
    }

    fn below(&mut self, bound: u32) -> u32 {
        self.next() % bound
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.next() as usize % choices.len()]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use outdial_workflows::calendar::parse_zone;

    use super::{AMERICAN_EVERY, AMERICANS, MOST, PhoneNumber, generate, person};

    #[test]
    fn a_hundred_thousand_people_have_as_many_numbers() {
        let numbers: HashSet<PhoneNumber> = generate(100_000).map(|lead| lead.phone).collect();
        assert_eq!(numbers.len(), 100_000);
    }

    #[test]
    fn the_numbers_count_up_without_a_gap_to_the_last() {
        let american = |index: &u32| person(*index).phone.as_str().starts_with("+1");
        let all = AMERICANS * AMERICAN_EVERY;
        assert_eq!((0..all + 1_000).filter(american).count(), AMERICANS as usize);
        for (index, number) in [
            (0, "+911000000000"),
            (4, "+12125550100"),
            (all - 1, "+18085550199"),
            (all, "+911000006400"),
            (999_999, "+911000998399"),
            (MOST - 1, "+911099998399"),
        ] {
            assert_eq!(person(index).phone.as_str(), number, "person {index}");
        }
    }

    #[test]
    fn every_person_has_a_number_and_a_zone_that_the_door_takes() {
        let few = (0..AMERICANS * AMERICAN_EVERY).chain((0..MOST).step_by(99_991));
        for lead in few.map(person) {
            let number = lead.phone.as_str();
            assert_eq!(PhoneNumber::parse(number, None).as_ref(), Ok(&lead.phone), "{number}");
            parse_zone(lead.zone.as_deref().expect("everybody lives somewhere")).expect(number);
            assert_eq!(lead.attributes.len(), 4, "{number}");
        }
    }

    #[test]
    fn the_same_people_come_every_time_and_the_first_of_many_are_those_of_few() {
        let few: Vec<_> = generate(50).collect();
        assert_eq!(few, generate(500).take(50).collect::<Vec<_>>());
        assert_eq!(few[0].name.as_deref(), Some("Nikhil Patel"));
    }
}
