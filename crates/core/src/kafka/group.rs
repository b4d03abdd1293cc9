//! A consumer group as its coordinator describes it.

/// The state that brokers report for a group they do not know.
pub const DEAD_GROUP: &str = "Dead";

/// A group.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its id.
    pub id: String,
    /// The code of its error, 0 without one.
    pub error: i32,
    /// `Stable`, `PreparingRebalance`, `Empty`, …
    pub state: String,
    /// `consumer`, or empty for a group without members.
    pub protocol_type: String,
    /// Name of the assignor that the members agreed on.
    pub protocol: String,
    /// Its members.
    pub members: Vec<GroupMember>,
}

impl Group {
    /// A group that does not exist, as brokers describe it.
    #[must_use]
    pub fn dead(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            error: 0,
            state: DEAD_GROUP.to_owned(),
            protocol_type: String::new(),
            protocol: String::new(),
            members: Vec::new(),
        }
    }
}

/// A member of a group.
#[derive(Debug, Clone)]
pub struct GroupMember {
    /// Member id.
    pub id: String,
    /// Client id.
    pub client_id: String,
    /// Host that it connects from.
    pub client_host: String,
    /// Subscription, as the group's protocol encodes it.
    pub metadata: Vec<u8>,
    /// Assignment, as the group's protocol encodes it.
    pub assignment: Vec<u8>,
}
