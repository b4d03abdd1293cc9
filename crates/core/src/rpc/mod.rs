//! Request-reply: which reply belongs to which request (client), and where a reply goes (server).

pub mod correlation;
pub mod headers;
pub mod pace;
pub mod reply;
pub mod requests;
