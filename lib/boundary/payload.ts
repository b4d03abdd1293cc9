// Generated from crates/core/src/codec/payload.rs by scripts/boundary.mjs: change it there.

/** The field is null. */
export const NULL = 0;
/** Text. */
export const TEXT = 1;
/** Text that starts like a JSON object or array; JavaScript tries to parse it. */
export const JSON_TEXT = 2;
/** Starts with a zero byte, as schema registries mark their payloads: stays a Buffer. */
export const BINARY = 3;
/** The bits of the kinds above. */
export const KIND_MASK = 3;
/** All bytes are ASCII: JavaScript may read them as Latin-1, which copies instead of decoding. */
export const ASCII = 4;
