//! Access rules.

use rdkafka_sys as sys;
use std::ffi::{CString, c_char};
use sys::rd_kafka_AclOperation_t as Operation;
use sys::rd_kafka_AclPermissionType_t as Permission;
use sys::rd_kafka_ResourcePatternType_t as Pattern;
use sys::rd_kafka_ResourceType_t as Resource;

use super::{AdminOptions, ErrorText, Owned, elements, outcome_of};
use crate::{Handle, c_text, owned_text};
use kafka_core::error::{CODE_INVALID_ARG, Error, Result};
use kafka_core::kafka::Outcome;

/// The protocol's numbers in an access rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AclNumbers {
    /// Kind of resource.
    pub resource: i32,
    /// How the resource is named.
    pub pattern: i32,
    /// What is allowed or denied.
    pub operation: i32,
    /// Whether it is allowed or denied.
    pub permission: i32,
}

/// An access rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acl {
    /// Its numbers.
    pub numbers: AclNumbers,
    /// Name of the resource.
    pub name: String,
    /// The principal that it applies to.
    pub principal: String,
    /// Where they connect from.
    pub host: String,
}

/// Selects access rules; a field that is `None` matches any.
#[derive(Debug, Clone)]
pub struct AclFilter {
    /// The protocol's numbers; each may be "any".
    pub numbers: AclNumbers,
    /// Name of the resource.
    pub name: Option<String>,
    /// The principal that the rule applies to.
    pub principal: Option<String>,
    /// Where they connect from.
    pub host: Option<String>,
}

/// What a filter deleted.
#[derive(Debug, Clone)]
pub struct DeletedAcls {
    /// Whether the filter could be applied.
    pub outcome: Outcome,
    /// The rules, each with its outcome.
    pub matching: Vec<(Acl, Outcome)>,
}

/// The numbers as librdkafka's enumerations.
type Enums = (Resource, Pattern, Operation, Permission);

impl AclNumbers {
    fn enums(self, operation: &'static str) -> Result<Enums> {
        let known = (0..Resource::RD_KAFKA_RESOURCE__CNT as i32).contains(&self.resource)
            && (0..Pattern::RD_KAFKA_RESOURCE_PATTERN_TYPE__CNT as i32).contains(&self.pattern)
            && (0..Operation::RD_KAFKA_ACL_OPERATION__CNT as i32).contains(&self.operation)
            && (0..Permission::RD_KAFKA_ACL_PERMISSION_TYPE__CNT as i32).contains(&self.permission);
        if !known {
            return Err(Error::new(
                operation,
                CODE_INVALID_ARG,
                format!("librdkafka does not know {self:?}"),
            ));
        }
        // SAFETY: the enumerations are `repr(u32)` and count from 0 to their `__CNT` without a gap; the numbers
        // are in that range.
        Ok(unsafe {
            (
                std::mem::transmute::<u32, Resource>(self.resource as u32),
                std::mem::transmute::<u32, Pattern>(self.pattern as u32),
                std::mem::transmute::<u32, Operation>(self.operation as u32),
                std::mem::transmute::<u32, Permission>(self.permission as u32),
            )
        })
    }
}

impl AclFilter {
    fn raw(&self, operation: &'static str) -> Result<*mut sys::rd_kafka_AclBindingFilter_t> {
        let (resource, pattern, what, permission) = self.numbers.enums(operation)?;
        let c = |text: &Option<String>| text.as_deref().map(|text| c_text(operation, text)).transpose();
        let (name, principal, host) = (c(&self.name)?, c(&self.principal)?, c(&self.host)?);
        // SAFETY: the texts are null or alive and are copied; the buffer's size is passed along.
        ErrorText::new().made(operation, |at, size| unsafe {
            sys::rd_kafka_AclBindingFilter_new(
                resource,
                pointer(name.as_ref()),
                pattern,
                pointer(principal.as_ref()),
                pointer(host.as_ref()),
                what,
                permission,
                at,
                size,
            )
        })
    }
}

impl Handle {
    /// Creates access rules; the outcomes are in their order.
    pub fn create_acls(&self, acls: &[Acl], options: AdminOptions) -> Result<Vec<Outcome>> {
        const OPERATION: &str = "create access rules";
        // SAFETY: the destructor is that of the requests.
        let mut requests = unsafe { Owned::new(sys::rd_kafka_AclBinding_destroy) };
        for acl in acls {
            let (resource, pattern, what, permission) = acl.numbers.enums(OPERATION)?;
            let name = c_text(OPERATION, &acl.name)?;
            let (principal, host) = (c_text(OPERATION, &acl.principal)?, c_text(OPERATION, &acl.host)?);
            // SAFETY: the texts are alive and are copied; the buffer's size is passed along.
            requests.push(ErrorText::new().made(OPERATION, |at, size| unsafe {
                sys::rd_kafka_AclBinding_new(
                    resource,
                    name.as_ptr(),
                    pattern,
                    principal.as_ptr(),
                    host.as_ptr(),
                    what,
                    permission,
                    at,
                    size,
                )
            })?);
        }
        let event = self.request(OPERATION, options, |rk, options, queue| {
            let (array, count) = requests.array();
            // SAFETY: all are alive during the call, which copies the requests.
            unsafe { sys::rd_kafka_CreateAcls(rk, array, count, options, queue) };
        })?;
        // SAFETY: the event is alive; the result, its array and errors belong to it and are copied.
        unsafe {
            let result = sys::rd_kafka_event_CreateAcls_result(event.as_ptr());
            let mut count = 0;
            let array = sys::rd_kafka_CreateAcls_result_acls(result, &raw mut count);
            let told = elements(array, count).iter();
            Ok(told.map(|&acl| outcome_of(String::new(), sys::rd_kafka_acl_result_error(acl))).collect())
        }
    }

    /// Finds access rules.
    pub fn describe_acls(&self, filter: &AclFilter, options: AdminOptions) -> Result<Vec<Acl>> {
        const OPERATION: &str = "describe access rules";
        // SAFETY: the destructor is that of the filter.
        let mut requests = unsafe { Owned::new(sys::rd_kafka_AclBinding_destroy) };
        let raw = filter.raw(OPERATION)?;
        requests.push(raw);
        let event = self.request(OPERATION, options, |rk, options, queue| {
            // SAFETY: all are alive during the call, which copies the filter.
            unsafe { sys::rd_kafka_DescribeAcls(rk, raw, options, queue) };
        })?;
        // SAFETY: the event is alive; the result, its array and rules belong to it and are copied.
        unsafe {
            let result = sys::rd_kafka_event_DescribeAcls_result(event.as_ptr());
            let mut count = 0;
            let array = sys::rd_kafka_DescribeAcls_result_acls(result, &raw mut count);
            Ok(elements(array, count).iter().map(|&acl| copy(acl)).collect())
        }
    }

    /// Deletes access rules; the outcomes are in the filters' order.
    pub fn delete_acls(&self, filters: &[AclFilter], options: AdminOptions) -> Result<Vec<DeletedAcls>> {
        const OPERATION: &str = "delete access rules";
        // SAFETY: the destructor is that of the filters.
        let mut requests = unsafe { Owned::new(sys::rd_kafka_AclBinding_destroy) };
        for filter in filters {
            requests.push(filter.raw(OPERATION)?);
        }
        let event = self.request(OPERATION, options, |rk, options, queue| {
            let (array, count) = requests.array();
            // SAFETY: all are alive during the call, which copies the filters.
            unsafe { sys::rd_kafka_DeleteAcls(rk, array, count, options, queue) };
        })?;
        // SAFETY: the event is alive; the result and all it holds belong to it and are copied.
        unsafe {
            let result = sys::rd_kafka_event_DeleteAcls_result(event.as_ptr());
            let mut count = 0;
            let array = sys::rd_kafka_DeleteAcls_result_responses(result, &raw mut count);
            let deleted = |&response: &*const sys::rd_kafka_DeleteAcls_result_response_t| {
                let mut count = 0;
                let array = sys::rd_kafka_DeleteAcls_result_response_matching_acls(response, &raw mut count);
                let matching = elements(array, count).iter();
                let error = sys::rd_kafka_DeleteAcls_result_response_error(response);
                DeletedAcls {
                    outcome: outcome_of(String::new(), error),
                    matching: matching
                        .map(|&acl| {
                            (copy(acl), outcome_of(String::new(), sys::rd_kafka_AclBinding_error(acl)))
                        })
                        .collect(),
                }
            };
            Ok(elements(array, count).iter().map(deleted).collect())
        }
    }
}

fn pointer(text: Option<&CString>) -> *const c_char {
    text.map_or(std::ptr::null(), |text| text.as_ptr())
}

/// # Safety
/// `acl` lives during the call. librdkafka puts "unknown" in place of numbers that it does not know.
unsafe fn copy(acl: *const sys::rd_kafka_AclBinding_t) -> Acl {
    // SAFETY: by the caller's promise; the texts belong to the rule and are copied.
    unsafe {
        Acl {
            numbers: AclNumbers {
                resource: sys::rd_kafka_AclBinding_restype(acl) as i32,
                pattern: sys::rd_kafka_AclBinding_resource_pattern_type(acl) as i32,
                operation: sys::rd_kafka_AclBinding_operation(acl) as i32,
                permission: sys::rd_kafka_AclBinding_permission_type(acl) as i32,
            },
            name: owned_text(sys::rd_kafka_AclBinding_name(acl)),
            principal: owned_text(sys::rd_kafka_AclBinding_principal(acl)),
            host: owned_text(sys::rd_kafka_AclBinding_host(acl)),
        }
    }
}
