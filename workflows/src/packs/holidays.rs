//! Public holidays by country and part, for the years that the table covers.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::NaiveDate;

use crate::places::Area;

/// The table, as `workflows/data/make_holidays.py` made it.
pub(crate) const TEXT: &str = include_str!("holidays.txt");

/// The last day of which the table knows whether it is a holiday.
pub static LAST_DAY: LazyLock<NaiveDate> = LazyLock::new(|| TABLE.last);

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(TEXT).expect("the table was tested"));

/// The data's name and version, as `holidays-0.108`.
pub(super) fn version() -> &'static str {
    TABLE.version
}

struct Table {
    version: &'static str,
    first: NaiveDate,
    last: NaiveDate,
    /// By the area as it is written; each list in order.
    days: BTreeMap<&'static str, Vec<NaiveDate>>,
}

/// The public holidays of some areas together.
#[derive(Clone, Debug, Default)]
pub struct Holidays {
    lists: Vec<&'static [NaiveDate]>,
}

impl Holidays {
    /// Every day that may be a holiday for somebody in an area: its own and its country's, and
    /// those of every part of the country if the part is not known, or none of its days are.
    /// `None` for a country that the table lacks.
    pub fn possible_in(area: Area) -> Option<Self> {
        let mut all = Self::certain_in(area)?;
        if all.lists.len() < 2 {
            let parts = format!("{}-", area.country());
            let parts = TABLE.days.iter().filter(|(name, _)| name.starts_with(&parts));
            all.lists.extend(parts.map(|(_, days)| days.as_slice()));
        }
        Some(all)
    }

    /// The days that are holidays in the whole country, and those of the part, where it is
    /// known. `None` for a country that the table lacks.
    pub fn certain_in(area: Area) -> Option<Self> {
        let national = TABLE.days.get(area.country().as_str())?;
        let own = area.has_part().then(|| TABLE.days.get(area.to_string().as_str())).flatten();
        Some(Self { lists: [national].into_iter().chain(own).map(Vec::as_slice).collect() })
    }

    /// Adds others.
    pub fn add(&mut self, others: Self) {
        self.lists.extend(others.lists);
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// Whether the day is among them.
    pub fn contains(&self, day: NaiveDate) -> bool {
        self.lists.iter().any(|days| days.binary_search(&day).is_ok())
    }

    /// Whether the table covers the day.
    pub fn covers(day: NaiveDate) -> bool {
        (TABLE.first..=TABLE.last).contains(&day)
    }
}

impl Table {
    fn read(text: &'static str) -> Option<Self> {
        let (mut version, mut covers, mut days) = ("", None, BTreeMap::new());
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, rest) = line.split_once(' ')?;
            match name {
                "version" => version = rest,
                "made" => {}
                "covers" => {
                    let (first, last) = rest.split_once(' ')?;
                    covers = Some((first.parse().ok()?, last.parse().ok()?));
                }
                area => drop(days.insert(area, read_days(rest)?)),
            }
        }
        let (first, last) = covers?;
        Some(Self { version, first, last, days })
    }
}

/// `2026 0101 0126 2027 0101`: years of four digits above 1231, months and days below.
fn read_days(text: &str) -> Option<Vec<NaiveDate>> {
    let (mut year, mut days) = (0, Vec::new());
    for word in text.split(' ') {
        let number: u32 = word.parse().ok()?;
        match number > 1231 {
            true => year = i32::try_from(number).ok()?,
            false => days.push(NaiveDate::from_ymd_opt(year, number / 100, number % 100)?),
        }
    }
    days.is_sorted().then_some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a day")
    }

    fn keeps(area: &str, on: &str) -> bool {
        Holidays::possible_in(area.parse().expect("an area"))
            .expect("a country of the table")
            .contains(day(on))
    }

    #[test]
    fn the_table_reads_and_says_what_it_is() {
        let table = Table::read(TEXT).expect("the table reads");
        assert!(table.version.starts_with("holidays-"));
        assert!(table.first <= day("2026-01-01") && table.last >= day("2031-12-31"));
        assert!(table.days.values().flatten().all(|day| (table.first..=table.last).contains(day)));
    }

    #[test]
    fn states_keep_days_of_their_own() {
        assert!(keeps("AU", "2026-12-25") && keeps("AU-NSW", "2026-12-25"));
        // The Melbourne Cup is Victoria's; whoever may be there is spared.
        assert!(keeps("AU-VIC", "2026-11-03") && !keeps("AU-NSW", "2026-11-03") && keeps("AU", "2026-11-03"));
        let certain = Holidays::certain_in("AU".parse().expect("an area")).expect("a country of the table");
        assert!(certain.contains(day("2026-12-25")) && !certain.contains(day("2026-11-03")));
    }
}
