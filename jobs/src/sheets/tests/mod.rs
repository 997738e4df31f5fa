//! Tests of what needs no socket; `tests/sheets` at the top has the rest.

mod answers;
mod hosts;
mod links;
mod titles;
