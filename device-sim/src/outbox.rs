//! What a device has said and nobody acknowledged yet. rumqttc forgets all of it when a connection without session ends, so
//! the device keeps it here and says it again, with the same ids and in the same order.
//!
//! ```text
//! push ──► waiting ──handed()──► handed ──sent(packet id)──► in flight ──acknowledged(packet id)──► out
//!             ▲                    │                            │
//!             └────────────── restart (connection lost) ────────┘
//! ```

use std::collections::{BTreeMap, VecDeque};

/// Unacknowledged messages of one device, in the order in which they were said.
#[derive(Debug)]
pub(crate) struct Outbox<T> {
    waiting: VecDeque<(u64, T)>,
    handed: VecDeque<(u64, T)>,
    in_flight: BTreeMap<u16, (u64, T)>,
    pushed: u64,
    window: usize,
    limit: usize,
}

impl<T> Outbox<T> {
    /// At most `window` messages on the wire, at most `limit` in all.
    pub(crate) fn new(window: usize, limit: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            handed: VecDeque::new(),
            in_flight: BTreeMap::new(),
            pushed: 0,
            window,
            limit,
        }
    }

    /// Takes a message, or gives it back when the outbox is full.
    pub(crate) fn push(&mut self, message: T) -> Result<(), T> {
        if self.len() >= self.limit {
            return Err(message);
        }
        self.pushed += 1;
        self.waiting.push_back((self.pushed, message));
        Ok(())
    }

    /// The next message to give to the client; none while the window is full.
    pub(crate) fn next(&self) -> Option<&T> {
        let room = self.handed.len() + self.in_flight.len() < self.window;
        self.waiting
            .front()
            .filter(|_| room)
            .map(|(_, message)| message)
    }

    /// The client has taken what [`next`](Self::next) showed.
    pub(crate) fn handed(&mut self) {
        self.handed.extend(self.waiting.pop_front());
    }

    /// The client has written the oldest message that was handed to it, under this packet id.
    pub(crate) fn sent(&mut self, packet_id: u16) {
        if let Some(message) = self.handed.pop_front() {
            self.in_flight.insert(packet_id, message);
        }
    }

    /// The other side acknowledged; none when it acknowledged what was never sent.
    pub(crate) fn acknowledged(&mut self, packet_id: u16) -> Option<T> {
        self.in_flight
            .remove(&packet_id)
            .map(|(_, message)| message)
    }

    /// The connection is gone: everything that is not acknowledged will be said again, in the old order.
    pub(crate) fn restart(&mut self) {
        let flown = std::mem::take(&mut self.in_flight).into_values();
        self.waiting.extend(flown.chain(self.handed.drain(..)));
        self.waiting
            .make_contiguous()
            .sort_unstable_by_key(|(number, _)| *number);
    }

    /// How many are not acknowledged.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len() + self.handed.len() + self.in_flight.len()
    }

    /// Whether everything was acknowledged.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(n: u32, window: usize) -> Outbox<u32> {
        let mut outbox = Outbox::new(window, 100);
        for message in 0..n {
            outbox.push(message).expect("there is room");
        }
        outbox
    }

    fn send_all(outbox: &mut Outbox<u32>) -> Vec<u32> {
        let mut sent = Vec::new();
        while let Some(&message) = outbox.next() {
            sent.push(message);
            outbox.handed();
        }
        sent
    }

    #[test]
    fn no_more_than_the_window_is_on_the_wire() {
        let mut outbox = filled(5, 2);
        assert_eq!(send_all(&mut outbox), [0, 1]);
        outbox.sent(1);
        outbox.sent(2);
        assert_eq!(outbox.next(), None);
        assert_eq!(outbox.acknowledged(2), Some(1));
        assert_eq!(send_all(&mut outbox), [2]);
    }

    #[test]
    fn after_a_lost_connection_the_rest_comes_again_in_order() {
        let mut outbox = filled(6, 4);
        assert_eq!(send_all(&mut outbox), [0, 1, 2, 3]);
        outbox.sent(1);
        outbox.sent(2);
        outbox.sent(3);
        assert_eq!(outbox.acknowledged(2), Some(1));
        outbox.restart();
        assert_eq!(send_all(&mut outbox), [0, 2, 3, 4]);
        assert_eq!(outbox.acknowledged(1), None, "an old packet id");
    }

    #[test]
    fn a_full_outbox_gives_the_message_back() {
        let mut outbox = Outbox::new(1, 2);
        assert_eq!(outbox.push('a'), Ok(()));
        assert_eq!(outbox.push('b'), Ok(()));
        assert_eq!(outbox.push('c'), Err('c'));
        outbox.handed();
        outbox.sent(1);
        assert_eq!(outbox.push('c'), Err('c'), "not acknowledged is not gone");
        outbox.acknowledged(1);
        assert_eq!(outbox.push('c'), Ok(()));
        assert!(!outbox.is_empty());
    }
}
