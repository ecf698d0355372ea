//! The cost of the pipes alone: copies every byte.

use std::io;

const BUFFER: usize = 128 << 10;

fn main() -> io::Result<()> {
    let (input, output) = (rustix::stdio::stdin(), rustix::stdio::stdout());
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = rustix::io::read(input, &mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        let mut written = 0;
        while written < length {
            written += rustix::io::write(output, &buffer[written..length])?;
        }
    }
}
