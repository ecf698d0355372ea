//! A minimal node on the same libraries: mio and simd-json's tape, without a runtime.
//!
//! It trusts its input: one batch fits the buffer, replies fit the pipe, and every message is an `init` or an `echo`.

use std::io::{self, Write as _};
use std::mem;
use std::os::fd::AsRawFd as _;

use memchr::memchr;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use simd_json::{Buffers, INPUT_PADDING, Node, StaticNode, Tape};

const BUFFER: usize = 256 << 10;

/// The parts of a reply.
#[derive(Default)]
struct Request<'a> {
    src: &'a str,
    dest: &'a str,
    kind: &'a str,
    echo: &'a str,
    msg_id: i64,
}

impl<'a> Request<'a> {
    fn read(nodes: &[Node<'a>]) -> Self {
        let mut request = Self::default();
        let mut at = 1;
        while let (Some(Node::String(key)), Some(value)) = (nodes.get(at), nodes.get(at + 1)) {
            match (*key, value) {
                ("src", Node::String(text)) => request.src = text,
                ("dest", Node::String(text)) => request.dest = text,
                ("type", Node::String(text)) => request.kind = text,
                ("echo", Node::String(text)) => request.echo = text,
                ("msg_id", Node::Static(StaticNode::I64(number))) => request.msg_id = *number,
                ("msg_id", Node::Static(StaticNode::U64(number))) => request.msg_id = number.cast_signed(),
                _ => {}
            }
            at += match value {
                Node::Array { count, .. } => count + 2,
                Node::Object { .. } | Node::String(_) | Node::Static(_) => 2,
            };
        }
        request
    }

    fn write_reply(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let Self { src, dest, kind, echo, msg_id } = self;
        for part in [r#"{"src":""#, dest, r#"","dest":""#, src, r#"","body":{"type":""#, kind, r#"_ok","in_reply_to":"#]
        {
            out.extend_from_slice(part.as_bytes());
        }
        write!(out, "{msg_id}")?;
        if *kind == "echo" {
            for part in [r#","echo":""#, echo, "\""] {
                out.extend_from_slice(part.as_bytes());
            }
        }
        out.extend_from_slice(b"}}\n");
        Ok(())
    }
}

fn main() -> io::Result<()> {
    let (input, output) = (rustix::stdio::stdin(), rustix::stdio::stdout());
    fcntl_setfl(input, fcntl_getfl(input)? | OFlags::NONBLOCK)?;
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1));
    poll.registry().register(&mut SourceFd(&input.as_raw_fd()), Token(0), Interest::READABLE)?;
    let (mut buffers, mut tape) = (Buffers::default(), Tape(Vec::new()));
    let (mut buffer, mut pending, mut out) = (vec![0; BUFFER], 0, Vec::new());
    loop {
        poll.poll(&mut events, None)?;
        let closed = events.iter().any(mio::event::Event::is_read_closed);
        loop {
            let length = match rustix::io::read(input, &mut buffer[pending..BUFFER / 2]) {
                Ok(0) => return Ok(()),
                Ok(length) => length,
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            };
            let end = pending + length;
            let mut start = 0;
            while let Some(length) = memchr(b'\n', &buffer[start..end]) {
                let line = &mut buffer[start..start + length + INPUT_PADDING];
                let mut nodes = mem::replace(&mut tape, Tape(Vec::new())).reset();
                simd_json::fill_tape_padded(line, length, &mut buffers, &mut nodes).map_err(io::Error::other)?;
                Request::read(&nodes.0).write_reply(&mut out)?;
                tape = nodes.reset();
                start += length + 1;
            }
            buffer.copy_within(start..end, 0);
            pending = end - start;
            let mut written = 0;
            while written < out.len() {
                written += rustix::io::write(output, &out[written..])?;
            }
            out.clear();
            if length < BUFFER / 4 && !closed {
                break;
            }
        }
    }
}
