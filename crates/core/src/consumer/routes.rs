//! Which of a topic's handlers take a record, by its headers. Pure.

/// A condition on a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// One of its values is one of these.
    OneOf(Vec<Box<[u8]>>),
    /// It is absent, or null.
    Absent,
}

/// A handler's conditions on a record's headers, all of which must hold.
pub type Route = Vec<(Box<[u8]>, Wanted)>;

/// No handler with conditions takes the record.
pub const UNMATCHED: u32 = 0;
/// Most handlers that can share a topic's records: each is a bit of a 32-bit number.
pub const MOST_SHARED: usize = 32;

/// The handlers of a topic that have conditions on headers.
#[derive(Debug, Default)]
pub struct Routes {
    handlers: Vec<Route>,
    /// Whether all matching handlers take the record, not only the first.
    shared: bool,
    /// Whether there is a handler for records that match no other.
    rest: bool,
}

impl Routes {
    /// `shared`: a record goes to all matching handlers, at most [`MOST_SHARED`]; else to the first. `rest`: there is
    /// a handler for records that match none.
    #[must_use]
    pub fn new(routes: Vec<Route>, shared: bool, rest: bool) -> Self {
        Self { handlers: routes, shared, rest }
    }

    /// Which handlers take a record with these headers: a bit for each if shared, else the number of the first,
    /// counted from 1; [`UNMATCHED`] if none does.
    #[must_use]
    pub fn find(&self, headers: &[(&[u8], Option<&[u8]>)]) -> u32 {
        let matching = (0_u32..).zip(&self.handlers).filter(|(_, route)| matches(route, headers));
        if self.shared {
            return matching.fold(UNMATCHED, |all, (number, _)| all | 1 << number);
        }
        matching.map(|(number, _)| number + 1).next().unwrap_or(UNMATCHED)
    }

    /// Whether there is a handler for such a record.
    #[must_use]
    pub fn takes(&self, route: u32) -> bool {
        route != UNMATCHED || self.rest
    }
}

fn matches(route: &Route, headers: &[(&[u8], Option<&[u8]>)]) -> bool {
    route.iter().all(|(name, wanted)| {
        let mut values =
            headers.iter().filter(|(header, _)| *header == &**name).filter_map(|(_, value)| *value);
        match wanted {
            Wanted::OneOf(texts) => values.any(|value| texts.iter().any(|text| **text == *value)),
            Wanted::Absent => values.next().is_none(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Headers<'a> = &'a [(&'a str, Option<&'a [u8]>)];

    fn one_of(name: &str, texts: &[&[u8]]) -> (Box<[u8]>, Wanted) {
        (name.as_bytes().into(), Wanted::OneOf(texts.iter().map(|&text| text.into()).collect()))
    }

    fn absent(name: &str) -> (Box<[u8]>, Wanted) {
        (name.as_bytes().into(), Wanted::Absent)
    }

    fn find(routes: &Routes, headers: Headers<'_>) -> u32 {
        routes.find(&headers.iter().map(|&(name, value)| (name.as_bytes(), value)).collect::<Vec<_>>())
    }

    #[test]
    fn every_shape_of_a_value() {
        let routes = Routes::new(
            vec![
                vec![one_of("t", &[b"a", b"b"])],
                vec![one_of("t", &[b""])],
                vec![one_of("t", &["ä".as_bytes()])],
                vec![absent("t")],
            ],
            false,
            false,
        );
        let of = |value: &'static [u8]| find(&routes, &[("x", Some(b"a")), ("t", Some(value))]);
        assert_eq!([of(b"a"), of(b"b"), of(b""), of("ä".as_bytes())], [1, 1, 2, 3]);
        assert_eq!([of(b"A"), of(b"a "), of(b"\0\xff")], [UNMATCHED; 3]);
        assert_eq!(find(&routes, &[("T", Some(b"a"))]), 4, "names have their case");
        assert_eq!(find(&routes, &[]), 4);
        assert_eq!(find(&routes, &[("t", None)]), 4, "null is none");
        assert_eq!(find(&routes, &[("t", Some(b"x")), ("t", Some(b"b"))]), 1, "one of the repeated ones");
        assert_eq!(find(&routes, &[("t", None), ("t", Some(b"x"))]), UNMATCHED);
    }

    #[test]
    fn all_headers_of_a_route_and_all_routes_that_are_shared() {
        let routes = || vec![vec![one_of("a", &[b"1"]), absent("b")], vec![one_of("a", &[b"1"])], vec![]];
        let (first, all) = (Routes::new(routes(), false, true), Routes::new(routes(), true, true));
        assert_eq!([find(&first, &[("a", Some(b"1"))]), find(&all, &[("a", Some(b"1"))])], [1, 0b111]);
        let both: Headers<'_> = &[("a", Some(b"1")), ("b", Some(b"2"))];
        assert_eq!([find(&first, both), find(&all, both)], [2, 0b110]);
        assert!(first.takes(UNMATCHED) && !Routes::default().takes(UNMATCHED));
    }

    proptest! {
        /// The result agrees with each route checked alone.
        #[test]
        fn routes_do_not_disturb_one_another(
            texts in prop::collection::vec("[ab]{0,2}", 1..8), value in prop::option::of("[ab]{0,2}"), shared: bool,
        ) {
            let routes = texts.iter().map(|text| vec![one_of("t", &[text.as_bytes()])]).collect();
            let all = Routes::new(routes, shared, false);
            let headers: Vec<_> = value.iter().map(|value| ("t", Some(value.as_bytes()))).collect();
            let found = find(&all, &headers);
            let mut matching = (0_u32..).zip(&texts).filter(|(_, text)| Some(*text) == value.as_ref());
            let expected = if shared {
                matching.fold(0, |bits, (i, _)| bits | 1 << i)
            } else {
                matching.next().map_or(0, |(i, _)| i + 1)
            };
            prop_assert_eq!(found, expected);
        }
    }
}
