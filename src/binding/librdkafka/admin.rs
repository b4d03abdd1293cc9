//! The one admin request that producing and subscribing need: creating topics.

use std::ffi::c_char;
use std::sync::Arc;

use rdkafka_sys as sys;

use super::conf::ERROR_TEXT_SIZE;
use super::handle::{Handle, c_name};
use crate::error::{CODE_INVALID_ARG, CODE_TIMED_OUT, Error, Result};

impl Handle {
    /// Creates topics with the broker's default partition count and replication factor and waits for the
    /// answer. Returns what failed, by topic; topics that exist already are no failure.
    pub fn create_topics(
        self: &Arc<Self>,
        topics: &[String],
        timeout_ms: i32,
    ) -> Result<Vec<(String, i32, String)>> {
        const OPERATION: &str = "create topics";
        let mut requests = NewTopics(Vec::with_capacity(topics.len()));
        for topic in topics {
            let name = c_name(OPERATION, topic)?;
            let mut text = [0 as c_char; ERROR_TEXT_SIZE];
            // SAFETY: the name is copied, the buffer's size is passed along; the object is owned by NewTopics.
            // -1 partitions and -1 replicas ask for the broker's defaults.
            let raw = unsafe {
                sys::rd_kafka_NewTopic_new(name.as_ptr(), -1, -1, text.as_mut_ptr(), ERROR_TEXT_SIZE)
            };
            if raw.is_null() {
                // SAFETY: librdkafka NUL-terminates what it writes.
                let message = unsafe { super::owned_text(text.as_ptr()) };
                return Err(Error::new(OPERATION, CODE_INVALID_ARG, message));
            }
            requests.0.push(raw);
        }
        let queue = self.new_queue();
        // SAFETY: handle, requests and queue are alive during the call, which copies the requests.
        unsafe {
            sys::rd_kafka_CreateTopics(
                self.as_ptr(),
                requests.0.as_mut_ptr(),
                requests.0.len(),
                std::ptr::null(),
                queue.as_ptr(),
            );
        }
        let Some(event) = queue.poll(timeout_ms) else {
            return Err(Error::new(OPERATION, CODE_TIMED_OUT, "the broker did not answer in time"));
        };
        event.created_topics(OPERATION)
    }
}

impl super::Event {
    fn created_topics(&self, operation: &'static str) -> Result<Vec<(String, i32, String)>> {
        // SAFETY: the event is alive throughout; results belong to it and are copied.
        unsafe {
            let result = sys::rd_kafka_event_CreateTopics_result(self.as_ptr());
            let code = sys::rd_kafka_event_error(self.as_ptr());
            if result.is_null() || code as i32 != 0 {
                let text = super::owned_text(sys::rd_kafka_event_error_string(self.as_ptr()));
                return Err(Error::new(operation, code as i32, text));
            }
            let mut count = 0;
            let topics = sys::rd_kafka_CreateTopics_result_topics(result, &raw mut count);
            if topics.is_null() {
                return Ok(Vec::new());
            }
            let exists = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS;
            let ok = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
            Ok(std::slice::from_raw_parts(topics, count)
                .iter()
                .map(|&t| (t, sys::rd_kafka_topic_result_error(t)))
                .filter(|&(_, code)| code != ok && code != exists)
                .map(|(t, code)| {
                    (
                        super::owned_text(sys::rd_kafka_topic_result_name(t)),
                        code as i32,
                        super::owned_text(sys::rd_kafka_topic_result_error_string(t)),
                    )
                })
                .collect())
        }
    }
}

/// Requests that are freed together.
struct NewTopics(Vec<*mut sys::rd_kafka_NewTopic_t>);

impl Drop for NewTopics {
    fn drop(&mut self) {
        for &topic in &self.0 {
            // SAFETY: owned by this value.
            unsafe { sys::rd_kafka_NewTopic_destroy(topic) };
        }
    }
}
