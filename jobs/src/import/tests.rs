//! What is read from files, and what is said about those that cannot be.

mod files;
mod properties;
mod report;
mod rows;

use super::{ImportError, Options, Problem, Row, read};

fn options(region: &str) -> Options {
    Options { default_region: Some(region.to_owned()), ..Options::default() }
}

/// Every row of a file whose numbers are Indian.
fn rows(file: impl AsRef<[u8]>) -> Vec<Result<Row, Problem>> {
    match read(file.as_ref(), &options("IN")) {
        Ok(rows) => rows.collect(),
        Err(error) => panic!("{error}"),
    }
}

/// Every lead of a file without problems.
fn leads(file: impl AsRef<[u8]>) -> Vec<Row> {
    rows(file).into_iter().map(|row| row.unwrap_or_else(|problem| panic!("{problem}"))).collect()
}

/// What the report would say, row by row; good rows as their line, number, name and attributes.
fn told(file: impl AsRef<[u8]>) -> String {
    let line = |row: Result<Row, Problem>| match row {
        Err(problem) => problem.to_string(),
        Ok(Row { line, spec }) => {
            let name = spec.name.unwrap_or_default();
            format!("line {line}: {} {name} {}", spec.phone.as_str(), serde_json::json!(spec.attributes))
        }
    };
    rows(file).into_iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Why a file is refused.
fn refused(file: impl AsRef<[u8]>) -> ImportError {
    match read(file.as_ref(), &options("IN")) {
        Ok(_) => panic!("the file was taken"),
        Err(error) => error,
    }
}
