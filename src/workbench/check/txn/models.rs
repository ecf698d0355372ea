//! Consistency models: which implies which, what each forbids, and what a set of anomalies rules out.
//!
//! The names and their relations are those of Elle (protocol §13.7), from Adya, Bailis, Cerone, Daudjee and others.

use std::collections::BTreeSet;

use super::anomaly::{Anomalies, Anomaly as A, implied_by, implying, reachable};

/// Other names of models.
const ALIASES: [(&str, &str); 18] = [
    ("PL-1", "read-uncommitted"),
    ("PL-2", "read-committed"),
    ("PL-2+", "consistent-view"),
    ("PL-2.99", "repeatable-read"),
    ("PL-2L", "monotonic-view"),
    ("PL-3", "serializable"),
    ("PL-3U", "update-serializable"),
    ("PL-CS", "cursor-stability"),
    ("PL-FCV", "forward-consistent-view"),
    ("PL-MSR", "monotonic-snapshot-read"),
    ("PL-SI", "snapshot-isolation"),
    ("PL-SS", "strong-serializable"),
    ("conflict-serializable", "serializable"),
    ("strict-serializable", "strong-serializable"),
    ("strong-PL-1", "strong-read-uncommitted"),
    ("strong-PL-2", "strong-read-committed"),
    ("strong-session-PL-1", "strong-session-read-uncommitted"),
    ("strong-session-PL-2", "strong-session-read-committed"),
];

/// Each model with the weaker ones that it implies directly.
const MODELS: [(&str, &[&str]); 36] = [
    ("1SR", &[]),
    ("PRAM", &["monotonic-reads", "monotonic-writes", "read-your-writes"]),
    ("causal", &["writes-follow-reads", "PRAM"]),
    ("causal-cerone", &["read-atomic"]),
    ("consistent-view", &["cursor-stability", "monotonic-view"]),
    ("cursor-stability", &["read-committed"]),
    ("forward-consistent-view", &["consistent-view"]),
    ("linearizable", &["sequential"]),
    ("monotonic-atomic-view", &["read-committed"]),
    ("monotonic-reads", &[]),
    ("monotonic-snapshot-read", &["read-committed"]),
    ("monotonic-view", &["read-committed"]),
    ("monotonic-writes", &[]),
    ("parallel-snapshot-isolation", &["causal-cerone", "update-atomic"]),
    ("prefix", &["causal-cerone"]),
    ("read-atomic", &["monotonic-atomic-view"]),
    ("read-committed", &["read-uncommitted"]),
    ("read-uncommitted", &[]),
    ("read-your-writes", &[]),
    ("repeatable-read", &["cursor-stability", "monotonic-atomic-view"]),
    ("sequential", &["causal"]),
    ("serializable", &["repeatable-read", "update-serializable", "snapshot-isolation", "view-serializable"]),
    ("session-serializable", &["1SR"]),
    (
        "snapshot-isolation",
        &[
            "forward-consistent-view",
            "monotonic-atomic-view",
            "monotonic-snapshot-read",
            "parallel-snapshot-isolation",
            "prefix",
        ],
    ),
    ("strong-read-committed", &["strong-session-read-committed", "strong-read-uncommitted"]),
    ("strong-read-uncommitted", &["strong-session-read-uncommitted"]),
    (
        "strong-serializable",
        &[
            "linearizable",
            "serializable",
            "session-serializable",
            "snapshot-isolation",
            "strong-session-serializable",
            "strong-snapshot-isolation",
        ],
    ),
    ("strong-session-read-committed", &["read-committed", "strong-session-read-uncommitted"]),
    ("strong-session-read-uncommitted", &["read-uncommitted"]),
    ("strong-session-serializable", &["serializable", "strong-session-snapshot-isolation"]),
    ("strong-session-snapshot-isolation", &["snapshot-isolation", "strong-session-read-committed"]),
    ("strong-snapshot-isolation", &["strong-session-snapshot-isolation", "strong-read-committed"]),
    ("update-atomic", &["read-atomic"]),
    ("update-serializable", &["forward-consistent-view"]),
    ("view-serializable", &[]),
    ("writes-follow-reads", &[]),
];

/// What each model forbids beyond the weaker ones. "G1" and its like stand for everything that implies them.
const FORBIDDEN: [(&str, &[A]); 23] = [
    ("causal-cerone", &[A::Internal, A::G1a]),
    ("consistent-view", &[A::G1, A::GSingle]),
    ("cursor-stability", &[A::G1, A::LostUpdate]),
    ("forward-consistent-view", &[A::G1]),
    ("monotonic-snapshot-read", &[A::G1]),
    ("monotonic-view", &[A::G1]),
    ("parallel-snapshot-isolation", &[A::Internal, A::G1a]),
    ("prefix", &[A::Internal, A::G1a]),
    ("read-atomic", &[A::Internal, A::G1a, A::FutureRead]),
    ("read-committed", &[A::G1, A::Pl2Cycle]),
    ("read-uncommitted", &[A::G0, A::DuplicateElements, A::CyclicVersions, A::Pl1Cycle]),
    ("repeatable-read", &[A::G1, A::G2Item, A::Pl299Cycle, A::LostUpdate]),
    ("serializable", &[A::G1, A::G2, A::Pl3Cycle, A::Internal]),
    ("snapshot-isolation", &[A::Internal, A::G1, A::GNonadjacent, A::PlSiCycle]),
    ("strong-read-committed", &[A::StrongPl2Cycle, A::G1cRealtime]),
    ("strong-read-uncommitted", &[A::StrongPl1Cycle, A::G0Realtime]),
    ("strong-serializable", &[A::G1, A::G1cRealtime, A::G2Realtime, A::PlSsCycle]),
    ("strong-session-read-committed", &[A::StrongSessionPl2Cycle, A::G1cProcess]),
    ("strong-session-read-uncommitted", &[A::StrongSessionPl1Cycle, A::G0Process]),
    ("strong-session-serializable", &[A::G1Process, A::G2Process, A::StrongSessionSerializableCycle]),
    (
        "strong-session-snapshot-isolation",
        &[A::Internal, A::G1Process, A::GNonadjacentProcess, A::StrongSessionSiCycle],
    ),
    ("strong-snapshot-isolation", &[A::Internal, A::G1Realtime, A::GNonadjacentRealtime, A::StrongSiCycle]),
    ("update-atomic", &[A::LostUpdate]),
];

/// A set of names of models.
pub(super) type ModelNames = BTreeSet<&'static str>;

/// The model's usual name.
fn usual(name: &str) -> Option<&'static str> {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name).map(|(_, usual)| *usual);
    let name = alias.unwrap_or(name);
    MODELS.iter().map(|(model, _)| *model).find(|model| *model == name)
}

/// All names of models.
pub(super) fn names() -> ModelNames {
    MODELS.iter().map(|(name, _)| *name).chain(ALIASES.iter().map(|(name, _)| *name)).collect()
}

/// The models and all weaker ones.
fn weaker(models: impl IntoIterator<Item = &'static str>) -> ModelNames {
    reachable(models, |model| {
        MODELS.iter().filter(move |(name, _)| *name == model).flat_map(|(_, weaker)| weaker.iter().copied())
    })
}

/// The models and all stronger ones.
pub(super) fn stronger(models: impl IntoIterator<Item = &'static str>) -> ModelNames {
    reachable(models, |model| MODELS.iter().filter(move |(_, weaker)| weaker.contains(&model)).map(|(name, _)| *name))
}

/// The anomalies that may not occur under all of these models; the name of a model that is not known otherwise.
pub(super) fn prohibited(models: &[String]) -> Result<Anomalies, String> {
    let usual = models.iter().map(|name| usual(name).ok_or_else(|| name.clone()));
    let all = weaker(usual.collect::<Result<Vec<_>, _>>()?);
    let direct = FORBIDDEN.iter().filter(|(model, _)| all.contains(model)).flat_map(|(_, forbidden)| *forbidden);
    Ok(implying(direct.copied()))
}

/// The models that cannot hold where these anomalies occur.
pub(super) fn ruled_out(anomalies: impl IntoIterator<Item = A>) -> ModelNames {
    let all = implied_by(anomalies);
    let direct = FORBIDDEN.iter().filter(|(_, forbidden)| forbidden.iter().any(|anomaly| all.contains(anomaly)));
    stronger(direct.map(|(model, _)| *model))
}

/// The weakest of the models that are ruled out, and the rest of them.
pub(super) fn boundary(anomalies: impl IntoIterator<Item = A>) -> (ModelNames, ModelNames) {
    let all = ruled_out(anomalies);
    all.iter().partition(|model| weaker([**model]).intersection(&all).count() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prohibits(model: &str, anomaly: &str) -> bool {
        prohibited(&[model.to_owned()]).expect("known").iter().any(|known| known.name() == anomaly)
    }

    #[test]
    fn every_relation_is_between_known_names() {
        let known = |name: &str| MODELS.iter().any(|(model, _)| *model == name);
        for (model, weaker) in MODELS {
            assert!(weaker.iter().all(|weaker| known(weaker)), "{model}");
        }
        assert!(FORBIDDEN.iter().all(|(model, _)| known(model)));
        assert!(ALIASES.iter().all(|(_, usual)| known(usual)));
    }

    #[test]
    fn each_model_forbids_what_the_reference_says() {
        let all = ["G0", "G1a", "G1c", "internal", "lost-update", "G-single-item", "G-nonadjacent-item", "G2-item"];
        let table = [
            ("read-uncommitted", "10000000"),
            ("read-committed", "11100000"),
            ("monotonic-atomic-view", "11100000"),
            ("read-atomic", "11110000"),
            ("cursor-stability", "11101000"),
            ("parallel-snapshot-isolation", "11111000"),
            ("repeatable-read", "11101111"),
            ("snapshot-isolation", "11111110"),
            ("serializable", "11111111"),
            ("strict-serializable", "11111111"),
        ];
        for (model, expected) in table {
            let found: String = all.iter().map(|anomaly| if prohibits(model, anomaly) { '1' } else { '0' }).collect();
            assert_eq!(found, expected, "{model}");
        }
    }

    #[test]
    fn orders_of_processes_and_of_time_belong_to_the_strong_models() {
        for (model, process, realtime) in [
            ("serializable", false, false),
            ("strong-session-serializable", true, false),
            ("strong-snapshot-isolation", true, true),
            ("strict-serializable", true, true),
        ] {
            assert_eq!(prohibits(model, "G-single-item-process"), process, "{model}");
            assert_eq!(prohibits(model, "G-single-item-realtime"), realtime, "{model}");
        }
    }

    #[test]
    fn the_weakest_models_ruled_out_stand_apart() {
        let (not, also) = boundary([A::LostUpdate]);
        assert_eq!(not.into_iter().collect::<Vec<_>>(), ["cursor-stability", "update-atomic"]);
        assert!(also.contains("strong-serializable") && !also.contains("read-atomic"));
        assert_eq!(boundary([A::G0]).0.into_iter().collect::<Vec<_>>(), ["read-uncommitted"]);
    }

    #[test]
    fn a_model_has_several_names_and_an_unknown_one_is_told() {
        assert_eq!(prohibited(&["PL-SS".into()]), prohibited(&["strict-serializable".into()]));
        for name in ["eventual", ":serializable", "serializable ", "Serializable", "ROLA", ""] {
            assert_eq!(prohibited(&[name.into()]), Err(name.into()));
        }
    }

    #[test]
    fn every_name_in_the_list_of_names_is_one() {
        let names = names();
        assert_eq!(names.len(), 54);
        assert!(names.iter().all(|name| prohibited(&[(*name).into()]).is_ok()), "{names:?}");
    }
}
