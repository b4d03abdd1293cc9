//! What happens when a record was delivered or failed.

use std::sync::PoisonError;
use std::time::Instant;

use super::Shared;
use super::opaque::Opaque;
use super::reports::{Reports, Written};
use crate::boundary::events::{DeliveryEvent, LostRecord, StartOver};
use crate::consumer::assignments::Assignments;
use crate::consumer::redeliveries::Cause;
use crate::error::Result;
use crate::kafka::{Client, Header, ProducerClient, ProducerRecord};
use crate::rpc::headers;
use crate::rpc::reply::ReplyAddress;

impl<P: ProducerClient> Shared<P> {
    /// A record of `size` bytes was delivered or has failed; one that was not even produced counts 0.
    pub(super) fn ended(
        &self,
        opaque: Opaque,
        size: usize,
        outcome: std::result::Result<Written, i32>,
        reports: &mut Reports,
    ) {
        match opaque {
            Opaque::Single { send } => match outcome {
                Ok(written) => reports.sent(send, 0, &[written]),
                Err(error) => reports.sent(send, error, &[]),
            },
            Opaque::Group { send } => {
                let mut sends = self.sends.lock().unwrap_or_else(PoisonError::into_inner);
                sends.ended(send, outcome, reports);
            }
            Opaque::Request { slot, generation } => {
                reports.rpc_bytes += size;
                if let Err(error) = outcome
                    && let Some(requests) = self.requests.get()
                    && requests.close(slot, generation)
                {
                    reports.request_failed(slot, generation, error);
                }
            }
            Opaque::Reply { assignment, sequence, substitute } => {
                reports.rpc_bytes += size;
                let Some(assignments) = self.assignments.get() else { return };
                match outcome {
                    Ok(_) => assignments.reply_acknowledged(assignment, sequence),
                    Err(error) => {
                        self.reply_failed(&assignments, (assignment, sequence), substitute, error, reports);
                    }
                }
            }
        }
    }

    /// A reply could not be sent: an error reply is sent in its place. If that fails too, the reply is lost. Either
    /// way an event reports it.
    fn reply_failed(
        &self,
        assignments: &Assignments,
        (assignment, sequence): (u32, u32),
        substitute: bool,
        error: i32,
        reports: &mut Reports,
    ) {
        // The partition may have been revoked meanwhile: then its requests are redelivered, to this or another
        // member.
        let Some(address) = assignments.reply_address(assignment, sequence) else { return };
        let reason = P::Client::describe(error);
        let failure = if substitute {
            Some(error)
        } else {
            self.send_substitute(assignment, sequence, &address, &reason).err().map(|error| error.code)
        };
        let (mut lost, mut start_over) = (None, None);
        if let Some(code) = failure {
            let Some(record) = assignments.reply_lost(assignment, sequence, Cause::of(code), Instant::now())
            else {
                return;
            };
            start_over = record.start_over.map(|times| StartOver { assignment, times });
            lost = Some(LostRecord {
                topic: record.topic.to_string(),
                partition: record.partition,
                offset: record.offset.to_string(),
                comes_again: record.comes_again,
            });
        }
        reports.event(DeliveryEvent::ReplyFailed {
            code: error,
            message: reason,
            topic: address.topic.to_string(),
            partition: address.partition,
            lost,
            start_over,
        });
    }

    /// Sends the client an error reply, where NestJS's server would leave it waiting.
    fn send_substitute(
        &self,
        assignment: u32,
        sequence: u32,
        address: &ReplyAddress,
        reason: &str,
    ) -> Result<()> {
        let (topic, _) = self.topic_number(&address.topic, None).and_then(|number| self.topic_at(number))?;
        let error = serde_json::json!({
            "status": "error", "message": format!("The reply could not be sent: {reason}"),
        });
        let error = error.to_string();
        let headers = [
            Header { name: headers::CORRELATION_ID, value: Some(&*address.correlation_id) },
            Header { name: headers::NEST_ERR, value: Some(error.as_bytes()) },
            Header { name: headers::NEST_IS_DISPOSED, value: Some(headers::DISPOSED_VALUE) },
        ];
        self.client.produce(
            &topic,
            ProducerRecord {
                partition: address.partition,
                key: None,
                value: None,
                timestamp: None,
                limit_ms: 0,
                headers: &headers,
                opaque: Opaque::Reply { assignment, sequence, substitute: true }.into(),
            },
        )?;
        self.accumulator.added();
        Ok(())
    }
}
