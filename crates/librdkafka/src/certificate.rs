//! Logs why a broker's certificate is refused, which librdkafka itself does not say.

use std::ffi::{CStr, c_char, c_int, c_long, c_void};

use rdkafka_sys as sys;

use super::Conf;

impl Conf {
    /// Logs OpenSSL's reason for refusing a certificate in librdkafka's log, under the facility `SSLCERTVRFY`. The
    /// verdict remains OpenSSL's.
    pub(super) fn explain_refused_certificates(&self) {
        // Fails only in a librdkafka without TLS, which has no certificates to verify. SAFETY: the configuration is
        // alive; the callback needs nothing that could be gone.
        unsafe { sys::rd_kafka_conf_set_ssl_cert_verify_cb(self.as_ptr(), Some(explain)) };
    }
}

/// Called for each certificate of a chain, with OpenSSL's verdict on it.
unsafe extern "C" fn explain(
    _rk: *mut sys::rd_kafka_t,
    _broker: *const c_char,
    _broker_id: i32,
    verdict: *mut c_int,
    _depth: c_int,
    _certificate: *const c_char,
    _size: usize,
    text: *mut c_char,
    text_size: usize,
    _opaque: *mut c_void,
) -> c_int {
    // SAFETY: librdkafka passes a verdict that lives during the call.
    let error = unsafe { *verdict };
    if error == 0 {
        return 1;
    }
    // SAFETY: OpenSSL has a static text for every number.
    let reason = unsafe { CStr::from_ptr(openssl_sys::X509_verify_cert_error_string(c_long::from(error))) };
    let reason = reason.to_bytes();
    let length = reason.len().min(text_size.saturating_sub(1));
    // SAFETY: the buffer has room for `text_size` bytes, the last of which ends the text.
    unsafe {
        text.copy_from_nonoverlapping(reason.as_ptr().cast(), length);
        *text.add(length) = 0;
    }
    0
}
