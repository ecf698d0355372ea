//! Calls that are retransmitted: the line of each, and whether it may have taken effect.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::MAX_CALL_BYTES;
use crate::node::Response;
use crate::time::Duration;
use crate::wire::ErrorCode;

/// The deadline of a call, and when its request is retransmitted.
///
/// The pauses between attempts double from `pause` up to `longest_pause`, with a jitter of ±50 %, so that nodes that
/// fail together do not retry together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// When the call expires, however many attempts were made.
    pub timeout: Duration,
    /// The mean pause before the second attempt.
    pub pause: Duration,
    /// The longest mean pause between two attempts.
    pub longest_pause: Duration,
    /// The effect of executing the request twice.
    pub repetition: Repetition,
}

/// The effect of executing a request twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repetition {
    /// The request has no effect at all, like a read; its error is always definite.
    Harmless,
    /// The second execution fails or changes nothing, like a compare-and-set to a value that was never used before.
    Detected,
    /// The second execution may take effect again, so a request is repeated only after an error that is definite.
    Forbidden,
}

impl Policy {
    /// The pause after so many attempts; `random` is uniformly distributed.
    fn pause_after(&self, attempts: u32, random: u64) -> Duration {
        let doubled = self.pause.saturating_mul(1 << (attempts - 1).min(20));
        let mean = doubled.min(self.longest_pause);
        mean / 2 + mean.mul_f64(u32::try_from(random >> 32).map_or(0.5, f64::from) / f64::from(u32::MAX))
    }
}

#[derive(Debug)]
struct Retry {
    /// Most are short, and stored inline.
    line: SmallVec<[u8; 256]>,
    policy: Policy,
    attempts: u32,
    /// Whether the latest attempt failed definitely.
    failed: bool,
    /// Whether an earlier attempt had no response, and so may yet take effect.
    uncertain: bool,
}

/// The pending calls with a [`Policy`], by `msg_id`.
#[derive(Debug)]
pub(crate) struct Retries {
    pending: HashMap<i64, Retry>,
    /// The total length of their lines.
    bytes: usize,
    seed: u64,
}

impl Retries {
    pub(crate) fn new(seed: u64) -> Self {
        Self { pending: HashMap::new(), bytes: 0, seed }
    }

    /// Whether a line of this length can be stored.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.bytes + bytes <= MAX_CALL_BYTES
    }

    /// Stores a call after its first attempt; returns the pause before the second.
    pub(crate) fn insert(&mut self, id: i64, line: &[u8], policy: Policy) -> Duration {
        self.bytes += line.len();
        let line = SmallVec::from_slice(line);
        self.pending.insert(id, Retry { line, policy, attempts: 1, failed: false, uncertain: false });
        policy.pause_after(1, self.random(id, 1))
    }

    /// The line to send now, empty if the request must not be repeated yet, and the pause before the next attempt;
    /// `None` if the call is not pending.
    pub(crate) fn retry(&mut self, id: i64) -> Option<(&[u8], Duration)> {
        let attempts = self.pending.get(&id)?.attempts + 1;
        let random = self.random(id, attempts);
        let retry = self.pending.get_mut(&id)?;
        retry.attempts = attempts;
        let pause = retry.policy.pause_after(attempts, random);
        if !retry.failed && retry.policy.repetition == Repetition::Forbidden {
            return Some((&[], pause));
        }
        retry.uncertain |= !retry.failed;
        retry.failed = false;
        Some((&retry.line, pause))
    }

    /// Translates a response to one attempt into the response to the call; `None` if the call will be retried.
    pub(crate) fn on_response<'a>(&mut self, id: i64, response: Response<'a>) -> Option<Response<'a>> {
        if self.pending.is_empty() {
            return Some(response);
        }
        let Some(retry) = self.pending.get_mut(&id) else { return Some(response) };
        let code = match response {
            Response::Error { code, .. } => Some(code),
            Response::Reply { .. } | Response::Expired => None,
        };
        if code == Some(ErrorCode::TEMPORARILY_UNAVAILABLE) {
            retry.failed = true;
            return None;
        }
        let indefinite = retry.uncertain && retry.policy.repetition != Repetition::Harmless;
        self.forget(id);
        Some(if indefinite && code.is_some_and(ErrorCode::is_definite) { Response::Expired } else { response })
    }

    /// The response to a call whose deadline has passed.
    pub(crate) fn expire(&mut self, id: i64) -> Response<'static> {
        match self.forget(id) {
            Some(Retry { failed: true, uncertain: false, .. }) => {
                Response::Error { code: ErrorCode::TEMPORARILY_UNAVAILABLE, text: "" }
            }
            Some(_) | None => Response::Expired,
        }
    }

    fn forget(&mut self, id: i64) -> Option<Retry> {
        let retry = self.pending.remove(&id)?;
        self.bytes -= retry.line.len();
        Some(retry)
    }

    /// A random number (`SplitMix64`) for each attempt of each call.
    fn random(&self, id: i64, attempt: u32) -> u64 {
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
        retries.insert(1, b"cas\n", Policy { repetition, ..POLICY });
        retries
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_vary_by_a_half() {
        for (attempts, mean) in [(1, 100), (2, 200), (3, 400), (4, 800), (5, 1000), (60, 1000)] {
            let mean = Duration::from_millis(mean);
            assert_eq!(POLICY.pause_after(attempts, 0), mean / 2);
            assert_eq!(POLICY.pause_after(attempts, u64::MAX), mean / 2 + mean);
        }
        let pauses = |seed| (0..64).map(|id| Retries::new(seed).insert(id, b"", POLICY)).collect::<Vec<_>>();
        assert_eq!(pauses(1), pauses(1));
        assert_ne!(pauses(1), pauses(2));
        let mut different = pauses(1);
        different.sort_unstable();
        different.dedup();
        assert!(different.len() > 60, "{different:?}");
    }

    #[test]
    fn an_error_after_an_attempt_without_response_is_indefinite() {
        for (repetition, failed) in [(Repetition::Detected, false), (Repetition::Harmless, true)] {
            let mut retries = kept(repetition);
            assert_eq!(retries.retry(1).expect("it is pending").0, b"cas\n");
            let answer = retries.on_response(1, DIFFERS).expect("an answer");
            assert_eq!(matches!(answer, Response::Error { .. }), failed, "{answer:?}");
            assert!(retries.retry(1).is_none(), "it was answered");
        }
        assert!(matches!(kept(Repetition::Detected).on_response(1, DIFFERS), Some(Response::Error { .. })));
    }

    #[test]
    fn a_request_that_must_not_be_repeated_is_retried_only_after_a_definite_error() {
        let mut retries = kept(Repetition::Forbidden);
        assert_eq!(retries.retry(1).expect("it is pending").0, b"");
        assert!(retries.on_response(1, BUSY).is_none(), "it will be tried again");
        assert_eq!(retries.retry(1).expect("it is pending").0, b"cas\n");
        assert_eq!(retries.retry(1).expect("it is pending").0, b"");
        assert!(
            matches!(retries.on_response(1, DIFFERS), Some(Response::Error { .. })),
            "the failed attempt had no effect"
        );
    }

    #[test]
    fn a_call_fails_definitely_if_all_attempts_did_and_expires_otherwise() {
        assert!(matches!(kept(Repetition::Detected).expire(1), Response::Expired));
        let mut retries = kept(Repetition::Detected);
        retries.on_response(1, BUSY);
        assert!(matches!(retries.expire(1), Response::Error { .. }));
        let mut retries = kept(Repetition::Detected);
        retries.retry(1);
        retries.on_response(1, BUSY);
        assert!(matches!(retries.expire(1), Response::Expired), "the first attempt may still have an effect");
    }

    #[test]
    fn lines_are_stored_up_to_a_bound_and_a_response_frees_their_room() {
        let mut retries = kept(Repetition::Detected);
        let most = MAX_CALL_BYTES - b"cas\n".len();
        assert!(retries.has_room(most) && !retries.has_room(most + 1));
        retries.on_response(1, DIFFERS);
        assert!(retries.has_room(MAX_CALL_BYTES));
        let mut retries = kept(Repetition::Detected);
        retries.expire(1);
        assert!(retries.has_room(MAX_CALL_BYTES));
    }
}
