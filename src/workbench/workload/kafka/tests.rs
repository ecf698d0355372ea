//! What is generated, how often, and what a client makes of it.

use rand::SeedableRng as _;

use super::*;
use crate::workbench::edn;
use crate::workbench::history::Process;
use crate::workbench::test::TestConfig;

fn value(text: &str) -> Value {
    edn::read(text).expect("valid EDN")
}

fn reply(name: &str, json: &str) -> Vec<(Box<str>, Value)> {
    vec![(name.into(), crate::workbench::json::value(json).expect("JSON"))]
}

fn asked(act: ClientAction) -> String {
    let ClientAction::Send(request) = act else { panic!("{act:?} asks nobody") };
    request.body
}

fn done(act: ClientAction) -> String {
    let ClientAction::Complete(value) = act else { panic!("{act:?} is not done") };
    value.to_string()
}

fn op(f: &'static str, text: &str) -> Op {
    let (kind, process) = (OpKind::Ok, Process::Client(0));
    Op { index: 0, time: 0, kind, process, f: f.into(), value: value(text), error: None, extra: Vec::new() }
}

/// Operations, a millisecond apart, on four threads.
fn generated(count: u64, mut learn: impl FnMut(&mut Kafka, &Invocation)) -> Vec<Invocation> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut kafka = Kafka::new(&TestConfig::default().workload_options());
    let threads = Threads::new(4);
    let mut next = |ms: u64| {
        let (_, invocation) = kafka.next(&threads, Time::from_millis(ms), &mut rng).expect("all threads are free");
        learn(&mut kafka, &invocation);
        invocation
    };
    (0..count).map(&mut next).collect()
}

fn count(ops: &[Invocation], f: &str) -> usize {
    ops.iter().filter(|invocation| invocation.f == f).count()
}

#[test]
fn nearly_half_of_the_operations_send_one_in_64_assigns_and_each_client_crashes_every_30_s() {
    let ops = generated(600_000, |_, _| {});
    assert!(count(&ops[..3], "crash") > 0, "the first is due at once");
    // Four clients for 600 s.
    assert!((60..100).contains(&count(&ops, "crash")), "{}", count(&ops, "crash"));
    assert!((9_000..9_750).contains(&count(&ops, "assign")), "{}", count(&ops, "assign"));
    let (sends, polls) = (count(&ops, "send"), count(&ops, "poll"));
    // Of 33 draws 17 are writes, of which one finds its key retired and is drawn again.
    assert!((484..486).contains(&(1_000 * sends / (sends + polls))), "{sends} {polls}");
}

#[test]
fn an_assignment_is_widened_by_what_is_unseen_in_a_third_of_the_cases() {
    let learn = |kafka: &mut Kafka, _: &Invocation| {
        kafka.on_completion(0, &op("send", "[[:send \"77\" [4 1]]]"));
    };
    let ops = generated(200_000, learn);
    let assigned: Vec<_> = ops.iter().filter(|invocation| invocation.f == "assign").collect();
    let wide: Vec<_> = assigned.iter().filter(|invocation| !invocation.marks.is_empty()).collect();
    let share = 1_000 * wide.len() / assigned.len();
    assert!((300..367).contains(&share), "{share} of 1000");
    assert!(wide.iter().all(|wide| texts(&wide.value).next() == Some("77")));
    assert_eq!(wide[0].marks[0].1.to_string(), "{77 {:polled -1, :sent 4}}");
    let learn = |kafka: &mut Kafka, _: &Invocation| {
        kafka.on_completion(0, &op("send", "[[:send \"77\" [4 1]]]"));
        kafka.on_completion(0, &op("poll", "[[:poll {\"77\" [[0 9] [4 1]]}]]"));
    };
    assert!(generated(20_000, learn).iter().all(|invocation| invocation.marks.is_empty()));
}

#[test]
fn a_key_that_is_assigned_is_the_one_of_the_operation_put_off() {
    let ops = generated(20_000, |_, _| {});
    let pairs = ops.windows(2).filter(|pair| pair[0].f == "assign" && pair[1].f == "send");
    for pair in pairs {
        assert_eq!(texts(&pair[0].value).next(), Some(sent(&pair[1].value).0));
    }
}

#[test]
fn a_client_polls_from_where_it_left_off_and_commits_the_highest_offset() {
    let mut kafka = Kafka::new(&TestConfig::default().workload_options());
    let poll = poll();
    assert_eq!(asked(kafka.begin(2, &poll)), r#"{"type":"poll","offsets":{}}"#);
    assert_eq!(done(kafka.on_reply(2, &poll, reply("msgs", "{}"))), "[[:poll {}]]");

    let assign = Invocation::new("assign", keys([3, 4]));
    assert_eq!(asked(kafka.begin(2, &assign)), r#"{"type":"list_committed_offsets","keys":["3","4"]}"#);
    assert_eq!(done(kafka.on_reply(2, &assign, reply("offsets", "{\"4\":6}"))), "[\"3\" \"4\"]");
    assert_eq!(asked(kafka.begin(2, &poll)), r#"{"type":"poll","offsets":{"3":0,"4":0}}"#);
    let commit = kafka.on_reply(2, &poll, reply("msgs", r#"{"4":[[2,7],[5,8]],"3":[]}"#));
    assert_eq!(asked(commit), r#"{"type":"commit_offsets","offsets":{"4":5}}"#);
    let read = "[[:poll {\"4\" [[2 7] [5 8]], \"3\" []}]]";
    assert_eq!(done(kafka.on_reply(2, &poll, Vec::new())), read);

    let assign = Invocation::new("assign", keys([4, 5]));
    kafka.begin(2, &assign);
    kafka.on_reply(2, &assign, reply("offsets", "{}"));
    assert_eq!(asked(kafka.begin(2, &poll)), r#"{"type":"poll","offsets":{"4":6,"5":0}}"#);
    kafka.on_client(2);
    assert_eq!(asked(kafka.begin(2, &poll)), r#"{"type":"poll","offsets":{}}"#);
}

#[test]
fn a_send_is_completed_with_its_offset_and_a_crash_asks_nobody() {
    let mut kafka = Kafka::new(&TestConfig::default().workload_options());
    let send = Invocation::new("send", value("[[:send \"9\" 3]]"));
    assert_eq!(asked(kafka.begin(0, &send)), r#"{"type":"send","key":"9","msg":3}"#);
    assert_eq!(done(kafka.on_reply(0, &send, reply("offset", "12"))), "[[:send \"9\" [12 3]]]");
    assert!(matches!(kafka.begin(0, &Invocation::new("crash", Value::Nil)), ClientAction::Crash));
}

#[test]
fn replies_have_maelstroms_schemas() {
    let json = |text: &str| crate::workbench::json::value(text).expect("JSON");
    for good in ["{}", r#"{"1":[[0,1],[2,"x"]]}"#, r#"{"1":[],"2":null}"#] {
        assert!(is_log(&json(good)), "{good}");
    }
    for bad in
        ["[]", r#"{"1":[[0]]}"#, r#"{"1":[[0,1,2]]}"#, r#"{"1":[["0",1]]}"#, r#"{"1":[0]}"#, r#"{"1":[[0.5,1]]}"#]
    {
        assert!(!is_log(&json(bad)), "{bad}");
    }
    assert!(is_offsets(&json(r#"{"1":0}"#)) && !is_offsets(&json(r#"{"1":null}"#)) && !is_offsets(&json("[]")));
}

#[test]
fn in_the_end_every_thread_crashes_reads_from_the_beginning_and_polls_until_it_has_seen_everything() {
    let mut kafka = Kafka::new(&TestConfig::default().workload_options());
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let threads = Threads::new(2);
    kafka.on_completion(0, &op("send", "[[:send \"10\" [1 5]]]"));
    kafka.on_completion(0, &op("poll", "[[:poll {\"2\" [[0 1]]}]]"));
    let (mut elapsed, mut begun) = (Duration::ZERO, vec![Vec::new(), Vec::new()]);
    while elapsed < Duration::from_secs(9) {
        match kafka.next_final(&threads, elapsed, &mut rng) {
            FinalStep::Begin(thread, invocation) => begun[thread].push((elapsed, invocation)),
            FinalStep::Wait(until) => elapsed = until.expect("all threads are free"),
            FinalStep::Over => panic!("nobody has seen anything"),
        }
    }
    for begun in &begun {
        let [(_, crash), (_, assign), polls @ ..] = &begun[..] else { panic!("{begun:?}") };
        assert_eq!((crash.f, assign.f, assign.value.to_string().as_str()), ("crash", "assign", "[\"2\" \"10\"]"));
        assert!((35..60).contains(&polls.len()), "{}", polls.len());
        assert!(polls.windows(2).all(|pair| pair[1].0 < pair[0].0 + Duration::from_millis(400)));
        assert_eq!(polls[0].1.marks, [(Value::keyword("poll-ms"), Value::Int(1000))]);
    }
    kafka.on_completion(0, &op("poll", "[[:poll {\"2\" [[0 1]], \"10\" [[0 4] [1 5]]}]]"));
    kafka.on_completion(1, &op("poll", "[[:poll {\"2\" [[0 1]], \"10\" [[0 4]]}]]"));
    let next = kafka.next_final(&threads, Duration::from_millis(9_900), &mut rng);
    assert!(!matches!(next, FinalStep::Begin(0, _) | FinalStep::Over), "the first has seen everything: {next:?}");
    assert_eq!(kafka.next_final(&threads, Duration::from_secs(10), &mut rng), FinalStep::Over);
}

#[test]
fn where_nothing_is_known_the_final_phase_is_empty() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let next =
        Kafka::new(&TestConfig::default().workload_options()).next_final(&Threads::new(2), Duration::ZERO, &mut rng);
    assert_eq!(next, FinalStep::Over);
}
