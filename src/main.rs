//! The program: see `entremise --help`.
fn main() {}
