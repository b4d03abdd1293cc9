//! Writes the TypeScript side into `target/boundary/`. `scripts/boundary.mjs` runs this, formats the files, and
//! copies or compares them.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;
use std::{fs, iter};

use ts_rs::{Config, TS};

use super::events::{
    AssignedPartition, ClientEvent, CommittedOffset, ConsumerEvent, DeliveryEvent, FinishedRequest,
    GroupEvent, JoinedGroup, LostRecord, ProducerEvent, StartOver, SubscribedMember, UnfinishedPartition,
};
use super::{Field, Layout, Shared};
use crate::codec::{acks, incoming, outgoing, payload};
use crate::producer::reports;

/// Which side writes the layouts of a module.
#[derive(Clone, Copy, PartialEq)]
enum Writer {
    Rust,
    JavaScript,
}

/// `RecordWords` is `RECORD_WORDS`.
fn upper(name: &str) -> String {
    let mut out = String::new();
    for (at, letter) in name.char_indices() {
        if at > 0 && letter.is_uppercase() {
            out.push('_');
        }
        out.push(letter.to_ascii_uppercase());
    }
    out
}

/// `record_words` is `recordWords`.
fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| out + &part[..1].to_uppercase() + &part[1..])
}

/// A doc comment; links to items of this module stay links.
fn documented(out: &mut String, docs: &[&str], shared: &Shared) {
    let mut text = docs.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    for constant in shared.constants {
        text = text.replace(&format!("[`{}`]", constant.name), &format!("{{@link {}}}", constant.name));
    }
    writeln!(out, "/** {text} */").unwrap();
}

fn module(source: &str, shared: &Shared, writer: Writer) -> String {
    let mut out = format!("// Generated from {source} by scripts/boundary.mjs: change it there.\n\n");
    for constant in shared.constants {
        documented(&mut out, constant.docs, shared);
        writeln!(out, "export const {} = {};", constant.name, constant.value).unwrap();
    }
    for layout in shared.layouts {
        let size = upper(layout.name);
        documented(&mut out, layout.docs, shared);
        writeln!(out, "export const {size} = {};", layout.fields.len()).unwrap();
        match writer {
            Writer::Rust => places(&mut out, layout, shared, &size),
            Writer::JavaScript => function(&mut out, layout, shared),
        }
    }
    out
}

/// The index of each field.
fn places(out: &mut String, layout: &Layout, shared: &Shared, size: &str) {
    let prefix = size.rsplit_once('_').map_or(size, |(prefix, _)| prefix);
    for (place, Field { name, docs }) in layout.fields.iter().enumerate() {
        documented(out, docs, shared);
        writeln!(out, "export const {prefix}_{} = {place};", name.to_uppercase()).unwrap();
    }
}

/// The function that writes all fields.
fn function(out: &mut String, layout: &Layout, shared: &Shared) {
    let names: Vec<String> = layout.fields.iter().map(|field| camel(field.name)).collect();
    let params = names.iter().zip(layout.fields).map(|(name, field)| {
        let docs = field.docs.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
        format!(" @param {name} {docs}")
    });
    let about = format!("Writes {{@link {}}} from `at` on.", upper(layout.name));
    let lines: Vec<String> = iter::once(about).chain(params).collect();
    let mut docs = String::new();
    documented(&mut docs, &[&lines.join("\n *")], shared);
    write!(out, "{}", docs.replace("/** Writes", "/**\n * Writes").replace(" */", "\n */")).unwrap();
    let typed = names.iter().map(|name| format!("{name}: number")).collect::<Vec<_>>().join(", ");
    writeln!(out, "export function write{}(words: Uint32Array, at: number, {typed}): void {{", layout.name)
        .unwrap();
    for (place, name) in names.iter().enumerate() {
        let at = if place == 0 { "at".to_owned() } else { format!("at + {place}") };
        writeln!(out, "  words[{at}] = {name};").unwrap();
    }
    writeln!(out, "}}").unwrap();
}

fn write(name: &str, text: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/boundary");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), text).unwrap();
}

#[test]
fn writes_the_numbers() {
    for (name, source, shared, writer) in [
        ("incoming.ts", "crates/core/src/codec/incoming.rs", incoming::SHARED, Writer::Rust),
        ("acks.ts", "crates/core/src/codec/acks.rs", acks::SHARED, Writer::JavaScript),
        ("outgoing.ts", "crates/core/src/codec/outgoing.rs", outgoing::SHARED, Writer::JavaScript),
        ("payload.ts", "crates/core/src/codec/payload.rs", payload::SHARED, Writer::Rust),
        ("reports.ts", "crates/core/src/producer/reports.rs", reports::SHARED, Writer::Rust),
    ] {
        let text = module(source, &shared, writer);
        let exported: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("export const ")?.split(' ').next()).collect();
        let distinct: HashSet<&&str> = exported.iter().collect();
        assert_eq!(exported.len(), distinct.len(), "two of {source} have one name: {exported:?}");
        write(name, &text);
    }
}

/// A type, with its doc comment.
fn declared<T: TS>(config: &Config) -> String {
    format!("{}export {}\n\n", T::docs().unwrap_or_default(), T::decl(config))
}

#[test]
fn writes_the_events() {
    let config = Config::new();
    let text = [
        "// Generated from crates/core/src/boundary/events.rs by scripts/boundary.mjs: change it there.\n\n"
            .to_owned(),
        declared::<ConsumerEvent>(&config),
        declared::<ProducerEvent>(&config),
        declared::<ClientEvent>(&config),
        declared::<GroupEvent>(&config),
        declared::<DeliveryEvent>(&config),
        declared::<LostRecord>(&config),
        declared::<StartOver>(&config),
        declared::<FinishedRequest>(&config),
        declared::<JoinedGroup>(&config),
        declared::<AssignedPartition>(&config),
        declared::<UnfinishedPartition>(&config),
        declared::<CommittedOffset>(&config),
        declared::<SubscribedMember>(&config),
    ];
    write("events.ts", &text.concat());
}
