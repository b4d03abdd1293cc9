//! Configurations of topics and brokers.

use rdkafka_sys as sys;
use std::ffi::c_char;
use sys::rd_kafka_ResourceType_t as ResourceType;

use super::{AdminOptions, Owned, elements, truth};
use crate::{Handle, c_text, check, owned_text};
use kafka_core::error::{CODE_INVALID_ARG, Error, Result};
use kafka_core::kafka::Outcome;

/// A topic or broker, and names or values of its configuration.
#[derive(Debug, Clone)]
pub struct ConfigResource {
    /// The protocol's number: 2 for a topic, 4 for a broker.
    pub kind: i32,
    /// Topic name or broker id.
    pub name: String,
    /// What to set it to. When describing a resource: the names to describe (values are ignored), or empty for all.
    pub config: Vec<(String, String)>,
}

/// The configuration of a resource.
#[derive(Debug, Clone)]
pub struct DescribedConfig {
    /// The resource, or why it could not be described.
    pub outcome: Outcome,
    /// The protocol's number of its kind.
    pub kind: i32,
    /// Its configuration.
    pub entries: Vec<ConfigEntry>,
}

/// A configuration value.
#[derive(Debug, Clone)]
pub struct ConfigEntry {
    /// Name, value and source.
    pub value: ConfigSynonym,
    /// Whether it cannot be changed.
    pub read_only: bool,
    /// Whether its value is secret, so that the broker leaves it out.
    pub sensitive: bool,
    /// Where else it is set, the value in effect first.
    pub synonyms: Vec<ConfigSynonym>,
}

/// A configuration value at one of the places that set it.
#[derive(Debug, Clone)]
pub struct ConfigSynonym {
    /// Name.
    pub name: String,
    /// Value, unless it is secret.
    pub value: Option<String>,
    /// The protocol's number of that place.
    pub source: i32,
}

impl Handle {
    /// Describes topics, or a single broker.
    pub fn describe_configs(
        &self,
        resources: &[ConfigResource],
        options: AdminOptions,
    ) -> Result<Vec<DescribedConfig>> {
        const OPERATION: &str = "describe configs";
        let mut requests = requests(OPERATION, resources)?;
        let event = self.request(OPERATION, options, |rk, options, queue| {
            let (array, count) = requests.array();
            // SAFETY: all are alive during the call, which copies the requests.
            unsafe { sys::rd_kafka_DescribeConfigs(rk, array, count, options, queue) };
        })?;
        // SAFETY: the event is alive; the result, its arrays and texts belong to it and are copied.
        unsafe {
            let result = sys::rd_kafka_event_DescribeConfigs_result(event.as_ptr());
            let mut count = 0;
            let array = sys::rd_kafka_DescribeConfigs_result_resources(result, &raw mut count);
            Ok(elements(array, count).iter().map(|&resource| described(resource)).collect())
        }
    }

    /// Replaces the whole configuration of topics, or of a single broker: settings that are not named return to their
    /// defaults.
    pub fn alter_configs(
        &self,
        resources: &[ConfigResource],
        options: AdminOptions,
    ) -> Result<Vec<(i32, Outcome)>> {
        const OPERATION: &str = "alter configs";
        let mut requests = requests(OPERATION, resources)?;
        let event = self.request(OPERATION, options, |rk, options, queue| {
            let (array, count) = requests.array();
            // SAFETY: all are alive during the call, which copies the requests.
            unsafe { sys::rd_kafka_AlterConfigs(rk, array, count, options, queue) };
        })?;
        // SAFETY: the event is alive; the result, its array and texts belong to it and are copied.
        unsafe {
            let result = sys::rd_kafka_event_AlterConfigs_result(event.as_ptr());
            let mut count = 0;
            let array = sys::rd_kafka_AlterConfigs_result_resources(result, &raw mut count);
            let told = elements(array, count).iter();
            Ok(told.map(|&r| (sys::rd_kafka_ConfigResource_type(r) as i32, outcome(r))).collect())
        }
    }
}

fn requests(
    operation: &'static str,
    resources: &[ConfigResource],
) -> Result<Owned<sys::rd_kafka_ConfigResource_t>> {
    // SAFETY: the destructor is that of the requests.
    let mut requests = unsafe { Owned::new(sys::rd_kafka_ConfigResource_destroy) };
    for resource in resources {
        let kind = [ResourceType::RD_KAFKA_RESOURCE_TOPIC, ResourceType::RD_KAFKA_RESOURCE_BROKER]
            .into_iter()
            .find(|&kind| kind as i32 == resource.kind);
        let Some(kind) = kind else {
            let text = format!("resources of type {} have no configuration", resource.kind);
            return Err(Error::new(operation, CODE_INVALID_ARG, text));
        };
        let name = c_text(operation, &resource.name)?;
        // SAFETY: the name is copied.
        let raw = unsafe { sys::rd_kafka_ConfigResource_new(kind, name.as_ptr()) };
        if raw.is_null() {
            return Err(Error::new(operation, CODE_INVALID_ARG, "a resource needs a name"));
        }
        requests.push(raw);
        for (key, value) in &resource.config {
            let (key, value) = (c_text(operation, key)?, c_text(operation, value)?);
            // SAFETY: the request is alive; both texts are copied.
            check(operation, unsafe {
                sys::rd_kafka_ConfigResource_set_config(raw, key.as_ptr(), value.as_ptr())
            })?;
        }
    }
    Ok(requests)
}

/// # Safety
/// `resource` lives during the call.
unsafe fn outcome(resource: *const sys::rd_kafka_ConfigResource_t) -> Outcome {
    // SAFETY: by the caller's promise; the texts belong to the resource and are copied.
    unsafe {
        Outcome {
            name: owned_text(sys::rd_kafka_ConfigResource_name(resource)),
            error: sys::rd_kafka_ConfigResource_error(resource) as i32,
            message: owned_text(sys::rd_kafka_ConfigResource_error_string(resource)),
        }
    }
}

/// # Safety
/// `resource` lives during the call.
unsafe fn described(resource: *const sys::rd_kafka_ConfigResource_t) -> DescribedConfig {
    // SAFETY: by the caller's promise; entries and texts belong to the resource and are copied.
    unsafe {
        let mut count = 0;
        let array = sys::rd_kafka_ConfigResource_configs(resource, &raw mut count);
        let entry = |&entry: &*const sys::rd_kafka_ConfigEntry_t| {
            let mut count = 0;
            let array = sys::rd_kafka_ConfigEntry_synonyms(entry, &raw mut count);
            ConfigEntry {
                value: synonym(entry),
                read_only: truth(sys::rd_kafka_ConfigEntry_is_read_only(entry)),
                sensitive: truth(sys::rd_kafka_ConfigEntry_is_sensitive(entry)),
                synonyms: elements(array, count).iter().map(|&s| synonym(s)).collect(),
            }
        };
        DescribedConfig {
            outcome: outcome(resource),
            kind: sys::rd_kafka_ConfigResource_type(resource) as i32,
            entries: elements(array, count).iter().map(entry).collect(),
        }
    }
}

/// # Safety
/// `entry` lives during the call, and is one of a topic's or a broker's: the sources of those are all among
/// the values of the enumeration.
unsafe fn synonym(entry: *const sys::rd_kafka_ConfigEntry_t) -> ConfigSynonym {
    // SAFETY: by the caller's promise; the texts belong to the entry and are copied.
    unsafe {
        let value: *const c_char = sys::rd_kafka_ConfigEntry_value(entry);
        ConfigSynonym {
            name: owned_text(sys::rd_kafka_ConfigEntry_name(entry)),
            value: (!value.is_null()).then(|| owned_text(value)),
            source: sys::rd_kafka_ConfigEntry_source(entry) as i32,
        }
    }
}
