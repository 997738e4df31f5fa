#!/usr/bin/env python3
"""Writes workflows/src/places/numbers.txt: where a phone number may be, by its first digits.

    python3 -m venv venv && venv/bin/pip install phonenumbers==9.0.43 regex tzdata
    venv/bin/python workflows/data/make_places.py

The data is that of Google's libphonenumber (Apache-2.0), as packaged on PyPI as
`phonenumbers`: its time zones by prefix, its English place names by prefix, and its
numbering plans. In doubt a prefix gets more zones and more areas, never fewer:

- What the plans do not know as a fixed line (mobiles, internet lines, ranges not
  assigned) may be anywhere in its country. Not so in North America, where mobiles have
  area codes like everyone else; a ported number is then judged by its area code.
- Prefixes in which fixed and other lines mix beyond DEPTH digits count as mobile.
- An area code of North America has one answer, though exchanges in it may lie in different
  zones: numbers move between them.
- Australia is written out here: the package files most of Queensland, which has no summer
  time, under Sydney, and its states share area codes along their borders.
"""

import datetime
import os
import sys

import phonenumbers
import regex
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata
from phonenumbers.geodata import GEOCODE_DATA
from phonenumbers.tzdata import TIMEZONE_DATA
import importlib.resources

# Digits after the country code beyond which a mixed prefix is not looked into further.
DEPTH = 6

OUT = os.path.join(os.path.dirname(__file__), "..", "src", "places", "numbers.txt")

STATES = {
    "Alabama": "US-AL", "Alaska": "US-AK", "Arizona": "US-AZ", "Arkansas": "US-AR", "California": "US-CA",
    "Colorado": "US-CO", "Connecticut": "US-CT", "Delaware": "US-DE", "Washington D.C.": "US-DC",
    "Florida": "US-FL", "Georgia": "US-GA", "Hawaii": "US-HI", "Idaho": "US-ID", "Illinois": "US-IL",
    "Indiana": "US-IN", "Iowa": "US-IA", "Kansas": "US-KS", "Kentucky": "US-KY", "Louisiana": "US-LA",
    "Maine": "US-ME", "Maryland": "US-MD", "Massachusetts": "US-MA", "Michigan": "US-MI",
    "Minnesota": "US-MN", "Mississippi": "US-MS", "Missouri": "US-MO", "Montana": "US-MT",
    "Nebraska": "US-NE", "Nevada": "US-NV", "New Hampshire": "US-NH", "New Jersey": "US-NJ",
    "New Mexico": "US-NM", "New York": "US-NY", "North Carolina": "US-NC", "North Dakota": "US-ND",
    "Ohio": "US-OH", "Oklahoma": "US-OK", "Oregon": "US-OR", "Pennsylvania": "US-PA",
    "Rhode Island": "US-RI", "South Carolina": "US-SC", "South Dakota": "US-SD", "Tennessee": "US-TN",
    "Texas": "US-TX", "Utah": "US-UT", "Vermont": "US-VT", "Virginia": "US-VA",
    "Washington State": "US-WA", "West Virginia": "US-WV", "Wisconsin": "US-WI", "Wyoming": "US-WY",
    "Alberta": "CA-AB", "British Columbia": "CA-BC", "British Colombia": "CA-BC", "Manitoba": "CA-MB",
    "New Brunswick": "CA-NB", "Newfoundland and Labrador": "CA-NL", "Nova Scotia": "CA-NS",
    "Prince Edward Island": "CA-PE", "Northwest Territories": "CA-NT", "Nunavut": "CA-NU",
    "Yukon": "CA-YT", "Ontario": "CA-ON", "Quebec": "CA-QC", "Saskatchewan": "CA-SK",
}
POSTAL = {area[3:]: area for area in STATES.values()}

# Area codes that cross a border or lie beside what the place names say.
ALSO = {
    "1902": ["CA-NS", "CA-PE"], "1782": ["CA-NS", "CA-PE"],
    "1867": ["CA-YT", "CA-NT", "CA-NU"],
}
# 867 spans three territories and five clocks; the package knows one of them.
NORTH = ["America/Whitehorse", "America/Yellowknife", "America/Inuvik", "America/Rankin_Inlet",
         "America/Iqaluit", "America/Resolute"]
# By area code: zones and states, with those that reach over a state's border.
AUSTRALIA = {
    "612": (["Australia/Lord_Howe", "Australia/Sydney"], ["AU-ACT", "AU-NSW", "AU-VIC"]),
    "613": (["Australia/Hobart", "Australia/Melbourne"], ["AU-NSW", "AU-TAS", "AU-VIC"]),
    "617": (["Australia/Brisbane", "Australia/Sydney"], ["AU-NSW", "AU-QLD"]),
    "618": (["Australia/Adelaide", "Australia/Broken_Hill", "Australia/Darwin", "Australia/Eucla",
             "Australia/Perth"], ["AU-NSW", "AU-NT", "AU-SA", "AU-WA"]),
}
AUSTRALIA_ALL = ["AU-ACT", "AU-NSW", "AU-NT", "AU-QLD", "AU-SA", "AU-TAS", "AU-VIC", "AU-WA", "CC", "CX"]


def links():
    """Old names of zones, and what the IANA database calls them now."""
    found = {}
    text = importlib.resources.files("tzdata").joinpath("zoneinfo/tzdata.zi").read_text()
    for line in text.splitlines():
        if line.startswith("L "):
            _, target, name = line.split()
            found[name] = target
    return found


LINKS = links()
# Names that IANA replaced by another spelling of the same city, or another capital.
RENAMED = {"Asia/Calcutta": "Asia/Kolkata", "Asia/Katmandu": "Asia/Kathmandu", "Asia/Rangoon": "Asia/Yangon",
           "Asia/Saigon": "Asia/Ho_Chi_Minh", "America/Godthab": "America/Nuuk", "Europe/Kiev": "Europe/Kyiv",
           "Europe/Uzhgorod": "Europe/Kyiv", "Europe/Zaporozhye": "Europe/Kyiv",
           "America/Buenos_Aires": "America/Argentina/Buenos_Aires", "Atlantic/Faeroe": "Atlantic/Faroe",
           "Pacific/Ponape": "Pacific/Pohnpei", "Pacific/Truk": "Pacific/Chuuk",
           "Africa/Asmera": "Africa/Asmara", "Asia/Dacca": "Asia/Dhaka"}


def zones(names):
    """The zones without doubles: one whose clock is another's by definition goes."""
    named = sorted({RENAMED.get(name, name) for name in names})
    return tuple(zone for zone in named if not (zone in LINKS and LINKS[zone] in named))


def all_zones(code):
    """Every zone of a country code, as far as any prefix of it is known to be in one."""
    found = set()
    for prefix, names in TIMEZONE_DATA.items():
        if prefix.startswith(code):
            found.update(names)
    return zones(found)


KINDS = ["fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "voip", "personal_number",
         "pager", "uan", "voicemail"]


def plans(code):
    found = []
    for region in COUNTRY_CODE_TO_REGION_CODE[int(code)]:
        if region == "001":
            metadata = PhoneMetadata.metadata_for_nongeo_region(int(code))
        else:
            metadata = PhoneMetadata.metadata_for_region(region)
        patterns = {}
        for kind in KINDS:
            pattern = getattr(metadata, kind).national_number_pattern if getattr(metadata, kind) else None
            if pattern and pattern != "NA":
                patterns[kind] = regex.compile("(?:%s)" % pattern)
        leading = metadata.leading_digits
        found.append((region, patterns, regex.compile(leading) if leading else None))
    return found


def may_begin(pattern, digits):
    return pattern.fullmatch(digits, partial=True) is not None


def known(plan, digits):
    """Kinds of lines of a region whose numbers may begin with `digits`."""
    _, patterns, leading = plan
    # Leading digits tell regions of a shared code apart, where they are given.
    if leading and not (leading.match(digits) or leading.fullmatch(digits, partial=True)):
        return set()
    return {kind for kind, pattern in patterns.items() if may_begin(pattern, digits)}


def walk(code, visit, digits=""):
    """Goes down the digits as long as `visit` says that the answer still varies."""
    if visit(digits):
        for digit in "0123456789":
            walk(code, visit, digits + digit)


def zone_table():
    table = {}
    for code in sorted({str(code) for code in COUNTRY_CODE_TO_REGION_CODE}):
        regions = COUNTRY_CODE_TO_REGION_CODE[int(code)]
        if regions == ("001",):
            continue  # A number of no country has no clock.
        everywhere = all_zones(code)
        if not everywhere:
            continue
        table[code] = everywhere
        if len(everywhere) == 1 or code == "61":
            continue
        by_prefix = {p: zones(names) for p, names in TIMEZONE_DATA.items() if p.startswith(code) and p != code}
        if code == "1":
            # Numbers move between the exchanges of an area code, so that it has one answer.
            for area in {p[:4] for p in by_prefix}:
                table[area] = zones({name for p in by_prefix if p[:4] == area for name in by_prefix[p]})
            continue
        of_code = plans(code)

        def visit(digits, code=code, of_code=of_code, by_prefix=by_prefix, everywhere=everywhere):
            kinds = set().union(*(known(plan, digits) for plan in of_code))
            prefix = code + digits
            deeper = [p for p in by_prefix if p.startswith(prefix) and p != prefix]
            longest = next((prefix[:n] for n in range(len(prefix), len(code), -1) if prefix[:n] in by_prefix), None)
            if not kinds or "fixed_line" not in kinds:
                table[prefix] = everywhere
                return False
            if kinds == {"fixed_line"}:
                if longest:
                    table[prefix] = by_prefix[longest]
                for p in deeper:
                    table[p] = by_prefix[p]
                return False
            if len(digits) >= DEPTH:
                table[prefix] = everywhere
                return False
            return True

        walk(code, visit)
    table["1867"] = zones(NORTH)
    for prefix, (names, _) in AUSTRALIA.items():
        table[prefix] = zones(names)
    for prefix, names in TIMEZONE_DATA.items():  # The islands beside Australia have ranges of their own.
        if prefix.startswith("618") and set(names) <= {"Indian/Christmas", "Indian/Cocos"}:
            table[prefix] = zones(names)
    return table


def states_named(text):
    """The states that a place name tells: `Florida`, `New York, NY`, `A/B`."""
    found = set()
    for part in text.split("/"):
        part = part.strip()
        if part in STATES:
            found.add(STATES[part])
        elif ", " in part and part.rsplit(", ", 1)[1] in POSTAL:
            found.add(POSTAL[part.rsplit(", ", 1)[1]])
        else:
            return None
    return found


def area_table():
    table = {}
    for code in sorted({str(code) for code in COUNTRY_CODE_TO_REGION_CODE}):
        regions = tuple(sorted(COUNTRY_CODE_TO_REGION_CODE[int(code)]))
        if regions == ("001",):
            continue
        table[code] = regions
        if len(regions) == 1 or code in ("1", "61"):
            continue
        of_code = plans(code)

        def visit(digits, code=code, of_code=of_code, regions=regions):
            names = tuple(sorted(plan[0] for plan in of_code if known(plan, digits)))
            if not names or names == regions and len(digits) >= DEPTH:
                table[code + digits] = regions
                return False
            if len(names) == 1 or len(digits) >= DEPTH:
                table[code + digits] = names
                return False
            return True

        walk(code, visit)
    nanp = COUNTRY_CODE_TO_REGION_CODE[1]
    for region in nanp:
        leading = PhoneMetadata.metadata_for_region(region).leading_digits
        if leading is None:
            continue
        for area in range(200, 1000):
            if regex.compile(leading).fullmatch(str(area)):
                table["1%d" % area] = (region,)
    for prefix in sorted(p for p in GEOCODE_DATA if p.startswith("1") and len(p) == 4):
        named = states_named(GEOCODE_DATA[prefix].get("en", ""))
        if named:
            table[prefix] = tuple(sorted(named))
    # Area codes without a name of their own, by the places filed under them.
    for area in sorted({p[:4] for p in GEOCODE_DATA if p.startswith("1") and len(p) > 4}):
        if area in table:
            continue
        named = [states_named(names.get("en", "")) for p, names in GEOCODE_DATA.items() if p.startswith(area)]
        if named and all(named):
            table[area] = tuple(sorted(set().union(*named)))
    for prefix, areas in ALSO.items():
        table[prefix] = tuple(sorted(areas))
    table["61"] = tuple(AUSTRALIA_ALL)
    for prefix, (_, areas) in AUSTRALIA.items():
        table[prefix] = tuple(areas)
    for prefix, names in TIMEZONE_DATA.items():
        if prefix.startswith("618") and set(names) <= {"Indian/Christmas", "Indian/Cocos"}:
            table[prefix] = tuple(sorted({"Indian/Christmas": "CX", "Indian/Cocos": "CC"}[n] for n in names))
    return table


def compact(table):
    """Ten siblings that agree are one prefix, and what a shorter prefix says is not repeated."""
    table, kept = dict(table), {}
    for length in range(max(map(len, table)), 1, -1):
        for parent in {p[:-1] for p in table if len(p) == length}:
            children = [parent + digit for digit in "0123456789"]
            said = {table.get(child) for child in children}
            if len(said) == 1 and None not in said:
                table[parent] = said.pop()
    for prefix in sorted(table, key=len):
        above = next((kept[prefix[:n]] for n in range(len(prefix) - 1, 0, -1) if prefix[:n] in kept), None)
        if above != table[prefix]:
            kept[prefix] = table[prefix]
    return kept


def write(out, letter, table):
    sets = sorted(set(table.values()))
    for number, members in enumerate(sets):
        out.write("%s %d %s\n" % (letter.upper(), number, " ".join(members)))
    by_set = {}
    for prefix, members in table.items():
        by_set.setdefault(sets.index(members), []).append(prefix)
    for number in sorted(by_set):
        out.write("%s %d %s\n" % (letter, number, " ".join(sorted(by_set[number]))))


def main():
    zone, area = compact(zone_table()), compact(area_table())
    with open(OUT, "w") as out:
        out.write("# Where a phone number may be, by its first digits. Generated by workflows/data/make_places.py.\n")
        out.write("# Z and A number a set of zones and of areas; z and a list the prefixes of a set.\n")
        out.write("# Contains data of libphonenumber, copyright its authors, Apache-2.0.\n")
        out.write("version phonenumbers-%s\n" % phonenumbers.__version__)
        out.write("made %s\n" % datetime.date.today().isoformat())
        write(out, "z", zone)
        write(out, "a", area)
    print("%d zone prefixes, %d area prefixes" % (len(zone), len(area)), file=sys.stderr)


if __name__ == "__main__":
    main()
