//! Whole rows in one cell: what `marmot_agg_rows` gathers and the virtual table `marmot_each_row` gives out again, each cell
//! as it was.
//!
//! SQLite has no LATERAL, but the arguments of a table-valued function may name the tables before it: a query whose
//! rows are gathered into one cell, and that cell given out as rows, is a lateral derived table.

use super::registry::{Accumulator, Aggregate};
use crate::sql::error::Error;
use crate::types::Value;

/// Columns a row may have: SQLite's functions take no more arguments.
pub const MOST_ROW_COLUMNS: usize = 100;

/// See the module.
pub(super) const AGGREGATES: &[Aggregate] =
    &[Aggregate { name: "marmot_agg_rows", arity: -1, start: || Box::<Rows>::default() }];

/// `rows` as one cell.
///
/// # Errors
/// 1105 if they cannot be encoded.
pub fn encode_rows(rows: &[Vec<Value>]) -> Result<Value, Error> {
    let bytes = postcard::to_stdvec(rows).map_err(|e| Error::malformed_payload(format!("rows: {e}")))?;
    Ok(Value::Blob(bytes.into()))
}

/// The rows of a cell that `marmot_agg_rows` or `marmot_json_table` made; `None` for any other.
pub fn decode_rows(cell: &[u8]) -> Option<Vec<Vec<Value>>> {
    postcard::from_bytes(cell).ok()
}

#[derive(Default)]
struct Rows(Vec<Vec<Value>>);

impl Accumulator for Rows {
    fn step(&mut self, arguments: &[Value]) -> Result<(), Error> {
        self.0.push(arguments.to_vec());
        Ok(())
    }
    fn inverse(&mut self, _: &[Value]) -> Result<(), Error> {
        self.0.remove(0);
        Ok(())
    }
    fn value(&self) -> Result<Value, Error> {
        encode_rows(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_out_as_they_went_in() {
        let mut gathered = Rows::default();
        let row = vec![
            Value::Null,
            Value::Int(i64::MIN),
            Value::real(0.1 + 0.2),
            Value::text("é"),
            Value::Blob([0, 255].into()),
        ];
        gathered.step(&row).unwrap();
        gathered.step(&[]).unwrap();
        let Value::Blob(cell) = gathered.value().unwrap() else { panic!("a cell of bytes") };
        assert_eq!(decode_rows(&cell), Some(vec![row, vec![]]));
        assert_eq!(decode_rows(&[255]), None);
    }
}
