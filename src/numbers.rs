//! Conversion of numbers from JavaScript. Node-API's own conversions wrap numbers that are too large, cut off
//! fractions and turn `NaN` and `Infinity` into 0. These types refuse all of that, so that librdkafka never gets a
//! different number than the caller passed.

use std::time::Duration;

use napi::bindgen_prelude::{FromNapiValue, ToNapiValue, TypeName, ValidateNapiValue};
use napi::{Error, Result, Status, ValueType, sys};

macro_rules! from_javascript {
    ($(#[$doc:meta])* $name:ident($inner:ty): $type:literal, $value_type:expr, |$value:ident: $js:ty| $read:expr, |$own:ident| $write:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name(pub $inner);

        impl TypeName for $name {
            fn type_name() -> &'static str {
                $type
            }

            fn value_type() -> ValueType {
                $value_type
            }
        }

        impl ValidateNapiValue for $name {}

        impl FromNapiValue for $name {
            unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
                // SAFETY: environment and value are those of the call, as the caller promises.
                let $value = unsafe { <$js>::from_napi_value(env, value)? };
                let read: std::result::Result<$inner, String> = $read;
                read.map(Self).map_err(|reason| Error::new(Status::InvalidArg, reason))
            }
        }

        impl ToNapiValue for $name {
            unsafe fn to_napi_value(env: sys::napi_env, value: Self) -> Result<sys::napi_value> {
                let $own = value.0;
                // SAFETY: the environment is that of the call, as the caller promises.
                unsafe { ToNapiValue::to_napi_value(env, $write) }
            }
        }
    };
}

from_javascript! {
    /// The number of a partition.
    PartitionNumber(i32): "number", ValueType::Number,
    |value: f64| whole(value, "the number of a partition", 0, i32::MAX), |own| own
}

from_javascript! {
    /// The id of a broker.
    BrokerId(i32): "number", ValueType::Number,
    |value: f64| whole(value, "the id of a broker", 0, i32::MAX), |own| own
}

from_javascript! {
    /// A number of the protocol's whose meaning librdkafka or the broker checks.
    Number(i32): "number", ValueType::Number,
    |value: f64| whole(value, "this number", i32::MIN, i32::MAX), |own| own
}

from_javascript! {
    /// A count.
    Count(u32): "number", ValueType::Number,
    |value: f64| whole(value, "this count", 0, u32::MAX), |own| own
}

from_javascript! {
    /// A time in milliseconds. Values above 32 bits, `Infinity` included, become the largest one.
    Milliseconds(Duration): "number", ValueType::Number,
    |value: f64| milliseconds(value), |own| own.as_millis() as f64
}

from_javascript! {
    /// An offset, or a timestamp in its place, as text like in kafkajs: a JavaScript number is exact only up to 2^53.
    Offset(i64): "string", ValueType::String,
    |value: String| value.parse::<i64>().map_err(|_| "an offset must be a whole number of 64 bits".to_owned()),
    |own| own.to_string()
}

fn whole<T>(value: f64, what: &str, min: T, max: T) -> std::result::Result<T, String>
where
    T: Copy + Into<f64> + std::fmt::Display + TryFrom<i64>,
{
    // 32-bit numbers are exact as f64, and within the limits the conversion back is exact too.
    let is_meant = value.fract() == 0.0 && (min.into()..=max.into()).contains(&value);
    is_meant
        .then(|| T::try_from(value as i64).ok())
        .flatten()
        .ok_or_else(|| format!("{what} must be a whole number from {min} to {max}"))
}

fn milliseconds(value: f64) -> std::result::Result<Duration, String> {
    if value >= 0.0 {
        Ok(Duration::from_millis(value.min(f64::from(u32::MAX)) as u64))
    } else {
        Err("a time in milliseconds must be 0 or more".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_numbers_that_were_meant_are_taken() {
        let partition = |value| whole(value, "it", 0, i32::MAX).ok();
        assert_eq!(partition(0.0), Some(0));
        assert_eq!(partition(2_147_483_647.0), Some(i32::MAX));
        for wrong in [-1.0, 0.5, 2_147_483_648.0, 4_294_967_296.0, f64::NAN, f64::INFINITY] {
            assert_eq!(partition(wrong), None, "{wrong}");
        }
        assert_eq!(whole(-1.0, "it", i32::MIN, i32::MAX), Ok(-1));
        assert_eq!(whole(4_294_967_295.0, "it", 0, u32::MAX), Ok(u32::MAX));
    }

    #[test]
    fn a_time_without_an_end_is_the_longest_one() {
        assert_eq!(milliseconds(1.9), Ok(Duration::from_millis(1)));
        assert_eq!(milliseconds(f64::INFINITY), Ok(Duration::from_millis(u32::MAX.into())));
        assert!(milliseconds(f64::NAN).is_err());
        assert!(milliseconds(-1.0).is_err());
    }
}
