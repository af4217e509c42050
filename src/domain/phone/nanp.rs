//! Area codes under +1: which share a place, and which are near.
//!
//! The overlays are those of the United States, Canada and the Caribbean by the end of 2025, as far
//! as libphonenumber's data knows the codes; a test holds each place to one country of that data.
//! The centres in `nanp_centres.csv` are those of the areas' outlines (area-code-locator 0.2.1, MIT),
//! rounded to a tenth of a degree (some 10 km); a code that was laid over others has theirs. A code
//! that is missing here costs a match, never a wrong one: it shares its place with none.

use std::{collections::BTreeSet, sync::LazyLock};

/// Places with several area codes. A code that covers several places is in several rows.
const OVERLAYS: &[&[&str]] = &[
    &["201", "551"],
    &["202", "771"],
    &["203", "475"],
    &["204", "431", "584"],
    &["205", "659"],
    &["206", "564"],
    &["208", "986"],
    &["209", "350"],
    &["210", "726"],
    &["212", "332", "646", "917"],
    &["213", "323", "738"],
    &["214", "469", "945", "972"],
    &["215", "267", "445"],
    &["217", "447"],
    &["220", "740"],
    &["223", "717"],
    &["224", "847"],
    &["226", "382", "519", "548"],
    &["227", "240", "301"],
    &["234", "330"],
    &["235", "573"],
    &["236", "250", "257", "672", "778"],
    &["236", "257", "604", "672", "778"],
    &["248", "947"],
    &["249", "683", "705"],
    &["253", "564"],
    &["256", "938"],
    &["263", "438", "514"],
    &["270", "364"],
    &["272", "570"],
    &["273", "367", "418", "581"],
    &["274", "920"],
    &["279", "916"],
    &["281", "346", "713", "832"],
    &["283", "513"],
    &["289", "365", "742", "905"],
    &["303", "720", "983"],
    &["304", "681"],
    &["305", "645", "786"],
    &["306", "474", "639"],
    &["310", "424"],
    &["312", "872"],
    &["314", "557"],
    &["315", "680"],
    &["317", "463"],
    &["321", "407", "689"],
    &["324", "904"],
    &["326", "937"],
    &["327", "870"],
    &["329", "845"],
    &["331", "630"],
    &["336", "743"],
    &["339", "781"],
    &["341", "510"],
    &["343", "613", "753"],
    &["347", "718", "917", "929"],
    &["351", "978"],
    &["353", "608"],
    &["354", "450", "579"],
    &["360", "564"],
    &["363", "516"],
    &["368", "403", "587", "825"],
    &["368", "587", "780", "825"],
    &["369", "707"],
    &["380", "614"],
    &["385", "801"],
    &["402", "531"],
    &["404", "470", "678", "943"],
    &["405", "572"],
    &["408", "669"],
    &["410", "443", "667"],
    &["412", "878"],
    &["415", "628"],
    &["416", "437", "647", "942"],
    &["419", "567"],
    &["425", "564"],
    &["428", "506"],
    &["430", "903"],
    &["442", "760"],
    &["448", "850"],
    &["458", "541"],
    &["464", "708"],
    &["468", "819", "873"],
    &["470", "678", "770", "943"],
    &["472", "910"],
    &["480", "602", "623"],
    &["484", "610", "835"],
    &["503", "971"],
    &["508", "774"],
    &["512", "737"],
    &["518", "838"],
    &["534", "715"],
    &["539", "918"],
    &["540", "826"],
    &["561", "728"],
    &["571", "703"],
    &["582", "814"],
    &["601", "769"],
    &["609", "640"],
    &["615", "629"],
    &["617", "857"],
    &["618", "730"],
    &["619", "858"],
    &["631", "934"],
    &["656", "813"],
    &["657", "714"],
    &["658", "876"],
    &["682", "817"],
    &["686", "804"],
    &["702", "725"],
    &["704", "980"],
    &["706", "762"],
    &["709", "879"],
    &["724", "878"],
    &["732", "848"],
    &["747", "818"],
    &["748", "970"],
    &["754", "954"],
    &["757", "948"],
    &["773", "872"],
    &["779", "815"],
    &["782", "902"],
    &["787", "939"],
    &["803", "839"],
    &["805", "820"],
    &["809", "829", "849"],
    &["812", "930"],
    &["816", "975"],
    &["821", "864"],
    &["840", "909"],
    &["843", "854"],
    &["860", "959"],
    &["862", "973"],
    &["919", "984"],
];

/// The three-digit area code of a number under +1; empty for any other.
pub(super) fn area(number: &str) -> &str {
    number.strip_prefix("+1").and_then(|rest| rest.get(..3)).unwrap_or_default()
}

/// Area codes under +1 that belong to no place and are free for the caller.
const TOLL_FREE: [&str; 7] = ["800", "833", "844", "855", "866", "877", "888"];

/// Whether an area code is a toll-free one.
pub fn is_toll_free(area: &str) -> bool {
    TOLL_FREE.contains(&area)
}

/// The area codes that share a place with `area`, itself among them, in order. Empty for an area
/// that shares its place with none.
pub fn overlay(area: &str) -> Vec<&'static str> {
    let places = OVERLAYS.iter().filter(|place| place.contains(&area));
    places.flat_map(|place| place.iter().copied()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The area codes of the United States, Canada and Puerto Rico whose centre is within `km`
/// kilometres of the centre of `area`, itself first, then the nearest first. Empty for an area
/// without a known centre.
///
/// Centres stand for whole areas, so this answers "the next area over", not "the next street".
pub fn near(area: &str, km: u16) -> Vec<&'static str> {
    let Some(from) = CENTRES.iter().find(|centre| centre.area == area) else { return Vec::new() };
    let mut found: Vec<(f64, &str)> = CENTRES
        .iter()
        .map(|to| (if to.area == area { -1.0 } else { from.km_to(to) }, to.area))
        .filter(|(distance, _)| *distance <= f64::from(km))
        .collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(b.1)));
    found.into_iter().map(|(_, area)| area).collect()
}

/// The middle of an area, in degrees.
struct Centre {
    area: &'static str,
    latitude: f64,
    longitude: f64,
}

impl Centre {
    fn read(line: &'static str) -> Option<Self> {
        let mut fields = line.split(',');
        Some(Self {
            area: fields.next()?,
            latitude: fields.next()?.parse().ok()?,
            longitude: fields.next()?.parse().ok()?,
        })
    }

    /// Great-circle distance (haversine), on a sphere of 6,371 km.
    fn km_to(&self, other: &Self) -> f64 {
        let (from, to) = (self.latitude.to_radians(), other.latitude.to_radians());
        let north = ((to - from) / 2.0).sin();
        let east = ((other.longitude - self.longitude).to_radians() / 2.0).sin();
        let chord = north.mul_add(north, from.cos() * to.cos() * east * east);
        2.0 * 6371.0 * chord.sqrt().min(1.0).asin()
    }
}

/// The table of centres; a test holds that every line is read.
static CENTRES: LazyLock<Vec<Centre>> = LazyLock::new(|| {
    include_str!("nanp_centres.csv").lines().skip(1).filter_map(Centre::read).collect()
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::phone::ProxyNumber;

    fn country(area: &str) -> Option<String> {
        let number = ProxyNumber::parse(&format!("+1{area}5550100")).unwrap();
        number.country().map(|country| country.to_string())
    }

    /// Every place has several codes, in order, all of one country, all known to the metadata.
    #[test]
    fn overlays_are_of_one_country() {
        for place in OVERLAYS {
            assert!(place.len() > 1 && place.is_sorted_by(|a, b| a < b), "{place:?}");
            let countries: BTreeSet<_> = place.iter().map(|area| country(area)).collect();
            assert_eq!(countries.len(), 1, "{place:?}");
            assert!(!countries.contains(&None), "{place:?}");
        }
        assert!(OVERLAYS.is_sorted());
    }

    /// A code shares its place with those laid over it, and a code over two places with both.
    #[test]
    fn overlays_are_found_from_any_code() {
        assert_eq!(overlay("310"), ["310", "424"]);
        assert_eq!(overlay("424"), ["310", "424"]);
        assert_eq!(overlay("212"), ["212", "332", "646", "917"]);
        assert_eq!(overlay("917"), ["212", "332", "347", "646", "718", "917", "929"]);
        assert_eq!(overlay("416"), ["416", "437", "647", "942"]);
        assert!(overlay("802").is_empty());
        assert!(overlay("").is_empty());
        assert!(overlay("31").is_empty());
    }

    /// Every line of the table is read, once per area, within the continent's bounds, and every
    /// geographic code of the three countries that the metadata knows has one.
    #[test]
    fn every_area_has_a_centre() {
        let lines = include_str!("nanp_centres.csv").lines().count();
        assert_eq!(CENTRES.len(), lines - 1);
        assert!(CENTRES.is_sorted_by(|a, b| a.area < b.area));
        for centre in CENTRES.iter() {
            assert!((17.0..72.0).contains(&centre.latitude), "{}", centre.area);
            assert!((-160.0..-52.0).contains(&centre.longitude), "{}", centre.area);
        }
        for area in (200..1000).map(|n| n.to_string()) {
            let number = ProxyNumber::parse(&format!("+1{area}2345678")).unwrap();
            let geographic = number.kind() == super::super::Kind::FixedOrMobile
                && matches!(country(&area).as_deref(), Some("US" | "CA" | "PR"));
            let listed = CENTRES.iter().any(|centre| centre.area == area);
            assert!(listed || !geographic, "{area}");
            assert!(
                !listed || matches!(country(&area).as_deref(), Some("US" | "CA" | "PR")),
                "{area}"
            );
        }
    }

    /// Nearness is nearness on the map, in kilometres.
    #[test]
    fn near_is_near_on_the_map() {
        // New York's Manhattan: itself first, then what is laid over it, Brooklyn, Jersey City.
        let found = near("212", 40);
        assert_eq!(found[0], "212");
        for area in ["332", "646", "917", "718", "347", "201"] {
            assert!(found.contains(&area), "{area} of {found:?}");
        }
        assert!(!found.contains(&"215") && near("212", 200).contains(&"215"));
        assert!(near("212", 0).contains(&"212"));
        assert!(near("876", 100).is_empty());
        let centre = |area| CENTRES.iter().find(|c| c.area == area).unwrap();
        // New York to Los Angeles is some 3,940 km.
        let km = centre("212").km_to(centre("213"));
        assert!((3900.0..3980.0).contains(&km), "{km}");
    }

    /// The toll-free codes are those of the metadata.
    #[test]
    fn toll_free_codes_are_known() {
        for area in (200..1000).map(|n| n.to_string()) {
            let number = ProxyNumber::parse(&format!("+1{area}2345678")).unwrap();
            let free = number.kind() == super::super::Kind::TollFree;
            assert_eq!(is_toll_free(&area), free, "{area}");
        }
    }

    /// Only numbers under +1 have an area code.
    #[test]
    fn areas_are_of_plus_one() {
        assert_eq!(area("+14155550100"), "415");
        assert_eq!(area("+447700900123"), "");
    }
}
