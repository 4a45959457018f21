//! The C side of the disk: SQLite's VFS interface (<https://sqlite.org/vfs.html>) over [`Content`] and [`Locks`].

use super::content::{Content, Counts, Failure, Loss, Trouble};
use super::locks::{Held, Locks, REGION};
use crate::dice::Dice;
use rusqlite::ffi;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Milliseconds between the Julian epoch SQLite counts from and 1970.
const JULIAN_OFFSET_MS: i64 = 210_866_760_000_000;
const MS_PER_DAY: f64 = 86_400_000.0;
const LONGEST_PATH: c_int = 512;

type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;
type Alarm = Arc<dyn Fn() + Send + Sync>;

struct State {
    content: Content,
    locks: Locks,
    /// Counts the machine's lives: a handle of an earlier one is dead.
    life: u64,
    powered: bool,
    /// The write, truncation, sync or deletion that is so many ahead (0: the next) is cut short by a power failure.
    crash_in: Option<(u64, Loss)>,
    /// A power failure that the machine does not know of yet.
    alarm_due: bool,
    alarm: Option<Alarm>,
    clock: Clock,
    last_handle: u64,
    open_handles: usize,
}

impl State {
    fn stop(&mut self, loss: Loss) {
        self.powered = false;
        self.life += 1;
        self.crash_in = None;
        self.locks.forget();
        self.content.lose(loss);
    }

    /// Counts an operation that changes what is durable; whether the power failed on it.
    fn power_fails(&mut self) -> bool {
        match &mut self.crash_in {
            None => false,
            Some((0, loss)) => {
                let loss = *loss;
                self.stop(loss);
                self.alarm_due = true;
                true
            }
            Some((ahead, _)) => {
                *ahead -= 1;
                false
            }
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One machine's disk, registered with SQLite under a name. Drop it after everything that opened files on it.
pub struct Disk {
    state: Arc<Mutex<State>>,
    name: CString,
    vfs: *mut ffi::sqlite3_vfs,
}

// SAFETY: the VFS structure is only read after registration; everything mutable is behind the mutex.
unsafe impl Send for Disk {}
// SAFETY: as above.
unsafe impl Sync for Disk {}

/// Makes SQLite's own generator (`random()`, WAL salts) a function of the seed. It is one per process: one seed at a
/// time.
pub fn seed_sqlite(seed: u64) {
    // Zero would mean "ask the operating system".
    let seed = (seed as u32 as c_int) | 1;
    // SAFETY: the documented arguments of this test control; null bytes wanted resets the generator to its seed.
    unsafe {
        ffi::sqlite3_initialize();
        ffi::sqlite3_test_control(ffi::SQLITE_TESTCTRL_PRNG_SEED, seed, ptr::null_mut::<c_void>());
        ffi::sqlite3_randomness(0, ptr::null_mut());
    }
}

impl Disk {
    /// An empty disk in a running machine. `name` is free: no other disk of this process has it. `clock` gives
    /// milliseconds since 1970.
    pub fn new(name: &str, dice: Dice, clock: impl Fn() -> i64 + Send + Sync + 'static) -> Disk {
        let state = Arc::new(Mutex::new(State {
            content: Content::new(dice),
            locks: Locks::default(),
            life: 0,
            powered: true,
            crash_in: None,
            alarm_due: false,
            alarm: None,
            clock: Arc::new(clock),
            last_handle: 0,
            open_handles: 0,
        }));
        let name = CString::new(name).expect("names of disks are made without NUL");
        let vfs = Box::into_raw(Box::new(ffi::sqlite3_vfs {
            iVersion: 2,
            szOsFile: size_of::<OpenFile>() as c_int,
            mxPathname: LONGEST_PATH,
            pNext: ptr::null_mut(),
            zName: name.as_ptr(),
            pAppData: Arc::into_raw(state.clone()) as *mut c_void,
            xOpen: Some(open),
            xDelete: Some(delete),
            xAccess: Some(access),
            xFullPathname: Some(full_pathname),
            xDlOpen: None,
            xDlError: None,
            xDlSym: None,
            xDlClose: None,
            xRandomness: Some(randomness),
            xSleep: Some(sleep),
            xCurrentTime: Some(current_time),
            xGetLastError: Some(last_error),
            xCurrentTimeInt64: Some(current_time_ms),
            xSetSystemCall: None,
            xGetSystemCall: None,
            xNextSystemCall: None,
        }));
        // SAFETY: a complete structure that stays until it is unregistered in `drop`.
        let code = unsafe { ffi::sqlite3_vfs_register(vfs, 0) };
        assert_eq!(code, ffi::SQLITE_OK, "a VFS can always be registered");
        Disk { state, name, vfs }
    }

    /// What SQLite is told as VFS name.
    pub fn name(&self) -> &str {
        self.name.to_str().expect("made from a str")
    }

    /// The machine stops now. Call it before the node is killed.
    pub fn stop(&self, loss: Loss) {
        lock(&self.state).stop(loss);
    }

    /// The machine runs again, with whole hardware.
    pub fn start(&self) {
        let mut state = lock(&self.state);
        state.powered = true;
        state.content.failing = None;
    }

    /// The power fails in the middle of work: on the `ahead`-th change from now. The alarm is then called.
    pub fn crash_in(&self, ahead: u64, loss: Loss) {
        lock(&self.state).crash_in = Some((ahead, loss));
    }

    /// What ends the node when the power failed.
    pub fn set_alarm(&self, alarm: impl Fn() + Send + Sync + 'static) {
        lock(&self.state).alarm = Some(Arc::new(alarm));
    }

    pub fn fail_in(&self, failure: Failure, ahead: u64) {
        lock(&self.state).content.failing = Some((failure, ahead));
    }

    /// Leaves room for so many bytes more; `None`: for all that comes.
    pub fn set_room(&self, bytes: Option<usize>) {
        let mut state = lock(&self.state);
        state.content.capacity = bytes.map(|bytes| state.content.used() + bytes);
    }

    pub fn set_lying(&self) {
        lock(&self.state).content.lying = true;
    }

    /// Syncs of files whose name ends so come one late.
    pub fn set_deaf(&self, end: &'static str) {
        lock(&self.state).content.deaf = Some(end);
    }

    /// No power failure, no failing operation, no lack of room any more.
    pub fn heal(&self) {
        let mut state = lock(&self.state);
        state.crash_in = None;
        state.content.failing = None;
        state.content.capacity = None;
    }

    pub fn counts(&self) -> Counts {
        lock(&self.state).content.counts
    }

    pub fn used(&self) -> usize {
        lock(&self.state).content.used()
    }

    pub fn digest(&self) -> u64 {
        lock(&self.state).content.digest()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unused = lock(&self.state).open_handles == 0;
        // SAFETY: registered in `new`. SQLite follows the pointer of an open connection to its VFS, so the structure is
        // freed only if there is none; the reference in `pAppData` was made by `Arc::into_raw`.
        unsafe {
            ffi::sqlite3_vfs_unregister(self.vfs);
            if unused {
                drop(Arc::from_raw((*self.vfs).pAppData as *const Mutex<State>));
                drop(Box::from_raw(self.vfs));
            } else {
                // The name must stay as long as the structure does.
                std::mem::forget(std::mem::take(&mut self.name));
            }
        }
    }
}

// ---- files -----------------------------------------------------------------------------------------------------------

#[repr(C)]
struct OpenFile {
    base: ffi::sqlite3_file,
    handle: *mut Handle,
}

struct Handle {
    state: Arc<Mutex<State>>,
    name: String,
    id: u64,
    life: u64,
    held: Held,
    delete_on_close: bool,
}

/// Runs `work` unless the handle is dead, in which case the answer is `dead`.
///
/// # Safety
/// `file` was filled in by `open` below and is not closed.
unsafe fn operate(
    file: *mut ffi::sqlite3_file,
    dead: c_int,
    work: impl FnOnce(&mut State, &mut Handle) -> c_int,
) -> c_int {
    // SAFETY: by contract; SQLite uses a file from one call at a time.
    let handle = unsafe { &mut *(*(file as *mut OpenFile)).handle };
    let shared = handle.state.clone();
    let mut state = lock(&shared);
    if state.life != handle.life {
        return dead;
    }
    let code = work(&mut state, handle);
    let alarm = if std::mem::take(&mut state.alarm_due) { state.alarm.clone() } else { None };
    drop(state);
    if let Some(alarm) = alarm {
        alarm();
    }
    code
}

/// As [`operate`], for what changes the disk and can be cut short by a power failure.
///
/// # Safety
/// As there.
unsafe fn change(
    file: *mut ffi::sqlite3_file,
    error: c_int,
    work: impl FnOnce(&mut Content, &str) -> Result<(), Trouble>,
) -> c_int {
    let guarded = |state: &mut State, handle: &mut Handle| {
        if state.power_fails() {
            return error;
        }
        match work(&mut state.content, &handle.name) {
            Ok(()) => ffi::SQLITE_OK,
            Err(Trouble::Failed) => error,
            Err(Trouble::Full) => ffi::SQLITE_FULL,
        }
    };
    // SAFETY: by contract.
    unsafe { operate(file, error, guarded) }
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    // Version 2: shared memory, but no memory mapping.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(raise_lock),
    xUnlock: Some(lower_lock),
    xCheckReservedLock: Some(check_reserved_lock),
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

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: made by `Box::into_raw` in `open`; SQLite closes a file once and does not use it after.
    let mut handle = unsafe { Box::from_raw((*(file as *mut OpenFile)).handle) };
    let shared = handle.state.clone();
    let mut state = lock(&shared);
    state.open_handles -= 1;
    if state.life == handle.life {
        let Handle { name, id, held, .. } = &mut *handle;
        state.locks.lower(name, *id, held, ffi::SQLITE_LOCK_NONE);
        state.locks.unmap(name, *id, held);
        if handle.delete_on_close {
            state.content.delete(&handle.name, false);
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, out: *mut c_void, n: c_int, at: i64) -> c_int {
    // SAFETY: SQLite's buffer has room for `n` bytes and belongs to this call.
    let out = unsafe { std::slice::from_raw_parts_mut(out as *mut u8, n as usize) };
    let work = |state: &mut State, handle: &mut Handle| match state.content.read(&handle.name, at as usize, out) {
        Ok(true) => ffi::SQLITE_OK,
        Ok(false) => ffi::SQLITE_IOERR_SHORT_READ,
        Err(_) => ffi::SQLITE_IOERR_READ,
    };
    // SAFETY: SQLite passes a file that is open.
    unsafe { operate(file, ffi::SQLITE_IOERR_READ, work) }
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, data: *const c_void, n: c_int, at: i64) -> c_int {
    // SAFETY: SQLite's buffer holds `n` bytes.
    let data = unsafe { std::slice::from_raw_parts(data as *const u8, n as usize) };
    // SAFETY: SQLite passes a file that is open.
    unsafe { change(file, ffi::SQLITE_IOERR_WRITE, |content, name| content.write(name, at as usize, data)) }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, len: i64) -> c_int {
    let work = |content: &mut Content, name: &str| {
        content.truncate(name, len as usize);
        Ok(())
    };
    // SAFETY: SQLite passes a file that is open.
    unsafe { change(file, ffi::SQLITE_IOERR_TRUNCATE, work) }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    // SAFETY: SQLite passes a file that is open.
    unsafe { change(file, ffi::SQLITE_IOERR_FSYNC, |content, name| content.sync(name)) }
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, out: *mut i64) -> c_int {
    let work = |state: &mut State, handle: &mut Handle| {
        // SAFETY: SQLite passes a valid out pointer.
        unsafe { *out = state.content.len(&handle.name) as i64 };
        ffi::SQLITE_OK
    };
    // SAFETY: SQLite passes a file that is open.
    unsafe { operate(file, ffi::SQLITE_IOERR_FSTAT, work) }
}

unsafe extern "C" fn raise_lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    let work = |state: &mut State, Handle { name, id, held, .. }: &mut Handle| {
        if state.locks.raise(name, *id, held, level) { ffi::SQLITE_OK } else { ffi::SQLITE_BUSY }
    };
    // SAFETY: SQLite passes a file that is open.
    unsafe { operate(file, ffi::SQLITE_IOERR_LOCK, work) }
}

unsafe extern "C" fn lower_lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    let work = |state: &mut State, Handle { name, id, held, .. }: &mut Handle| {
        state.locks.lower(name, *id, held, level);
        ffi::SQLITE_OK
    };
    // SAFETY: SQLite passes a file that is open.
    unsafe { operate(file, ffi::SQLITE_OK, work) }
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    let work = |state: &mut State, handle: &mut Handle| {
        // SAFETY: SQLite passes a valid out pointer.
        unsafe { *out = c_int::from(state.locks.is_reserved(&handle.name)) };
        ffi::SQLITE_OK
    };
    // SAFETY: SQLite passes a file that is open.
    unsafe { operate(file, ffi::SQLITE_IOERR_CHECKRESERVEDLOCK, work) }
}

unsafe extern "C" fn file_control(_: *mut ffi::sqlite3_file, _: c_int, _: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_: *mut ffi::sqlite3_file) -> c_int {
    512
}

unsafe extern "C" fn device_characteristics(_: *mut ffi::sqlite3_file) -> c_int {
    // Nothing is promised, not even what the Unix VFS promises (POWERSAFE_OVERWRITE).
    0
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    index: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    if size as usize != REGION {
        return ffi::SQLITE_IOERR_SHMMAP;
    }
    let work = |state: &mut State, Handle { name, held, .. }: &mut Handle| {
        let at = state.locks.map(name, held, index as usize, extend != 0);
        // SAFETY: SQLite passes a valid out pointer.
        unsafe { *out = at.map_or(ptr::null_mut(), |at| at as *mut c_void) };
        ffi::SQLITE_OK
    };
    // SAFETY: SQLite passes a file that is open.
    unsafe { operate(file, ffi::SQLITE_IOERR_SHMMAP, work) }
}

unsafe extern "C" fn shm_lock(file: *mut ffi::sqlite3_file, first: c_int, n: c_int, flags: c_int) -> c_int {
    let slots = first as usize..(first + n) as usize;
    let work = |state: &mut State, Handle { name, id, held, .. }: &mut Handle| {
        if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
            state.locks.unlock_slots(name, *id, held, slots);
            return ffi::SQLITE_OK;
        }
        let exclusive = flags & ffi::SQLITE_SHM_EXCLUSIVE != 0;
        if state.locks.lock_slots(name, *id, held, slots, exclusive) { ffi::SQLITE_OK } else { ffi::SQLITE_BUSY }
    };
    // SAFETY: SQLite passes a file that is open.
    unsafe { operate(file, ffi::SQLITE_IOERR_SHMLOCK, work) }
}

unsafe extern "C" fn shm_barrier(_: *mut ffi::sqlite3_file) {
    // One thread runs a simulation.
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    let work = |state: &mut State, Handle { name, id, held, .. }: &mut Handle| {
        state.locks.unmap(name, *id, held);
        ffi::SQLITE_OK
    };
    // SAFETY: SQLite passes a file that is open.
    unsafe { operate(file, ffi::SQLITE_OK, work) }
}

// ---- the VFS itself ----------------------------------------------------------------------------------------------------

/// # Safety
/// `vfs` was registered by [`Disk::new`] and its disk is not dropped.
unsafe fn state_of<'a>(vfs: *mut ffi::sqlite3_vfs) -> &'a Mutex<State> {
    // SAFETY: by contract.
    unsafe { &*((*vfs).pAppData as *const Mutex<State>) }
}

/// # Safety
/// `name` is NUL-terminated.
unsafe fn text(name: *const c_char) -> String {
    // SAFETY: by contract.
    unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned()
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives `szOsFile` bytes at `file`, and the VFS it found by its name.
    let shared = unsafe {
        (*file).pMethods = ptr::null();
        let state = (*vfs).pAppData as *const Mutex<State>;
        Arc::increment_strong_count(state);
        Arc::from_raw(state)
    };
    let handle = {
        let mut state = lock(&shared);
        if !state.powered {
            return ffi::SQLITE_CANTOPEN;
        }
        state.last_handle += 1;
        let id = state.last_handle;
        // SAFETY: a name that is not null is NUL-terminated.
        let name = if name.is_null() { format!("temporary-{id}") } else { unsafe { text(name) } };
        if !state.content.exists(&name) {
            if flags & ffi::SQLITE_OPEN_CREATE == 0 {
                return ffi::SQLITE_CANTOPEN;
            }
            state.content.create(&name);
        }
        state.locks.opened(&name);
        state.open_handles += 1;
        let delete_on_close = flags & ffi::SQLITE_OPEN_DELETEONCLOSE != 0;
        Handle { state: shared.clone(), name, id, life: state.life, held: Held::default(), delete_on_close }
    };
    // SAFETY: as above; `out_flags` is null or valid.
    unsafe {
        (*(file as *mut OpenFile)).handle = Box::into_raw(Box::new(handle));
        (*file).pMethods = &METHODS;
        if !out_flags.is_null() {
            *out_flags = flags;
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, sync_directory: c_int) -> c_int {
    // SAFETY: SQLite passes the VFS and a NUL-terminated name.
    let (shared, name) = unsafe { (state_of(vfs), text(name)) };
    let mut state = lock(shared);
    if !state.powered {
        return ffi::SQLITE_IOERR_DELETE;
    }
    let code = if state.power_fails() {
        ffi::SQLITE_IOERR_DELETE
    } else if state.content.delete(&name, sync_directory != 0) {
        ffi::SQLITE_OK
    } else {
        ffi::SQLITE_IOERR_DELETE_NOENT
    };
    let alarm = if std::mem::take(&mut state.alarm_due) { state.alarm.clone() } else { None };
    drop(state);
    if let Some(alarm) = alarm {
        alarm();
    }
    code
}

unsafe extern "C" fn access(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, _: c_int, out: *mut c_int) -> c_int {
    // SAFETY: SQLite passes the VFS, a NUL-terminated name and a valid out pointer.
    unsafe { *out = c_int::from(lock(state_of(vfs)).content.exists(&text(name))) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn full_pathname(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    room: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: SQLite passes a NUL-terminated name and room for `room` bytes.
    unsafe {
        let name = CStr::from_ptr(name).to_bytes_with_nul();
        if name.len() > room as usize {
            return ffi::SQLITE_CANTOPEN;
        }
        ptr::copy_nonoverlapping(name.as_ptr() as *const c_char, out, name.len());
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn randomness(vfs: *mut ffi::sqlite3_vfs, n: c_int, out: *mut c_char) -> c_int {
    // SAFETY: SQLite passes the VFS and room for `n` bytes.
    unsafe {
        let mut state = lock(state_of(vfs));
        for i in 0..n as usize {
            *out.add(i) = state.content.random() as c_char;
        }
    }
    n
}

unsafe extern "C" fn sleep(_: *mut ffi::sqlite3_vfs, micros: c_int) -> c_int {
    // The only thread must not stop; whoever holds the lock cannot give it back meanwhile.
    micros
}

unsafe extern "C" fn current_time_ms(vfs: *mut ffi::sqlite3_vfs, out: *mut i64) -> c_int {
    // SAFETY: SQLite passes the VFS and a valid out pointer.
    unsafe {
        let clock = lock(state_of(vfs)).clock.clone();
        *out = JULIAN_OFFSET_MS + clock();
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn current_time(vfs: *mut ffi::sqlite3_vfs, out: *mut f64) -> c_int {
    let mut ms = 0;
    // SAFETY: as there.
    unsafe {
        current_time_ms(vfs, &mut ms);
        *out = ms as f64 / MS_PER_DAY;
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn last_error(_: *mut ffi::sqlite3_vfs, _: c_int, _: *mut c_char) -> c_int {
    0
}
