//! Real processes, all of them `sh`.

use super::*;

const TIMEOUT: Duration = Duration::from_secs(20);

/// A node named n1 that is not started. Each cluster has its own signals, which last as long as the process.
fn launched(program: &str, arguments: &[&str], logs: &std::path::Path) -> Processes<'static> {
    let interrupts = Box::leak(Box::new(Interrupts::new().expect("signals")));
    let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let launch =
        Launch { program: program.into(), arguments, logs: Some(logs.to_owned()), log_stderr: false, data: None };
    Processes::new(launch, vec!["n1".into()], interrupts).expect("a poll")
}

fn cluster(script: &str, logs: &std::path::Path) -> Processes<'static> {
    let mut cluster = launched("/bin/sh", &["-c", script], logs);
    cluster.start(0).expect("sh exists");
    cluster
}

/// Waits until something holds.
fn wait_until(cluster: &mut Processes, holds: impl Fn(&mut Processes) -> bool) {
    let timeout = cluster.now() + TIMEOUT;
    while !holds(cluster) && cluster.now() < timeout {
        cluster.wait(Some(timeout), &mut |_, _, _| {}).expect("no interrupt");
    }
}

/// Waits for this many lines.
fn lines(cluster: &mut Processes, count: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let timeout = cluster.now() + TIMEOUT;
    while lines.len() < count && cluster.now() < timeout {
        cluster
            .wait(Some(timeout), &mut |_, _, line| lines.push(String::from_utf8_lossy(line).into_owned()))
            .expect("no interrupt");
    }
    lines
}

#[test]
fn a_node_reads_lines_and_its_lines_come_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut cluster = cluster("while read -r line; do echo \"got $line\"; echo told >&2; done", folder.path());
    cluster.deliver(0, b"one\n");
    cluster.deliver(0, b"two\n");
    assert_eq!(lines(&mut cluster, 2), ["got one", "got two"]);
    assert_eq!(cluster.status(0), Status::Alive);
    cluster.kill(0);
    assert!(matches!(cluster.status(0), Status::Dead(_)));
    let log = std::fs::read_to_string(folder.path().join("n1.log")).expect("a log");
    assert!(log.starts_with("told\n"));
    assert_eq!(cluster.output_tail(0).stdout, ["got one", "got two"]);
}

#[test]
fn waiting_ends_within_a_millisecond_of_the_time_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut cluster = cluster("read line", folder.path());
    let best = (0..20)
        .map(|_| {
            let until = cluster.now() + Duration::from_micros(2_300);
            cluster.wait(Some(until), &mut |_, _, _| {}).expect("no interrupt");
            assert!(cluster.now() >= until);
            cluster.now().since(until)
        })
        .min();
    assert!(best < Some(Duration::from_millis(1)), "{best:?}");
}

#[test]
fn a_node_that_does_not_read_holds_its_deliveries_up_and_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut cluster = cluster("sleep 0.3; head -c 1048577 | wc -c", folder.path());
    let line = vec![b'x'; 1 << 20];
    cluster.deliver(0, &line);
    assert!(!cluster.accepts(0));
    wait_until(&mut cluster, |cluster| cluster.accepts(0));
    cluster.deliver(0, b"\n");
    assert_eq!(lines(&mut cluster, 1)[0].trim(), "1048577");
}

#[test]
fn a_delivery_is_held_for_batching_no_longer_than_one_wait() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut cluster = cluster("while read -r line; do echo \"$line\"; done", folder.path());
    cluster.deliver(0, b"one\n");
    let mut received = false;
    let timeout = cluster.now() + TIMEOUT;
    while !received && cluster.now() < timeout {
        // Something is always due at once.
        let now = cluster.now();
        cluster.wait(Some(now), &mut |_, _, line| received = line == b"one").expect("no interrupt");
    }
    assert!(received);
}

#[test]
fn the_end_of_a_node_is_reported_with_the_tail_of_its_output() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut cluster = cluster("echo out; seq 40 >&2; printf unfinished; exit 3", folder.path());
    assert_eq!(lines(&mut cluster, 2), ["out", "unfinished"]);
    wait_until(&mut cluster, |cluster| cluster.take_dead().is_some());
    assert_eq!(cluster.status(0), Status::Dead("exit status: 3".into()));
    let tail = cluster.output_tail(0);
    assert_eq!(tail.stdout, ["out", "unfinished"]);
    assert_eq!((tail.stderr.len(), tail.stderr[31].as_str()), (32, "40"));
    cluster.deliver(0, b"ignored\n");
    assert_eq!(cluster.take_dead(), None, "reported once");
    cluster.kill(0);
    assert_eq!(cluster.status(0), Status::Dead("exit status: 3".into()), "how it ended stays known");
}

/// Whether a process runs. A zombie does not.
fn is_running(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| !rest.trim_start().starts_with('Z')))
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "/proc tells which processes run")]
fn processes_that_a_node_started_are_killed_with_it_even_if_it_ended_by_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut cluster = cluster("sleep 60 >/dev/null 2>&1 & echo $!; exit 3", folder.path());
    let started = lines(&mut cluster, 1).remove(0);
    wait_until(&mut cluster, |cluster| cluster.take_dead().is_some());
    let timeout = cluster.now() + TIMEOUT;
    assert!(is_running(&started), "the test goes on with it, as Maelstrom does");
    cluster.kill(0);
    while is_running(&started) && cluster.now() < timeout {}
    assert!(!is_running(&started));
}

#[test]
fn a_node_that_floods_stderr_is_served_all_the_same_and_its_log_stays_in_bounds() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = "yes no end >&2 & while read -r line; do echo \"$line\"; done";
    let mut cluster = cluster(script, folder.path());
    for round in 0..20 {
        cluster.deliver(0, format!("{round}\n").as_bytes());
        assert_eq!(lines(&mut cluster, 1), [round.to_string()]);
        // Time passes, too, while there is always more to read.
        let until = cluster.now() + Duration::from_millis(5);
        while cluster.now() < until {
            cluster.wait(Some(until), &mut |_, _, _| {}).expect("no interrupt");
        }
    }
    cluster.kill(0);
    let length = std::fs::metadata(folder.path().join("n1.log")).expect("a log").len();
    assert!(0 < length && length < log::LOG_BYTES + 1_000, "{length}");
}

#[test]
fn a_log_that_cannot_be_written_is_a_remark_and_no_error() {
    let mut cluster = cluster("echo lost >&2; echo done", "/nonexistent".as_ref());
    assert_eq!(lines(&mut cluster, 1), ["done"]);
    cluster.kill(0);
    let remarks = cluster.remarks();
    assert!(remarks[0].starts_with("the log of n1 could not be written (No such file"), "{remarks:?}");
    assert!(remarks[0].ends_with("5 bytes that went to stderr are left out"), "{remarks:?}");
}

#[test]
fn what_cannot_be_executed_is_an_error_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut cluster = launched("/nonexistent/node", &[], folder.path());
    assert!(cluster.start(0).is_err());
}

#[test]
fn a_paused_node_writes_nothing_until_it_is_resumed_and_can_be_killed_meanwhile() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut cluster = cluster("while read -r line; do echo \"$line\"; done", folder.path());
    cluster.deliver(0, b"one\n");
    assert_eq!(lines(&mut cluster, 1), ["one"]);
    cluster.pause(0);
    cluster.deliver(0, b"two\n");
    let until = cluster.now() + Duration::from_millis(50);
    while cluster.now() < until {
        cluster.wait(Some(until), &mut |_, _, line| panic!("{line:?}")).expect("no interrupt");
    }
    assert_eq!(cluster.status(0), Status::Alive);
    cluster.resume(0);
    assert_eq!(lines(&mut cluster, 1), ["two"]);
    cluster.pause(0);
    cluster.start(0).expect("killed first");
    cluster.deliver(0, b"three\n");
    assert_eq!(lines(&mut cluster, 1), ["three"]);
}
