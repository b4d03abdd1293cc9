//! A consumer group as its coordinator describes it.

use std::ffi::{CString, c_void};

use rdkafka_sys as sys;

use super::handle::c_name;
use super::{Handle, check};
use crate::error::{CODE_INVALID_ARG, Error, Result};

/// What brokers call the state of a group that they do not know.
pub const DEAD_GROUP: &str = "Dead";

/// A group.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its id.
    pub id: String,
    /// librdkafka's code, 0 without an error.
    pub error: i32,
    /// `Stable`, `PreparingRebalance`, `Empty`, …
    pub state: String,
    /// `consumer`, or empty for a group without members.
    pub protocol_type: String,
    /// Name of the assignor that the members agreed on.
    pub protocol: String,
    /// Its members.
    pub members: Vec<GroupMember>,
}

/// A member of a group.
#[derive(Debug, Clone)]
pub struct GroupMember {
    /// Member id.
    pub id: String,
    /// Client id.
    pub client_id: String,
    /// Host that it connects from.
    pub client_host: String,
    /// Subscription, as the group's protocol encodes it.
    pub metadata: Vec<u8>,
    /// Assignment, as the group's protocol encodes it.
    pub assignment: Vec<u8>,
}

impl Group {
    /// A group that does not exist, as brokers describe it.
    fn dead(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            error: 0,
            state: DEAD_GROUP.to_owned(),
            protocol_type: String::new(),
            protocol: String::new(),
            members: Vec::new(),
        }
    }

    /// Copies the groups of a list and frees the list.
    ///
    /// # Safety
    /// `list` came from `rd_kafka_list_groups` and is not used afterwards.
    pub(super) unsafe fn take(list: *const sys::rd_kafka_group_list) -> Vec<Self> {
        // SAFETY: valid until destroyed at the end; the arrays have the lengths beside them.
        unsafe {
            let count = (*list).group_cnt.max(0) as usize;
            let infos = if count == 0 { &[] } else { std::slice::from_raw_parts((*list).groups, count) };
            let groups = infos.iter().map(|info| Self::copy(info)).collect();
            sys::rd_kafka_group_list_destroy(list);
            groups
        }
    }

    /// # Safety
    /// `info` is a group of a list that lives during the call.
    unsafe fn copy(info: &sys::rd_kafka_group_info) -> Self {
        let count = info.member_cnt.max(0) as usize;
        // SAFETY: `member_cnt` members, whose strings are NUL-terminated and whose bytes have the sizes beside
        // them. An empty array may be null, which a slice may not.
        unsafe {
            let members = if count == 0 { &[] } else { std::slice::from_raw_parts(info.members, count) };
            Self {
                id: super::owned_text(info.group),
                error: info.err as i32,
                state: super::owned_text(info.state),
                protocol_type: super::owned_text(info.protocol_type),
                protocol: super::owned_text(info.protocol),
                members: members
                    .iter()
                    .map(|m| GroupMember {
                        id: super::owned_text(m.member_id),
                        client_id: super::owned_text(m.client_id),
                        client_host: super::owned_text(m.client_host),
                        metadata: bytes(m.member_metadata, m.member_metadata_size),
                        assignment: bytes(m.member_assignment, m.member_assignment_size),
                    })
                    .collect(),
            }
        }
    }
}

/// What a transaction's offsets are committed in the name of: a group, or a member of it in its present generation.
pub struct GroupMetadata {
    raw: *mut sys::rd_kafka_consumer_group_metadata_t,
}

impl GroupMetadata {
    /// Of a group as such: whoever commits is taken.
    pub fn of_group(operation: &'static str, group: &str) -> Result<Self> {
        let group = CString::new(group).map_err(|_| {
            Error::new(operation, CODE_INVALID_ARG, "a group's name may not contain a zero byte")
        })?;
        // SAFETY: the name is NUL-terminated and copied; what is allocated is owned by the new value.
        Ok(Self { raw: unsafe { sys::rd_kafka_consumer_group_metadata_new(group.as_ptr()) } })
    }

    pub(super) fn as_ptr(&self) -> *const sys::rd_kafka_consumer_group_metadata_t {
        self.raw
    }

    /// Whether it names a member: a consumer that the group has expelled has no generation any more.
    #[must_use]
    pub fn is_member(&self) -> bool {
        // SAFETY: alive.
        unsafe { sys::rd_kafka_consumer_group_metadata_generation_id(self.raw) >= 0 }
    }
}

impl Drop for GroupMetadata {
    fn drop(&mut self) {
        // SAFETY: owned by this value.
        unsafe { sys::rd_kafka_consumer_group_metadata_destroy(self.raw) };
    }
}

impl Handle {
    /// This consumer as a member of its group, at this moment; `None` once it has left for good. Asks librdkafka's main
    /// thread.
    #[must_use]
    pub fn group_metadata(&self) -> Option<GroupMetadata> {
        // SAFETY: the handle is alive; what is allocated is owned by the new value.
        let raw = unsafe { sys::rd_kafka_consumer_group_metadata(self.as_ptr()) };
        (!raw.is_null()).then_some(GroupMetadata { raw })
    }

    /// The cluster's name, if a broker tells it in time.
    #[must_use]
    pub fn cluster(&self, timeout_ms: i32) -> Option<String> {
        // SAFETY: the handle is alive; the text is allocated for the caller.
        unsafe { self.take_text(sys::rd_kafka_clusterid(self.as_ptr(), timeout_ms)) }
    }

    /// Asks the coordinator of a group to describe it; one that no broker knows is [`DEAD_GROUP`].
    pub fn describe_group(&self, group: &str, timeout_ms: i32) -> Result<Group> {
        const OPERATION: &str = "describe the group";
        let found = self.groups(OPERATION, Some(group), timeout_ms)?.into_iter().next();
        let found = found.unwrap_or_else(|| Group::dead(group));
        if found.error == 0 {
            Ok(found)
        } else {
            Err(Error::new(OPERATION, found.error, super::describe_code(found.error)))
        }
    }

    /// Asks every broker for the groups that it coordinates: for all of them, or for one.
    pub fn groups(
        &self,
        operation: &'static str,
        group: Option<&str>,
        timeout_ms: i32,
    ) -> Result<Vec<Group>> {
        let name = group.map(|group| c_name(operation, group)).transpose()?;
        let name = name.as_ref().map_or(std::ptr::null(), |name| name.as_ptr());
        let mut list: *const sys::rd_kafka_group_list = std::ptr::null();
        // SAFETY: the handle is alive, the name null or NUL-terminated and alive, the out parameter writable;
        // on success the list is owned by the caller, who copies and frees it.
        unsafe {
            check(operation, sys::rd_kafka_list_groups(self.as_ptr(), name, &raw mut list, timeout_ms))?;
            Ok(Group::take(list))
        }
    }
}

/// # Safety
/// `pointer` is null or points to `size` bytes.
unsafe fn bytes(pointer: *const c_void, size: i32) -> Vec<u8> {
    if pointer.is_null() || size <= 0 {
        return Vec::new();
    }
    // SAFETY: by the caller's promise.
    unsafe { std::slice::from_raw_parts(pointer.cast::<u8>(), size as usize) }.to_vec()
}
