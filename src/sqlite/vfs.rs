//! The overlay: a SQLite VFS shim through which a connection writes without ever touching the file.
//!
//! A connection opened through the shim reads the real database and WAL files. Only the WAL index (the `-shm` memory)
//! is a private copy, taken when a transaction begins while a plain *base* connection holds a read mark, so that no
//! checkpoint and no WAL reset can destroy the snapshot. Locks above SHARED are fictions, dirty pages stay in the
//! page cache, and what SQLite wants to write to the WAL (a cache spill) goes to a private in-memory tail of the WAL.
//!
//! ```text
//!   overlay connection ──► shim ──► base VFS ──► x.db        (read only)
//!                           │   └─► base VFS ──► x.db-wal    (read below `tail_start`)
//!                           ├─ tail: Vec<u8>      private WAL frames, from `tail_start` on
//!                           └─ regions            private copy of the WAL index, frozen by `freeze`
//!   base connection ─────────────► base VFS ──► x.db, x.db-wal, x.db-shm   (holds the read mark)
//! ```
//!
//! The shim sits on any base VFS by name, so that the simulator can put a faulty disk under it. What it relies on is
//! the layout of the WAL index (<https://sqlite.org/walformat.html>), which is why the bundled SQLite is pinned and a
//! self-test runs at start.

use super::error::{Error, Result};
use super::private_wal::{Region, State};
use rusqlite::ffi;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The shim registered above one base VFS. Unregistered when the last user drops it.
pub(super) struct OverlayVfs {
    name: CString,
    base: CString,
    shim: *mut Shim,
}

// SAFETY: the shim is only read after registration; SQLite itself serialises its list of VFSes.
unsafe impl Send for OverlayVfs {}
// SAFETY: as above.
unsafe impl Sync for OverlayVfs {}

#[repr(C)]
struct Shim {
    vfs: ffi::sqlite3_vfs,
    base: *mut ffi::sqlite3_vfs,
}

/// An open file of the shim; the base VFS's own file structure follows it in memory.
#[repr(C)]
struct File {
    methods: *const ffi::sqlite3_io_methods,
    real: *mut ffi::sqlite3_file,
    state: *mut State,
    is_wal: bool,
}

const _: () = assert!(size_of::<File>().is_multiple_of(8), "the base VFS's file must stay aligned");

/// Overlays by the number their URI names, so that `xOpen` finds the state.
static OVERLAYS: Mutex<BTreeMap<u64, StateAddress>> = Mutex::new(BTreeMap::new());
static SHIMS: Mutex<BTreeMap<CString, Weak<OverlayVfs>>> = Mutex::new(BTreeMap::new());
static NEXT: AtomicU64 = AtomicU64::new(1);

struct StateAddress(*mut State);
// SAFETY: only the address is shared; it is followed by the connection that owns the state alone.
unsafe impl Send for StateAddress {}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl OverlayVfs {
    /// The shim above the VFS named `base` (`None`: SQLite's default), registered if it is not yet.
    pub(super) fn above(base: Option<&str>) -> Result<Arc<OverlayVfs>> {
        let wanted = base.map(CString::new).transpose().map_err(|_| unusable("the VFS name contains NUL"))?;
        let name = wanted.as_ref().map_or(ptr::null(), |n| n.as_ptr());
        // SAFETY: a NUL-terminated name or null; SQLite returns a registered VFS or null.
        let found = unsafe {
            ffi::sqlite3_initialize();
            ffi::sqlite3_vfs_find(name)
        };
        if found.is_null() {
            return Err(unusable("no such VFS"));
        }
        // SAFETY: a registered VFS has a NUL-terminated name for as long as it is registered.
        let base_name = unsafe { CStr::from_ptr((*found).zName) }.to_owned();
        let mut shims = lock(&SHIMS);
        if let Some(known) = shims.get(&base_name).and_then(Weak::upgrade) {
            // SAFETY: the shim lives as long as `known`.
            if unsafe { (*known.shim).base } == found {
                return Ok(known);
            }
        }
        let name = CString::new(format!("marmot-overlay-{}", NEXT.fetch_add(1, Ordering::Relaxed)))
            .map_err(|_| unusable("the overlay's name contains NUL"))?;
        // SAFETY: `found` is a registered VFS; the new structure is a copy of it whose function pointers are replaced
        // by ones that hand every call to `found` itself. It stays allocated until it is unregistered in `drop`.
        let shim = unsafe {
            let mut vfs = ptr::read(found);
            vfs.iVersion = vfs.iVersion.min(2);
            vfs.szOsFile = size_of::<File>() as c_int + (*found).szOsFile;
            vfs.pNext = ptr::null_mut();
            vfs.zName = name.as_ptr();
            vfs.xOpen = Some(open);
            vfs.xDelete = Some(delete);
            vfs.xAccess = Some(access);
            vfs.xFullPathname = Some(full_pathname);
            vfs.xDlOpen = None;
            vfs.xDlError = None;
            vfs.xDlSym = None;
            vfs.xDlClose = None;
            vfs.xRandomness = Some(randomness);
            vfs.xSleep = Some(sleep);
            vfs.xCurrentTime = Some(current_time);
            vfs.xGetLastError = Some(last_error);
            vfs.xCurrentTimeInt64 = vfs.xCurrentTimeInt64.map(|_| current_time_millis as _);
            let shim = Box::into_raw(Box::new(Shim { vfs, base: found }));
            ffi::sqlite3_vfs_register(&mut (*shim).vfs, 0);
            shim
        };
        let registered = Arc::new(OverlayVfs { name, base: base_name.clone(), shim });
        shims.insert(base_name, Arc::downgrade(&registered));
        Ok(registered)
    }

    /// The name to put into a URI's `vfs=`.
    pub(super) fn name(&self) -> &str {
        self.name.to_str().unwrap_or_default()
    }

    /// Deletes a file through the base VFS; a file that is not there is fine.
    pub(super) fn delete_file(&self, path: &str) -> Result<()> {
        let path = CString::new(path).map_err(|_| unusable("the path contains NUL"))?;
        // SAFETY: the base VFS is registered while this shim is; the path is NUL-terminated.
        let code = unsafe {
            let base = (*self.shim).base;
            (*base).xDelete.map_or(ffi::SQLITE_IOERR_DELETE, |f| f(base, path.as_ptr(), 1))
        };
        match code {
            ffi::SQLITE_OK | ffi::SQLITE_IOERR_DELETE_NOENT => Ok(()),
            code => Err(Error::Sqlite { code, message: format!("cannot delete {}", path.to_string_lossy()) }),
        }
    }

    /// Whether a file exists, asked of the base VFS.
    pub(super) fn exists(&self, path: &str) -> bool {
        let Ok(path) = CString::new(path) else { return false };
        let mut found: c_int = 0;
        // SAFETY: as in `delete_file`; `found` outlives the call.
        unsafe {
            let base = (*self.shim).base;
            if let Some(f) = (*base).xAccess {
                f(base, path.as_ptr(), ffi::SQLITE_ACCESS_EXISTS, &mut found);
            }
        }
        found != 0
    }
}

impl Drop for OverlayVfs {
    fn drop(&mut self) {
        let mut shims = lock(&SHIMS);
        if shims.get(&self.base).is_some_and(|w| w.strong_count() == 0) {
            shims.remove(&self.base);
        }
        // SAFETY: every connection through the shim holds an `Arc` of it, so none is open; the box was made in `above`.
        unsafe {
            ffi::sqlite3_vfs_unregister(&mut (*self.shim).vfs);
            drop(Box::from_raw(self.shim));
        }
    }
}

fn unusable(why: &str) -> Error {
    Error::Sqlite { code: ffi::SQLITE_CANTOPEN, message: why.to_string() }
}

/// One overlay's private state, findable by its number while this lives.
///
/// **Invariant**: outlives every file opened under its number. The owner detaches or closes the overlay connection
/// before it drops this.
pub(super) struct Overlay {
    number: u64,
    state: *mut State,
    // Keeps the shim registered.
    vfs: Arc<OverlayVfs>,
}

// SAFETY: the state is reached from one connection and its owner only, which move between threads together.
unsafe impl Send for Overlay {}

impl Overlay {
    pub(super) fn new(vfs: Arc<OverlayVfs>) -> Overlay {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let state = Box::into_raw(Box::new(State::new()));
        lock(&OVERLAYS).insert(number, StateAddress(state));
        Overlay { number, state, vfs }
    }

    /// What to append to the file's URI to open it through this overlay.
    pub(super) fn uri_parameters(&self) -> String {
        format!("vfs={}&marmot_overlay={}", self.vfs.name(), self.number)
    }

    /// Copies the shared WAL index into private memory: the snapshot of the transaction that begins now.
    ///
    /// `base` is an open file handle of a connection that holds a read mark: every header seen here describes a state
    /// that no checkpoint and no WAL reset can destroy while it does.
    pub(super) fn freeze(&self, base: *mut ffi::sqlite3_file) -> Result<()> {
        // SAFETY: `state` is live, and the overlay connection is not inside a call, since both have one owner. `base`
        // is the file of an open connection in WAL mode.
        unsafe { (*self.state).freeze(base) }
    }

    /// Forgets private frames, after the overlay connection rolled back.
    pub(super) fn discard(&self) {
        // SAFETY: as in `freeze`.
        let state = unsafe { &mut *self.state };
        if state.tail_start.take().is_some() {
            state.tail.clear();
            state.tail.shrink_to(1 << 20);
        }
    }

    /// Bytes of private WAL frames: what spilled from the page cache.
    pub(super) fn spilled(&self) -> usize {
        // SAFETY: as in `freeze`.
        unsafe { (*self.state).tail.len() }
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        lock(&OVERLAYS).remove(&self.number);
        // SAFETY: made by `Box::into_raw` in `new`; by the type's invariant no open file refers to it any more.
        drop(unsafe { Box::from_raw(self.state) });
    }
}

// ---- file methods ----------------------------------------------------------------------------------------------------
//
// SQLite calls these with a file that `open` below filled in, on the thread that runs the overlay connection. The real
// file and the state are valid for as long as the file is open (invariant of `Overlay`).

/// # Safety
/// `f` is an open file of the shim.
unsafe fn file<'a>(f: *mut ffi::sqlite3_file) -> &'a File {
    // SAFETY: by contract; `File` begins with the methods pointer that `sqlite3_file` consists of.
    unsafe { &*(f as *const File) }
}

macro_rules! forward {
    ($f:expr, $method:ident, $missing:expr $(, $arg:expr)*) => {{
        // SAFETY: the real file was opened by the base VFS, which filled in its methods.
        unsafe {
            let real = file($f).real;
            match (*(*real).pMethods).$method {
                Some(call) => call(real $(, $arg)*),
                None => $missing,
            }
        }
    }};
}

unsafe extern "C" fn close(f: *mut ffi::sqlite3_file) -> c_int {
    forward!(f, xClose, ffi::SQLITE_OK)
}

unsafe extern "C" fn read(f: *mut ffi::sqlite3_file, out: *mut c_void, n: c_int, offset: i64) -> c_int {
    // SAFETY: see the section comment.
    let (file, state) = unsafe { (file(f), &*file(f).state) };
    match state.tail_start {
        Some(start) if file.is_wal && offset >= start => state.read_tail(start, out, n, offset),
        _ => forward!(f, xRead, ffi::SQLITE_IOERR_READ, out, n, offset),
    }
}

unsafe extern "C" fn write(f: *mut ffi::sqlite3_file, bytes: *const c_void, n: c_int, offset: i64) -> c_int {
    // SAFETY: see the section comment.
    let file = unsafe { file(f) };
    let Ok(n) = usize::try_from(n) else { return ffi::SQLITE_IOERR_WRITE };
    if !file.is_wal {
        // The database file is never written.
        return ffi::SQLITE_IOERR_WRITE;
    }
    // SAFETY: SQLite hands over `n` readable bytes; nothing else refers to the state during the call.
    unsafe { (*file.state).write_tail(std::slice::from_raw_parts(bytes as *const u8, n), offset) }
}

unsafe extern "C" fn truncate(_: *mut ffi::sqlite3_file, _: i64) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn sync(_: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_size(f: *mut ffi::sqlite3_file, size: *mut i64) -> c_int {
    forward!(f, xFileSize, ffi::SQLITE_IOERR_FSTAT, size)
}

unsafe extern "C" fn lock_file(f: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // EXCLUSIVE is asked for on close, to checkpoint and delete the WAL: not ours to do.
    if level > ffi::SQLITE_LOCK_SHARED {
        return ffi::SQLITE_BUSY;
    }
    forward!(f, xLock, ffi::SQLITE_IOERR_LOCK, level)
}

unsafe extern "C" fn unlock_file(f: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    forward!(f, xUnlock, ffi::SQLITE_IOERR_UNLOCK, level)
}

unsafe extern "C" fn check_reserved(_: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: SQLite passes a valid out pointer.
    unsafe { *out = 0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_control(f: *mut ffi::sqlite3_file, op: c_int, argument: *mut c_void) -> c_int {
    match op {
        ffi::SQLITE_FCNTL_SIZE_HINT
        | ffi::SQLITE_FCNTL_CHUNK_SIZE
        | ffi::SQLITE_FCNTL_SYNC
        | ffi::SQLITE_FCNTL_SYNC_OMITTED
        | ffi::SQLITE_FCNTL_OVERWRITE
        | ffi::SQLITE_FCNTL_COMMIT_PHASETWO => ffi::SQLITE_OK,
        ffi::SQLITE_FCNTL_VFSNAME | ffi::SQLITE_FCNTL_POWERSAFE_OVERWRITE | ffi::SQLITE_FCNTL_HAS_MOVED => {
            forward!(f, xFileControl, ffi::SQLITE_NOTFOUND, op, argument)
        }
        _ => ffi::SQLITE_NOTFOUND,
    }
}

unsafe extern "C" fn sector_size(f: *mut ffi::sqlite3_file) -> c_int {
    forward!(f, xSectorSize, 4096)
}

unsafe extern "C" fn device_characteristics(f: *mut ffi::sqlite3_file) -> c_int {
    forward!(f, xDeviceCharacteristics, 0)
}

unsafe extern "C" fn shm_map(
    f: *mut ffi::sqlite3_file,
    region: c_int,
    _: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: see the section comment; regions are boxed, so their addresses stay when the vector grows.
    unsafe {
        let state = &mut *file(f).state;
        let region = region as usize;
        *out = ptr::null_mut();
        if region >= state.regions.len() && extend == 0 {
            return ffi::SQLITE_OK;
        }
        while state.regions.len() <= region {
            state.regions.push(Region::zeroed());
        }
        *out = state.regions[region].0.as_mut_ptr() as *mut c_void;
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn shm_lock(_: *mut ffi::sqlite3_file, _: c_int, _: c_int, _: c_int) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn shm_barrier(_: *mut ffi::sqlite3_file) {
    fence(Ordering::SeqCst);
}

unsafe extern "C" fn shm_unmap(_: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    ffi::SQLITE_OK
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    // Version 2: no memory mapping, which would bypass `read`.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock_file),
    xUnlock: Some(unlock_file),
    xCheckReservedLock: Some(check_reserved),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

// ---- VFS methods -----------------------------------------------------------------------------------------------------

/// # Safety
/// `v` is a registered shim.
unsafe fn base_of(v: *mut ffi::sqlite3_vfs) -> *mut ffi::sqlite3_vfs {
    // SAFETY: by contract; `Shim` begins with its `sqlite3_vfs`.
    unsafe { (*(v as *mut Shim)).base }
}

macro_rules! forward_vfs {
    ($v:expr, $method:ident, $missing:expr $(, $arg:expr)*) => {{
        // SAFETY: SQLite calls VFS methods with the VFS they belong to; the base outlives the shim.
        unsafe {
            let base = base_of($v);
            match (*base).$method {
                Some(call) => call(base $(, $arg)*),
                None => $missing,
            }
        }
    }};
}

/// The state that the URI of this file names.
///
/// # Safety
/// `name` is a `sqlite3_filename` as given to `xOpen` for a database or WAL file.
unsafe fn state_of(name: ffi::sqlite3_filename) -> Option<*mut State> {
    // SAFETY: by contract; the returned text is NUL-terminated and lives as long as the file name.
    let number = unsafe {
        let text = ffi::sqlite3_uri_parameter(name, c"marmot_overlay".as_ptr());
        if text.is_null() {
            return None;
        }
        CStr::from_ptr(text).to_str().ok()?.parse().ok()?
    };
    lock(&OVERLAYS).get::<u64>(&number).map(|address| address.0)
}

unsafe extern "C" fn open(
    v: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    f: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let is_wal = flags & ffi::SQLITE_OPEN_WAL != 0;
    if !is_wal && flags & ffi::SQLITE_OPEN_MAIN_DB == 0 {
        // Temporary files and statement journals are private anyway.
        return forward_vfs!(v, xOpen, ffi::SQLITE_CANTOPEN, name, f, flags, out_flags);
    }
    let file = f as *mut File;
    // SAFETY: SQLite gives `szOsFile` bytes at `f`: a `File` followed by room for the base VFS's file.
    let real = unsafe {
        (*file).methods = ptr::null();
        let real = (f as *mut u8).add(size_of::<File>()) as *mut ffi::sqlite3_file;
        (*real).pMethods = ptr::null();
        real
    };
    // SAFETY: this is `xOpen` of a database or WAL file.
    let Some(state) = (unsafe { state_of(name) }) else { return ffi::SQLITE_CANTOPEN };
    let code = forward_vfs!(v, xOpen, ffi::SQLITE_CANTOPEN, name, real, flags, out_flags);
    // SAFETY: as above; `xOpen` of the base VFS set the methods of `real`.
    unsafe {
        if code != ffi::SQLITE_OK {
            if !(*real).pMethods.is_null() {
                // `xOpen` that fails but sets methods wants to be closed.
                if let Some(close) = (*(*real).pMethods).xClose {
                    close(real);
                }
            }
            return code;
        }
        ptr::write(file, File { methods: &METHODS, real, state, is_wal });
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn delete(_: *mut ffi::sqlite3_vfs, _: *const c_char, _: c_int) -> c_int {
    // An overlay deletes nothing, the WAL least of all.
    ffi::SQLITE_OK
}

unsafe extern "C" fn access(v: *mut ffi::sqlite3_vfs, name: *const c_char, flags: c_int, out: *mut c_int) -> c_int {
    forward_vfs!(v, xAccess, ffi::SQLITE_IOERR_ACCESS, name, flags, out)
}

unsafe extern "C" fn full_pathname(v: *mut ffi::sqlite3_vfs, name: *const c_char, n: c_int, out: *mut c_char) -> c_int {
    forward_vfs!(v, xFullPathname, ffi::SQLITE_CANTOPEN, name, n, out)
}

unsafe extern "C" fn randomness(v: *mut ffi::sqlite3_vfs, n: c_int, out: *mut c_char) -> c_int {
    forward_vfs!(v, xRandomness, 0, n, out)
}

unsafe extern "C" fn sleep(v: *mut ffi::sqlite3_vfs, micros: c_int) -> c_int {
    forward_vfs!(v, xSleep, 0, micros)
}

unsafe extern "C" fn current_time(v: *mut ffi::sqlite3_vfs, out: *mut f64) -> c_int {
    forward_vfs!(v, xCurrentTime, ffi::SQLITE_ERROR, out)
}

unsafe extern "C" fn current_time_millis(v: *mut ffi::sqlite3_vfs, out: *mut i64) -> c_int {
    forward_vfs!(v, xCurrentTimeInt64, ffi::SQLITE_ERROR, out)
}

unsafe extern "C" fn last_error(v: *mut ffi::sqlite3_vfs, n: c_int, out: *mut c_char) -> c_int {
    forward_vfs!(v, xGetLastError, 0, n, out)
}
