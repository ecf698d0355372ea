//! A node on the crate `maelstrom-node`, which is based on tokio.

use std::sync::Arc;

use async_trait::async_trait;
use maelstrom::protocol::Message;
use maelstrom::{Node, Result, Runtime, done};

struct Echo;

#[async_trait]
impl Node for Echo {
    async fn process(&self, runtime: Runtime, request: Message) -> Result<()> {
        if request.get_type() != "echo" {
            return done(runtime, request);
        }
        let body = request.body.clone().with_type("echo_ok");
        runtime.reply(request, body).await
    }
}

fn main() -> Result<()> {
    Runtime::init(async { Runtime::new().with_handler(Arc::new(Echo)).run().await })
}
