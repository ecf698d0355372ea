//! The reader on everything a history or a result may hold, and on what is broken.

use proptest::prelude::*;

use super::*;

fn good(text: &str) -> Value {
    read(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn problem(text: &str) -> String {
    read(text).expect_err(text).to_string()
}

#[test]
fn scalars_are_what_clojure_takes_them_for() {
    for (text, value) in [
        ("nil", Value::Nil),
        ("true", Value::Bool(true)),
        ("-42", Value::Int(-42)),
        ("+7", Value::Int(7)),
        ("5N", Value::Int(5)),
        ("18446744073709551616N", Value::Big("18446744073709551616".into())),
        ("18.160514948", Value::Float(18.160_514_948)),
        ("1.0E-5", Value::Float(0.000_01)),
        ("##Inf", Value::Float(f64::INFINITY)),
        (":valid?", Value::keyword("valid?")),
        (":jepsen/op", Value::keyword("jepsen/op")),
        ("clojure.lang.ExceptionInfo", Value::Symbol("clojure.lang.ExceptionInfo".into())),
        ("...", Value::Symbol("...".into())),
        ("-", Value::Symbol("-".into())),
        ("1/2", Value::Symbol("1/2".into())),
        ("0x5e91993f", Value::Symbol("0x5e91993f".into())),
        ("\\a", Value::Symbol("\\a".into())),
        ("#\"a\\\\d\"", Value::Symbol("#\"a\\\\d\"".into())),
    ] {
        assert_eq!(good(text), value, "{text}");
    }
}

#[test]
fn a_vector_is_compact_exactly_if_all_its_elements_are_integers() {
    assert_eq!(good("[]"), Value::ints(vec![]));
    assert_eq!(good("[ 0 12  -3,4\n5 ]"), Value::ints(vec![0, 12, -3, 4, 5]));
    assert_eq!(good("[999999999999999999 9223372036854775807]"), Value::ints(vec![999_999_999_999_999_999, i64::MAX]));
    assert_eq!(good("[1 2.5]"), Value::Vector(vec![Value::Int(1), Value::Float(2.5)]));
    assert_eq!(good("[1 9223372036854775808]").to_string(), "[1 9223372036854775808N]");
}

#[test]
fn escapes_in_strings_are_undone() {
    assert_eq!(good(r#""a\n\t\"\\é😀""#), Value::str("a\n\t\"\\é😀"));
    assert_eq!(good(r#""\u00e9\uD83D\uDE00""#), Value::str("é😀"));
}

#[test]
fn an_operation_of_a_history_is_a_tagged_map_in_the_order_written() {
    let op = good("#jepsen.history.Op{:index 7, :type :ok, :value [:isolated {\"n1\" #{\"n2\"}}]}");
    let Value::Tagged(tag, map) = op else { panic!("not tagged") };
    assert_eq!(&*tag, "jepsen.history.Op");
    let keys: Vec<_> = map.entries().expect("a map").iter().map(|(key, _)| key.to_string()).collect();
    assert_eq!(keys, [":index", ":type", ":value"]);
}

#[test]
fn comments_commas_and_discarded_forms_are_blank() {
    assert_eq!(good("[1, ; one\n #_ {:a 1} 2 #_#_ 3 4]"), Value::ints(vec![1, 2]));
    assert_eq!(good("#object[java.lang.Object 0x1 \"x\"]").to_string(), "#object[java.lang.Object 0x1 \"x\"]");
}

#[test]
fn errors_name_line_and_column() {
    assert_eq!(problem("{:a 1\n :é }"), "line 2, column 5: a key without a value");
    assert_eq!(problem("[1\n(2"), "line 2, column 1: a collection that never ends");
    assert_eq!(problem("1 2"), "line 1, column 3: expected one value, found more");
    assert_eq!(problem("  "), "line 1, column 3: expected a value, found nothing");
    assert_eq!(problem("[1)"), "line 1, column 3: a bracket closes what was not opened");
    assert_eq!(problem("\"\\q\""), "line 1, column 2: an escape that EDN does not know");
    assert_eq!(problem("\"\\uD83D\""), "line 1, column 2: half of a surrogate pair");
    assert_eq!(problem("#_"), "line 1, column 3: expected a value, found the end");
}

#[test]
fn nesting_is_bounded() {
    let deepest = "[".repeat(MAX_DEPTH) + &"]".repeat(MAX_DEPTH);
    good(&deepest);
    for opening in ["[", "{", "(", "#{", "#a ", "#_ ", "#_#_ "] {
        assert!(read(&opening.repeat(100_000)).is_err(), "{opening}");
    }
}

proptest! {
    #[test]
    fn garbage_never_panics(text in "\\PC{0,60}") {
        drop(read(&text));
    }

    #[test]
    fn almost_edn_never_panics(text in "[\\[\\](){}#_\"\\\\:;,a1.uD8N/é \n-]{0,60}") {
        drop(read(&text));
    }
}
