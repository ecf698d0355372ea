//! The replicated log as a node uses it: typed operations, applied at every node.

use super::log::{Log, Origin};
use super::{Gossip, Message, Settings, Tick};
use crate::node::{Node, NodeContext, ReplyTo};
use crate::outbox::Outbox;
use crate::time::Time;
use crate::wire::{Array, REQUEST, Raw, TooLarge, elements, write_int, write_signed};

/// The state that a node derives from the operations.
pub trait View {
    /// An operation.
    type Op<'a>: Operation<'a>;

    /// Applies an operation of any origin; called exactly once for each, in any order. Returns whether it changed
    /// anything: a local operation that does not is not replicated.
    fn apply(&mut self, origin: Origin, number: u32, op: Self::Op<'_>) -> bool;

    /// Called when more operations have become causally stable: every replica holds them, and this one holds all
    /// operations concurrent with them. `is_stable` decides it for each.
    fn on_stable(&mut self, is_stable: impl Fn(Origin, u32) -> bool) {
        let _ = is_stable;
    }
}

/// An operation, encoded as JSON text without newlines. Implemented for integers, [`Raw`] values, and tuples of these,
/// from which others are built.
pub trait Operation<'a>: Sized {
    /// Appends the encoded operation.
    fn encode(&self, out: &mut Vec<u8>);

    /// Decodes an operation; `None` if [`encode`](Self::encode) cannot have written the text.
    fn decode(text: &'a [u8]) -> Option<Self>;
}

impl<'a> Operation<'a> for Raw<'a> {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0);
    }

    #[inline]
    fn decode(text: &'a [u8]) -> Option<Self> {
        Some(Raw(text))
    }
}

/// Implements [`Operation`] for integers, with the function that writes them.
macro_rules! integers {
    ($($integer:ty => $write:ident),*) => {$(
        impl Operation<'_> for $integer {
            fn encode(&self, out: &mut Vec<u8>) {
                $write(out, *self);
            }

            fn decode(text: &[u8]) -> Option<Self> {
                std::str::from_utf8(text).ok()?.parse().ok()
            }
        }
    )*};
}

integers!(u64 => write_int, i64 => write_signed);

/// Implements [`Operation`] for tuples, as arrays with a fixed number of elements.
macro_rules! tuples {
    ($(($($element:ident),+))*) => {$(
        impl<'a, $($element: Operation<'a>),+> Operation<'a> for ($($element,)+) {
            #[expect(non_snake_case, reason = "an element is named as its type")]
            fn encode(&self, out: &mut Vec<u8>) {
                let ($($element,)+) = self;
                let mut array = Array::begin(out);
                $( array.push(|out| $element.encode(out)); )+
                array.end();
            }

            fn decode(text: &'a [u8]) -> Option<Self> {
                let mut elements = elements(text);
                let tuple = ($($element::decode(elements.next()?)?,)+);
                elements.next().is_none().then_some(tuple)
            }
        }
    )*};
}

tuples!((A, B)(A, B, C));

/// A view on a replicated log: the replicated part of a node.
///
/// The node must forward its `gossip` messages, [`Tick`]s and [`Node::on_settled`] to it.
#[derive(Debug)]
pub struct Replicated<V> {
    gossip: Gossip,
    view: V,
    me: Origin,
    /// The number of stable operations at the last [`View::on_stable`].
    stable: u64,
    /// The buffer in which operations are encoded.
    text: Vec<u8>,
}

impl<V: View> Replicated<V> {
    /// A replica without operations; `view` is the initial state.
    pub fn new<N: Node<Timer: From<Tick>>>(
        context: &NodeContext<'_, N::Options>,
        settings: &Settings,
        view: V,
        out: &mut Outbox<N>,
    ) -> Self {
        let gossip = Gossip::new(context, settings, out);
        let me = gossip.me();
        Self { gossip, view, me, stable: 0, text: Vec::new() }
    }

    /// Starts gossiping; must be called from [`Node::on_settled`].
    pub fn on_settled<N: Node<Timer: From<Tick>>>(&mut self, out: &mut Outbox<N>) {
        self.gossip.on_settled(out);
    }

    /// Handles a message from another replica.
    #[inline]
    pub fn on_message<N: Node<Timer: From<Tick>>>(
        &mut self,
        from: ReplyTo,
        message: &Message<'_>,
        out: &mut Outbox<N>,
    ) {
        if let Some(peer) = from.peer() {
            self.gossip.on_message(peer, message, &mut self.view, out);
            self.on_progress();
        }
    }

    /// Handles the timer.
    pub fn on_tick<N: Node<Timer: From<Tick>>>(&mut self, out: &mut Outbox<N>) {
        self.gossip.on_tick(out);
        self.on_progress();
    }

    #[inline]
    fn on_progress(&mut self) {
        let stable = self.gossip.stable_total();
        if stable != self.stable {
            self.stable = stable;
            let Self { gossip, view, .. } = self;
            view.on_stable(|origin, number| gossip.is_stable(origin, number));
        }
    }

    /// Applies an operation to the view, and replicates it if that changed anything. Returns whether it did.
    ///
    /// # Errors
    /// The encoded operation exceeds [`REQUEST`]; it was not applied.
    pub fn append<N: Node<Timer: From<Tick>>>(&mut self, op: V::Op<'_>, out: &mut Outbox<N>) -> Result<bool, TooLarge> {
        self.encode(&op)?;
        let changed = self.view.apply(self.me, self.gossip.next_number(), op);
        if changed {
            self.gossip.append(&self.text, out);
        }
        Ok(changed)
    }

    /// As [`append`](Self::append), but `apply` applies it, in place of [`View::apply`].
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn append_with<N: Node<Timer: From<Tick>>>(
        &mut self,
        op: &V::Op<'_>,
        out: &mut Outbox<N>,
        apply: impl FnOnce(&mut V, &mut Outbox<N>) -> bool,
    ) -> Result<bool, TooLarge> {
        self.encode(op)?;
        let changed = apply(&mut self.view, out);
        if changed {
            self.gossip.append(&self.text, out);
        }
        Ok(changed)
    }

    fn encode(&mut self, op: &V::Op<'_>) -> Result<(), TooLarge> {
        self.text.clear();
        op.encode(&mut self.text);
        REQUEST.admit(&self.text)
    }

    /// The view.
    #[must_use]
    pub const fn view(&self) -> &V {
        &self.view
    }

    /// The log of operations.
    #[must_use]
    pub const fn log(&self) -> &Log {
        self.gossip.log()
    }

    /// The origin of this replica's operations.
    #[must_use]
    pub const fn me(&self) -> Origin {
        self.me
    }

    /// Whether this replica has received all operations of some peer, or has waited for
    /// [`BOOTSTRAP_TIMEOUT`](super::BOOTSTRAP_TIMEOUT). Until then a restarted node does not know what its earlier
    /// incarnations did, and must not issue anything that has to be unique.
    #[must_use]
    pub fn is_bootstrapped(&self, now: Time) -> bool {
        self.gossip.is_bootstrapped(now)
    }

    /// Takes part in tracking causal stability; to be called once, as soon as the next incarnation of this node is
    /// certain to know of this one. Nothing becomes stable before every node has called it.
    pub fn track_stability<N: Node<Timer: From<Tick>>>(&mut self, out: &mut Outbox<N>) {
        self.gossip.track_stability(out);
    }

    /// Whether this replica holds all operations that were ever stable, and all surviving ones of earlier incarnations
    /// of its node.
    #[must_use]
    pub fn has_caught_up(&self) -> bool {
        self.gossip.has_caught_up()
    }
}
