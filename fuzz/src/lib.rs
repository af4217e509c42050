//! The targets of `tests/fuzz/targets`, for the libFuzzer binaries.
#![expect(dead_code, reason = "only the replay ends what targets left open")]

#[macro_use]
#[path = "../../tests/fuzz/targets/mod.rs"]
mod targets;

macro_rules! doors {
    ($($name:ident,)*) => {
        $(
            /// Panics where the target does not hold.
            pub fn $name(data: &[u8]) {
                targets::$name::run(data);
            }
        )*
    };
}

with_targets!(doors);
