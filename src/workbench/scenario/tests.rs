//! What scenarios mean, and what is said of mistakes in them.

use super::*;

fn nodes() -> Vec<String> {
    ["n0", "n1", "n2", "n3"].map(str::to_owned).to_vec()
}

fn effect(line: &str) -> (Turn, Effect) {
    match Action::parse(line, &nodes()).unwrap_or_else(|why| panic!("{line}: {why}")) {
        Action::Fault(NemesisAction { turn, effect, .. }) => (turn, effect),
        Action::Send { .. } => panic!("{line} sends"),
    }
}

#[test]
fn the_sides_of_a_cut_do_not_hear_each_other_and_who_is_not_named_hears_all() {
    let (turn, grudges) = effect("cut n0 n3 | n1");
    assert_eq!(turn, Turn::Begins(Fault::Partition));
    assert_eq!(grudges, Effect::Cut(vec![vec![1], vec![0, 3], vec![], vec![1]]));
    assert_eq!(effect("cut n0|n1|n2").1, Effect::Cut(vec![vec![1, 2], vec![0, 2], vec![0, 1], vec![]]));
}

#[test]
fn a_one_way_cut_drops_what_goes_to_the_right() {
    let (turn, grudges) = effect("cut n0 n1 > n2");
    assert_eq!(turn, Turn::Begins(Fault::OneWay));
    assert_eq!(grudges, Effect::Cut(vec![vec![], vec![], vec![0, 1], vec![]]));
}

#[test]
fn every_fault_can_be_begun_and_ended() {
    for (line, turn, expected) in [
        ("heal", Turn::Ends(Fault::Partition), Effect::Heal),
        ("kill n2 n1 n2", Turn::Begins(Fault::Kill), Effect::Kill(vec![1, 2])),
        ("start", Turn::Ends(Fault::Kill), Effect::Start),
        ("pause n0", Turn::Begins(Fault::Pause), Effect::Pause(vec![0])),
        ("resume", Turn::Ends(Fault::Pause), Effect::Resume),
        ("slow n1 200ms", Turn::Begins(Fault::Slow), Effect::Slow(vec![(1, Duration::from_millis(200))])),
        ("end-slow", Turn::Ends(Fault::Slow), Effect::EndSlow),
        (
            " skew n3  0.95 ",
            Turn::Begins(Fault::Skew),
            Effect::Skew(vec![(3, Skew { faster_ppm: -50_000, ahead: Duration::ZERO })]),
        ),
        ("end-skew", Turn::Ends(Fault::Skew), Effect::EndSkew),
    ] {
        assert_eq!(effect(line), (turn, expected), "{line}");
    }
    let sent = Action::parse(r#"send n1 {"type": "read", "key": 1}"#, &nodes());
    assert_eq!(sent, Ok(Action::Send { node: 1, body: r#"{"type": "read", "key": 1}"#.into() }));
}

#[test]
fn what_is_wrong_with_a_line_is_said() {
    for (line, why) in [
        ("", "unknown command \"\""),
        ("explode n1", "unknown command \"explode\"; what can be done:"),
        ("kill", "kill needs the names of nodes, such as kill n0"),
        ("kill n9", "there is no node \"n9\"; there are n0, n1, n2, n3"),
        ("heal n1", "heal stands alone"),
        ("cut n0", "nodes on both sides"),
        ("cut n0 |", "nodes on both sides"),
        ("cut n0 | n1 n0", "n0 is on two sides"),
        ("cut n0 > n1 > n2", "nodes on both sides"),
        ("slow n1", "slow needs a node and what it is told"),
        ("slow n1 soon", "\"soon\" is not a time"),
        ("skew n1 3", "not a rate from 0.5 to 1.5"),
        ("send n1", "send needs a node"),
        ("send n1 read", "is not a JSON object"),
        ("send n1 {}", "has no \"type\""),
        (r#"send n1 {"type":"read"} x"#, "there is more: x"),
        (r#"send n1 {"type":"read","msg_id":1}"#, "leave out \"msg_id\""),
    ] {
        let error = Action::parse(line, &nodes()).expect_err(line);
        assert!(error.contains(why), "{line}: {error}");
    }
}

#[test]
fn steps_are_sorted_by_time_and_what_is_written_is_read() {
    let text = "[[step]]\nat = \"2s\"\ndo = \"heal\"\n\n[[step]]\nat = \"150ms\"\ndo = 'send n1 {\"type\":\"read\"}'\n";
    let mut scenario = Scenario::parse(text, &nodes()).expect("right");
    let times = |scenario: &Scenario| scenario.steps().iter().map(|step| step.text.clone()).collect::<Vec<_>>();
    assert_eq!(times(&scenario), [r#"send n1 {"type":"read"}"#, "heal"]);
    let at = Duration::from_nanos(1_234_567_891);
    let text = "cut n0 | n1".to_owned();
    scenario.add(ScenarioStep { at, action: Action::parse(&text, &nodes()).expect("right"), text });
    assert_eq!(times(&scenario)[1], "cut n0 | n1");
    for body in ["{\"type\":\"it's\"}", r#"{"type":"a\\b"}"#, "{\"type\":\t\"read\"}"] {
        let text = format!("send n1 {body}");
        scenario.add(ScenarioStep { at, action: Action::parse(&text, &nodes()).expect("right"), text });
    }
    assert!(scenario.to_toml().contains(r#"do = 'send n1 {"type":"read"}'"#), "{}", scenario.to_toml());
    assert_eq!(Scenario::parse(&scenario.to_toml(), &nodes()), Ok(scenario));
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_place() {
    for (text, why) in [
        ("[[step]]\nat = \"1s\"\n", "do"),
        ("[[step]]\nat = \"1s\"\ndo = \"kill n9\"\n", "step 1: there is no node \"n9\""),
        ("[[step]]\nat = \"soon\"\ndo = \"heal\"\n", "step 1: \"soon\" is not a time"),
        ("[[stop]]\n", "stop"),
        ("hello", "line 1"),
    ] {
        let error = Scenario::parse(text, &nodes()).expect_err(text);
        assert!(error.contains(why), "{text}: {error}");
    }
}

#[test]
fn times_have_units() {
    for (text, ns) in [("1.62s", 1_620_000_000), ("100ms", 100_000_000), ("250us", 250_000), ("3", 3_000_000_000)] {
        assert_eq!(duration(text), Some(Duration::from_nanos(ns)), "{text}");
    }
    assert!(["", "s", "-1s", "1m", "inf", "NaN"].into_iter().all(|text| duration(text).is_none()));
}

#[test]
fn a_time_is_written_to_the_nanosecond_and_no_longer() {
    for (ns, text) in [(0, "0s"), (1_582_196_000, "1.582196s"), (1, "0.000000001s"), (60_000_000_000, "60s")] {
        assert_eq!(in_words(Duration::from_nanos(ns)), text);
        assert_eq!(duration(text), Some(Duration::from_nanos(ns)), "{text}");
    }
}
