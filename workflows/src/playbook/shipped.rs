//! The playbooks that come with the program.

/// Each by the name that every client has it under, unless they keep one of their own under it.
pub const SHIPPED: [(&str, &str); 3] = [
    ("loan-interest", include_str!("../../playbooks/loan-interest.toml")),
    ("minimal", include_str!("../../playbooks/minimal.toml")),
    ("property-enquiry", include_str!("../../playbooks/property-enquiry.toml")),
];

/// The text of one.
pub fn shipped(name: &str) -> Option<&'static str> {
    SHIPPED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
