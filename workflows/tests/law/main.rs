//! Where a number is, what is asked there, and when it may be called.

mod gate;
mod hours;
mod lanes;
mod packs;
mod places;

use outdial_workflows::Moment;
use outdial_workflows::phone::PhoneNumber;
use outdial_workflows::places::Area;

fn at(text: &str) -> Moment {
    text.parse().expect("a time")
}

fn area(text: &str) -> Area {
    text.parse().expect("an area")
}

fn phone(text: &str) -> PhoneNumber {
    text.parse().expect("a number")
}
