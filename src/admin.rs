//! The admin class that JavaScript sees.

#![expect(clippy::needless_pass_by_value, reason = "Node-API hands arguments over by value")]

use std::collections::HashMap;
use std::sync::Arc;

use kafka_core::admin::Admin;
use kafka_core::error::Result;
use kafka_core::kafka::{Client, Metadata, Scope, TopicPartition};
use kafka_core::request_events::RequestEvents;
use librdkafka::mock::Mock;
use librdkafka::{AdminHandle, AdminOptions, Conf, Handle, NewTopic};
use napi::bindgen_prelude::{Either, Function};
use napi_derive::napi;

use super::admin_acls::{NativeAcl, NativeAclFilter, NativeDeletedAcls};
use super::admin_types::{
    NativeAdminOptions, NativeAlteredConfig, NativeCluster, NativeConfigResource, NativeDescribedConfig,
    NativeFoundGroup, NativeGroupState, NativeMetadata, NativeNewPartitions, NativeNewTopic, NativeOutcome,
    NativePartitionOffset, NativeRights,
};
use super::client::client_methods;
use super::consumer::either;
use super::consumer_types::{NativeOffset, NativePartition};
use super::failure::{Failure, thrown};
use super::signal::{ProducerArgs, ProducerSink};

/// A librdkafka client for admin requests, with its poll thread.
#[napi]
pub struct NativeAdmin {
    admin: Admin<AdminHandle>,
    request_events: Arc<RequestEvents>,
    /// The brokers that it was made with.
    brokers: Arc<str>,
}

#[napi]
impl NativeAdmin {
    /// Creates the client and starts its thread. `onSignal` is called with an event as JSON text, its second
    /// argument. Throws librdkafka's error if it refuses a property.
    #[napi(
        constructor,
        ts_args_type = "properties: Record<string, string>, onSignal: (none: unknown, event: string | null | undefined) => void, watchRequests: boolean"
    )]
    pub fn new(
        properties: HashMap<String, String>,
        on_signal: Function<'_, ProducerArgs, ()>,
        watch_requests: bool,
    ) -> napi::Result<Self> {
        let sink = ProducerSink::new(&on_signal)?;
        let conf = Conf::new(properties.iter().map(|(k, v)| (k.as_str(), v.as_str()))).map_err(thrown)?;
        let request_events = Arc::new(RequestEvents::new(watch_requests));
        let handle = AdminHandle::new(conf, Arc::clone(&request_events)).map_err(thrown)?;
        let admin = Admin::start(handle, Arc::clone(&request_events), Box::new(sink)).map_err(thrown)?;
        let brokers = properties.get("bootstrap.servers").map_or("", String::as_str).into();
        Ok(Self { admin, request_events, brokers })
    }

    /// Fetches metadata of topics; of all topics without names. A topic that does not exist has an error code.
    #[napi]
    pub async fn metadata(
        &self,
        topics: Option<Vec<String>>,
        options: NativeAdminOptions,
    ) -> Either<NativeMetadata, Failure> {
        self.ask("fetch metadata", options, move |handle, options| {
            metadata(handle, topics, options).map(NativeMetadata::from)
        })
        .await
    }

    /// Describes the cluster.
    #[napi]
    pub async fn cluster(&self, options: NativeAdminOptions) -> Either<NativeCluster, Failure> {
        self.ask("describe the cluster", options, |handle, options| {
            let metadata = handle.metadata(Scope::Brokers, options.left_ms())?;
            Ok(NativeCluster {
                brokers: all(metadata.brokers),
                controller_id: handle.controller_id(options.left_ms()),
                cluster_id: handle.cluster_id(options.left_ms()),
            })
        })
        .await
    }

    /// Creates topics.
    #[napi]
    pub async fn create_topics(
        &self,
        topics: Vec<NativeNewTopic>,
        options: NativeAdminOptions,
    ) -> Either<Vec<NativeOutcome>, Failure> {
        const OPERATION: &str = "create topics";
        let brokers = Arc::clone(&self.brokers);
        self.ask(OPERATION, options, move |handle, options| {
            let topics: Vec<NewTopic> = all(topics);
            let Some(mock) = Mock::of(handle, &brokers, options.left_ms()) else {
                return handle.create_new_topics(&topics, options).map(all);
            };
            let exists = |name: &str| {
                let found = handle.metadata(Scope::Topic(name), options.left_ms())?;
                Ok(found.topics.iter().any(|topic| topic.error == 0))
            };
            mock.create_topics(OPERATION, &topics, exists, options.validate_only).map(all)
        })
        .await
    }

    /// Deletes topics.
    #[napi]
    pub async fn delete_topics(
        &self,
        topics: Vec<String>,
        options: NativeAdminOptions,
    ) -> Either<Vec<NativeOutcome>, Failure> {
        self.ask_kafka("delete topics", options, move |handle, options| {
            handle.delete_topics(&topics, options).map(all)
        })
        .await
    }

    /// Increases the number of partitions of topics.
    #[napi]
    pub async fn create_partitions(
        &self,
        topics: Vec<NativeNewPartitions>,
        options: NativeAdminOptions,
    ) -> Either<Vec<NativeOutcome>, Failure> {
        self.ask_kafka("create partitions", options, move |handle, options| {
            handle.create_partitions(&all(topics), options).map(all)
        })
        .await
    }

    /// Finds offsets: each `offset` is a timestamp, -1 (end) or -2 (beginning).
    #[napi]
    pub async fn list_offsets(
        &self,
        partitions: Vec<NativeOffset>,
        options: NativeAdminOptions,
    ) -> Either<Vec<NativePartitionOffset>, Failure> {
        self.ask("list offsets", options, move |handle, options| {
            handle.list_offsets(&all(partitions), options).map(all)
        })
        .await
    }

    /// Deletes the records before these offsets; -1 deletes all.
    #[napi]
    pub async fn delete_records(
        &self,
        before: Vec<NativeOffset>,
        options: NativeAdminOptions,
    ) -> Either<Vec<NativePartitionOffset>, Failure> {
        self.ask_kafka("delete records", options, move |handle, options| {
            handle.delete_records(&all(before), options).map(all)
        })
        .await
    }

    /// The committed offsets of a group: of these partitions, or of all that have one.
    #[napi]
    pub async fn group_offsets(
        &self,
        group_id: String,
        partitions: Option<Vec<NativePartition>>,
        options: NativeAdminOptions,
    ) -> Either<Vec<NativePartitionOffset>, Failure> {
        let partitions: Option<Vec<TopicPartition>> = partitions
            .map(|list| list.into_iter().map(|p| TopicPartition::at(p.topic, p.partition.0, 0)).collect());
        self.ask("fetch the offsets of a group", options, move |handle, options| {
            handle.group_offsets(&group_id, partitions.as_deref(), options).map(all)
        })
        .await
    }

    /// Sets the committed offsets of a group without members.
    #[napi]
    pub async fn set_group_offsets(
        &self,
        group_id: String,
        offsets: Vec<NativeOffset>,
        options: NativeAdminOptions,
    ) -> Either<Vec<NativePartitionOffset>, Failure> {
        self.ask("set the offsets of a group", options, move |handle, options| {
            handle.set_group_offsets(&group_id, &all(offsets), options).map(all)
        })
        .await
    }

    /// Lists groups: all, or the named one if it exists.
    #[napi]
    pub async fn groups(
        &self,
        group_id: Option<String>,
        options: NativeAdminOptions,
    ) -> Either<Vec<NativeFoundGroup>, Failure> {
        const OPERATION: &str = "find groups";
        self.ask_kafka(OPERATION, options, move |handle, options| {
            handle.groups(OPERATION, group_id.as_deref(), options.left_ms()).map(all)
        })
        .await
    }

    /// The state of a group, as its coordinator tells; `Dead` for one that does not exist.
    #[napi]
    pub async fn group_state(
        &self,
        group_id: String,
        options: NativeAdminOptions,
    ) -> Either<NativeGroupState, Failure> {
        self.ask_kafka("find the state of a group", options, move |handle, options| {
            let (outcome, state) = handle.group_state(&group_id, options)?;
            Ok(NativeGroupState { outcome: outcome.into(), state })
        })
        .await
    }

    /// Deletes groups.
    #[napi]
    pub async fn delete_groups(
        &self,
        group_ids: Vec<String>,
        options: NativeAdminOptions,
    ) -> Either<Vec<NativeOutcome>, Failure> {
        self.ask_kafka("delete groups", options, move |handle, options| {
            handle.delete_groups(&group_ids, options).map(all)
        })
        .await
    }

    /// Describes the configuration of topics, or of a single broker.
    #[napi]
    pub async fn describe_configs(
        &self,
        resources: Vec<NativeConfigResource>,
        options: NativeAdminOptions,
    ) -> Either<Vec<NativeDescribedConfig>, Failure> {
        self.ask_kafka("describe configs", options, move |handle, options| {
            handle.describe_configs(&all(resources), options).map(all)
        })
        .await
    }

    /// Replaces the whole configuration of topics, or of a single broker.
    #[napi]
    pub async fn alter_configs(
        &self,
        resources: Vec<NativeConfigResource>,
        options: NativeAdminOptions,
    ) -> Either<Vec<NativeAlteredConfig>, Failure> {
        self.ask_kafka("alter configs", options, move |handle, options| {
            let altered = handle.alter_configs(&all(resources), options)?.into_iter();
            Ok(altered.map(|(kind, o)| NativeAlteredConfig { outcome: o.into(), kind }).collect())
        })
        .await
    }

    /// Creates access rules; the outcomes are in their order.
    #[napi]
    pub async fn create_acls(
        &self,
        acls: Vec<NativeAcl>,
        options: NativeAdminOptions,
    ) -> Either<Vec<NativeOutcome>, Failure> {
        self.ask_kafka("create access rules", options, move |handle, options| {
            handle.create_acls(&all(acls), options).map(all)
        })
        .await
    }

    /// Finds access rules.
    #[napi]
    pub async fn describe_acls(
        &self,
        filter: NativeAclFilter,
        options: NativeAdminOptions,
    ) -> Either<Vec<NativeAcl>, Failure> {
        self.ask_kafka("describe access rules", options, move |handle, options| {
            handle.describe_acls(&filter.into(), options).map(all)
        })
        .await
    }

    /// Deletes access rules; the outcomes are in the filters' order.
    #[napi]
    pub async fn delete_acls(
        &self,
        filters: Vec<NativeAclFilter>,
        options: NativeAdminOptions,
    ) -> Either<Vec<NativeDeletedAcls>, Failure> {
        self.ask_kafka("delete access rules", options, move |handle, options| {
            handle.delete_acls(&all(filters), options).map(all)
        })
        .await
    }

    /// Fetches the operations that this client is authorized for on topics.
    #[napi]
    pub async fn topic_rights(
        &self,
        topics: Vec<String>,
        options: NativeAdminOptions,
    ) -> Either<Vec<NativeRights>, Failure> {
        self.ask_kafka("describe the rights to topics", options, move |handle, options| {
            handle.topic_rights(&topics, options).map(all)
        })
        .await
    }

    /// Fetches the operations that this client is authorized for on groups, which need not exist.
    #[napi]
    pub async fn group_rights(
        &self,
        groups: Vec<String>,
        options: NativeAdminOptions,
    ) -> Either<Vec<NativeRights>, Failure> {
        self.ask_kafka("describe the rights to groups", options, move |handle, options| {
            handle.group_rights(&groups, options).map(all)
        })
        .await
    }

    /// Disconnects.
    #[napi]
    pub async fn close(&self) {
        self.admin.close().await;
    }
}

client_methods!(NativeAdmin, admin);

impl NativeAdmin {
    /// Makes a request that mock clusters do not support.
    async fn ask_kafka<T: Send + 'static>(
        &self,
        operation: &'static str,
        options: NativeAdminOptions,
        request: impl FnOnce(&Arc<Handle>, AdminOptions) -> Result<T> + Send + 'static,
    ) -> Either<T, Failure> {
        let brokers = Arc::clone(&self.brokers);
        self.ask(operation, options, move |handle, options| {
            match Mock::of(handle, &brokers, options.left_ms()) {
                Some(_) => Err(Mock::refuses(operation)),
                None => request(handle, options),
            }
        })
        .await
    }

    async fn ask<T: Send + 'static>(
        &self,
        operation: &'static str,
        options: NativeAdminOptions,
        request: impl FnOnce(&Arc<Handle>, AdminOptions) -> Result<T> + Send + 'static,
    ) -> Either<T, Failure> {
        let options: AdminOptions = options.into();
        either(self.admin.ask(operation, options.deadline, move |handle| request(handle, options)).await)
    }
}

/// Converts each of them.
fn all<A, B: From<A>>(list: Vec<A>) -> Vec<B> {
    list.into_iter().map(B::from).collect()
}

/// librdkafka fetches metadata of one topic, or of all.
fn metadata(handle: &Handle, topics: Option<Vec<String>>, options: AdminOptions) -> Result<Metadata> {
    let Some(topics) = topics else { return handle.metadata(Scope::Everything, options.left_ms()) };
    let mut gathered = Metadata::default();
    for topic in &topics {
        let one = handle.metadata(Scope::Topic(topic), options.left_ms())?;
        gathered.brokers = one.brokers;
        gathered.topics.extend(one.topics);
    }
    Ok(gathered)
}
