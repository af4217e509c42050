//! What the words of the console must hold together.

use super::*;

/// Every reason has a title, a cause, somebody to act and a next step of its own: no two titles
/// are the same, so that no arm of the tables above catches another's reason.
#[test]
fn every_reason_is_told_apart() {
    for kind in Kind::ALL {
        let mut titles: Vec<&str> =
            Reason::ALL.iter().map(|one| reason(*one, *kind).title).collect();
        titles.sort_unstable();
        titles.dedup();
        assert_eq!(titles.len(), Reason::ALL.len());
    }
    for one in Reason::ALL {
        let why = reason(*one, Kind::Call);
        for text in [why.cause, why.next] {
            assert!(text.ends_with('.'), "{text}");
        }
    }
}
