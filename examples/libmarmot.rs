//! The loadable SQLite extension: what SQLite calls. See [`marmot::extension`].

use rusqlite::{Connection, ffi};
use std::ffi::{c_char, c_int};
use std::ptr;

/// SQLite's entry point (<https://www.sqlite.org/loadext.html>).
///
/// # Safety
/// Called by SQLite, with an open connection and its table of functions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sqlite3_marmot_init(
    db: *mut ffi::sqlite3,
    error: *mut *mut c_char,
    api: *mut ffi::sqlite3_api_routines,
) -> c_int {
    // SAFETY: the arguments are SQLite's.
    unsafe {
        let version = (*api).libversion_number.map_or(0, |number| number());
        if version < ffi::SQLITE_VERSION_NUMBER {
            let text = format!(
                "libmarmot needs SQLite {} or later, this is {}",
                dotted(ffi::SQLITE_VERSION_NUMBER),
                dotted(version)
            );
            explain(&text, error, api);
            return ffi::SQLITE_ERROR;
        }
        Connection::extension_init2(db, error, api, |connection| {
            marmot::extension::register(&connection).map(|()| false)
        })
    }
}

/// `3045003` as `3.45.3`.
fn dotted(version: c_int) -> String {
    format!("{}.{}.{}", version / 1_000_000, version / 1000 % 1000, version % 1000)
}

/// Gives SQLite the message, in memory of its own.
///
/// # Safety
/// `error` and `api` are SQLite's.
unsafe fn explain(text: &str, error: *mut *mut c_char, api: *mut ffi::sqlite3_api_routines) {
    // SAFETY: by contract; the memory is as long as the text and its end.
    unsafe {
        let Some(malloc) = (*api).malloc else { return };
        let Ok(length) = c_int::try_from(text.len() + 1) else { return };
        let memory: *mut u8 = malloc(length).cast();
        if !memory.is_null() && !error.is_null() {
            ptr::copy_nonoverlapping(text.as_ptr(), memory, text.len());
            *memory.add(text.len()) = 0;
            *error = memory.cast();
        }
    }
}
