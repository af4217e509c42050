//! One node at a time compares a carrier's lists.

use super::*;
use crate::{domain::interaction::Kind, store::reconciled};

db_test!(turns_are_fenced,);

/// A turn is one node's until its lease ends; whoever lost it moves nothing any more, and what was
/// compared never goes back.
async fn turns_are_fenced(lab: &Lab) {
    commit!(lab.db, [], |tx| {
        let first = reconciled::claim(tx, "a", Kind::Message, at(10), at(50)).await?.unwrap();
        assert_eq!(first.listed_to, Timestamp::EPOCH);
        assert!(reconciled::claim(tx, "a", Kind::Message, at(49), at(99)).await?.is_none());
        assert!(reconciled::claim(tx, "a", Kind::Call, at(10), at(50)).await?.is_some());
        assert!(reconciled::claim(tx, "b", Kind::Message, at(10), at(50)).await?.is_some());
        let second = reconciled::claim(tx, "a", Kind::Message, at(50), at(90)).await?.unwrap();
        assert!(!reconciled::finish(tx, &first, at(40), at(50)).await?);
        assert!(reconciled::finish(tx, &second, at(45), at(60)).await?);
        let third = reconciled::claim(tx, "a", Kind::Message, at(60), at(90)).await?.unwrap();
        assert_eq!(third.listed_to, at(45));
        assert!(reconciled::finish(tx, &third, Timestamp::EPOCH, at(70)).await?);
        let fourth = reconciled::claim(tx, "a", Kind::Message, at(70), at(90)).await?.unwrap();
        assert_eq!(fourth.listed_to, at(45));
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
}
