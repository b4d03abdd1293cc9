use super::super::payload::{ASCII, BINARY, JSON_TEXT, TEXT};
use super::*;
use proptest::prelude::*;

fn word(buffer: &[u8], index: usize) -> u32 {
    u32::from_le_bytes(buffer[index * 4..index * 4 + 4].try_into().unwrap())
}

fn record(sequence: u32) -> IncomingRecord<'static> {
    IncomingRecord {
        assignment: 3,
        sequence,
        offset: 1 << 40,
        timestamp: 1_700_000_000_000,
        key: None,
        value: Some(b"{}"),
        flags: REQUEST,
        request_slot: 0,
        request_generation: 0,
        origin: Origin { high_watermark: 1 << 41, broker: 7 },
    }
}

#[test]
fn lists_each_header_name_once_per_batch() {
    let mut builder = BatchBuilder::default();
    let headers: [(&[u8], Option<&[u8]>); 3] = [(b"a", Some(b"1")), (b"b", None), (b"a", Some(b"\0\x01"))];
    builder.push(&record(0), headers.into_iter());
    builder.push(&record(1), headers.into_iter());
    let packed = builder.finish();
    assert_eq!([word(&packed, 0), word(&packed, 1), word(&packed, 2)], [2, 6, 2]);
    assert!(builder.is_empty());
    let records_at = HeadWords::LEN + 2 * 2 * 2 + 2 * 2;
    let headers_at = records_at + 2 * RecordWords::LEN;
    let kinds: Vec<u32> = (0..3).map(|i| word(&packed, headers_at + i * HeaderWords::LEN + 3)).collect();
    assert_eq!(kinds, [TEXT | ASCII, NULL, BINARY]);
    let flags = word(&packed, records_at + 6);
    assert_eq!(flags, REQUEST | ((JSON_TEXT | ASCII) << VALUE_SHIFT));
    let offset = f64::from_le_bytes(packed[32..40].try_into().unwrap());
    assert!((offset - (1u64 << 40) as f64).abs() < f64::EPSILON);
}

#[test]
fn numbers_that_are_not_exact_as_f64_make_the_batch_wide() {
    let mut builder = BatchBuilder::default();
    let offset = (1 << 53) + 1;
    builder.push(&IncomingRecord { offset, ..record(0) }, std::iter::empty());
    let packed = builder.finish();
    assert_eq!(word(&packed, 5), 1);
    let number = |i: usize| i64::from_le_bytes(packed[32 + i * 8..40 + i * 8].try_into().unwrap());
    assert_eq!([number(0), number(1), number(2), number(3)], [offset, 1_700_000_000_000, 1 << 41, 7]);
    builder.push(&record(0), std::iter::empty());
    assert_eq!(word(&builder.finish(), 5), 0, "the next batch is not");
}

#[test]
fn a_range_begins_where_the_slot_changes() {
    let mut builder = BatchBuilder::default();
    for (assignment, broker) in [(3, 7), (3, 8), (4, 9), (3, 10)] {
        let origin = Origin { high_watermark: i64::from(assignment), broker };
        builder.push(&IncomingRecord { assignment, origin, ..record(0) }, std::iter::empty());
    }
    let packed = builder.finish();
    assert_eq!(word(&packed, 4), 3);
    let number = |i: usize| f64::from_le_bytes(packed[96 + i * 8..104 + i * 8].try_into().unwrap()) as i64;
    assert_eq!([number(0), number(1), number(2), number(3), number(4), number(5)], [3, 7, 4, 9, 3, 10]);
    builder.push(&record(0), std::iter::empty());
    assert_eq!(word(&builder.finish(), 4), 1, "nothing is left of the batch before");
}

proptest! {
    #[test]
    fn every_field_is_found_where_the_numbers_say(
        fields in prop::collection::vec(
            (prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
             prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
             prop::collection::vec(("[a-z]{0,3}", prop::option::of(prop::collection::vec(any::<u8>(), 0..9))), 0..5)),
            0..30)
    ) {
        let mut builder = BatchBuilder::default();
        for (i, (key, value, headers)) in fields.iter().enumerate() {
            let record = IncomingRecord { key: key.as_deref(), value: value.as_deref(), ..record(i as u32) };
            builder.push(&record, headers.iter().map(|(n, v)| (n.as_bytes(), v.as_deref())));
        }
        let packed = builder.finish();
        let n = word(&packed, 0) as usize;
        let header_entries = word(&packed, 1) as usize;
        prop_assert_eq!(n, fields.len());
        let bytes = &packed[word(&packed, 3) as usize..];
        let records_at = HeadWords::LEN + n * 4 + word(&packed, 4) as usize * 4;
        let headers_at = records_at + n * RecordWords::LEN;
        let names_at = headers_at + header_entries * HeaderWords::LEN;
        let slice = |start: u32, length: u32| bytes[start as usize..(start + length) as usize].to_vec();
        for (i, (key, value, headers)) in fields.iter().enumerate() {
            let at = |k: usize| word(&packed, records_at + i * RecordWords::LEN + k);
            prop_assert_eq!(at(1), i as u32);
            prop_assert_eq!((at(6) & 3 != NULL).then(|| slice(at(2), at(3))), key.clone());
            prop_assert_eq!(((at(6) >> VALUE_SHIFT) & 3 != NULL).then(|| slice(at(4), at(5))), value.clone());
            prop_assert_eq!(at(8) as usize, headers.len());
            for (h, (name, value)) in headers.iter().enumerate() {
                let entry = headers_at + (at(7) as usize + h) * HeaderWords::LEN;
                let name_at = names_at + word(&packed, entry) as usize * 2;
                prop_assert_eq!(slice(word(&packed, name_at), word(&packed, name_at + 1)), name.as_bytes());
                let found = (word(&packed, entry + 3) != NULL)
                    .then(|| slice(word(&packed, entry + 1), word(&packed, entry + 2)));
                prop_assert_eq!(found, value.clone());
            }
        }
    }
}
