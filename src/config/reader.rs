//! Takes settings out of a table one by one, and calls what is left over unknown.

use std::{collections::BTreeSet, fmt, ops::RangeInclusive, time::Duration};

use toml::{Table, Value};

use super::{PREFIX, fault::Fault};

/// One table of the settings: each read takes its key out, so that [`Reader::finish`] can refuse
/// what nobody asked for.
pub(super) struct Reader<'a> {
    table: Table,
    /// The table's own path with a dot at its end, or nothing.
    path: String,
    known: Vec<&'static str>,
    from_env: &'a BTreeSet<String>,
    faults: &'a mut Vec<Fault>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        table: Table,
        from_env: &'a BTreeSet<String>,
        faults: &'a mut Vec<Fault>,
    ) -> Self {
        Self { table, path: String::new(), known: Vec::new(), from_env, faults }
    }

    /// How messages call `key`: by its variable where that was its source.
    fn name(&self, key: &str) -> String {
        let path = format!("{}{key}", self.path);
        if self.from_env.contains(&path) {
            format!("{PREFIX}{}", path.to_ascii_uppercase().replace('.', "__"))
        } else {
            path
        }
    }

    pub(super) fn fault(&mut self, key: &str, message: impl fmt::Display) {
        let name = self.name(key);
        self.faults.push(Fault::new(name, message));
    }

    pub(super) fn faults_so_far(&self) -> usize {
        self.faults.len()
    }

    pub(super) fn has_fault(&self, key: &str) -> bool {
        let name = self.name(key);
        self.faults.iter().any(|fault| fault.key == name)
    }

    pub(super) fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.table.remove(key)
    }

    /// The value of `key`, or nothing and maybe a fault that says `rule`.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        rule: impl fmt::Display,
        parse: impl Fn(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.take(key)?;
        let from_env = self.from_env.contains(&format!("{}{key}", self.path));
        let parsed = match &value {
            Value::String(text) if from_env => forms(text).iter().find_map(parse),
            value => parse(value),
        };
        if parsed.is_none() {
            self.fault(key, format!("must be {rule}"));
        }
        parsed
    }

    pub(super) fn value<T>(
        &mut self,
        key: &'static str,
        default: T,
        rule: impl fmt::Display,
        parse: impl Fn(&Value) -> Option<T>,
    ) -> T {
        self.optional(key, rule, parse).unwrap_or(default)
    }

    pub(super) fn number<T: TryFrom<i64>>(
        &mut self,
        key: &'static str,
        default: T,
        range: RangeInclusive<i64>,
    ) -> T {
        let rule = format!("a whole number from {} to {}", range.start(), range.end());
        self.value(key, default, rule, |value| {
            value.as_integer().filter(|n| range.contains(n)).and_then(|n| T::try_from(n).ok())
        })
    }

    pub(super) fn seconds(
        &mut self,
        key: &'static str,
        default: Duration,
        range: RangeInclusive<i64>,
    ) -> Duration {
        Duration::from_secs(self.number(key, default.as_secs(), range))
    }

    pub(super) fn milliseconds(
        &mut self,
        key: &'static str,
        default: Duration,
        range: RangeInclusive<i64>,
    ) -> Duration {
        let default = u64::try_from(default.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.number(key, default, range))
    }

    /// Reads the table below `key`; an absent one is empty.
    pub(super) fn section<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Reader<'_>) -> T,
    ) -> T {
        let table = match self.take(key) {
            None => Table::new(),
            Some(Value::Table(table)) => table,
            Some(_) => {
                self.fault(key, format!("must be a table: `[{key}]`"));
                Table::new()
            }
        };
        self.below(key, table, read)
    }

    pub(super) fn below<T>(
        &mut self,
        key: &str,
        table: Table,
        read: impl FnOnce(&mut Reader<'_>) -> T,
    ) -> T {
        let mut reader = Reader {
            table,
            path: format!("{}{key}.", self.path),
            known: Vec::new(),
            from_env: self.from_env,
            faults: self.faults,
        };
        let result = read(&mut reader);
        reader.finish();
        result
    }

    /// All that is left, so that it is not unknown.
    pub(super) fn rest(&mut self) -> Table {
        std::mem::take(&mut self.table)
    }

    /// Refuses what nobody read.
    pub(super) fn finish(&mut self) {
        let unknown: Vec<String> = self.rest().into_iter().map(|(key, _)| key).collect();
        let known = self.known.join(", ");
        for key in unknown {
            // A variable below an unknown table has no name of its own here.
            let below = format!("{}{key}.", self.path);
            match self.from_env.iter().find(|path| path.starts_with(&below)).cloned() {
                Some(path) => {
                    let name = format!("{PREFIX}{}", path.to_ascii_uppercase().replace('.', "__"));
                    self.faults.push(Fault::new(name, format!("is unknown; known: {known}")));
                }
                None => self.fault(&key, format!("is unknown; known: {known}")),
            }
        }
    }
}

/// What a variable's text may stand for: itself, a number, a truth value, a list with commas.
fn forms(text: &str) -> Vec<Value> {
    let mut forms = vec![Value::String(text.to_owned())];
    forms.extend(text.parse().map(Value::Integer).ok());
    forms.extend(text.parse().map(Value::Boolean).ok());
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    forms.push(Value::Array(parts.map(|part| Value::String(part.to_owned())).collect()));
    forms
}
