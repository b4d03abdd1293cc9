//! What both Rust and JavaScript have to know, written once, in Rust. `node scripts/boundary.mjs` writes the
//! TypeScript side into `lib/boundary/`, and `npm run check` compares it.
//!
//! Numbers (flags, kinds, the layouts of packed buffers) stand where they are used, in a `shared!` block; events
//! are the enums of [`events`]. CONTRIBUTING.md says how one is added.

/// Declares constants and layouts that are generated for JavaScript too.
///
/// A constant becomes an `export const` of the same name. A layout is a struct of consecutive numbers; `words()`
/// writes them and `read()` takes them apart, so that Rust names each field. In TypeScript it becomes an index for
/// each field (`RecordWords { assignment, … }`: `RECORD_ASSIGNMENT`, …) and their count (`RECORD_WORDS`) or, if
/// JavaScript writes the layout, a function that takes all fields.
macro_rules! shared {
    (
        constants {
            $(
                $(#[doc = $constant_doc:literal])*
                pub const $constant:ident: $constant_type:ty = $value:expr;
            )*
        }
        layouts {
            $(
                $(#[doc = $layout_doc:literal])*
                pub struct $layout:ident: $number:ty {
                    $( $(#[doc = $field_doc:literal])* $field:ident, )*
                }
            )*
        }
    ) => {
        $( $(#[doc = $constant_doc])* pub const $constant: $constant_type = $value; )*
        $(
            $(#[doc = $layout_doc])*
            #[derive(Debug, Clone, Copy)]
            pub struct $layout {
                $( $(#[doc = $field_doc])* pub $field: $number, )*
            }

            impl $layout {
                /// How many numbers the layout has.
                pub const LEN: usize = [$(stringify!($field)),*].len();

                /// The numbers, in order.
                #[inline]
                #[must_use]
                pub const fn words(self) -> [$number; Self::LEN] {
                    [$(self.$field),*]
                }

                /// The fields out of the numbers, which are in order.
                #[inline]
                #[must_use]
                pub const fn read([$($field),*]: [$number; Self::LEN]) -> Self {
                    Self { $($field),* }
                }
            }
        )*

        #[cfg(test)]
        pub(crate) const SHARED: crate::boundary::Shared = crate::boundary::Shared {
            constants: &[$(
                crate::boundary::Constant {
                    name: stringify!($constant),
                    value: $constant as u64,
                    docs: &[$($constant_doc),*],
                },
            )*],
            layouts: &[$(
                crate::boundary::Layout {
                    name: stringify!($layout),
                    docs: &[$($layout_doc),*],
                    fields: &[$( crate::boundary::Field {
                        name: stringify!($field),
                        docs: &[$($field_doc),*],
                    }, )*],
                },
            )*],
        };
    };
}
pub(crate) use shared;

/// What a `shared!` block holds.
#[cfg(test)]
pub(crate) struct Shared {
    pub(crate) constants: &'static [Constant],
    pub(crate) layouts: &'static [Layout],
}

/// A constant of a `shared!` block.
#[cfg(test)]
pub(crate) struct Constant {
    pub(crate) name: &'static str,
    pub(crate) value: u64,
    pub(crate) docs: &'static [&'static str],
}

/// A layout of a `shared!` block.
#[cfg(test)]
pub(crate) struct Layout {
    pub(crate) name: &'static str,
    pub(crate) docs: &'static [&'static str],
    pub(crate) fields: &'static [Field],
}

/// A number of a layout.
#[cfg(test)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) docs: &'static [&'static str],
}

pub mod events;
#[cfg(test)]
mod typescript;
