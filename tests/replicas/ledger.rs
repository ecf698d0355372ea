//! A node that is nothing but its replica and what it makes of the operations: it keeps each under its name, and
//! insists on hearing of it once.

use std::collections::BTreeMap;
use std::convert::Infallible;

use gossip_gloomers::gossip::log::Origin;
use gossip_gloomers::gossip::{Gossip, Message, Settings, Tick, View};
use gossip_gloomers::node::{Node, NodeContext, ReplyTo};
use gossip_gloomers::outbox::Outbox;
use gossip_gloomers::requests;
use gossip_gloomers::wire::Json;

/// An operation's name: the node that made it, in which incarnation, as its which.
pub(crate) type Name = (u32, u64, u32);

requests! {
    /// What a ledger is asked.
    #[derive(Debug)]
    pub(crate) enum Request<'a> {
        /// Make this operation.
        "append" => Append { operation: Json<'a> },
        /// What another replica says.
        "gossip" => Gossip(Message<'a>),
    }
}

/// Operations by name.
#[derive(Debug, Default)]
pub(crate) struct Entries(BTreeMap<Name, Box<[u8]>>);

impl View for Entries {
    fn apply(&mut self, origin: Origin, number: u32, operation: &[u8]) {
        let name = (origin.node, origin.incarnation, number);
        let before = self.0.insert(name, operation.into());
        assert!(before.is_none(), "{name:?} is applied twice");
    }
}

/// The node.
#[derive(Debug)]
pub(crate) struct Ledger<V = Entries> {
    pub(crate) gossip: Gossip,
    view: V,
    me: Origin,
    made: u32,
}

impl Ledger {
    /// Everything it has applied or made.
    pub(crate) fn entries(&self) -> &BTreeMap<Name, Box<[u8]>> {
        &self.view.0
    }

    /// How far it holds each origin of which it holds anything without a gap.
    pub(crate) fn vector(&self) -> BTreeMap<(u32, u64), u32> {
        let log = self.gossip.log();
        let reach = |slot| (log.origin(slot), log.reach(slot));
        let held = (0..log.origins()).map(reach).filter(|(_, reach)| *reach > 0);
        held.map(|(origin, reach)| ((origin.node, origin.incarnation), reach)).collect()
    }

    /// Operations that the log holds without a gap, by name.
    pub(crate) fn logged(&self) -> BTreeMap<Name, &[u8]> {
        let log = self.gossip.log();
        let of = |slot| {
            let origin = log.origin(slot);
            let payload = move |number| log.payload(slot, number).expect("within reach");
            (1..=log.reach(slot)).map(move |number| ((origin.node, origin.incarnation, number), payload(number)))
        };
        (0..log.origins()).flat_map(of).collect()
    }
}

impl<V: View + Default> Node for Ledger<V> {
    type Request<'a> = Request<'a>;
    type Timer = Tick;
    type Call = Infallible;
    type Options = Settings;

    fn start(context: &NodeContext<'_, Settings>, out: &mut Outbox<Self>) -> Self {
        let node = u32::try_from(context.me.index()).expect("few nodes");
        let me = Origin { node, incarnation: context.incarnation };
        Self { gossip: Gossip::new(context, context.options, out), view: V::default(), me, made: 0 }
    }

    fn on_settled(&mut self, out: &mut Outbox<Self>) {
        self.gossip.on_settled(out);
    }

    fn on_request(&mut self, from: ReplyTo, request: Request<'_>, out: &mut Outbox<Self>) {
        match request {
            Request::Append { operation } => {
                let mut text = Vec::new();
                operation.write(&mut text);
                self.made += 1;
                self.view.apply(self.me, self.made, &text);
                self.gossip.append(&text, out).expect("the text is short");
                out.reply(from, "append_ok").end();
            }
            Request::Gossip(message) => {
                let peer = from.peer().expect("replicas gossip");
                self.gossip.on_message(peer, &message, &mut self.view, out);
            }
        }
    }

    fn on_timer(&mut self, _: Tick, out: &mut Outbox<Self>) {
        self.gossip.on_tick(out);
    }
}
