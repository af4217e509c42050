//! Lists that are taken away as files: which, as what, their columns, and how a row is written.

use std::fmt::Write as _;

closed_set! {
    /// A list of the console that can be taken away.
    ExportList {
        /// Sessions.
        Sessions = "sessions",
        /// Calls and texts.
        Interactions = "interactions",
        /// The audit log.
        Audit = "audit",
    }
}

closed_set! {
    /// What a file is.
    ExportFormat {
        /// RFC 4180, in UTF-8, with a line that names the columns.
        Csv = "csv",
        /// One JSON object a line.
        Jsonl = "jsonl",
    }
}

/// What stands in a row under a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// A text.
    Text(String),
    /// A whole number.
    Count(i64),
    /// Nothing.
    Empty,
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Empty, Into::into)
    }
}

impl From<i64> for Cell {
    fn from(count: i64) -> Self {
        Self::Count(count)
    }
}

impl ExportList {
    /// Its columns, in the order of the cells of a row. Who reads the files relies on their names.
    pub const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Sessions => &[
                "id",
                "name",
                "state",
                "closed_reason",
                "mode",
                "service_id",
                "service",
                "people",
                "created_at",
                "last_interaction_at",
                "ended_at",
                "expires_at",
                "interactions",
                "undelivered",
            ],
            Self::Interactions => &[
                "id",
                "kind",
                "created_at",
                "ended_at",
                "outcome",
                "reason",
                "seconds",
                "from",
                "to",
                "proxy_number",
                "carrier",
                "session_id",
                "session",
                "service_id",
                "service",
            ],
            Self::Audit => &[
                "seq",
                "at",
                "actor_kind",
                "actor_id",
                "actor",
                "action",
                "target_kind",
                "target_id",
                "reason",
                "details",
                "previous_hash",
                "hash",
            ],
        }
    }
}

impl ExportFormat {
    /// The media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Jsonl => "application/x-ndjson",
        }
    }

    /// What a file begins with.
    pub fn head(self, list: ExportList) -> String {
        match self {
            Self::Csv => list.columns().join(",") + "\r\n",
            Self::Jsonl => String::new(),
        }
    }

    /// Adds a row to a file.
    pub fn write(self, list: ExportList, row: &[Cell], file: &mut String) {
        match self {
            Self::Csv => csv(row, file),
            Self::Jsonl => json(list.columns(), row, file),
        }
    }
}

fn csv(row: &[Cell], file: &mut String) {
    for (place, cell) in row.iter().enumerate() {
        if place > 0 {
            file.push(',');
        }
        match cell {
            Cell::Text(text) => field(text, file),
            Cell::Count(count) => _ = write!(file, "{count}"),
            Cell::Empty => {}
        }
    }
    file.push_str("\r\n");
}

/// A text as a field. Spreadsheets run what begins like a formula: an apostrophe before it makes it a text.
fn field(text: &str, file: &mut String) {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let quoted = text.contains([',', '"', '\r', '\n']);
    if quoted {
        file.push('"');
    }
    if formula {
        file.push('\'');
    }
    if quoted {
        file.push_str(&text.replace('"', "\"\""));
        file.push('"');
    } else {
        file.push_str(text);
    }
}

fn json(columns: &[&str], row: &[Cell], file: &mut String) {
    file.push('{');
    for (place, (column, cell)) in columns.iter().zip(row).enumerate() {
        if place > 0 {
            file.push(',');
        }
        _ = write!(file, "\"{column}\":");
        match cell {
            Cell::Text(text) => file.push_str(&serde_json::Value::from(text.as_str()).to_string()),
            Cell::Count(count) => _ = write!(file, "{count}"),
            Cell::Empty => file.push_str("null"),
        }
    }
    file.push_str("}\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a spreadsheet would run begins with an apostrophe, proxy numbers too; what has signs of the form is
    /// quoted; a reader of RFC 4180 gets each text back.
    #[test]
    fn fields() {
        for (text, expected) in [
            ("order-1042", "order-1042"),
            ("=1+1", "'=1+1"),
            ("+14155550150", "'+14155550150"),
            ("-2", "'-2"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\tx", "'\tx"),
            ("\r=1", "\"'\r=1\""),
            (
                "=HYPERLINK(\"https://evil.example\",\"x\")",
                "\"'=HYPERLINK(\"\"https://evil.example\"\",\"\"x\"\")\"",
            ),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            let mut file = String::new();
            field(text, &mut file);
            assert_eq!(file, expected, "{text:?}");
            let mut reader =
                csv::ReaderBuilder::new().has_headers(false).from_reader(file.as_bytes());
            let read = reader.records().next().map(|row| row.unwrap()[0].to_owned());
            let bare = expected.trim_matches('"').starts_with('\'');
            let back = if bare { format!("'{text}") } else { text.to_owned() };
            assert_eq!(read.unwrap_or_default(), back, "{text:?}");
        }
    }

    /// Every list has its columns once, and a line of each form has them all.
    #[test]
    fn rows() {
        for list in ExportList::ALL {
            let columns = list.columns();
            let mut once = columns.to_vec();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), columns.len());
            let row: Vec<Cell> = (0..columns.len())
                .map(|place| match place % 3 {
                    0 => Cell::from("a \"b\"\n"),
                    1 => Cell::from(7),
                    _ => Cell::Empty,
                })
                .collect();
            let mut file = String::new();
            ExportFormat::Jsonl.write(*list, &row, &mut file);
            let read: serde_json::Value = serde_json::from_str(file.trim_end()).unwrap();
            assert_eq!(file.matches('\n').count(), 1);
            assert_eq!(read.as_object().unwrap().len(), columns.len());
            assert_eq!(read[columns[0]], "a \"b\"\n");
            assert_eq!(read[columns[1]], 7);
            assert!(read[columns[2]].is_null());
            let mut file = ExportFormat::Csv.head(*list);
            ExportFormat::Csv.write(*list, &row, &mut file);
            let mut reader = csv::Reader::from_reader(file.as_bytes());
            assert_eq!(reader.headers().unwrap().len(), columns.len());
            assert_eq!(reader.records().next().unwrap().unwrap().len(), columns.len());
        }
    }
}
