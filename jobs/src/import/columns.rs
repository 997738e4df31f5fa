//! Which column holds what.

use std::collections::HashMap;

use super::ImportError;

/// The most columns of a file, so that a page of leads fits into memory.
pub(super) const MAX_COLUMNS: usize = 1_000;

/// From this many digits on, a header cell without letters is a phone number, and the header a lead.
const NUMBER_DIGITS: usize = 7;

// Names as `plain` leaves them. Of several columns that would do, the one named further to the
// front is taken; the others become attributes.
const PHONE: [&str; 32] = [
    "phone",
    "phonenumber",
    "phoneno",
    "primaryphone",
    "phone1",
    "mobile",
    "mobilenumber",
    "mobileno",
    "mobilephone",
    "mobilephonenumber",
    "cell",
    "cellphone",
    "cellnumber",
    "cellphonenumber",
    "customerphone",
    "customermobile",
    "leadphone",
    "contactphone",
    "contactmobile",
    "contactnumber",
    "contactno",
    "telephone",
    "telephonenumber",
    "telephoneno",
    "tel",
    "telno",
    "whatsapp",
    "whatsappnumber",
    "whatsappno",
    "msisdn",
    "contact",
    "number",
];
const NAME: [&str; 8] =
    ["name", "fullname", "customername", "leadname", "contactname", "clientname", "contactperson", "person"];
const FIRST_NAME: [&str; 4] = ["firstname", "givenname", "forename", "fname"];
const LAST_NAME: [&str; 4] = ["lastname", "surname", "familyname", "lname"];
const ZONE: [&str; 4] = ["timezone", "zone", "tz", "timezonename"];
const EXTERNAL_ID: [&str; 8] =
    ["externalid", "leadid", "crmid", "customerid", "contactid", "recordid", "extid", "id"];
const REGION: [&str; 4] = ["region", "regioncode", "isoregion", "iso31662"];
const STATE: [&str; 4] = ["statecode", "provincecode", "stateabbreviation", "stateabbr"];
const COUNTRY: [&str; 5] = ["country", "countrycode", "countryiso", "isocountry", "iso3166"];
const CONSENT: [&str; 3] = ["consent", "consentlevel", "consenttype"];
const CONSENT_SOURCE: [&str; 4] = ["consentsource", "optinsource", "consentform", "sourceofconsent"];
const CONSENT_AT: [&str; 7] =
    ["consentat", "consentdate", "consenttime", "consenttimestamp", "dateofconsent", "optinat", "optindate"];
const CONSENT_EXPIRES: [&str; 4] = ["consentexpires", "consentexpiresat", "consentuntil", "consentexpiry"];
const PRIORITY: [&str; 3] = ["priority", "leadpriority", "callpriority"];

/// Every name by which we know a column.
fn known(plain: &str) -> bool {
    let all: [&[&str]; 14] = [
        &PHONE,
        &NAME,
        &FIRST_NAME,
        &LAST_NAME,
        &ZONE,
        &EXTERNAL_ID,
        &PRIORITY,
        &REGION,
        &STATE,
        &COUNTRY,
        &CONSENT,
        &CONSENT_SOURCE,
        &CONSENT_AT,
        &CONSENT_EXPIRES,
    ];
    all.iter().any(|names| names.contains(&plain))
}

/// Names of a phone column, for people.
pub(super) fn understood() -> [&'static str; 9] {
    [
        "phone",
        "phone number",
        "mobile",
        "mobile no",
        "contact number",
        "telephone",
        "tel",
        "whatsapp",
        "number",
    ]
}

/// Whether one of the names is a phone column's.
pub(super) fn have_phone(names: &[String]) -> bool {
    names.iter().any(|name| PHONE.contains(&plain(name).as_str()))
}

/// Where the parts of a lead stand, as indices of a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Columns {
    /// The names as they stand in the file, and `column_7` for one without.
    pub(super) names: Vec<String>,
    pub(super) phone: usize,
    /// In the order in which they make the whole name.
    pub(super) name: Vec<usize>,
    pub(super) zone: Option<usize>,
    pub(super) external_id: Option<usize>,
    pub(super) priority: Option<usize>,
    pub(super) region: Option<usize>,
    pub(super) state: Option<usize>,
    pub(super) country: Option<usize>,
    pub(super) consent: Option<usize>,
    pub(super) consent_source: Option<usize>,
    pub(super) consent_at: Option<usize>,
    pub(super) consent_expires: Option<usize>,
    pub(super) attributes: Vec<usize>,
}

impl Columns {
    pub(super) fn of(header: &[String]) -> Result<Self, ImportError> {
        if header.len() > MAX_COLUMNS {
            return Err(ImportError::TooManyColumns(header.len()));
        }
        let names: Vec<String> = header.iter().enumerate().map(|(index, name)| named(index, name)).collect();
        let plain: Vec<String> = names.iter().map(|name| plain(name)).collect();
        let find =
            |wanted: &[&str]| wanted.iter().find_map(|wanted| plain.iter().position(|name| name == wanted));
        let Some(phone) = find(&PHONE) else {
            let looks_like_a_lead = names.iter().any(|name| is_number(name));
            return Err(if looks_like_a_lead {
                ImportError::NoHeader
            } else {
                ImportError::NoPhoneColumn { seen: names }
            });
        };
        refuse_duplicates(&names, &plain)?;
        let name = match find(&NAME) {
            Some(whole) => vec![whole],
            None => [find(&FIRST_NAME), find(&LAST_NAME)].into_iter().flatten().collect(),
        };
        let mut columns = Self {
            phone,
            name,
            zone: find(&ZONE),
            external_id: find(&EXTERNAL_ID),
            priority: find(&PRIORITY),
            region: find(&REGION),
            state: find(&STATE),
            country: find(&COUNTRY),
            consent: find(&CONSENT),
            consent_source: find(&CONSENT_SOURCE),
            consent_at: find(&CONSENT_AT),
            consent_expires: find(&CONSENT_EXPIRES),
            attributes: vec![],
            names,
        };
        let attribute = |index: &usize| !columns.understood(*index);
        columns.attributes = (0..columns.names.len()).filter(attribute).collect();
        Ok(columns)
    }

    /// A list of numbers: one column counts, and the others are of no concern. `None` if none has them.
    pub(super) fn of_numbers(header: &[String]) -> Option<Self> {
        let names: Vec<String> = header.iter().enumerate().map(|(index, name)| named(index, name)).collect();
        let plain: Vec<String> = names.iter().map(|name| plain(name)).collect();
        let phone = PHONE.iter().find_map(|wanted| plain.iter().position(|name| name == wanted))?;
        Some(Self::only_phone(phone, names))
    }

    /// Nothing but numbers, in a column of which only the place is known.
    pub(super) fn only_phone(phone: usize, names: Vec<String>) -> Self {
        Self {
            phone,
            names,
            name: vec![],
            zone: None,
            external_id: None,
            priority: None,
            region: None,
            state: None,
            country: None,
            consent: None,
            consent_source: None,
            consent_at: None,
            consent_expires: None,
            attributes: vec![],
        }
    }

    fn understood(&self, index: usize) -> bool {
        let single = [
            Some(self.phone),
            self.zone,
            self.external_id,
            self.priority,
            self.region,
            self.state,
            self.country,
            self.consent,
            self.consent_source,
            self.consent_at,
            self.consent_expires,
        ];
        single.contains(&Some(index)) || self.name.contains(&index)
    }
}

/// A header on one line, as sheets break long ones.
fn named(index: usize, name: &str) -> String {
    let words: Vec<&str> = name.split_whitespace().collect();
    if words.is_empty() { format!("column_{}", index + 1) } else { words.join(" ") }
}

/// A name without case, spaces and punctuation: `Mobile No.` and `mobile_no` are one.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn is_number(name: &str) -> bool {
    let digits = name.chars().filter(char::is_ascii_digit).count();
    digits >= NUMBER_DIGITS && !name.contains(char::is_alphabetic)
}

/// Columns that we know by name are the same in any spelling; of others `Price ($)` and
/// `Price (€)` may be two.
fn refuse_duplicates(names: &[String], plain: &[String]) -> Result<(), ImportError> {
    let mut places: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, (name, plain)) in names.iter().zip(plain).enumerate() {
        let key = if known(plain) { plain.clone() } else { name.to_lowercase() };
        places.entry(key).or_default().push(index);
    }
    let mut twice: Vec<Vec<usize>> = places.into_values().filter(|places| places.len() > 1).collect();
    twice.sort_unstable();
    if twice.is_empty() {
        return Ok(());
    }
    let told = |places: &Vec<usize>| {
        let spelt: Vec<&str> = places.iter().map(|index| names[*index].as_str()).collect();
        match spelt.as_slice() {
            [first, rest @ ..] if rest.iter().all(|name| name == first) => (*first).to_owned(),
            spelt => spelt.join("` = `"),
        }
    };
    Err(ImportError::DuplicateColumns(twice.iter().map(told).collect()))
}
