//! Calls that are sent again: the text of each, and what is known of its effect.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::MAX_CALL_BYTES;
use crate::node::Response;
use crate::time::Duration;
use crate::wire::ErrorCode;

/// How long an answer is waited for, and when the request is sent again.
///
/// The pauses between attempts double from `pause` up to `longest_pause`, each varied by up to a half either way, so
/// that nodes which fail together do not come back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How long until the call expires, whatever was tried.
    pub timeout: Duration,
    /// The mean pause before the second attempt.
    pub pause: Duration,
    /// The longest mean pause between two attempts.
    pub longest_pause: Duration,
    /// What sending the request twice would do.
    pub repetition: Repetition,
}

/// What it means when a request is carried out twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repetition {
    /// It has no effect at all, so that an error is always about the latest state: a read.
    Harmless,
    /// The second time fails or changes nothing: a compare-and-set to a value that there has never been.
    Detected,
    /// It might be done twice, so it is sent again only when it was certainly not done.
    Forbidden,
}

impl Policy {
    /// The pause after so many attempts; `chance` is any random number.
    fn pause_after(&self, attempts: u32, chance: u64) -> Duration {
        let doubled = self.pause.saturating_mul(1 << (attempts - 1).min(20));
        let mean = doubled.min(self.longest_pause);
        mean / 2 + mean.mul_f64(u32::try_from(chance >> 32).map_or(0.5, f64::from) / f64::from(u32::MAX))
    }
}

#[derive(Debug)]
struct Retry {
    /// Most are short: these are kept in place.
    line: SmallVec<[u8; 256]>,
    policy: Policy,
    attempts: u32,
    /// Whether the latest attempt was refused without any effect.
    refused: bool,
    /// Whether an attempt was made of which nobody has heard, and another after it.
    uncertain: bool,
}

/// All calls that may be sent again, by their numbers.
#[derive(Debug)]
pub(crate) struct Retries {
    waiting: HashMap<i64, Retry>,
    /// How many bytes their lines have in all.
    bytes: usize,
    seed: u64,
}

impl Retries {
    pub(crate) fn new(seed: u64) -> Self {
        Self { waiting: HashMap::new(), bytes: 0, seed }
    }

    /// Whether a line of so many bytes can be kept.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.bytes + bytes <= MAX_CALL_BYTES
    }

    /// Takes note of a first attempt; returns how long to wait with the second.
    pub(crate) fn keep(&mut self, id: i64, line: &[u8], policy: Policy) -> Duration {
        self.bytes += line.len();
        let line = SmallVec::from_slice(line);
        self.waiting.insert(id, Retry { line, policy, attempts: 1, refused: false, uncertain: false });
        policy.pause_after(1, self.chance(id, 1))
    }

    /// What to send now, if anything, and how long to wait with the next attempt; `None` when it was answered.
    pub(crate) fn again(&mut self, id: i64) -> Option<(&[u8], Duration)> {
        let attempts = self.waiting.get(&id)?.attempts + 1;
        let chance = self.chance(id, attempts);
        let retry = self.waiting.get_mut(&id)?;
        retry.attempts = attempts;
        let pause = retry.policy.pause_after(attempts, chance);
        if !retry.refused && retry.policy.repetition == Repetition::Forbidden {
            return Some((&[], pause));
        }
        retry.uncertain |= !retry.refused;
        retry.refused = false;
        Some((&retry.line, pause))
    }

    /// What an answer to a call says about the call; `None` when it will be tried again.
    pub(crate) fn on_response<'a>(&mut self, id: i64, answer: Response<'a>) -> Option<Response<'a>> {
        if self.waiting.is_empty() {
            return Some(answer);
        }
        let Some(retry) = self.waiting.get_mut(&id) else { return Some(answer) };
        let code = match answer {
            Response::Error { code, .. } => Some(code),
            Response::Reply { .. } | Response::Expired => None,
        };
        if code == Some(ErrorCode::TEMPORARILY_UNAVAILABLE) {
            retry.refused = true;
            return None;
        }
        let doubtful = retry.uncertain && retry.policy.repetition != Repetition::Harmless;
        self.forget(id);
        Some(if doubtful && code.is_some_and(ErrorCode::is_definite) { Response::Expired } else { answer })
    }

    /// What to say of a call whose time is over.
    pub(crate) fn give_up(&mut self, id: i64) -> Response<'static> {
        match self.forget(id) {
            Some(Retry { refused: true, uncertain: false, .. }) => {
                Response::Error { code: ErrorCode::TEMPORARILY_UNAVAILABLE, text: "" }
            }
            Some(_) | None => Response::Expired,
        }
    }

    fn forget(&mut self, id: i64) -> Option<Retry> {
        let retry = self.waiting.remove(&id)?;
        self.bytes -= retry.line.len();
        Some(retry)
    }

    /// A random number (splitmix64), different for each attempt of each call.
    fn chance(&self, id: i64, attempt: u32) -> u64 {
        let mut mixed = self.seed ^ id.cast_unsigned().rotate_left(8) ^ u64::from(attempt);
        mixed = mixed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy {
        timeout: Duration::from_secs(4),
        pause: Duration::from_millis(100),
        longest_pause: Duration::from_secs(1),
        repetition: Repetition::Detected,
    };
    const BUSY: Response<'static> = Response::Error { code: ErrorCode::TEMPORARILY_UNAVAILABLE, text: "" };
    const DIFFERS: Response<'static> = Response::Error { code: ErrorCode::PRECONDITION_FAILED, text: "" };

    fn kept(repetition: Repetition) -> Retries {
        let mut retries = Retries::new(7);
        retries.keep(1, b"cas\n", Policy { repetition, ..POLICY });
        retries
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_vary_by_a_half() {
        for (attempts, mean) in [(1, 100), (2, 200), (3, 400), (4, 800), (5, 1000), (60, 1000)] {
            let mean = Duration::from_millis(mean);
            assert_eq!(POLICY.pause_after(attempts, 0), mean / 2);
            assert_eq!(POLICY.pause_after(attempts, u64::MAX), mean / 2 + mean);
        }
        let pauses = |seed| (0..64).map(|id| Retries::new(seed).keep(id, b"", POLICY)).collect::<Vec<_>>();
        assert_eq!(pauses(1), pauses(1));
        assert_ne!(pauses(1), pauses(2));
        let mut different = pauses(1);
        different.sort_unstable();
        different.dedup();
        assert!(different.len() > 60, "{different:?}");
    }

    #[test]
    fn an_error_after_an_attempt_that_nobody_has_heard_of_is_no_failure() {
        for (repetition, failed) in [(Repetition::Detected, false), (Repetition::Harmless, true)] {
            let mut retries = kept(repetition);
            assert_eq!(retries.again(1).expect("it waits").0, b"cas\n");
            let answer = retries.on_response(1, DIFFERS).expect("an answer");
            assert_eq!(matches!(answer, Response::Error { .. }), failed, "{answer:?}");
            assert!(retries.again(1).is_none(), "it was answered");
        }
        assert!(matches!(kept(Repetition::Detected).on_response(1, DIFFERS), Some(Response::Error { .. })));
    }

    #[test]
    fn what_must_not_be_done_twice_is_sent_again_only_after_a_refusal() {
        let mut retries = kept(Repetition::Forbidden);
        assert_eq!(retries.again(1).expect("it waits").0, b"");
        assert!(retries.on_response(1, BUSY).is_none(), "it will be tried again");
        assert_eq!(retries.again(1).expect("it waits").0, b"cas\n");
        assert_eq!(retries.again(1).expect("it waits").0, b"");
        assert!(
            matches!(retries.on_response(1, DIFFERS), Some(Response::Error { .. })),
            "the refused attempt had no effect"
        );
    }

    #[test]
    fn a_call_that_was_only_ever_refused_has_failed_and_any_other_has_expired() {
        assert!(matches!(kept(Repetition::Detected).give_up(1), Response::Expired));
        let mut retries = kept(Repetition::Detected);
        retries.on_response(1, BUSY);
        assert!(matches!(retries.give_up(1), Response::Error { .. }));
        let mut retries = kept(Repetition::Detected);
        retries.again(1);
        retries.on_response(1, BUSY);
        assert!(matches!(retries.give_up(1), Response::Expired), "the first attempt may still have an effect");
    }

    #[test]
    fn lines_are_kept_up_to_a_bound_and_an_answer_makes_room() {
        let mut retries = kept(Repetition::Detected);
        let most = MAX_CALL_BYTES - b"cas\n".len();
        assert!(retries.has_room(most) && !retries.has_room(most + 1));
        retries.on_response(1, DIFFERS);
        assert!(retries.has_room(MAX_CALL_BYTES));
        let mut retries = kept(Repetition::Detected);
        retries.give_up(1);
        assert!(retries.has_room(MAX_CALL_BYTES));
    }
}
