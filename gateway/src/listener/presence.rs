//! Who is connected: one connection a client, the newer one wins, and every connection has an epoch that counts up over all runs.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

pub(super) struct Presence {
    next_epoch: AtomicU64,
    /// By account and client id.
    live: Mutex<HashMap<(String, String), (u64, CancellationToken)>>,
}

impl Presence {
    pub(super) fn new(first_epoch: u64) -> Self {
        Self {
            next_epoch: AtomicU64::new(first_epoch),
            live: Mutex::new(HashMap::new()),
        }
    }

    /// Enters a connection; an older one of the same client is told to go. Returns its epoch and the token that tells it to go.
    pub(super) fn enter(&self, account: &str, client: &str) -> (u64, CancellationToken) {
        let token = CancellationToken::new();
        let mut live = self.live.lock();
        let epoch = self.next_epoch.fetch_add(1, Ordering::Relaxed);
        let key = (account.to_owned(), client.to_owned());
        if let Some((_, older)) = live.insert(key, (epoch, token.clone())) {
            older.cancel();
        }
        (epoch, token)
    }

    /// A connection ends: if it is the last one of its account, the epoch at which that is so.
    pub(super) fn last_goes(&self, account: &str, client: &str, epoch: u64) -> Option<u64> {
        let mut live = self.live.lock();
        let key = (account.to_owned(), client.to_owned());
        if live.get(&key).is_some_and(|(current, _)| *current == epoch) {
            live.remove(&key);
        }
        let stays = live.keys().any(|(of, _)| of == account);
        (!stays).then(|| self.next_epoch.fetch_add(1, Ordering::Relaxed))
    }

    /// Takes a connection out, unless a newer one has its place.
    pub(super) fn leave(&self, account: &str, client: &str, epoch: u64) {
        let mut live = self.live.lock();
        let key = (account.to_owned(), client.to_owned());
        if live.get(&key).is_some_and(|(current, _)| *current == epoch) {
            live.remove(&key);
        }
    }
}
