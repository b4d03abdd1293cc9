//! Reads responses to `JoinGroup` requests, and makes the member metadata that NestJS's reply assigner writes readable
//! for a librdkafka leader.
//!
//! A leader learns about the members from the response to its own `JoinGroup` request. KafkaJS encodes any member
//! metadata as version, topics and user data, whatever the version; NestJS's assigner says version 1, where the
//! partitions that the member owns should follow. librdkafka finds the end of the bytes in their place and leaves the
//! member out of the assignment. Metadata that ends after its user data is complete as version 0, so the version is
//! set to 0 before librdkafka reads it.

/// The versions of `JoinGroup` responses whose layout is known. librdkafka 2.15 requests at most version 5.
const KNOWN_VERSIONS: std::ops::RangeInclusive<i16> = 0..=5;

/// What a coordinator answers a member that joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// Number of the group's generation.
    pub generation: i32,
    /// Name of the strategy that the members agreed on.
    pub protocol: String,
    /// Id of the leader.
    pub leader: String,
    /// This member's own id.
    pub member: String,
    /// All members, when this one is the leader.
    pub members: Vec<JoinedMember>,
}

/// A member of the group, as its leader gets to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedMember {
    /// Its id.
    pub id: String,
    /// What it sent along for the strategy.
    pub metadata: Vec<u8>,
}

/// Whether responses of this version can be read and repaired.
#[must_use]
pub fn is_known(version: i16) -> bool {
    KNOWN_VERSIONS.contains(&version)
}

/// Reads a `JoinGroup` response. None when it reports an error, is of no known version, or ends early.
#[must_use]
pub fn read(payload: &[u8], version: i16) -> Option<Join> {
    if !KNOWN_VERSIONS.contains(&version) {
        return None;
    }
    let mut reader = Reader { bytes: payload, at: 0 };
    if version >= 2 {
        reader.skip(4)?; // Throttle time
    }
    if reader.i16()? != 0 {
        return None;
    }
    let generation = reader.i32()?;
    let (protocol, leader, member) = (reader.text()?, reader.text()?, reader.text()?);
    let mut members = Vec::new();
    for _ in 0..reader.i32()? {
        let id = reader.text()?;
        if version >= 5 {
            reader.string()?; // Group instance id
        }
        let metadata = usize::try_from(reader.i32()?).unwrap_or(0);
        members.push(JoinedMember { id, metadata: reader.skip(metadata)?.to_vec() });
    }
    Some(Join { generation, protocol, leader, member, members })
}

/// Corrects a `JoinGroup` response in place. Returns how many members' metadata were changed.
///
/// `payload` is what follows the response header. A payload that ends early is corrected up to there; one of an
/// unknown version is left as it is.
pub fn repair(payload: &mut [u8], version: i16) -> usize {
    let mut repaired = 0;
    if KNOWN_VERSIONS.contains(&version) {
        // The walk ends at the first field that is not there.
        let _ = walk(payload, version, &mut repaired);
    }
    repaired
}

/// Walks through the members. `None` when the payload ends before they do.
fn walk(payload: &mut [u8], version: i16, repaired: &mut usize) -> Option<()> {
    let mut reader = Reader { bytes: payload, at: 0 };
    if version >= 2 {
        reader.skip(4)?; // Throttle time
    }
    let error = reader.i16()?;
    reader.skip(4)?; // Generation
    for _ in ["protocol", "leader", "own member id"] {
        reader.string()?;
    }
    // Only a leader gets members, and only without an error.
    let members = if error == 0 { reader.i32()? } else { 0 };
    for _ in 0..members {
        reader.string()?; // Member id
        if version >= 5 {
            reader.string()?; // Group instance id
        }
        let metadata = usize::try_from(reader.i32()?).unwrap_or(0);
        let start = reader.at;
        reader.skip(metadata)?;
        let metadata = &mut reader.bytes[start..reader.at];
        if is_truncated(metadata) {
            metadata[..2].fill(0);
            *repaired += 1;
        }
    }
    Some(())
}

/// Whether member metadata has a version above 0, and ends where version 0 does.
fn is_truncated(metadata: &mut [u8]) -> bool {
    let length = metadata.len();
    let mut reader = Reader { bytes: metadata, at: 0 };
    let mut version_0 = || {
        let version = reader.i16()?;
        for _ in 0..reader.i32()? {
            reader.string()?; // Topic
        }
        let user_data = reader.i32()?;
        reader.skip(usize::try_from(user_data).unwrap_or(0))?;
        Some(version)
    };
    version_0().is_some_and(|version| version >= 1) && reader.at == length
}

/// Reads Kafka's primitive types, all big-endian. `None` when the bytes end early; nothing is read then.
struct Reader<B> {
    bytes: B,
    at: usize,
}

impl<B: AsRef<[u8]>> Reader<B> {
    fn skip(&mut self, length: usize) -> Option<&[u8]> {
        let end = self.at.checked_add(length)?;
        let field = self.bytes.as_ref().get(self.at..end)?;
        self.at = end;
        Some(field)
    }

    fn i16(&mut self) -> Option<i16> {
        self.skip(2)?.try_into().ok().map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.skip(4)?.try_into().ok().map(i32::from_be_bytes)
    }

    /// Passes over a string, which is null when its length is negative.
    fn string(&mut self) -> Option<()> {
        let length = self.i16()?;
        self.skip(usize::try_from(length).unwrap_or(0))?;
        Some(())
    }

    /// Copies a string; null becomes empty.
    fn text(&mut self) -> Option<String> {
        let length = usize::try_from(self.i16()?).unwrap_or(0);
        Some(String::from_utf8_lossy(self.skip(length)?).into_owned())
    }
}
