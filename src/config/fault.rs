//! What is wrong with the settings, each fault with its key and what is allowed.

use std::fmt;

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The setting's path, the variable's name where it came from one, or the file's name.
    pub key: String,
    /// What is allowed. Never the value of a secret.
    pub message: String,
}

impl Fault {
    /// A fault of `key`.
    pub fn new(key: impl fmt::Display, message: impl fmt::Display) -> Self {
        Self { key: key.to_string(), message: message.to_string() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.message)
    }
}

/// Every fault of the settings, never none. `Display` is one line for each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}
