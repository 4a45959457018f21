//! The tables of `information_schema` about where rows lie. Every table is one partition, and no file is a client's
//! business.

use super::{Facts, Holds::*, SystemTable, text};
use crate::types::Value;

const INFORMATION_SCHEMA: &str = "information_schema";

fn nothing(_: &Facts<'_>) -> Vec<Vec<Value>> {
    Vec::new()
}

pub const PARTITIONS: SystemTable = SystemTable {
    database: INFORMATION_SCHEMA,
    name: "PARTITIONS",
    columns: &[
        ("TABLE_CATALOG", Text(64)),
        ("TABLE_SCHEMA", Text(64)),
        ("TABLE_NAME", Text(64)),
        ("PARTITION_NAME", Text(64)),
        ("SUBPARTITION_NAME", Text(64)),
        ("PARTITION_ORDINAL_POSITION", Unsigned),
        ("SUBPARTITION_ORDINAL_POSITION", Unsigned),
        ("PARTITION_METHOD", Text(13)),
        ("SUBPARTITION_METHOD", Text(13)),
        ("PARTITION_EXPRESSION", Text(2048)),
        ("SUBPARTITION_EXPRESSION", Text(2048)),
        ("PARTITION_DESCRIPTION", Long),
        ("TABLE_ROWS", Unsigned),
        ("AVG_ROW_LENGTH", Unsigned),
        ("DATA_LENGTH", Unsigned),
        ("MAX_DATA_LENGTH", Unsigned),
        ("INDEX_LENGTH", Unsigned),
        ("DATA_FREE", Unsigned),
        ("CREATE_TIME", Time),
        ("UPDATE_TIME", Time),
        ("CHECK_TIME", Time),
        ("CHECKSUM", Big),
        ("PARTITION_COMMENT", Long),
        ("NODEGROUP", Text(256)),
        ("TABLESPACE_NAME", Text(268)),
    ],
    rows: |facts| {
        let databases = facts.catalog.databases().filter(|d| !d.system);
        let tables = databases.flat_map(|d| d.tables.values().map(move |t| (d, t)));
        // A table without partitions is listed once, without a partition's name.
        let row = |(database, table): (&std::sync::Arc<crate::sql::Database>, &std::sync::Arc<crate::sql::Table>)| {
            let mut row = vec![Value::Null; PARTITIONS.columns.len()];
            row[0] = text("def");
            row[1] = text(crate::sql::public_name(&database.name));
            row[2] = text(&table.name);
            row[12..18].fill(Value::Int(0));
            row[18] = text(&table.options.created);
            row[22] = text("");
            row[23] = text("");
            row
        };
        tables.map(row).collect()
    },
};

pub const FILES: SystemTable = SystemTable {
    database: INFORMATION_SCHEMA,
    name: "FILES",
    columns: &[
        ("FILE_ID", Big),
        ("FILE_NAME", Long),
        ("FILE_TYPE", Text(256)),
        ("TABLESPACE_NAME", Text(268)),
        ("TABLE_CATALOG", Text(64)),
        ("TABLE_SCHEMA", Text(64)),
        ("TABLE_NAME", Text(64)),
        ("LOGFILE_GROUP_NAME", Text(256)),
        ("LOGFILE_GROUP_NUMBER", Big),
        ("ENGINE", Text(64)),
        ("FULLTEXT_KEYS", Text(64)),
        ("DELETED_ROWS", Big),
        ("UPDATE_COUNT", Big),
        ("FREE_EXTENTS", Big),
        ("TOTAL_EXTENTS", Big),
        ("EXTENT_SIZE", Big),
        ("INITIAL_SIZE", Big),
        ("MAXIMUM_SIZE", Big),
        ("AUTOEXTEND_SIZE", Big),
        ("CREATION_TIME", Time),
        ("LAST_UPDATE_TIME", Time),
        ("LAST_ACCESS_TIME", Time),
        ("RECOVER_TIME", Big),
        ("TRANSACTION_COUNTER", Big),
        ("VERSION", Big),
        ("ROW_FORMAT", Text(256)),
        ("TABLE_ROWS", Big),
        ("AVG_ROW_LENGTH", Big),
        ("DATA_LENGTH", Big),
        ("MAX_DATA_LENGTH", Big),
        ("INDEX_LENGTH", Big),
        ("DATA_FREE", Big),
        ("CREATE_TIME", Time),
        ("UPDATE_TIME", Time),
        ("CHECK_TIME", Time),
        ("CHECKSUM", Big),
        ("STATUS", Text(256)),
        ("EXTRA", Text(255)),
    ],
    rows: nothing,
};

pub const TABLESPACES: SystemTable = SystemTable {
    database: INFORMATION_SCHEMA,
    name: "TABLESPACES",
    columns: &[
        ("TABLESPACE_NAME", Text(64)),
        ("ENGINE", Text(64)),
        ("TABLESPACE_TYPE", Text(64)),
        ("LOGFILE_GROUP_NAME", Text(64)),
        ("EXTENT_SIZE", Unsigned),
        ("AUTOEXTEND_SIZE", Unsigned),
        ("MAXIMUM_SIZE", Unsigned),
        ("NODEGROUP_ID", Unsigned),
        ("TABLESPACE_COMMENT", Text(2048)),
    ],
    rows: nothing,
};
