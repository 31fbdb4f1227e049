//! The messages of one connection that are not acknowledged: at most `window`, each under a packet id of its own.
//!
//! The packet id is the slot's position plus one, so that nothing has to be searched. Pure; time comes in.

use tokio::time::Instant;

/// Unacknowledged messages by packet id.
#[derive(Debug)]
pub(super) struct Window {
    slots: Vec<Option<(u64, Instant)>>,
    free: Vec<u16>,
    next_number: u64,
}

impl Window {
    /// For 1 to 65,535 messages.
    pub(super) fn new(size: u16) -> Self {
        Self {
            slots: vec![None; usize::from(size)],
            free: (1..=size).rev().collect(),
            next_number: 0,
        }
    }

    /// Whether another message may go out.
    pub(super) fn has_room(&self) -> bool {
        !self.free.is_empty()
    }

    /// Takes the next message: its packet id and its number.
    pub(super) fn take(&mut self, now: Instant) -> Option<(u16, u64)> {
        let packet_id = self.free.pop()?;
        let number = self.next_number;
        self.next_number += 1;
        self.slots[usize::from(packet_id) - 1] = Some((number, now));
        Some((packet_id, number))
    }

    /// A PUBACK: the message's number and when it was first sent; none when nothing was sent under that packet id.
    pub(super) fn acknowledge(&mut self, packet_id: u16) -> Option<(u64, Instant)> {
        let at = usize::from(packet_id).checked_sub(1)?;
        let message = self.slots.get_mut(at)?.take()?;
        self.free.push(packet_id);
        Some(message)
    }

    /// What is to be sent again on a new connection: packet ids and numbers, in the order of the first sending.
    pub(super) fn unacknowledged(&self) -> Vec<(u16, u64)> {
        let mut left: Vec<(u16, u64)> = (1..)
            .zip(&self.slots)
            .filter_map(|(packet_id, slot)| slot.map(|(number, _)| (packet_id, number)))
            .collect();
        left.sort_unstable_by_key(|(_, number)| *number);
        left
    }

    /// How many messages are not acknowledged.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// How many messages have gone out for the first time.
    pub(super) fn published(&self) -> u64 {
        self.next_number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_full_window_gives_nothing_until_something_is_acknowledged() {
        let now = Instant::now();
        let mut window = Window::new(2);
        let (first, zero) = window.take(now).expect("room");
        let (second, one) = window.take(now).expect("room");
        assert_eq!((zero, one), (0, 1));
        assert_eq!(window.take(now), None);
        assert_eq!(window.acknowledge(first).map(|(n, _)| n), Some(0));
        assert_eq!(window.acknowledge(first), None, "a second PUBACK");
        assert_eq!(window.acknowledge(0), None);
        assert_eq!(window.acknowledge(9), None, "never sent");
        assert_eq!(window.take(now), Some((first, 2)));
        assert_eq!(window.unacknowledged(), [(second, 1), (first, 2)]);
    }

    proptest! {
        #[test]
        fn every_number_is_acknowledged_once_or_still_there(
            size in 1_u16..20,
            acts in proptest::collection::vec((any::<bool>(), 0_u16..22), 0..300),
        ) {
            let now = Instant::now();
            let mut window = Window::new(size);
            let mut acknowledged = Vec::new();
            for (take, packet_id) in acts {
                if take {
                    window.take(now);
                } else if let Some((number, _)) = window.acknowledge(packet_id) {
                    acknowledged.push(number);
                }
                prop_assert!(window.len() <= usize::from(size));
                prop_assert_eq!(window.has_room(), window.len() < usize::from(size));
            }
            let left = window.unacknowledged();
            prop_assert!(left.windows(2).all(|pair| pair[0].1 < pair[1].1));
            let mut all: Vec<u64> = left.iter().map(|(_, number)| *number).chain(acknowledged).collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..window.published()).collect::<Vec<_>>());
        }
    }
}
