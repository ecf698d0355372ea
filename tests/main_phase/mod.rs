//! Every workload on its smallest cluster, with the concurrency that it needs, and when operations are invoked.

pub(crate) const WORKLOADS: [&str; 10] = [
    "-w echo --node-count 1",
    "-w unique-ids --node-count 1",
    "-w broadcast --node-count 2",
    "-w g-set --node-count 2",
    "-w g-counter --node-count 3",
    "-w pn-counter --node-count 3",
    "-w kafka --node-count 2 --concurrency 2n",
    "-w lin-kv --node-count 1 --concurrency 2n",
    "-w txn-list-append --node-count 2 --concurrency 2n",
    "-w txn-rw-register --node-count 2 --concurrency 2n",
];

/// When clients began operations before `end_s`, in seconds.
pub(crate) fn begun_s(history: &str, end_s: f64) -> Vec<f64> {
    let invocations = history.lines().filter(|line| line.contains(":type :invoke"));
    let times = invocations.map(|line| {
        let (_, rest) = line.split_once(":time ").expect("each operation has a time");
        let time = rest.split([',', ' ', '}']).next().and_then(|time| time.parse::<f64>().ok());
        time.expect("a number of nanoseconds") / 1e9
    });
    times.filter(|time| *time < end_s).collect()
}
