//! Whole tests of real processes, through the command line: verdicts, exit codes, files, counts of messages; no times.
//!
//! Without the usual harness, for two reasons: a run lasts seconds in which it computes next to nothing, so all run at
//! once whatever the number of cores; and this program is also the broken node ([`broken`]), which may print nothing
//! but its lines. A text on the command line selects the claims whose names contain it.

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

/// A name, and what holds if it does not panic.
type Claim = (&'static str, fn());

macro_rules! claims {
    ($($module:ident::$name:ident),* $(,)?) => { [$((stringify!($name), $module::$name as fn())),*] };
}

const CLAIMS: [Claim; 40] = claims![
    healthy::every_echo_is_answered,
    healthy::ids_are_unique,
    healthy::ids_are_unique_and_always_there_in_partitions,
    healthy::every_value_reaches_every_node,
    healthy::every_value_reaches_every_node_after_partitions,
    healthy::a_cluster_of_25_spends_little_more_than_a_message_an_operation,
    healthy::the_staleness_allowed_decides_what_is_spent,
    healthy::sets_grow_at_every_node_alike,
    healthy::nodes_killed_and_started_again_rejoin,
    healthy::nodes_stopped_and_continued_catch_up,
    healthy::a_test_in_virtual_time_agrees,
    healthy::a_counter_over_a_service_is_right_in_the_end,
    healthy::a_log_loses_nothing,
    faults::a_node_that_forgets_values_is_invalid,
    faults::a_node_that_repeats_ids_is_invalid,
    faults::a_node_that_prints_garbage_is_muted_and_quoted,
    faults::a_muted_node_fails_a_strict_test,
    faults::an_echo_that_never_comes_is_invalid,
    faults::a_node_that_exits_leaves_a_history_without_a_verdict,
    faults::a_node_that_does_not_take_part_ends_the_test_before_it_begins,
    faults::a_node_that_never_answers_is_invalid,
    faults::whatever_is_wrong_with_the_answer_to_init_is_named,
    faults::whatever_is_wrong_with_the_answer_to_topology_is_named,
    faults::a_reply_out_of_shape_is_named_with_its_count_wherever_people_look,
    faults::a_wrong_in_reply_to_is_named,
    faults::of_a_key_given_twice_the_last_value_counts,
    faults::what_follows_a_message_on_its_line_is_quoted_and_fails_a_strict_test,
    interruption::ctrl_c_ends_every_node,
    faults::a_node_has_as_long_to_answer_init_as_it_is_given,
    interruption::what_was_gathered_before_ctrl_c_is_judged_and_marked,
    interruption::so_is_what_was_gathered_in_virtual_time,
    interruption::no_node_outlives_a_workbench_that_is_killed,
    interruption::what_a_node_started_does_not_outlive_the_test,
    host::a_file_without_a_first_line_that_says_how_is_a_shell_script,
    host::what_cannot_be_executed_ends_the_test_before_it_begins,
    host::a_stdout_that_takes_nothing_costs_no_verdict,
    host::a_store_that_cannot_be_made_costs_no_verdict,
    host::a_file_that_is_too_large_for_the_disk_costs_no_verdict,
    limit::clients_go_on_until_the_limit_whatever_the_nemesis_does,
    limit::a_test_that_its_threads_could_not_keep_up_with_says_so,
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
    let claims = CLAIMS.into_iter().filter(|(name, _)| chosen(name));
    let mut page = std::io::stdout();
    if arguments.iter().any(|argument| argument == "--list") {
        claims.for_each(|(name, _)| writeln!(page, "{name}: test").expect("somebody reads"));
        return ExitCode::SUCCESS;
    }
    let failures = thread::scope(|scope| {
        let running: Vec<_> = claims
            .map(|(name, claim)| {
                let thread = thread::Builder::new().name(name.to_owned());
                (name, thread.spawn_scoped(scope, claim).unwrap_or_else(|error| resume_unwind(Box::new(error))))
            })
            .collect();
        let mut failures = 0;
        for (name, claim) in running {
            let holds = claim.join().is_ok();
            failures += u32::from(!holds);
            writeln!(page, "test {name} ... {}", if holds { "ok" } else { "FAILED" }).expect("somebody reads");
        }
        failures
    });
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
