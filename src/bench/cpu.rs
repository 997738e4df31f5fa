//! Processor time of processes, as Linux counts it. Elsewhere nothing is known.

use std::collections::HashMap;
use std::fs;

/// `/proc` counts in these: `USER_HZ`, which is 100 on every Linux.
const TICKS_PER_S: f64 = 100.0;

/// One line of `/proc/<pid>/stat`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stat {
    name: String,
    parent: i32,
    /// Its own time, user and system, and that of its children that have ended and were waited for.
    ticks: u64,
}

impl Stat {
    /// See proc(5). The name stands in parentheses and may hold anything, parentheses too.
    fn parse(line: &str) -> Option<Self> {
        let (head, tail) = line.rsplit_once(") ")?;
        let (_, name) = head.split_once('(')?;
        let fields: Vec<&str> = tail.split(' ').collect();
        let times = fields.get(11..15)?.iter().map(|ticks| ticks.parse::<u64>());
        let ticks = times.sum::<Result<u64, _>>().ok()?;
        Some(Self { name: name.to_owned(), parent: fields.get(1)?.parse().ok()?, ticks })
    }

    fn of(pid: i32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }
}

/// Seconds that a process has used, and all below it, those included that have ended.
pub(super) fn tree_s(root: i32) -> Option<f64> {
    let all: HashMap<i32, Stat> = fs::read_dir("/proc")
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, Stat::of(pid)?)))
        .collect();
    let mut ticks = all.get(&root)?.ticks;
    let mut level = vec![root];
    while !level.is_empty() {
        let below = all.iter().filter(|(_, stat)| level.contains(&stat.parent));
        let below: Vec<(i32, u64)> = below.map(|(pid, stat)| (*pid, stat.ticks)).collect();
        ticks += below.iter().map(|(_, ticks)| ticks).sum::<u64>();
        level = below.into_iter().map(|(pid, _)| pid).collect();
    }
    Some(seconds(ticks))
}

/// Seconds that this process has used, without its children.
pub(super) fn own_s() -> Option<f64> {
    let line = fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = line.rsplit_once(") ")?.1.split(' ').collect();
    let times = fields.get(11..13)?.iter().map(|ticks| ticks.parse::<u64>());
    times.sum::<Result<u64, _>>().ok().map(seconds)
}

/// The server above the process that serves a connection; `None` if it is not on this machine.
pub(super) fn postmaster_of(backend: i32) -> Option<i32> {
    let stat = Stat::of(backend).filter(|stat| stat.name == "postgres")?;
    Stat::of(stat.parent).filter(|server| server.name == "postgres").map(|_| stat.parent)
}

#[expect(clippy::cast_precision_loss, reason = "years of processor time are exact")]
fn seconds(ticks: u64) -> f64 {
    ticks as f64 / TICKS_PER_S
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_process_and_of_its_ended_children_are_summed() {
        let line = "4711 (a (b) c) S 42 4711 4711 0 -1 4194304 9 8 7 6 100 20 3 4 20 0 5 0 77 1000 2 18446744073709551615";
        let read = Stat::parse(line);
        assert_eq!(read, Some(Stat { name: "a (b) c".into(), parent: 42, ticks: 127 }));
        assert_eq!(Stat::parse("nonsense"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_used_some_time_and_no_more_than_with_its_children() {
        let own = own_s().expect("Linux counts");
        let pid = i32::try_from(std::process::id()).expect("process ids are small");
        assert!(tree_s(pid).expect("Linux counts") >= own);
        assert_eq!(postmaster_of(pid), None, "a test is no database server");
    }
}
