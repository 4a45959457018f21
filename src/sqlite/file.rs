//! A file of bytes on an SQLite VFS, for what is no database: so that a simulated disk stands under it too.

use super::error::{Error, Result, is_full};
use rusqlite::ffi;
use std::ffi::{CString, c_int, c_void};
use std::path::Path;
use std::ptr;

/// SQLite asks for a page at most, and its own VFS takes no more than 128 KiB at once.
const CHUNK: usize = 64 << 10;

/// An open file.
pub(super) struct VfsFile {
    /// Room for what the VFS keeps of an open file; 8-byte words for its alignment. Never moves.
    file: Box<[u64]>,
    name: ffi::sqlite3_filename,
    path: String,
}

// SAFETY: used through `&mut self` only; nothing in it belongs to a thread.
unsafe impl Send for VfsFile {}

impl VfsFile {
    /// Opens the file at `path`; makes it, empty, if it is not there and `create` is set.
    pub(super) fn open(path: &Path, vfs: Option<&str>, create: bool) -> Result<VfsFile> {
        let text = path.to_string_lossy().into_owned();
        let c_path = CString::new(text.as_str()).map_err(|_| failed("open", &text, ffi::SQLITE_CANTOPEN))?;
        let vfs_name = vfs.map(CString::new).transpose();
        let vfs_name = vfs_name.map_err(|_| failed("open", &text, ffi::SQLITE_CANTOPEN))?;
        let create = if create { ffi::SQLITE_OPEN_CREATE } else { 0 };
        // A WAL to SQLite: no locks, and the first sync of a new file syncs its directory.
        let flags = ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_WAL | create;
        // SAFETY: NUL-terminated names; the VFS found is registered and stays so while files are open on it; the
        // buffer has the size it asks for and the file name lives until `drop`.
        unsafe {
            ffi::sqlite3_initialize();
            let vfs = ffi::sqlite3_vfs_find(vfs_name.as_ref().map_or(ptr::null(), |name| name.as_ptr()));
            let Some(open) = vfs.as_ref().and_then(|v| v.xOpen) else {
                return Err(failed("open", &text, ffi::SQLITE_CANTOPEN));
            };
            let bytes = usize::try_from((*vfs).szOsFile).unwrap_or(0);
            let name = ffi::sqlite3_create_filename(c_path.as_ptr(), c"".as_ptr(), c"".as_ptr(), 0, ptr::null_mut());
            if name.is_null() {
                return Err(failed("open", &text, ffi::SQLITE_NOMEM));
            }
            let mut opened = VfsFile { file: vec![0u64; bytes.div_ceil(8)].into(), name, path: text };
            match open(vfs, name, opened.raw(), flags, ptr::null_mut()) {
                ffi::SQLITE_OK => Ok(opened),
                code => Err(failed("open", &opened.path, code)),
            }
        }
    }

    fn raw(&mut self) -> *mut ffi::sqlite3_file {
        self.file.as_mut_ptr() as *mut ffi::sqlite3_file
    }

    fn methods(&mut self) -> Option<&'static ffi::sqlite3_io_methods> {
        // SAFETY: zeroed before `xOpen`, which sets it to a table that lives as long as the VFS.
        unsafe { (*self.raw()).pMethods.as_ref() }
    }

    fn call(
        &mut self,
        what: &str,
        work: impl FnOnce(&ffi::sqlite3_io_methods, *mut ffi::sqlite3_file) -> Option<c_int>,
    ) -> Result<()> {
        let raw = self.raw();
        match self.methods().and_then(|methods| work(methods, raw)) {
            Some(ffi::SQLITE_OK) => Ok(()),
            Some(code) if is_full(code, self.last_errno()) => Err(Error::Full),
            code => Err(failed(what, &self.path, code.unwrap_or(ffi::SQLITE_MISUSE))),
        }
    }

    /// What the operating system said of the last call that failed; 0 if the VFS does not tell.
    fn last_errno(&mut self) -> c_int {
        let (raw, mut errno) = (self.raw(), 0);
        let to: *mut c_int = &mut errno;
        if let Some(control) = self.methods().and_then(|methods| methods.xFileControl) {
            // SAFETY: an open file; the control stores one int. Without it nothing is stored.
            unsafe { control(raw, ffi::SQLITE_FCNTL_LAST_ERRNO, to as *mut c_void) };
        }
        errno
    }

    pub(super) fn size(&mut self) -> Result<u64> {
        let mut size = 0;
        // SAFETY: an open file and a valid out pointer.
        self.call("measure", |m, f| m.xFileSize.map(|call| unsafe { call(f, &mut size) }))?;
        Ok(u64::try_from(size).unwrap_or(0))
    }

    /// Fills `out` from `offset` on; beyond the end of the file with zeros.
    pub(super) fn read(&mut self, out: &mut [u8], mut offset: u64) -> Result<()> {
        for part in out.chunks_mut(CHUNK) {
            let (length, at) = self.place(part.len(), offset)?;
            let to = part.as_mut_ptr() as *mut c_void;
            // SAFETY: an open file; `to` has room for `length` bytes.
            self.call("read", |m, f| {
                let code = m.xRead.map(|call| unsafe { call(f, to, length, at) });
                // SQLite's convention: what is not there reads as zeros.
                code.map(|c| if c == ffi::SQLITE_IOERR_SHORT_READ { ffi::SQLITE_OK } else { c })
            })?;
            offset += part.len() as u64;
        }
        Ok(())
    }

    pub(super) fn write(&mut self, bytes: &[u8], mut offset: u64) -> Result<()> {
        for part in bytes.chunks(CHUNK) {
            let (length, at) = self.place(part.len(), offset)?;
            let from = part.as_ptr() as *const c_void;
            // SAFETY: an open file; `from` holds `length` bytes.
            self.call("write", |m, f| m.xWrite.map(|call| unsafe { call(f, from, length, at) }))?;
            offset += part.len() as u64;
        }
        Ok(())
    }

    /// Makes what was written durable.
    pub(super) fn sync(&mut self) -> Result<()> {
        let flags = ffi::SQLITE_SYNC_NORMAL | ffi::SQLITE_SYNC_DATAONLY;
        // SAFETY: an open file.
        self.call("sync", |m, f| m.xSync.map(|call| unsafe { call(f, flags) }))
    }

    pub(super) fn truncate(&mut self, size: u64) -> Result<()> {
        let (_, size) = self.place(0, size)?;
        // SAFETY: an open file.
        self.call("truncate", |m, f| m.xTruncate.map(|call| unsafe { call(f, size) }))
    }

    fn place(&self, length: usize, offset: u64) -> Result<(c_int, i64)> {
        let too_large = || failed("reach into", &self.path, ffi::SQLITE_TOOBIG);
        Ok((c_int::try_from(length).map_err(|_| too_large())?, i64::try_from(offset).map_err(|_| too_large())?))
    }
}

impl Drop for VfsFile {
    fn drop(&mut self) {
        let raw = self.raw();
        if let Some(close) = self.methods().and_then(|methods| methods.xClose) {
            // SAFETY: opened and not closed yet; nothing is left to do about a failure.
            unsafe { close(raw) };
        }
        // SAFETY: made by `sqlite3_create_filename`, and the file that refers to it is closed.
        unsafe { ffi::sqlite3_free_filename(self.name) };
    }
}

fn failed(what: &str, path: &str, code: c_int) -> Error {
    Error::Sqlite { code, message: format!("cannot {what} {path}") }
}
