//! Errors of registering assignors.

use thiserror::Error;

/// Why an assignor could not be put into a client.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum AssignorError {
    /// The linked librdkafka is not the one whose private headers the shim was compiled with.
    #[error(
        "librdkafka {linked:#010x} is linked, but the assignors were compiled for {headers:#010x}: build with \
         the librdkafka that rdkafka-sys brings along"
    )]
    Version {
        /// `RD_KAFKA_VERSION` of the headers.
        headers: i32,
        /// What `rd_kafka_version()` returns.
        linked: i32,
    },
    /// [`prepare`](super::prepare) was called before with this configuration.
    #[error("the configuration is prepared for assignors already")]
    AlreadyPrepared,
    /// The handle was not made from the prepared configuration, or has its assignors.
    #[error("the client was not made from the configuration that was prepared")]
    ForeignHandle,
    /// The library's structures are not laid out as its headers say; nothing was changed.
    #[error(
        "librdkafka was compiled with another config.h than the assignors: install the package's own binary, or set \
         NESTJS_KAFKA_NATIVE_WITHOUT=assignors to use librdkafka's own assignors"
    )]
    Layout,
    /// The client has no group with the classic protocol, whose leader assigns partitions.
    #[error("assignors need a consumer with a group.id and group.protocol=classic")]
    NoClassicGroup,
    /// No assignor was given.
    #[error("at least one assignor is needed")]
    Empty,
    /// The name cannot be sent: it is empty, too long or has a NUL.
    #[error("{name:?} cannot be the name of an assignor")]
    Name {
        /// The assignor's name.
        name: String,
    },
    /// librdkafka refused the assignor, mostly because it has one of that name.
    #[error("librdkafka does not take the assignor {name:?}: {reason}")]
    Refused {
        /// The assignor's name.
        name: String,
        /// librdkafka's error text.
        reason: String,
    },
}
