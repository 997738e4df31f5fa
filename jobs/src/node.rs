//! Which process this is, so that others can tell whether it is still there.

use outdial_workflows::Moment;
use outdial_workflows::ids::NodeId;
use url::Url;

/// A process on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// The host's boot id and the process's pid namespace. Within one, a pid and its
    /// start time name a process; containers on one host share a boot id, but not a namespace.
    pub host: String,
    /// The process id.
    pub pid: i32,
    /// Its start time in clock ticks since boot: pids are used again.
    pub started: i64,
}

/// This process, under an id of its own.
#[derive(Clone, Debug)]
pub struct Node {
    /// Made anew at each start.
    pub id: NodeId,
    /// For people.
    pub name: String,
    /// The process.
    pub process: Process,
    /// What it does.
    pub roles: Vec<String>,
    /// How many conversations it holds at once; 0 if it holds none.
    pub seats: u16,
    /// Where other processes pass carriers' sockets on to; `None` if it takes none.
    pub address: Option<Url>,
    /// The machine's clock: [`wall`], but in tests. Only ever compared with the database's.
    pub wall: fn() -> Moment,
}

/// What this machine's clock shows.
pub fn wall() -> Moment {
    std::time::SystemTime::now().into()
}

impl Process {
    /// This process. Off Linux the host is unique to the process, so that nobody
    /// ever takes it for dead by looking: its leases then simply run out.
    pub fn this() -> Self {
        let pid = i32::try_from(std::process::id()).unwrap_or_default();
        match (host(), start_time(pid)) {
            (Some(host), Some(started)) => Self { host, pid, started },
            _ => Self { host: format!("unknown-{}", uuid::Uuid::new_v4()), pid, started: 0 },
        }
    }

    /// Whether a process of this very host is certainly gone.
    pub fn is_gone(&self) -> bool {
        host().is_some_and(|host| host == self.host) && start_time(self.pid) != Some(self.started)
    }
}

fn host() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), namespace.display()))
}

/// Field 22 of `/proc/<pid>/stat`, counted behind the command's name, which may hold anything. A zombie
/// has ended.
fn start_time(pid: i32) -> Option<i64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_process_is_not_gone_and_an_ended_one_is() {
        let this = Process::this();
        assert!(!this.is_gone());
        assert!(Process { started: this.started + 1, ..this.clone() }.is_gone());
        assert!(!Process { host: "another".into(), started: 0, ..this }.is_gone());
    }
}
