//! From the statement tree to a plan: names resolved, types inferred, SQLite text written.
//!
//! - `scope`: which column a name means. `typed`: an expression's SQLite text with its MySQL type.
//! - `expression`, `operator`, `arithmetic`, `rows`, `function`, `aggregate`: expressions. Everything is parenthesised, so that SQLite's
//!   operator precedence never matters.
//! - `select`, `from`, `lateral`, `order`, `rollup`: queries; `full_group_by`: what of them MySQL refuses. `insert`, `upsert`, `update`: writes, `needs`: the privileges that all of them need, `updatable`: through views, `load`: from files. `show`, `session`: the rest.
//!
//! A literal of the text either becomes a parameter or is *pinned*: looked at here, so that the plan holds only for
//! texts with the same value in that place (see [`super::cache`]).

mod aggregate;
mod arithmetic;
mod coercibility;
mod collation;
mod create;
mod expression;
mod from;
mod full_group_by;
mod fulltext;
mod function;
mod function_table;
mod insert;
mod json_call;
mod lateral;
mod load;
mod measure;
mod measure_call;
mod needs;
mod on_duplicate;
mod operator;
mod order;
mod program;
mod rollup;
mod routine;
mod rows;
mod scope;
mod select;
mod session;
mod show;
mod show_create;
mod temporal_call;
mod translator;
mod triggered;
mod typed;
mod updatable;
mod update;
mod upsert;
mod view;
mod view_text;

pub use insert::default_cell;
pub use needs::Guard;
pub use program::translate_leaf;
pub use routine::typed_text;
pub use session::{Context, Translated, translate, translate_all};
pub use show::{column_key, extra};
pub use show_create::{backquoted, default_text, quoted, quoted_definer, show_create_table};
pub use translator::{
    GENERATED_CLAUSE, check_default, constant_expression, expression_type, generated_value, placeholder_bytes,
    quote_name, quote_text, quote_value,
};
pub use updatable::is_updatable;
pub use view::as_table as view_as_table;
pub use view_text::canonical_query;
