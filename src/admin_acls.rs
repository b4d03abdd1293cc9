//! Access rules, as JavaScript sees them.

use napi_derive::napi;

use super::admin_types::NativeOutcome;
use super::numbers::Number;
use librdkafka::{Acl, AclFilter, AclNumbers, DeletedAcls};

/// An access rule; its numbers are the protocol's.
#[napi(object)]
pub struct NativeAcl {
    /// Kind of resource.
    #[napi(ts_type = "number")]
    pub resource_type: Number,
    /// Name of the resource.
    pub resource_name: String,
    /// How the resource is named.
    #[napi(ts_type = "number")]
    pub resource_pattern_type: Number,
    /// The principal that it applies to.
    pub principal: String,
    /// Where they connect from.
    pub host: String,
    /// What is allowed or denied.
    #[napi(ts_type = "number")]
    pub operation: Number,
    /// Whether it is allowed or denied.
    #[napi(ts_type = "number")]
    pub permission_type: Number,
}

impl From<NativeAcl> for Acl {
    fn from(a: NativeAcl) -> Self {
        let numbers = AclNumbers {
            resource: a.resource_type.0,
            pattern: a.resource_pattern_type.0,
            operation: a.operation.0,
            permission: a.permission_type.0,
        };
        Self { numbers, name: a.resource_name, principal: a.principal, host: a.host }
    }
}

impl From<Acl> for NativeAcl {
    fn from(a: Acl) -> Self {
        Self {
            resource_type: Number(a.numbers.resource),
            resource_name: a.name,
            resource_pattern_type: Number(a.numbers.pattern),
            principal: a.principal,
            host: a.host,
            operation: Number(a.numbers.operation),
            permission_type: Number(a.numbers.permission),
        }
    }
}

/// Selects access rules; a field that is left out matches any.
#[napi(object)]
pub struct NativeAclFilter {
    /// Kind of resource.
    #[napi(ts_type = "number")]
    pub resource_type: Number,
    /// Name of the resource.
    pub resource_name: Option<String>,
    /// How the resource is named.
    #[napi(ts_type = "number")]
    pub resource_pattern_type: Number,
    /// The principal that the rule applies to.
    pub principal: Option<String>,
    /// Where they connect from.
    pub host: Option<String>,
    /// What is allowed or denied.
    #[napi(ts_type = "number")]
    pub operation: Number,
    /// Whether it is allowed or denied.
    #[napi(ts_type = "number")]
    pub permission_type: Number,
}

impl From<NativeAclFilter> for AclFilter {
    fn from(f: NativeAclFilter) -> Self {
        let numbers = AclNumbers {
            resource: f.resource_type.0,
            pattern: f.resource_pattern_type.0,
            operation: f.operation.0,
            permission: f.permission_type.0,
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
    /// Whether the filter could be applied.
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
