//! Lays the `ENTREMISE_…` variables over what the file says.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use super::{PREFIX, fault::Fault};

/// The file's table with the variables in it, and the paths (`limits.body_s`, `carriers.0.kind`)
/// that came from a variable.
pub(super) fn overlay(
    mut table: Table,
    env: impl IntoIterator<Item = (String, String)>,
    faults: &mut Vec<Fault>,
) -> (Table, BTreeSet<String>) {
    // In order, so that the first of two list entries is there before the second.
    let variables: BTreeMap<String, String> =
        env.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
    let mut paths = BTreeSet::new();
    for (name, value) in in_list_order(variables) {
        let Some(path) = path_of(&name) else {
            faults.push(Fault::new(name, "names no setting: upper case, `__` between levels"));
            continue;
        };
        match insert(&mut table, &path, &value) {
            Ok(()) => {
                drop_twin(&mut table, &path);
                paths.insert(path.join("."));
            }
            Err(message) => faults.push(Fault::new(name, message)),
        }
    }
    (table, paths)
}

/// `__10__` after `__9__`, which plain order of text would not give.
fn in_list_order(variables: BTreeMap<String, String>) -> Vec<(String, String)> {
    let mut variables: Vec<_> = variables.into_iter().collect();
    variables.sort_by_key(|(name, _)| {
        name.split("__")
            .map(|part| (part.parse::<usize>().ok(), part.to_owned()))
            .collect::<Vec<_>>()
    });
    variables
}

fn path_of(name: &str) -> Option<Vec<String>> {
    let rest = name.strip_prefix(PREFIX)?;
    let plain = |part: &&str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    };
    let parts: Vec<&str> = rest.split("__").collect();
    parts.iter().all(plain).then(|| parts.iter().map(|part| part.to_ascii_lowercase()).collect())
}

fn insert(table: &mut Table, path: &[String], value: &str) -> Result<(), String> {
    let [key, rest @ ..] = path else { return Err("names no setting".to_owned()) };
    if rest.is_empty() {
        table.insert(key.clone(), Value::String(value.to_owned()));
        return Ok(());
    }
    let listed = rest.first().and_then(|part| part.parse::<usize>().ok());
    let empty = || listed.map_or(Value::Table(Table::new()), |_| Value::Array(Vec::new()));
    match (table.entry(key.clone()).or_insert_with(empty), listed) {
        (Value::Table(inner), _) => insert(inner, rest, value),
        (Value::Array(list), Some(at)) => insert_into_list(list, at, &rest[1..], value),
        (Value::Array(_), None) => Err(format!("`{key}` is a list: `__0`, `__1` … come next")),
        _ => Err(format!("`{key}` has no settings below it")),
    }
}

fn insert_into_list(
    list: &mut Vec<Value>,
    at: usize,
    rest: &[String],
    value: &str,
) -> Result<(), String> {
    if at > list.len() {
        return Err(format!("the list has {} entries: the next one is `__{0}`", list.len()));
    }
    if at == list.len() {
        let leaf = rest.is_empty();
        list.push(if leaf { Value::String(String::new()) } else { Value::Table(Table::new()) });
    }
    match (&mut list[at], rest) {
        (entry, []) => *entry = Value::String(value.to_owned()),
        (Value::Table(inner), rest) => return insert(inner, rest, value),
        _ => return Err("this entry has no settings below it".to_owned()),
    }
    Ok(())
}

/// The three ways to give the master key.
const MASTER_KEY: [&str; 3] = ["master_key", "master_key_file", "master_key_command"];

/// A secret given by a variable wins over its `…_file` twin in the file, and the other way round.
fn drop_twin(table: &mut Table, path: &[String]) {
    let Some((key, parents)) = path.split_last() else { return };
    if let [key] = path
        && MASTER_KEY.contains(&key.as_str())
    {
        for other in MASTER_KEY.into_iter().filter(|other| other != key) {
            table.remove(other);
        }
        return;
    }
    let twin = key.strip_suffix("_file").map_or_else(|| format!("{key}_file"), str::to_owned);
    let mut parents = parents.iter();
    let Some(first) = parents.next() else {
        table.remove(&twin);
        return;
    };
    let mut at = table.get_mut(first);
    for part in parents {
        at = match at {
            Some(Value::Table(inner)) => inner.get_mut(part),
            Some(Value::Array(list)) => part.parse().ok().and_then(|at: usize| list.get_mut(at)),
            _ => None,
        };
    }
    if let Some(Value::Table(inner)) = at {
        inner.remove(&twin);
    }
}
