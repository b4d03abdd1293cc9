//! Tests of the SASL mechanism AWS, which the copy of librdkafka has beside its own (scripts/librdkafka/sasl-aws.c).

use std::sync::Arc;

use kafka_core::error::{CODE_INVALID_ARG, Result};
use kafka_core::request_events::RequestEvents;

use crate::{Conf, ProducerHandle};

fn client(credentials: &[(&str, &str)]) -> Result<ProducerHandle> {
    let common = [
        ("bootstrap.servers", "127.0.0.1:1"),
        ("security.protocol", "sasl_plaintext"),
        ("sasl.mechanisms", "AWS"),
    ];
    let conf = Conf::new(common.into_iter().chain(credentials.iter().copied()))?;
    ProducerHandle::new(conf, Arc::new(RequestEvents::new(false)))
}

#[test]
fn the_parts_of_aws_are_counted_when_a_client_is_made() {
    let id = ("sasl.username", "identity");
    for keys in ["key\u{1f}secret\u{1f}", "key\u{1f}secret\u{1f}token"] {
        client(&[id, ("sasl.password", keys)]).unwrap();
    }
    for keys in ["", "secret", "key\u{1f}secret", "key\u{1f}secret\u{1f}token\u{1f}"] {
        let Err(error) = client(&[id, ("sasl.password", keys)]) else { panic!("{keys:?} is taken") };
        assert_eq!(error.code, CODE_INVALID_ARG);
        assert!(
            error.message.contains("SASL AWS takes sasl.username, the authorization identity"),
            "{error}"
        );
        assert!(!error.to_string().contains("key\u{1f}"), "{error}");
    }
    assert!(client(&[id]).is_err());
    assert!(client(&[("sasl.password", "key\u{1f}secret\u{1f}")]).is_err());
}
