//! The headers of a record, as librdkafka takes them.

use std::ffi::c_void;

use rdkafka_sys as sys;
use smallvec::SmallVec;

use kafka_core::kafka::Header;

use super::private::Shim;

/// A header as `headers.c` takes it.
#[repr(C)]
struct RawHeader {
    name: *const c_void,
    name_size: usize,
    value: *const c_void,
    value_size: usize,
}

// See headers.c.
unsafe extern "C" {
    fn nka_headers_new(headers: *const RawHeader, count: usize) -> *mut sys::rd_kafka_headers_t;
}

/// Headers that a record usually has at most: more need an allocation.
const USUAL_HEADERS: usize = 6;

/// librdkafka's list of headers; null without any.
pub(super) fn raw_headers(headers: &[Header<'_>]) -> *mut sys::rd_kafka_headers_t {
    if headers.is_empty() {
        return std::ptr::null_mut();
    }
    let raw = as_raw(headers);
    if !Shim::Headers.is_on() {
        return added_one_by_one(&raw);
    }
    // SAFETY: each pointer comes from a slice that is still borrowed, with its length; everything is copied.
    unsafe { nka_headers_new(raw.as_ptr(), raw.len()) }
}

/// Headers as C takes them, valid as long as they are borrowed.
fn as_raw(headers: &[Header<'_>]) -> SmallVec<[RawHeader; USUAL_HEADERS]> {
    let raw = |header: &Header<'_>| {
        let Part { ptr: name, size: name_size } = Some(header.name).into();
        let Part { ptr: value, size: value_size } = header.value.into();
        RawHeader { name, name_size, value, value_size }
    };
    headers.iter().map(raw).collect()
}

/// The same list, made by public functions.
fn added_one_by_one(headers: &[RawHeader]) -> *mut sys::rd_kafka_headers_t {
    // SAFETY: allocates; never null.
    let list = unsafe { sys::rd_kafka_headers_new(headers.len()) };
    for RawHeader { name, name_size, value, value_size } in headers {
        // SAFETY: the caller's pointers are valid for their lengths; everything is copied.
        unsafe {
            sys::rd_kafka_header_add(list, name.cast(), *name_size as isize, *value, *value_size as isize);
        }
    }
    list
}

/// A slice for C; null for `None`.
pub(super) struct Part {
    pub(super) ptr: *const c_void,
    pub(super) size: usize,
}

impl From<Option<&[u8]>> for Part {
    /// An empty slice keeps a non-null pointer: librdkafka hashes an empty key, but not a null one.
    fn from(bytes: Option<&[u8]>) -> Self {
        bytes.map_or(Self { ptr: std::ptr::null(), size: 0 }, |b| Self {
            ptr: b.as_ptr().cast::<c_void>(),
            size: b.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Pairs = Vec<(Vec<u8>, Option<Vec<u8>>)>;

    fn of(pairs: &Pairs) -> Vec<Header<'_>> {
        pairs.iter().map(|(name, value)| Header { name, value: value.as_deref() }).collect()
    }

    /// What librdkafka reads from a list, and from its own copy of it; frees the list.
    fn read_back(list: *mut sys::rd_kafka_headers_t) -> [Pairs; 2] {
        if list.is_null() {
            return [Vec::new(), Vec::new()];
        }
        // SAFETY: both lists are alive while they are read, and destroyed once; names end with a NUL, values have the size
        // that is told.
        unsafe {
            let copy = sys::rd_kafka_headers_copy(list);
            let read = [list.cast_const(), copy.cast_const()].map(|list| {
                let mut pairs = Vec::new();
                let (mut name, mut value, mut size) = (std::ptr::null(), std::ptr::null(), 0);
                while sys::rd_kafka_header_get_all(
                    list,
                    pairs.len(),
                    &raw mut name,
                    &raw mut value,
                    &raw mut size,
                ) == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
                {
                    let bytes = (!value.is_null())
                        .then(|| std::slice::from_raw_parts(value.cast::<u8>(), size).to_vec());
                    pairs.push((std::ffi::CStr::from_ptr(name).to_bytes().to_vec(), bytes));
                }
                pairs
            });
            sys::rd_kafka_headers_destroy(copy);
            sys::rd_kafka_headers_destroy(list);
            read
        }
    }

    proptest! {
        #[test]
        fn headers_in_one_piece_are_those_that_are_added_one_by_one(
            pairs in prop::collection::vec(
                (prop::collection::vec(1..=u8::MAX, 0..20), prop::option::of(prop::collection::vec(any::<u8>(), 0..40))),
                0..20)
        ) {
            let whole = [pairs.clone(), pairs.clone()];
            prop_assert_eq!(read_back(raw_headers(&of(&pairs))), whole.clone());
            prop_assert_eq!(read_back(added_one_by_one(&as_raw(&of(&pairs)))), whole);
        }
    }
}
