//! Access rules, as JavaScript sees them.

use napi_derive::napi;

use super::admin_types::NativeOutcome;
use super::librdkafka::{Acl, AclFilter, AclNumbers, DeletedAcls};

/// An access rule; its numbers are the protocol's.
#[napi(object)]
pub struct NativeAcl {
    /// Kind of resource.
    pub resource_type: i32,
    /// Name of the resource.
    pub resource_name: String,
    /// How the resource is named.
    pub resource_pattern_type: i32,
    /// Whom it is about.
    pub principal: String,
    /// Where they connect from.
    pub host: String,
    /// What is allowed or denied.
    pub operation: i32,
    /// Whether it is allowed or denied.
    pub permission_type: i32,
}

impl From<NativeAcl> for Acl {
    fn from(a: NativeAcl) -> Self {
        let numbers = AclNumbers {
            resource: a.resource_type,
            pattern: a.resource_pattern_type,
            operation: a.operation,
            permission: a.permission_type,
        };
        Self { numbers, name: a.resource_name, principal: a.principal, host: a.host }
    }
}

impl From<Acl> for NativeAcl {
    fn from(a: Acl) -> Self {
        Self {
            resource_type: a.numbers.resource,
            resource_name: a.name,
            resource_pattern_type: a.numbers.pattern,
            principal: a.principal,
            host: a.host,
            operation: a.numbers.operation,
            permission_type: a.numbers.permission,
        }
    }
}

/// Which access rules are meant; what is left out is any.
#[napi(object)]
pub struct NativeAclFilter {
    /// Kind of resource.
    pub resource_type: i32,
    /// Name of the resource.
    pub resource_name: Option<String>,
    /// How the resource is named.
    pub resource_pattern_type: i32,
    /// Whom the rule is about.
    pub principal: Option<String>,
    /// Where they connect from.
    pub host: Option<String>,
    /// What is allowed or denied.
    pub operation: i32,
    /// Whether it is allowed or denied.
    pub permission_type: i32,
}

impl From<NativeAclFilter> for AclFilter {
    fn from(f: NativeAclFilter) -> Self {
        let numbers = AclNumbers {
            resource: f.resource_type,
            pattern: f.resource_pattern_type,
            operation: f.operation,
            permission: f.permission_type,
        };
        Self { numbers, name: f.resource_name, principal: f.principal, host: f.host }
    }
}

/// An access rule that was deleted.
#[napi(object)]
pub struct NativeDeletedAcl {
    /// The rule.
    pub acl: NativeAcl,
    /// Whether it was deleted.
    pub outcome: NativeOutcome,
}

/// What a filter deleted.
#[napi(object)]
pub struct NativeDeletedAcls {
    /// Whether it could be done.
    pub outcome: NativeOutcome,
    /// The rules.
    pub matching: Vec<NativeDeletedAcl>,
}

impl From<DeletedAcls> for NativeDeletedAcls {
    fn from(d: DeletedAcls) -> Self {
        let matching = d.matching.into_iter();
        Self {
            outcome: d.outcome.into(),
            matching: matching
                .map(|(acl, o)| NativeDeletedAcl { acl: acl.into(), outcome: o.into() })
                .collect(),
        }
    }
}
