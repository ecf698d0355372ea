#!/usr/bin/env bash
# What the GitHub action runs: each line of $GLOOMERS_TESTS, with a summary of all and JUnit files beside the reports.
#
# Works elsewhere too, with gloomers on the search path; action.yml describes the variables.
set -uo pipefail

summary=${GITHUB_STEP_SUMMARY:-gloomers-summary.md}
read -ra arguments <<<"${GLOOMERS_ARGUMENTS:-}"
seeds=${GLOOMERS_SEEDS:-0}
shard=${GLOOMERS_SHARD:-1/1}
clock=(--virtual-time)
[[ ${GLOOMERS_REAL_TIME:-false} == true ]] && clock=()

number=0
status=0
while IFS= read -r line; do
    read -ra words <<<"$line"
    [[ ${#words[@]} -gt 0 ]] || continue
    number=$((number + 1))
    if [[ ${words[0]} == challenges ]]; then
        command=(gloomers challenges --markdown --bin-dir "$GLOOMERS_BIN" "${words[@]:1}")
        [[ ${#clock[@]} -gt 0 ]] || command+=(--real)
    elif [[ $seeds != 0 ]]; then
        command=(gloomers swarm -w "${words[@]}" --bin "$GLOOMERS_BIN" --seeds "$seeds" --shard "$shard"
            --markdown "$summary" --json "gloomers-$number-${shard//\//-of-}.json" --quiet)
    else
        command=(gloomers test -w "${words[@]}" --bin "$GLOOMERS_BIN" "${clock[@]}"
            --markdown "$summary" --junit "gloomers-$number.xml" --quiet)
    fi
    [[ ${#arguments[@]} -eq 0 || ${words[0]} == challenges ]] || command+=(-- "${arguments[@]}")

    echo "::group::${command[*]}"
    if [[ ${words[0]} == challenges ]]; then
        "${command[@]}" | tee -a "$summary"
    else
        "${command[@]}"
    fi
    ended=$?
    echo "::endgroup::"
    if [[ $ended -ne 0 ]]; then
        echo "::error::gloomers ended with status $ended: $line"
        [[ $status -ne 0 ]] || status=$ended
    fi
done <<<"${GLOOMERS_TESTS:-}"

if [[ $number -eq 0 ]]; then
    echo "::error::there is no test: GLOOMERS_TESTS is empty"
    status=254
fi
exit "$status"
