//! The limit: the roles of the benchmark (`benchmark/src/roles/`) by librdkafka alone, through the crate's thin wrappers.
//!
//! Bytes are sent back unchanged and nothing is parsed; consumers read all partitions without a group. Commands come
//! as lines of JSON on the standard input, `{"id", "command", "argument"}`, and are answered as lines on the standard
//! output, `{"id", "result"}` or `{"id", "error"}`, in the shapes of the Node roles. The end of the input ends the
//! program.

mod client;
mod consumer;
mod kafka;
mod load;
mod machine;
mod producer;
mod server;

use std::io::{BufRead, Write, stdin, stdout};

use serde_json::{Value, json};

use crate::client::Client;
use crate::consumer::Consumer;
use crate::producer::Producer;
use crate::server::Server;

/// Any error ends a command, with its text.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// One role: answers the commands that its Node counterpart answers.
trait Role {
    /// Carries out a command; `close` is the last one.
    fn command(&mut self, name: &str, argument: &Value) -> Outcome<Value>;
}

fn main() -> Outcome<()> {
    let name = std::env::args().nth(1).unwrap_or_default();
    let mut role: Box<dyn Role> = match name.as_str() {
        "client" => Box::new(Client::default()),
        "server" => Box::new(Server::default()),
        "raw-producer" => Box::new(Producer::default()),
        "raw-consumer" => Box::new(Consumer),
        _ => return Err(format!("no role is called \"{name}\"").into()),
    };
    for line in stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line?)?;
        let command = request["command"].as_str().unwrap_or_default();
        let answer = match role.command(command, &request["argument"]) {
            Ok(result) => json!({ "id": request["id"], "result": result }),
            Err(error) => json!({ "id": request["id"], "error": error.to_string() }),
        };
        let mut out = stdout().lock();
        writeln!(out, "{answer}")?;
        out.flush()?;
        if command == "close" {
            break;
        }
    }
    Ok(())
}

/// The error of a command that the role does not know.
fn unknown(command: &str) -> Box<dyn std::error::Error> {
    format!("no command is called \"{command}\"").into()
}

/// A whole number of the argument.
fn number(argument: &Value, name: &str) -> Outcome<u64> {
    argument[name].as_u64().ok_or_else(|| format!("the argument lacks the number {name}").into())
}

/// A text of the argument.
fn text<'a>(argument: &'a Value, name: &str) -> Outcome<&'a str> {
    argument[name].as_str().ok_or_else(|| format!("the argument lacks the text {name}").into())
}
