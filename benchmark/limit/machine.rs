//! Data of /proc about the machine and this process, in the shapes of `benchmark/src/machine.mjs`. Null on other
//! systems.

use std::fs::{read_dir, read_to_string};
use std::time::Instant;

use serde_json::{Value, json};

/// The unit of CPU time in /proc: `USER_HZ`, 100 on Linux.
const MICROS_PER_TICK: u64 = 10_000;

/// A measured window of this process.
pub(crate) struct Window {
    broker: Option<u64>,
    machine: Value,
    cpu: Option<u64>,
    started: Instant,
}

impl Window {
    /// Opens a window; `brokerPid` of the argument is the process whose CPU time is measured separately.
    pub(crate) fn open(argument: &Value) -> Self {
        let broker = argument["brokerPid"].as_u64();
        let machine = sample_machine(broker);
        Self { broker, machine, cpu: own_cpu_micros(), started: Instant::now() }
    }

    /// How long it was, the CPU time this process used in it, and what the machine did at both ends.
    pub(crate) fn close(&self) -> Value {
        let seconds = self.started.elapsed().as_secs_f64();
        let cpu = own_cpu_micros().zip(self.cpu).map(|(after, before)| after.saturating_sub(before));
        json!({
            "seconds": seconds,
            "cpuMicros": cpu,
            "machineBefore": self.machine,
            "machineAfter": sample_machine(self.broker),
        })
    }
}

/// Resident memory now and at its highest, in MiB, and threads.
pub(crate) fn sample_process() -> Value {
    let status = read_to_string("/proc/self/status").unwrap_or_default();
    let number = |field: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    json!({
        "residentMiB": number("VmRSS").map(|kib| kib / 1024.0),
        "peakResidentMiB": number("VmHWM").map(|kib| kib / 1024.0),
        "threads": number("Threads"),
    })
}

/// CPU time of this process so far, in µs. Summed over its threads, because the process's own ticks are too coarse
/// for a topic that is drained in a tenth of a second.
pub(crate) fn own_cpu_micros() -> Option<u64> {
    let threads = read_dir("/proc/self/task").ok()?.filter_map(Result::ok);
    let nanos = threads.map(|thread| {
        let schedstat = read_to_string(thread.path().join("schedstat")).ok()?;
        schedstat.split_whitespace().next()?.parse::<u64>().ok()
    });
    nanos.sum::<Option<u64>>().map(|nanos| nanos / 1000)
}

/// CPU time of a process so far, in µs, in steps of a tick.
fn cpu_micros(pid: &str) -> Option<u64> {
    let stat = read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold spaces: count the columns from behind it.
    let (_, columns) = stat.rsplit_once(") ")?;
    let mut times = columns.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
    Some((times.next()? + times.next()?) * MICROS_PER_TICK)
}

fn sample_machine(broker: Option<u64>) -> Value {
    let stat = read_to_string("/proc/stat").unwrap_or_default();
    let columns: Vec<u64> = stat
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
        .take(8)
        .filter_map(|ticks| ticks.parse().ok())
        .collect();
    if columns.len() < 8 {
        return Value::Null;
    }
    json!({
        "totalMicros": columns.iter().sum::<u64>() * MICROS_PER_TICK,
        "idleMicros": (columns[3] + columns[4]) * MICROS_PER_TICK,
        "brokerMicros": broker.and_then(|pid| cpu_micros(&pid.to_string())),
    })
}
