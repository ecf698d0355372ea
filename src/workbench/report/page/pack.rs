//! Long data as text that a browser unpacks by itself: DEFLATE, then Base64.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::DeflateEncoder;

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Writes the packed data.
pub(super) fn write(data: &[u8], file: &mut impl Write) -> io::Result<()> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(7));
    encoder.write_all(data)?;
    file.write_all(&base64(&encoder.finish()?))
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        let digit = |place: usize| DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
        text.extend((0..4).map(|place| if place <= group.len() { digit(place) } else { b'=' }));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_4648_are_encoded_as_there() {
        let encoded = |text: &str| String::from_utf8(base64(text.as_bytes())).expect("ASCII");
        let expected = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        assert_eq!(["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(encoded), expected);
    }
}
