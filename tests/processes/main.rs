//! Whole tests of real processes, through the command line: verdicts, exit codes, files and message counts.
//!
//! Without the usual harness, for two reasons: a run takes seconds but hardly any CPU time, so all run in parallel on
//! any number of cores; and this program is also the broken node ([`broken`]), which may print only its messages.
//! Arguments select the tests whose names contain one of them.

mod broken;
mod faults;
mod healthy;
mod host;
mod interruption;
mod limit;
#[path = "../main_phase/mod.rs"]
mod main_phase;
mod run;

use std::io::Write as _;
use std::panic::resume_unwind;
use std::process::ExitCode;
use std::thread;

/// The name and the body of a test.
type Test = (&'static str, fn());

macro_rules! tests {
    ($($module:ident::$name:ident),* $(,)?) => { [$((stringify!($name), $module::$name as fn())),*] };
}

const TESTS: [Test; 40] = tests![
    healthy::every_echo_is_answered,
    healthy::ids_are_unique,
    healthy::ids_are_unique_and_available_in_partitions,
    healthy::every_value_reaches_every_node,
    healthy::every_value_reaches_every_node_after_partitions,
    healthy::a_cluster_of_25_needs_little_more_than_one_message_per_operation,
    healthy::the_allowed_staleness_determines_the_number_of_messages,
    healthy::sets_are_equal_at_every_node,
    healthy::killed_nodes_rejoin_after_a_restart,
    healthy::paused_nodes_catch_up_after_resuming,
    healthy::a_test_in_virtual_time_agrees,
    healthy::a_counter_on_a_service_converges,
    healthy::a_log_loses_nothing,
    faults::a_node_that_forgets_values_is_invalid,
    faults::a_node_that_repeats_ids_is_invalid,
    faults::a_node_that_prints_garbage_is_muted_and_quoted,
    faults::a_muted_node_fails_a_strict_test,
    faults::an_echo_that_never_comes_is_invalid,
    faults::a_node_that_exits_leaves_a_history_without_a_verdict,
    faults::a_node_that_does_not_initialise_ends_the_test_before_it_starts,
    faults::a_node_that_never_answers_is_invalid,
    faults::the_defect_of_an_init_reply_is_named,
    faults::the_defect_of_a_topology_reply_is_named,
    faults::a_malformed_reply_is_reported_with_its_count_in_every_output,
    faults::a_wrong_in_reply_to_is_named,
    faults::the_last_value_of_a_repeated_key_counts,
    faults::text_after_a_message_on_its_line_is_quoted_and_fails_a_strict_test,
    interruption::ctrl_c_ends_every_node,
    faults::a_node_must_answer_init_within_the_given_timeout,
    interruption::a_test_interrupted_by_ctrl_c_is_checked_and_marked,
    interruption::a_test_interrupted_in_virtual_time_is_checked_and_marked,
    interruption::no_node_outlives_a_killed_workbench,
    interruption::children_of_a_node_do_not_outlive_the_test,
    host::a_file_without_a_shebang_is_run_as_a_shell_script,
    host::a_file_that_cannot_be_executed_ends_the_test_before_it_starts,
    host::a_stdout_that_cannot_be_written_does_not_affect_the_verdict,
    host::a_store_that_cannot_be_created_does_not_affect_the_verdict,
    host::a_file_that_is_too_large_for_the_disk_does_not_affect_the_verdict,
    limit::clients_continue_until_the_time_limit_under_any_nemesis,
    limit::a_test_whose_clients_could_not_keep_up_reports_it,
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, fault] = &arguments[..]
        && flag == broken::FLAG
    {
        broken::serve(fault);
        return ExitCode::SUCCESS;
    }
    let filters: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let chosen = |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()));
    let tests = TESTS.into_iter().filter(|(name, _)| chosen(name));
    let mut stdout = std::io::stdout();
    if arguments.iter().any(|argument| argument == "--list") {
        tests.for_each(|(name, _)| writeln!(stdout, "{name}: test").expect("the other end reads"));
        return ExitCode::SUCCESS;
    }
    let failures = thread::scope(|scope| {
        let running: Vec<_> = tests
            .map(|(name, test)| {
                let thread = thread::Builder::new().name(name.to_owned());
                (name, thread.spawn_scoped(scope, test).unwrap_or_else(|error| resume_unwind(Box::new(error))))
            })
            .collect();
        let mut failures = 0;
        for (name, test) in running {
            let passed = test.join().is_ok();
            failures += u32::from(!passed);
            writeln!(stdout, "test {name} ... {}", if passed { "ok" } else { "FAILED" }).expect("the other end reads");
        }
        failures
    });
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
