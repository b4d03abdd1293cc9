//! The C callbacks that librdkafka calls: the assignors, and the watch over responses to a join.

use std::ffi::{CString, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;
use std::sync::Arc;

use rdkafka_sys as sys;

use super::c_memory::{array, text, write_text};
use super::ffi::{Entry, MemberView, UserDataSink, nka_give_user_data};
use kafka_core::assignor::{Assignment, Assignor, JoinWatch, Member, join_response};

impl Entry {
    pub(super) fn new(assignor: Arc<dyn Assignor>) -> Self {
        let keeps = c_int::from(assignor.keeps_during_rebalance());
        Self { metadata, user_data, assign, on_assignment, keeps, assignor }
    }
}

/// `nka_joined_t`.
pub(super) unsafe extern "C" fn joined(
    watch: *mut c_void,
    payload: *mut u8,
    len: usize,
    version: i16,
) -> c_int {
    if len == 0 {
        return 0;
    }
    // SAFETY: The shim gives what prepare() gave it, and the response's own buffer, which no other thread reads or
    // writes during the call.
    let (watch, payload) =
        unsafe { (&*watch.cast::<Arc<dyn JoinWatch>>(), slice::from_raw_parts_mut(payload, len)) };
    let holds = catch_unwind(AssertUnwindSafe(|| {
        // Before the repair, so that the watch sees the metadata as the members sent it.
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
pub(super) unsafe extern "C" fn answered(watch: *mut c_void, api_key: i16, code: c_int) {
    // SAFETY: The shim gives what prepare() gave it.
    let watch = unsafe { &*watch.cast::<Arc<dyn JoinWatch>>() };
    let _ = catch_unwind(AssertUnwindSafe(|| watch.answered(api_key, code)));
}

/// `nka_assignor_t.metadata`. Emits nothing when the assignor panics; then librdkafka builds the metadata.
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
    use std::ptr;
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
