//! Privileges as sets (manual, "Privileges Provided by MySQL").

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{BitAnd, BitOr, BitOrAssign, Sub};

/// A set of privileges.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Privileges(u32);

macro_rules! privileges {
    ($($constant:ident $bit:literal $name:literal $column:literal;)+) => {
        impl Privileges {
            $(pub const $constant: Privileges = Privileges(1 << $bit);)+
        }
        /// Each privilege with its name, in MySQL's order, and its column in `mysql.user`.
        const EACH: &[(Privileges, &str, &str)] = &[$((Privileges::$constant, $name, $column)),+];
        /// The columns of `mysql.user` that say Y or N, in order.
        pub const PRIVILEGE_COLUMNS: &[(&str, Privileges)] = &[$(($column, Privileges::$constant)),+];
    };
}

// The bits are part of what is stored: never give one another meaning.
privileges! {
    SELECT 0 "SELECT" "Select_priv";
    INSERT 1 "INSERT" "Insert_priv";
    UPDATE 2 "UPDATE" "Update_priv";
    DELETE 3 "DELETE" "Delete_priv";
    CREATE 4 "CREATE" "Create_priv";
    DROP 5 "DROP" "Drop_priv";
    RELOAD 6 "RELOAD" "Reload_priv";
    SHUTDOWN 7 "SHUTDOWN" "Shutdown_priv";
    PROCESS 8 "PROCESS" "Process_priv";
    FILE 9 "FILE" "File_priv";
    GRANT_OPTION 10 "GRANT OPTION" "Grant_priv";
    REFERENCES 11 "REFERENCES" "References_priv";
    INDEX 12 "INDEX" "Index_priv";
    ALTER 13 "ALTER" "Alter_priv";
    SHOW_DATABASES 14 "SHOW DATABASES" "Show_db_priv";
    SUPER 15 "SUPER" "Super_priv";
    CREATE_TEMPORARY_TABLES 16 "CREATE TEMPORARY TABLES" "Create_tmp_table_priv";
    LOCK_TABLES 17 "LOCK TABLES" "Lock_tables_priv";
    EXECUTE 18 "EXECUTE" "Execute_priv";
    REPLICATION_SLAVE 19 "REPLICATION SLAVE" "Repl_slave_priv";
    REPLICATION_CLIENT 20 "REPLICATION CLIENT" "Repl_client_priv";
    CREATE_VIEW 21 "CREATE VIEW" "Create_view_priv";
    SHOW_VIEW 22 "SHOW VIEW" "Show_view_priv";
    CREATE_ROUTINE 23 "CREATE ROUTINE" "Create_routine_priv";
    ALTER_ROUTINE 24 "ALTER ROUTINE" "Alter_routine_priv";
    CREATE_USER 25 "CREATE USER" "Create_user_priv";
    EVENT 26 "EVENT" "Event_priv";
    TRIGGER 27 "TRIGGER" "Trigger_priv";
    CREATE_TABLESPACE 28 "CREATE TABLESPACE" "Create_tablespace_priv";
}

impl Privileges {
    /// None: what GRANT calls USAGE.
    pub const NONE: Privileges = Privileges(0);
    /// What ALL means on `*.*`, with GRANT OPTION.
    pub const EVERYTHING: Privileges = Privileges((1 << 29) - 1);
    /// What ALL means on `*.*`.
    pub const GLOBAL: Privileges = Privileges(Self::EVERYTHING.0 & !Self::GRANT_OPTION.0);
    /// What ALL means on a table.
    pub const OF_TABLE: Privileges = Privileges(
        Self::SELECT.0
            | Self::INSERT.0
            | Self::UPDATE.0
            | Self::DELETE.0
            | Self::CREATE.0
            | Self::DROP.0
            | Self::REFERENCES.0
            | Self::INDEX.0
            | Self::ALTER.0
            | Self::CREATE_VIEW.0
            | Self::SHOW_VIEW.0
            | Self::TRIGGER.0,
    );
    /// What ALL means on a database.
    pub const OF_DATABASE: Privileges = Privileges(
        Self::OF_TABLE.0
            | Self::CREATE_TEMPORARY_TABLES.0
            | Self::LOCK_TABLES.0
            | Self::EXECUTE.0
            | Self::CREATE_ROUTINE.0
            | Self::ALTER_ROUTINE.0
            | Self::EVENT.0,
    );

    /// A privilege by the name GRANT has for it, in any case.
    pub fn named(name: &str) -> Option<Privileges> {
        let found = EACH.iter().find(|(_, n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(privilege, ..)| *privilege)
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other` are among these.
    pub fn contains(self, other: Privileges) -> bool {
        other.0 & !self.0 == 0
    }

    /// The names, in MySQL's order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        EACH.iter().filter(move |(p, ..)| self.contains(*p)).map(|(_, name, _)| *name)
    }

    /// The names between commas.
    pub fn list(self) -> String {
        self.names().collect::<Vec<_>>().join(", ")
    }
}

impl BitOr for Privileges {
    type Output = Privileges;
    fn bitor(self, other: Privileges) -> Privileges {
        Privileges(self.0 | other.0)
    }
}

impl BitOrAssign for Privileges {
    fn bitor_assign(&mut self, other: Privileges) {
        self.0 |= other.0;
    }
}

impl BitAnd for Privileges {
    type Output = Privileges;
    fn bitand(self, other: Privileges) -> Privileges {
        Privileges(self.0 & other.0)
    }
}

impl Sub for Privileges {
    type Output = Privileges;
    fn sub(self, other: Privileges) -> Privileges {
        Privileges(self.0 & !other.0)
    }
}

impl fmt::Debug for Privileges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.list())
    }
}
