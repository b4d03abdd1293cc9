//! Carries assignors into a librdkafka client: the Rust half of shim.c, whose structures it mirrors.
//!
//! Ownership: everything belongs to librdkafka's configuration, which becomes the client's. [`prepare`] puts the
//! shim's state into it, [`Hook::register`] adds the assignors to that state, and librdkafka frees both at the
//! end of `rd_kafka_destroy()`, when none of its threads is left to call them. Nothing has to be kept alive.

use std::ffi::{CString, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::slice;
use std::sync::Arc;

use rdkafka_sys as sys;

use super::c_memory::{array, text, write_text};
use super::error::AssignorError;
use kafka_core::assignor::{Assignment, Assignor, JoinWatch, Member, join_response};

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
    /// The shim's alone.
    given_user_data: *mut c_void,
}

/// `nka_user_data_sink_t`.
type UserDataSink = unsafe extern "C" fn(sink: *mut c_void, data: *const c_void, len: usize);

/// `nka_assignor_t`, and the assignor behind it.
#[repr(C)]
struct Entry {
    metadata: unsafe extern "C" fn(*const Entry, UserDataSink, *mut c_void),
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
        joined: unsafe extern "C" fn(*mut c_void, *mut u8, usize, i16) -> c_int,
        answered: unsafe extern "C" fn(*mut c_void, i16, c_int),
        watch: *mut c_void,
        release_watch: unsafe extern "C" fn(*mut c_void),
    ) -> *mut Client;
    fn nka_let_go(client: *mut Client, for_good: c_int);
    fn nka_give_user_data(view: *const MemberView, user_data: *const c_void, len: usize);
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
pub(crate) struct Hook {
    client: *mut Client,
}

// SAFETY: The shim's state is reached from one thread until rd_kafka_new() has returned, and from then on
// through the handle, which is Send itself.
unsafe impl Send for Hook {}

/// The responses to a client's `JoinGroup` requests, of which [`JoinWatch::joined`] may have one held.
#[derive(Debug)]
pub(crate) struct Joins {
    client: *mut Client,
}

// SAFETY: The shim guards what nka_let_go() touches by a lock, and librdkafka's queues are thread-safe.
unsafe impl Send for Joins {}
// SAFETY: As above.
unsafe impl Sync for Joins {}

impl Joins {
    /// Lets librdkafka have the response that is held, if there is one. `for_good`: none is held from now on, which
    /// has to be said before the client is closed, since it waits for the response.
    ///
    /// # Safety
    ///
    /// The client has been made, and is not destroyed.
    pub(crate) unsafe fn let_go(&self, for_good: bool) {
        // SAFETY: By contract the client's configuration is alive, which owns the shim's state.
        unsafe { nka_let_go(self.client, c_int::from(for_good)) };
    }
}

/// Prepares a configuration, before `rd_kafka_new()`: adds interceptors to it, through which `watch` learns of the
/// group, and by which the client can be given assignors.
///
/// When `rd_kafka_new()` fails, `rd_kafka_conf_destroy()` frees what was added, too.
///
/// # Safety
///
/// `conf` is valid, and not used by another thread meanwhile. It becomes a client itself, not by a copy of it:
/// `rd_kafka_conf_dup()` copies no interceptors.
pub(crate) unsafe fn prepare(
    conf: *mut sys::rd_kafka_conf_t,
    watch: Arc<dyn JoinWatch>,
) -> Result<Hook, AssignorError> {
    // SAFETY: Both only return a number.
    let (headers, linked) = unsafe { (nka_headers_version(), sys::rd_kafka_version()) };
    if headers != linked {
        return Err(AssignorError::Version { headers, linked });
    }
    let watch = Box::into_raw(Box::new(watch));
    // SAFETY: `conf` is valid by contract, and joined(), answered() and release_watch() uphold what the shim asks for:
    // they are called with this pointer.
    let client = unsafe { nka_prepare(conf, joined, answered, watch.cast(), release_watch) };
    if client.is_null() {
        // SAFETY: The shim takes the pointer only when it succeeds.
        drop(unsafe { Box::from_raw(watch) });
        return Err(AssignorError::AlreadyPrepared);
    }
    Ok(Hook { client })
}

impl Hook {
    /// The client's `JoinGroup` responses.
    #[must_use]
    pub(crate) fn joins(&self) -> Joins {
        Joins { client: self.client }
    }

    /// Registers and enables assignors, the preferred first, and disables those the client had.
    ///
    /// The assignors are dropped at the end of `rd_kafka_destroy()`, on the thread that calls it. After an error
    /// the client may have no assignor at all: destroy it.
    ///
    /// # Safety
    ///
    /// `rk` is valid, was made from the configuration this hook was prepared with, and has not been subscribed
    /// to anything yet.
    pub(crate) unsafe fn register(
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
        Self { metadata, user_data, assign, on_assignment, keeps, assignor }
    }
}

/// `nka_release_t`: frees the assignors.
unsafe extern "C" fn release(owner: *mut c_void) {
    // SAFETY: Called once, with what register() made by Box::into_raw().
    let owner = unsafe { Box::from_raw(owner.cast::<Owner>()) };
    // An assignor's own Drop may panic, and there is nobody left to tell.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(owner)));
}

/// `nka_release_t`: frees the watch.
unsafe extern "C" fn release_watch(watch: *mut c_void) {
    // SAFETY: Called once, with what prepare() made by Box::into_raw().
    let watch = unsafe { Box::from_raw(watch.cast::<Arc<dyn JoinWatch>>()) };
    let _ = catch_unwind(AssertUnwindSafe(|| drop(watch)));
}

/// `nka_joined_t`.
unsafe extern "C" fn joined(watch: *mut c_void, payload: *mut u8, len: usize, version: i16) -> c_int {
    if len == 0 {
        return 0;
    }
    // SAFETY: The shim gives what prepare() gave it, and the response's own buffer, which nobody else reads or writes
    // during the call.
    let (watch, payload) =
        unsafe { (&*watch.cast::<Arc<dyn JoinWatch>>(), slice::from_raw_parts_mut(payload, len)) };
    let holds = catch_unwind(AssertUnwindSafe(|| {
        // Before the repair: the watch gets what the members have sent.
        if !join_response::is_known(version) {
            watch.unread(version);
        }
        let join = join_response::read(payload, version);
        join_response::repair(payload, version);
        join.is_some_and(|join| watch.joined(join))
    }));
    c_int::from(holds.unwrap_or(false))
}

/// `nka_answered_t`.
unsafe extern "C" fn answered(watch: *mut c_void, api_key: i16, code: c_int) {
    // SAFETY: The shim gives what prepare() gave it.
    let watch = unsafe { &*watch.cast::<Arc<dyn JoinWatch>>() };
    let _ = catch_unwind(AssertUnwindSafe(|| watch.answered(api_key, code)));
}

/// `nka_assignor_t.metadata`. Emits nothing when the assignor panics; librdkafka then makes the metadata.
unsafe extern "C" fn metadata(entry: *const Entry, emit: UserDataSink, sink: *mut c_void) {
    // SAFETY: The shim gives back the entry it was registered with.
    let entry = unsafe { &*entry };
    if let Ok(Some(data)) = catch_unwind(AssertUnwindSafe(|| entry.assignor.metadata())) {
        // SAFETY: The sink copies `len` bytes before it returns.
        unsafe { emit(sink, data.as_ptr().cast(), data.len()) };
    }
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
        write_assignments(views, &assignments)?;
        for (view, member) in views.iter().zip(&members) {
            if let Some(data) = entry.assignor.assignment_user_data(&member.id) {
                // SAFETY: The view is the shim's; the bytes are copied.
                unsafe { nka_give_user_data(view, data.as_ptr().cast(), data.len()) };
            }
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use kafka_core::assignor::Join;

    #[derive(Default)]
    struct Told(Mutex<Vec<i16>>);

    impl JoinWatch for Told {
        fn joined(&self, _: Join) -> bool {
            false
        }

        fn unread(&self, version: i16) {
            self.0.lock().unwrap().push(version);
        }
    }

    #[test]
    fn responses_to_joins_that_cannot_be_read_are_told_of() {
        let told = Arc::new(Told::default());
        let watch: Arc<dyn JoinWatch> = Arc::<Told>::clone(&told);
        for version in 0..=7 {
            let mut payload = [0_u8; 40];
            // SAFETY: The watch and the payload live during the call.
            let held = unsafe {
                joined(ptr::from_ref(&watch).cast_mut().cast(), payload.as_mut_ptr(), payload.len(), version)
            };
            assert_eq!(held, 0);
        }
        assert_eq!(*told.0.lock().unwrap(), [6, 7]);
    }
}
