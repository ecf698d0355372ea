//! A node that records the operations that it applies by name, and panics if one is applied twice.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Debug;

use gossip_gloomers::gossip::log::Origin;
use gossip_gloomers::gossip::{Message, Replicated, Settings, Tick, View};
use gossip_gloomers::node::{Node, NodeContext, ReplyTo};
use gossip_gloomers::outbox::Outbox;
use gossip_gloomers::requests;
use gossip_gloomers::wire::{Json, Raw};

/// The name of an operation: node, incarnation and number.
pub(crate) type Name = (u32, u64, u32);

requests! {
    /// Requests to the node.
    #[derive(Debug)]
    pub(crate) enum Request<'a> {
        /// Append this operation.
        "append" => Append { operation: Json<'a> },
        /// A message from another replica.
        "gossip" => Gossip(Message<'a>),
    }
}

/// Operations by name.
#[derive(Debug, Default)]
pub(crate) struct Entries(BTreeMap<Name, Box<[u8]>>);

impl View for Entries {
    type Op<'a> = Raw<'a>;

    fn apply(&mut self, origin: Origin, number: u32, op: Raw<'_>) -> bool {
        let name = (origin.node, origin.incarnation, number);
        let before = self.0.insert(name, op.0.into());
        assert!(before.is_none(), "{name:?} is applied twice");
        true
    }
}

/// The node.
#[derive(Debug)]
pub(crate) struct RecordingNode<V: View = Entries> {
    pub(crate) log: Replicated<V>,
}

impl RecordingNode {
    /// All operations applied.
    pub(crate) fn entries(&self) -> &BTreeMap<Name, Box<[u8]>> {
        &self.log.view().0
    }

    /// The nonzero watermarks.
    pub(crate) fn vector(&self) -> BTreeMap<(u32, u64), u32> {
        let log = self.log.log();
        let watermark = |slot| (log.origin(slot), log.watermark(slot));
        let held = (0..log.origins()).map(watermark).filter(|(_, watermark)| *watermark > 0);
        held.map(|(origin, watermark)| ((origin.node, origin.incarnation), watermark)).collect()
    }

    /// The contiguous operations of the log, by name.
    pub(crate) fn logged(&self) -> BTreeMap<Name, &[u8]> {
        let log = self.log.log();
        let of = |slot| {
            let origin = log.origin(slot);
            let payload = move |number| log.payload(slot, number).expect("within the watermark");
            (1..=log.watermark(slot)).map(move |number| ((origin.node, origin.incarnation, number), payload(number)))
        };
        (0..log.origins()).flat_map(of).collect()
    }
}

impl<V> Node for RecordingNode<V>
where
    V: for<'a> View<Op<'a> = Raw<'a>> + Default + Debug,
{
    type Request<'a> = Request<'a>;
    type Timer = Tick;
    type Call = Infallible;
    type Options = Settings;

    fn start(context: &NodeContext<'_, Settings>, out: &mut Outbox<Self>) -> Self {
        Self { log: Replicated::new(context, context.options, V::default(), out) }
    }

    fn on_settled(&mut self, out: &mut Outbox<Self>) {
        self.log.on_settled(out);
    }

    fn on_request(&mut self, from: ReplyTo, request: Request<'_>, out: &mut Outbox<Self>) {
        match request {
            Request::Append { operation } => {
                let mut text = Vec::new();
                operation.write(&mut text);
                self.log.append(Raw(&text), out).expect("the text is short");
                out.reply(from, "append_ok").end();
            }
            Request::Gossip(message) => self.log.on_message(from, &message, out),
        }
    }

    fn on_timer(&mut self, _: Tick, out: &mut Outbox<Self>) {
        self.log.on_tick(out);
    }
}
