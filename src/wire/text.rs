//! Values inside JSON text that is known to be well-formed, because this crate wrote it.

/// The texts of the elements of an array; nothing if the text is no array.
pub fn elements(array: &[u8]) -> impl Iterator<Item = &[u8]> {
    let inner = array.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")).unwrap_or_default();
    let mut rest = (!inner.is_empty()).then_some(inner);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = end_of_value(text);
        rest = text.get(end + 1..);
        Some(&text[..end])
    })
}

/// Where the first value ends: at a comma outside of strings and brackets, or with the text.
fn end_of_value(text: &[u8]) -> usize {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.iter().enumerate() {
        if in_string {
            in_string = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => return at,
            _ => {}
        }
    }
    text.len()
}

/// A number without sign and fraction.
#[must_use]
pub fn integer(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(array: &str) -> Vec<&str> {
        elements(array.as_bytes()).map(|text| std::str::from_utf8(text).expect("cut between characters")).collect()
    }

    #[test]
    fn elements_are_cut_at_their_own_commas_only() {
        assert_eq!(split("[]"), [""; 0]);
        assert_eq!(split("[1]"), ["1"]);
        assert_eq!(
            split(r#"[1,"a,b",[2,[3,4]],{"k":[5,6],"l":7},"é"]"#),
            ["1", r#""a,b""#, "[2,[3,4]]", r#"{"k":[5,6],"l":7}"#, r#""é""#]
        );
        assert_eq!(split(r#"["\"],[",",\\","\\\",",1]"#), [r#""\"],[""#, r#"",\\""#, r#""\\\",""#, "1"]);
    }

    #[test]
    fn what_is_no_array_has_no_elements() {
        for text in ["", "1", "{\"a\":1}", "[", "\"[1]\""] {
            assert_eq!(split(text), [""; 0], "{text}");
        }
    }
}
