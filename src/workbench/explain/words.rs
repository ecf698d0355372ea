//! Times, lists and counts as people read them.

/// The maximum number of names or numbers in a list.
const MAX_LISTED: usize = 6;

/// `1.31 s`, from microseconds of the history.
#[must_use]
pub fn seconds(us: i64) -> String {
    let hundredths = (us.unsigned_abs() + 5_000) / 10_000;
    let sign = if us < 0 && hundredths > 0 { "-" } else { "" };
    format!("{sign}{}.{:02} s", hundredths / 100, hundredths % 100)
}

/// `430 ms`, `0.2 ms` or `1.31 s`.
#[must_use]
pub fn duration(us: i64) -> String {
    match us {
        10_000..1_000_000 => format!("{} ms", (us + 500) / 1_000),
        0..10_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        _ => seconds(us),
    }
}

/// `n0, n1 and n2`, of many the first.
pub fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let all: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if all.len() > MAX_LISTED {
        return format!("{} and {} more", all[..MAX_LISTED - 1].join(", "), all.len() - MAX_LISTED + 1);
    }
    match all.split_last() {
        None => "nobody".to_owned(),
        Some((only, [])) => only.clone(),
        Some((end, others)) => format!("{} and {end}", others.join(", ")),
    }
}

/// `once`, `twice`, `3 times`
#[must_use]
pub fn times(count: usize) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        _ => format!("{count} times"),
    }
}

/// `1 message`, `2 messages`
#[must_use]
pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// The subject and verb for a number of messages: `it was`, `both were`, `all 3 were`.
#[must_use]
pub fn of_all(count: usize) -> String {
    match count {
        1 => "it was".to_owned(),
        2 => "both were".to_owned(),
        _ => format!("all {count} were"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_to_hundredths_of_a_second() {
        assert_eq!([seconds(1_314_999), seconds(0), seconds(-12_000)], ["1.31 s", "0.00 s", "-0.01 s"]);
        assert_eq!([duration(430_400), duration(240), duration(1_500_000)], ["430 ms", "0.2 ms", "1.50 s"]);
    }

    #[test]
    fn a_long_list_is_cut() {
        assert_eq!(list(["a", "b", "c"]), "a, b and c");
        assert_eq!(list(1..=9), "1, 2, 3, 4, 5 and 4 more");
        assert_eq!([list(1..=6), list([7])], ["1, 2, 3, 4, 5 and 6", "7"]);
    }
}
