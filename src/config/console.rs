//! `[console]`: how staff log in.

use std::time::Duration;

use super::{reader::Reader, rules};
use crate::domain::staff::{LoginRules, Role};

const ROLES: &str = "a list of roles, such as [\"supervisor\", \"admin\"]; empty for nobody";

/// The longest age of a password that may be set, in days.
const DAYS_MAX: i64 = 3650;

pub(super) fn console(section: &mut Reader<'_>) -> LoginRules {
    let defaults = LoginRules::default();
    let minutes = |length: Duration| length.as_secs() / 60;
    let mut password_days = defaults.password_days;
    for (role, days) in Role::ALL.iter().zip(&mut password_days) {
        *days = section.number(days_setting(*role), *days, 0..=DAYS_MAX);
    }
    LoginRules {
        idle: Duration::from_mins(section.number("idle_minutes", minutes(defaults.idle), 5..=720)),
        longest: Duration::from_hours(section.number(
            "login_hours",
            minutes(defaults.longest) / 60,
            1..=168,
        )),
        passwords: section.value(
            "passwords",
            defaults.passwords,
            rules::BOOLEAN,
            toml::Value::as_bool,
        ),
        second_factor: section.value("second_factor", defaults.second_factor, ROLES, |value| {
            rules::list(value, Role::parse)
        }),
        password_days,
        reveals_per_day: section.number("reveals_per_day", defaults.reveals_per_day, 0..=10_000),
        fresh: Duration::from_mins(section.number(
            "fresh_minutes",
            minutes(defaults.fresh),
            1..=60,
        )),
    }
}

/// The setting of a role's longest age of a password.
const fn days_setting(role: Role) -> &'static str {
    match role {
        Role::Viewer => "password_days_viewer",
        Role::Agent => "password_days_agent",
        Role::Supervisor => "password_days_supervisor",
        Role::Admin => "password_days_admin",
        Role::Auditor => "password_days_auditor",
    }
}
