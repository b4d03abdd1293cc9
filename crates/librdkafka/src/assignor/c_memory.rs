//! Reads and writes the C arrays and strings that librdkafka and the shim pass.

use std::ffi::{CStr, c_char};
use std::ptr;
use std::slice;

/// A C array, which may be null when it is empty.
///
/// # Safety
///
/// `elements` points to `len` valid elements that outlive `'a`, unless `len` is 0.
pub(super) unsafe fn array<'a, T>(elements: *const T, len: usize) -> &'a [T] {
    if len == 0 || elements.is_null() {
        return &[];
    }
    // SAFETY: By contract.
    unsafe { slice::from_raw_parts(elements, len) }
}

/// Copies a C string.
///
/// # Safety
///
/// `string` is null or a valid C string.
pub(super) unsafe fn text(string: *const c_char) -> String {
    if string.is_null() {
        return String::new();
    }
    // SAFETY: By contract.
    unsafe { CStr::from_ptr(string) }.to_string_lossy().into_owned()
}

/// Writes as much of a text as fits, with a final NUL.
///
/// # Safety
///
/// `buffer` has room for `size` bytes.
pub(super) unsafe fn write_text(text: &str, buffer: *mut c_char, size: usize) {
    let Some(room) = size.checked_sub(1) else { return };
    let length = text.len().min(room);
    // SAFETY: `length` + 1 bytes fit by contract; a Rust string and C's buffer do not overlap.
    unsafe {
        ptr::copy_nonoverlapping(text.as_ptr().cast::<c_char>(), buffer, length);
        *buffer.add(length) = 0;
    }
}
