//! JSON arrays as text: reading their elements as slices, and writing them. The input is known to be well-formed,
//! because this crate wrote it.

/// The texts of the elements of an array; empty if the text is not an array.
pub(crate) fn elements(array: &[u8]) -> impl Iterator<Item = &[u8]> {
    let inner = array.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")).unwrap_or_default();
    let mut rest = (!inner.is_empty()).then_some(inner);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = end_of_value(text);
        rest = text.get(end + 1..);
        Some(&text[..end])
    })
}

/// The end of the first value: a comma outside of strings and brackets, or the end of the text.
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

/// A JSON array being written.
pub(crate) struct Array<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
}

impl<'o> Array<'o> {
    pub(crate) fn begin(out: &'o mut Vec<u8>) -> Self {
        out.push(b'[');
        let start = out.len();
        Self { out, start }
    }

    /// Adds an element, whose text `write` appends.
    pub(crate) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.out.len() > self.start {
            self.out.push(b',');
        }
        write(self.out);
    }

    pub(crate) fn end(self) {
        self.out.push(b']');
    }
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
    fn a_text_that_is_not_an_array_has_no_elements() {
        for text in ["", "1", "{\"a\":1}", "[", "\"[1]\""] {
            assert_eq!(split(text), [""; 0], "{text}");
        }
    }
}
