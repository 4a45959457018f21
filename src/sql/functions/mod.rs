//! MySQL's functions in pure Rust. `sqlite` registers [`FUNCTIONS`] and [`AGGREGATES`] on every connection; the
//! translator calls them by the names they have here, all of which start with `marmot_`.
//!
//! Not in the tables, because they need the workspace: `marmot_auto_id(value)` and `marmot_row_id()`.

mod aes;
mod aggregate;
mod argument;
mod cast;
mod date;
mod date_format;
mod decimal;
mod encoding;
mod extreme;
mod file;
mod fulltext;
mod hash;
mod json;
mod json_path;
mod json_table;
mod json_text;
mod locale;
mod numeric;
mod regexp;
mod registry;
mod rows;
mod sleep;
mod string;
mod variable;
mod view_check;
mod whole;

pub use date_format::pattern_parts;
pub(super) use json_path::check_path;
pub(super) use json_table::converted;
pub use registry::{Accumulator, Aggregate, Function, FunctionContext, LoadFile, MAX_WARNINGS, ReadFile};
pub use rows::{MOST_ROW_COLUMNS, decode_rows, encode_rows};
pub use string::matches_like;

const GROUPS: &[&[Function]] = &[
    string::FUNCTIONS,
    numeric::FUNCTIONS,
    whole::FUNCTIONS,
    decimal::FUNCTIONS,
    locale::FUNCTIONS,
    encoding::FUNCTIONS,
    date::FUNCTIONS,
    cast::FUNCTIONS,
    json::FUNCTIONS,
    json_text::FUNCTIONS,
    json_table::FUNCTIONS,
    fulltext::FUNCTIONS,
    hash::FUNCTIONS,
    aes::FUNCTIONS,
    regexp::FUNCTIONS,
    sleep::FUNCTIONS,
    file::FUNCTIONS,
    variable::FUNCTIONS,
    view_check::FUNCTIONS,
];

/// Every scalar function.
pub const FUNCTIONS: &[Function] = &flatten::<_, { count(GROUPS) }>(GROUPS);

const AGGREGATE_GROUPS: &[&[Aggregate]] =
    &[aggregate::AGGREGATES, decimal::AGGREGATES, extreme::AGGREGATES, rows::AGGREGATES, fulltext::AGGREGATES];

/// Every aggregate function.
pub const AGGREGATES: &[Aggregate] = &flatten::<_, { count(AGGREGATE_GROUPS) }>(AGGREGATE_GROUPS);

const fn count<T>(groups: &[&[T]]) -> usize {
    let (mut total, mut i) = (0, 0);
    while i < groups.len() {
        total += groups[i].len();
        i += 1;
    }
    total
}

const fn flatten<T: Copy, const N: usize>(groups: &[&[T]]) -> [T; N] {
    let mut all = [groups[0][0]; N];
    let (mut at, mut group) = (0, 0);
    while group < groups.len() {
        let mut i = 0;
        while i < groups[group].len() {
            all[at] = groups[group][i];
            at += 1;
            i += 1;
        }
        group += 1;
    }
    all
}
