//! Descriptions of consumer groups, and the group metadata with which a transaction commits offsets.

use std::ffi::c_void;
use std::ptr::NonNull;

use rdkafka_sys as sys;

use kafka_core::error::{Error, Result};
use kafka_core::kafka::{Group, GroupMember};

use super::{Handle, c_text, check, describe_code};

/// The group metadata with which a transaction commits offsets: of a group, or of a member in its present generation.
pub struct GroupMetadata {
    raw: NonNull<sys::rd_kafka_consumer_group_metadata_t>,
}

// SAFETY: plain memory that only its owner touches.
unsafe impl Send for GroupMetadata {}

impl GroupMetadata {
    /// Metadata of the group alone, without a member: the coordinator accepts commits with it from anyone.
    pub(super) fn of_group(operation: &'static str, group: &str) -> Result<Self> {
        let name = c_text(operation, group)?;
        // SAFETY: the name is NUL-terminated and copied; what is allocated is owned by the new value.
        let raw = unsafe { sys::rd_kafka_consumer_group_metadata_new(name.as_ptr()) };
        let raw = NonNull::new(raw);
        raw.map(|raw| Self { raw })
            .ok_or_else(|| Error::state(operation, format!("no memory for group {group}")))
    }

    pub(super) fn as_ptr(&self) -> *const sys::rd_kafka_consumer_group_metadata_t {
        self.raw.as_ptr()
    }

    /// Metadata of a consumer at this moment; `None` once it has left or was expelled and has no generation. Asks
    /// librdkafka's main thread.
    pub(super) fn of_member(handle: &Handle) -> Option<Self> {
        // SAFETY: the handle is alive; what is allocated is owned by the new value.
        let raw = unsafe { sys::rd_kafka_consumer_group_metadata(handle.as_ptr()) };
        let metadata = Self { raw: NonNull::new(raw)? };
        // SAFETY: alive.
        let generation = unsafe { sys::rd_kafka_consumer_group_metadata_generation_id(metadata.as_ptr()) };
        (generation >= 0).then_some(metadata)
    }
}

impl Drop for GroupMetadata {
    fn drop(&mut self) {
        // SAFETY: owned by this value.
        unsafe { sys::rd_kafka_consumer_group_metadata_destroy(self.raw.as_ptr()) };
    }
}

impl Handle {
    pub(super) fn find_group(&self, group: &str, timeout_ms: i32) -> Result<Group> {
        const OPERATION: &str = "describe the group";
        let found = self.groups(OPERATION, Some(group), timeout_ms)?.into_iter().next();
        let found = found.unwrap_or_else(|| Group::dead(group));
        if found.error == 0 {
            Ok(found)
        } else {
            Err(Error::new(OPERATION, found.error, describe_code(found.error)))
        }
    }

    /// Asks every broker for the groups that it coordinates: for all of them, or for one.
    pub fn groups(
        &self,
        operation: &'static str,
        group: Option<&str>,
        timeout_ms: i32,
    ) -> Result<Vec<Group>> {
        let name = group.map(|group| c_text(operation, group)).transpose()?;
        let name = name.as_ref().map_or(std::ptr::null(), |name| name.as_ptr());
        let mut list: *const sys::rd_kafka_group_list = std::ptr::null();
        // SAFETY: the handle is alive, the name null or NUL-terminated and alive, the out parameter writable;
        // a list that comes back is owned by the caller, who copies and frees it. What some brokers have told of in
        // time comes with an error: it is not the answer.
        unsafe {
            let code = sys::rd_kafka_list_groups(self.as_ptr(), name, &raw mut list, timeout_ms);
            let groups = if list.is_null() { Vec::new() } else { take(list) };
            check(operation, code)?;
            Ok(groups)
        }
    }
}

/// Copies the groups of a list and frees the list.
///
/// # Safety
/// `list` came from `rd_kafka_list_groups` and is not used afterwards.
unsafe fn take(list: *const sys::rd_kafka_group_list) -> Vec<Group> {
    // SAFETY: valid until destroyed at the end; the arrays have the lengths beside them.
    unsafe {
        let count = (*list).group_cnt.max(0) as usize;
        let infos = if count == 0 { &[] } else { std::slice::from_raw_parts((*list).groups, count) };
        let groups = infos.iter().map(|info| copy(info)).collect();
        sys::rd_kafka_group_list_destroy(list);
        groups
    }
}

/// # Safety
/// `info` is a group of a list that lives during the call.
unsafe fn copy(info: &sys::rd_kafka_group_info) -> Group {
    let count = info.member_cnt.max(0) as usize;
    // SAFETY: `member_cnt` members, whose strings are NUL-terminated and whose bytes have the sizes beside
    // them. An empty array may be null, which a slice may not.
    unsafe {
        let members = if count == 0 { &[] } else { std::slice::from_raw_parts(info.members, count) };
        Group {
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

/// # Safety
/// `pointer` is null or points to `size` bytes.
unsafe fn bytes(pointer: *const c_void, size: i32) -> Vec<u8> {
    if pointer.is_null() || size <= 0 {
        return Vec::new();
    }
    // SAFETY: by the caller's promise.
    unsafe { std::slice::from_raw_parts(pointer.cast::<u8>(), size as usize) }.to_vec()
}
