//! Recordings that a carrier does not give out, or does not delete.

use http::StatusCode;

use crate::{
    dialect::{Asked, Dialect},
    over_plivo, over_twilio,
    poison::sql,
    support,
    voicemail::{self, PLIVO, Stage, TWILIO, Way, lines, rules},
};

const PARKED: &str = "SELECT COUNT(*) FROM outbox WHERE state = 'parked'";
const OWED: &str = "SELECT COUNT(*) FROM outbox WHERE state IN ('ready', 'sending')";

/// A recording that could not be fetched in time is lost to whoever was called, and not deleted: the
/// carrier's is the only one.
#[tokio::test]
async fn a_recording_that_could_not_be_fetched_stays_there() {
    static GONE: Way = Way {
        dialect: Dialect {
            answer: |asked| match asked.line.split(' ').next() {
                Some("GET") => (StatusCode::NOT_FOUND, String::new()),
                _ => (over_twilio::DIALECT.answer)(asked),
            },
            ..over_twilio::DIALECT
        },
        ..TWILIO
    };
    for database in support::databases().await {
        let stage = Stage::open(&GONE, &database, rules()).await;
        let greeting = stage.unanswered().await;
        stage.recorded(&greeting).await;
        assert_eq!(stage.api().await["voicemail"]["state"], "wanted");
        stage.later(13 * 3_600_000).await;
        assert_eq!(stage.api().await["voicemail"]["state"], "refused");
        stage.later(3_600_000).await;
        let asked = stage.scene.asked();
        assert_eq!((lines(&asked, "GET ").len(), lines(&asked, "DELETE ").len()), (2, 0));
        assert_eq!((sql(&database, PARKED).await, sql(&database, OWED).await), (1, 0));
        assert_eq!(stage.told().await, 0);
        stage.end(database).await;
    }
}

fn refusing(asked: &Asked, how: StatusCode) -> (StatusCode, String) {
    match asked.line.split(' ').next() {
        Some("DELETE") => (how, String::new()),
        _ => voicemail::with_recording(asked, over_plivo::DIALECT.answer),
    }
}

/// Where a carrier refuses to delete its copy, it is asked again as long as our settings may be what is wrong;
/// after any other refusal not, and that is told by the state of what was owed.
#[tokio::test]
async fn a_recording_that_is_not_deleted_is_not_forgotten() {
    static UNPAID: Way = Way {
        dialect: Dialect {
            answer: |asked| refusing(asked, StatusCode::PAYMENT_REQUIRED),
            ..over_plivo::DIALECT
        },
        ..PLIVO
    };
    static REFUSED: Way = Way {
        dialect: Dialect {
            answer: |asked| refusing(asked, StatusCode::BAD_REQUEST),
            ..over_plivo::DIALECT
        },
        ..PLIVO
    };
    for (way, tries, given_up) in [(&UNPAID, 2, 0), (&REFUSED, 1, 1)] {
        for database in support::databases().await {
            let stage = Stage::open(way, &database, rules()).await;
            let greeting = stage.unanswered().await;
            stage.recorded(&greeting).await;
            stage.later(2_000).await;
            assert_eq!(lines(&stage.scene.asked(), "DELETE ").len(), tries);
            assert_eq!(sql(&database, PARKED).await, given_up);
            stage.later(73 * 3_600_000).await;
            assert_eq!((sql(&database, PARKED).await, sql(&database, OWED).await), (1, 0));
            stage.end(database).await;
        }
    }
}
