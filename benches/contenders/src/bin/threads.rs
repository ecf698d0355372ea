//! The best-known design of a node in Rust: a thread reads lines and parses them with serde, a channel passes them to
//! the main thread, which writes each reply to stdout at once.

use std::io::{self, BufRead as _, Write as _};
use std::sync::mpsc;
use std::thread;

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Message {
    src: String,
    dest: String,
    body: Body,
}

#[derive(Serialize, Deserialize)]
struct Body {
    msg_id: Option<usize>,
    in_reply_to: Option<usize>,
    #[serde(flatten)]
    payload: Payload,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Payload {
    Init { node_id: String, node_ids: Vec<String> },
    InitOk,
    Echo { echo: String },
    EchoOk { echo: String },
}

/// The reply to a message.
fn reply_to(message: Message, number: usize) -> Option<Message> {
    let payload = match message.body.payload {
        Payload::Init { .. } => Payload::InitOk,
        Payload::Echo { echo } => Payload::EchoOk { echo },
        Payload::InitOk | Payload::EchoOk { .. } => return None,
    };
    let body = Body { msg_id: Some(number), in_reply_to: message.body.msg_id, payload };
    Some(Message { src: message.dest, dest: message.src, body })
}

#[expect(clippy::disallowed_methods, reason = "this design uses threads")]
fn main() -> io::Result<()> {
    let (sender, messages) = mpsc::channel();
    let reader = thread::spawn(move || -> io::Result<()> {
        for line in io::stdin().lock().lines() {
            let message: Message = serde_json::from_str(&line?)?;
            if sender.send(message).is_err() {
                break;
            }
        }
        Ok(())
    });
    let mut output = io::stdout().lock();
    for (number, message) in messages.into_iter().enumerate() {
        if let Some(reply) = reply_to(message, number) {
            serde_json::to_writer(&mut output, &reply)?;
            output.write_all(b"\n")?;
        }
    }
    reader.join().unwrap_or_else(|_| Err(io::Error::other("the reader panicked")))
}
