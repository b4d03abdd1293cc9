//! Carries assignors into a librdkafka client: the Rust half of shim.c, whose structures it mirrors.
//!
//! Ownership: everything belongs to librdkafka's configuration, which becomes the client's. [`prepare`] puts the
//! shim's state into it, [`Hook::register`] adds the assignors to that state, and librdkafka frees both at the
//! end of `rd_kafka_destroy()`, when none of its threads is left to call them. Nothing has to be kept alive.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::slice;
use std::sync::Arc;

use rdkafka_sys as sys;
use thiserror::Error;

use super::{Assignment, Assignor, Member, join_response};

/// Why an assignor could not be put into a client.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AssignorError {
    /// Another librdkafka is linked than the one whose private headers the shim was compiled with.
    #[error(
        "librdkafka {linked:#010x} is linked, but the assignors were compiled for {headers:#010x}: build with \
         the librdkafka that rdkafka-sys brings along"
    )]
    Version {
        /// `RD_KAFKA_VERSION` of the headers.
        headers: i32,
        /// What `rd_kafka_version()` returns.
        linked: i32,
    },
    /// [`prepare`] was called before with this configuration.
    #[error("the configuration is prepared for assignors already")]
    AlreadyPrepared,
    /// The handle was not made from the prepared configuration, or has its assignors.
    #[error("the client was not made from the configuration that was prepared")]
    ForeignHandle,
    /// The library's structures are not where its headers say; nothing was touched.
    #[error("librdkafka was compiled with another config.h than the assignors: clean and build again")]
    Layout,
    /// There is no group whose leader could assign anything.
    #[error("assignors need a consumer with a group.id and group.protocol=classic")]
    NoClassicGroup,
    /// No assignor was given.
    #[error("at least one assignor is needed")]
    Empty,
    /// A name that cannot be sent.
    #[error("{name:?} cannot be the name of an assignor")]
    Name {
        /// The assignor's name.
        name: String,
    },
    /// librdkafka refused it: mostly because it has one of that name.
    #[error("librdkafka does not take the assignor {name:?}: {reason}")]
    Refused {
        /// The assignor's name.
        name: String,
        /// librdkafka's error text.
        reason: String,
    },
}

/// `nka_client_t`.
#[repr(C)]
struct Client {
    _opaque: [u8; 0],
}

/// `nka_member_t`.
#[repr(C)]
struct MemberView {
    id: *const c_char,
    id_len: usize,
    user_data: *const u8,
    user_data_len: usize,
    topics: *const *const sys::rd_kafka_metadata_topic_t,
    topic_cnt: usize,
    assignment: *mut sys::rd_kafka_topic_partition_list_t,
}

/// `nka_user_data_sink_t`.
type UserDataSink = unsafe extern "C" fn(sink: *mut c_void, data: *const c_void, len: usize);

/// `nka_assignor_t`, and the assignor behind it.
#[repr(C)]
struct Entry {
    user_data: unsafe extern "C" fn(*const Entry, UserDataSink, *mut c_void),
    assign: unsafe extern "C" fn(
        *const Entry,
        *const c_char,
        *const MemberView,
        usize,
        *const *const sys::rd_kafka_metadata_topic_t,
        usize,
        *mut c_char,
        usize,
    ) -> c_int,
    on_assignment: unsafe extern "C" fn(*const Entry, *const sys::rd_kafka_topic_partition_list_t),
    keeps: c_int,
    assignor: Arc<dyn Assignor>,
}

/// What the shim owns on behalf of Rust.
struct Owner {
    entries: Box<[Entry]>,
}

const NKA_OK: c_int = 0;
const NKA_FOREIGN: c_int = 1;
const NKA_NO_CLASSIC_GROUP: c_int = 3;

unsafe extern "C" {
    fn nka_headers_version() -> c_int;
    fn nka_prepare(
        conf: *mut sys::rd_kafka_conf_t,
        repair: unsafe extern "C" fn(*mut u8, usize, i16),
    ) -> *mut Client;
    fn nka_bind(
        client: *mut Client,
        rk: *mut sys::rd_kafka_t,
        owner: *mut c_void,
        release: unsafe extern "C" fn(*mut c_void),
    ) -> c_int;
    fn nka_add(
        rk: *mut sys::rd_kafka_t,
        name: *const c_char,
        assignor: *const c_void,
    ) -> sys::rd_kafka_resp_err_t;
}

/// The right to register assignors with the client made from a prepared configuration, once.
///
/// Dropping it is harmless: the client then has librdkafka's own assignors.
#[derive(Debug)]
#[must_use = "the client has no assignors of its own until they are registered"]
pub struct Hook {
    client: *mut Client,
}

// SAFETY: The shim's state is reached from one thread until rd_kafka_new() has returned, and from then on
// through the handle, which is Send itself.
unsafe impl Send for Hook {}

/// Prepares a configuration for assignors, before `rd_kafka_new()`: adds interceptors to it.
///
/// When `rd_kafka_new()` fails, leave the configuration to leak, as rdkafka's own clients do: librdkafka has
/// freed a prepared configuration's interceptors by then, and `rd_kafka_conf_destroy()` would do it again.
///
/// # Safety
///
/// `conf` is valid, and not used by another thread meanwhile. It becomes a client itself, not by a copy of it:
/// `rd_kafka_conf_dup()` copies no interceptors.
pub unsafe fn prepare(conf: *mut sys::rd_kafka_conf_t) -> Result<Hook, AssignorError> {
    // SAFETY: Both only return a number.
    let (headers, linked) = unsafe { (nka_headers_version(), sys::rd_kafka_version()) };
    if headers != linked {
        return Err(AssignorError::Version { headers, linked });
    }
    // SAFETY: `conf` is valid by contract, and repair_response upholds what nka_repair_t asks for.
    let client = unsafe { nka_prepare(conf, repair_response) };
    if client.is_null() { Err(AssignorError::AlreadyPrepared) } else { Ok(Hook { client }) }
}

impl Hook {
    /// Registers and enables assignors, the preferred first, and disables those the client had.
    ///
    /// The assignors are dropped at the end of `rd_kafka_destroy()`, on the thread that calls it. After an error
    /// the client may have no assignor at all: destroy it.
    ///
    /// # Safety
    ///
    /// `rk` is valid, was made from the configuration this hook was prepared with, and has not been subscribed
    /// to anything yet.
    pub unsafe fn register(
        self,
        rk: *mut sys::rd_kafka_t,
        assignors: Vec<Arc<dyn Assignor>>,
    ) -> Result<(), AssignorError> {
        if assignors.is_empty() {
            return Err(AssignorError::Empty);
        }
        let names = assignors.iter().map(|a| wire_name(a.protocol_name())).collect::<Result<Vec<_>, _>>()?;
        let entries = assignors.into_iter().map(Entry::new).collect();
        let owner = Box::into_raw(Box::new(Owner { entries }));

        // SAFETY: `rk` is valid by contract, hence `self.client` is, which its configuration owns. release()
        // takes back exactly this pointer.
        match unsafe { nka_bind(self.client, rk, owner.cast(), release) } {
            NKA_OK => {}
            refusal => {
                // SAFETY: The shim takes the pointer only when it succeeds.
                drop(unsafe { Box::from_raw(owner) });
                return Err(match refusal {
                    NKA_FOREIGN => AssignorError::ForeignHandle,
                    NKA_NO_CLASSIC_GROUP => AssignorError::NoClassicGroup,
                    _ => AssignorError::Layout,
                });
            }
        }
        // SAFETY: The shim keeps the owner until `rk` is destroyed, and nothing changes it.
        let entries = unsafe { &(*owner).entries };
        for (name, entry) in names.iter().zip(entries) {
            // SAFETY: `rk` is valid and not subscribed, so no thread goes through its assignors. The entry lives
            // as long as `rk`; the name is copied.
            let error = unsafe { nka_add(rk, name.as_ptr(), ptr::from_ref(entry).cast()) };
            if error != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                // SAFETY: Returns a static string for any code.
                let reason = unsafe { text(sys::rd_kafka_err2str(error)) };
                return Err(AssignorError::Refused {
                    name: entry.assignor.protocol_name().to_owned(),
                    reason,
                });
            }
        }
        Ok(())
    }
}

fn wire_name(name: &str) -> Result<CString, AssignorError> {
    match CString::new(name) {
        // A Kafka string has a 16-bit length.
        Ok(wire) if !name.is_empty() && i16::try_from(name.len()).is_ok() => Ok(wire),
        _ => Err(AssignorError::Name { name: name.to_owned() }),
    }
}

impl Entry {
    fn new(assignor: Arc<dyn Assignor>) -> Self {
        let keeps = c_int::from(assignor.keeps_during_rebalance());
        Self { user_data, assign, on_assignment, keeps, assignor }
    }
}

/// `nka_release_t`: frees the assignors.
unsafe extern "C" fn release(owner: *mut c_void) {
    // SAFETY: Called once, with what register() made by Box::into_raw().
    let owner = unsafe { Box::from_raw(owner.cast::<Owner>()) };
    // An assignor's own Drop may panic, and there is nobody left to tell.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(owner)));
}

/// `nka_repair_t`.
unsafe extern "C" fn repair_response(payload: *mut u8, len: usize, version: i16) {
    if len == 0 {
        return;
    }
    // SAFETY: The shim gives the response's own buffer, which nobody else reads or writes during the call.
    let payload = unsafe { slice::from_raw_parts_mut(payload, len) };
    let _ = catch_unwind(AssertUnwindSafe(|| join_response::repair(payload, version)));
}

/// `nka_assignor_t.user_data`. Emits nothing when the assignor panics; the shim then sends none.
unsafe extern "C" fn user_data(entry: *const Entry, emit: UserDataSink, sink: *mut c_void) {
    // SAFETY: The shim gives back the entry it was registered with.
    let entry = unsafe { &*entry };
    if let Ok(data) = catch_unwind(AssertUnwindSafe(|| entry.assignor.user_data())) {
        // SAFETY: The sink copies `len` bytes before it returns.
        unsafe { emit(sink, data.as_ptr().cast(), data.len()) };
    }
}

/// `nka_assignor_t.assign`.
unsafe extern "C" fn assign(
    entry: *const Entry,
    leader: *const c_char,
    members: *const MemberView,
    member_cnt: usize,
    topics: *const *const sys::rd_kafka_metadata_topic_t,
    topic_cnt: usize,
    errstr: *mut c_char,
    errstr_size: usize,
) -> c_int {
    // SAFETY: The shim gives back the entry it was registered with, and valid arrays of the given lengths.
    let (entry, views, topics) = unsafe { (&*entry, array(members, member_cnt), array(topics, topic_cnt)) };
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: The shim gives strings and structures that live during the call.
        let (leader, members, topics) = unsafe {
            let members: Vec<Member> = views.iter().map(|view| member(view)).collect();
            let topics: Vec<(String, i32)> =
                topics.iter().map(|&topic| (text((*topic).topic), (*topic).partition_cnt)).collect();
            (text(leader), members, topics)
        };
        let assignments = entry.assignor.assign(&leader, &members, &topics)?;
        write_assignments(views, &assignments)
    }));
    let Err(error) = outcome.unwrap_or_else(|_| Err("the assignor panicked".to_owned())) else { return 0 };
    // SAFETY: librdkafka gives a buffer of this size.
    unsafe { write_text(&error, errstr, errstr_size) };
    -1
}

/// `nka_assignor_t.on_assignment`.
unsafe extern "C" fn on_assignment(
    entry: *const Entry,
    partitions: *const sys::rd_kafka_topic_partition_list_t,
) {
    // SAFETY: The shim gives back the entry it was registered with.
    let entry = unsafe { &*entry };
    let mut assignment = Assignment::new();
    if !partitions.is_null() {
        // SAFETY: librdkafka gives a valid list, with `cnt` elements, that lives during the call.
        for partition in unsafe { array((*partitions).elems, (*partitions).cnt.max(0) as usize) } {
            // SAFETY: The topic of a list's element is a string.
            let topic = unsafe { text(partition.topic) };
            assignment.entry(topic).or_default().push(partition.partition);
        }
    }
    let _ = catch_unwind(AssertUnwindSafe(|| entry.assignor.on_assignment(&assignment)));
}

/// Copies a member.
///
/// # Safety
///
/// The view's pointers are valid for their lengths; its topics are valid, with names.
unsafe fn member(view: &MemberView) -> Member {
    // SAFETY: By contract.
    unsafe {
        Member {
            id: String::from_utf8_lossy(array(view.id.cast::<u8>(), view.id_len)).into_owned(),
            user_data: array(view.user_data, view.user_data_len).to_vec(),
            topics: array(view.topics, view.topic_cnt).iter().map(|&topic| text((*topic).topic)).collect(),
        }
    }
}

/// Hands the members' assignments to librdkafka.
fn write_assignments(views: &[MemberView], assignments: &[Assignment]) -> Result<(), String> {
    if assignments.len() != views.len() {
        return Err(format!("{} members, but {} assignments", views.len(), assignments.len()));
    }
    for (view, assignment) in views.iter().zip(assignments) {
        for (topic, partitions) in assignment {
            let name = CString::new(topic.as_str()).map_err(|_| format!("{topic:?} is no topic"))?;
            for &partition in partitions {
                // SAFETY: The list is librdkafka's, for this very purpose; the name is copied.
                unsafe { sys::rd_kafka_topic_partition_list_add(view.assignment, name.as_ptr(), partition) };
            }
        }
    }
    Ok(())
}

/// A C array, which may be null when it is empty.
///
/// # Safety
///
/// `elements` points to `len` valid elements that outlive `'a`, unless `len` is 0.
unsafe fn array<'a, T>(elements: *const T, len: usize) -> &'a [T] {
    if len == 0 || elements.is_null() {
        return &[];
    }
    // SAFETY: By contract.
    unsafe { slice::from_raw_parts(elements, len) }
}

/// Copies a C string.
///
/// # Safety
///
/// `string` is null or a valid C string.
unsafe fn text(string: *const c_char) -> String {
    if string.is_null() {
        return String::new();
    }
    // SAFETY: By contract.
    unsafe { CStr::from_ptr(string) }.to_string_lossy().into_owned()
}

/// Writes as much of a text as fits, with a final NUL.
///
/// # Safety
///
/// `buffer` has room for `size` bytes.
unsafe fn write_text(text: &str, buffer: *mut c_char, size: usize) {
    let Some(room) = size.checked_sub(1) else { return };
    let length = text.len().min(room);
    // SAFETY: `length` + 1 bytes fit by contract; a Rust string and C's buffer do not overlap.
    unsafe {
        ptr::copy_nonoverlapping(text.as_ptr().cast::<c_char>(), buffer, length);
        *buffer.add(length) = 0;
    }
}
