//! Configuration of a handle.

use std::ffi::{CString, c_char};

use rdkafka_sys as sys;

use kafka_core::error::{CODE_INVALID_ARG, Error, Result};

/// Room for librdkafka's explanation of a rejected setting.
pub(super) const ERROR_TEXT_SIZE: usize = 512;

/// An `rd_kafka_conf_t` that no handle owns yet.
pub struct Conf {
    raw: *mut sys::rd_kafka_conf_t,
}

impl Conf {
    /// Sets every property; the error names the first one that librdkafka refuses and says why.
    pub fn new<'a>(properties: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        // SAFETY: allocates; never null.
        let conf = Self { raw: unsafe { sys::rd_kafka_conf_new() } };
        // Log lines arrive as events, instead of being printed to stderr.
        conf.set("log.queue", "true")?;
        let mut verifies = true;
        for (name, value) in properties {
            conf.set(name, value)?;
            verifies &= name != "enable.ssl.certificate.verification" || value == "true";
        }
        if verifies {
            conf.explain_refused_certificates();
        }
        Ok(conf)
    }

    fn set(&self, name: &str, value: &str) -> Result<()> {
        let (Ok(c_name), Ok(c_value)) = (CString::new(name), CString::new(value)) else {
            return Err(Error::new(
                "configure",
                CODE_INVALID_ARG,
                format!("{name}: a setting may not contain a zero byte"),
            ));
        };
        let mut text = [0 as c_char; ERROR_TEXT_SIZE];
        // SAFETY: the conf is alive, the strings are NUL-terminated, the buffer's size is passed along.
        let result = unsafe {
            sys::rd_kafka_conf_set(
                self.raw,
                c_name.as_ptr(),
                c_value.as_ptr(),
                text.as_mut_ptr(),
                ERROR_TEXT_SIZE,
            )
        };
        if result == sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK {
            return Ok(());
        }
        // SAFETY: librdkafka NUL-terminates what it writes.
        let message = unsafe { super::owned_text(text.as_ptr()) };
        Err(Error::new("configure", CODE_INVALID_ARG, without_value(&message)))
    }

    /// Chooses which kinds of events the handle queues (a mask of `RD_KAFKA_EVENT_*`).
    pub(super) fn set_events(&self, mask: i32) {
        // SAFETY: the conf is alive.
        unsafe { sys::rd_kafka_conf_set_events(self.raw, mask) };
    }

    /// The raw configuration, for further preparation (the assignors' hook).
    pub(super) fn as_ptr(&self) -> *mut sys::rd_kafka_conf_t {
        self.raw
    }

    /// Gives the configuration away: `rd_kafka_new` takes ownership when it succeeds.
    pub(super) fn into_raw(self) -> *mut sys::rd_kafka_conf_t {
        let raw = self.raw;
        std::mem::forget(self);
        raw
    }
}

/// librdkafka's explanation without the refused value, which may be a misplaced password.
fn without_value(message: &str) -> String {
    const PLACES: [(&str, &str); 2] =
        [("value \"", "\" for configuration property"), ("\" value ", " is outside allowed range")];
    let mut told = message.trim_end().to_owned();
    for (before, after) in PLACES {
        // The value itself may contain either text, so everything between the outermost ones is removed.
        if let (Some(start), Some(end)) = (told.find(before), told.rfind(after)) {
            let start = start + before.len();
            if start <= end {
                told.replace_range(start..end, "(not shown)");
            }
        }
    }
    told
}

impl Drop for Conf {
    fn drop(&mut self) {
        // SAFETY: owned by this value and not given away.
        unsafe { sys::rd_kafka_conf_destroy(self.raw) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_value_is_not_told() {
        let cases = [
            ("sasl.mechanisms", ""),
            ("security.protocol", "secret"),
            ("security.protocol", "a\" for configuration property \"secret"),
            ("debug", "all,secret"),
            ("socket.timeout.ms", "7654321"),
            ("socket.timeout.ms", "secret"),
            ("enable.idempotence", "secret"),
            ("no.such.property", "secret"),
        ];
        for (name, value) in cases {
            let refused = Conf::new([(name, value)]).err().map(|e| e.message).unwrap_or_default();
            assert!(!refused.contains("secret") && !refused.contains("7654321"), "{refused}");
            assert!(refused.is_empty() || refused.contains(name), "{refused}");
        }
    }
}
