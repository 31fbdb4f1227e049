//! Where uplinks wait for the writer: one queue a lane, each with a budget of bytes, alarms taken first.

use std::collections::VecDeque;

use domain::{Lane, Uplink};
use parking_lot::{Condvar, Mutex};
use tokio::sync::Semaphore;

use super::{AppendError, Ticket, layout};

#[derive(Debug, Default)]
struct Waiting {
    alarm: VecDeque<Uplink>,
    telemetry: VecDeque<Uplink>,
    /// Tickets given out so far.
    alarm_number: u64,
    telemetry_number: u64,
    closing: bool,
}

/// The two queues.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    filled: Condvar,
    alarm: Budget,
    telemetry: Budget,
}

/// Bytes that may wait in one lane.
#[derive(Debug)]
struct Budget {
    free: Semaphore,
    total: u32,
}

impl Budget {
    fn new(bytes: usize) -> Self {
        let total = u32::try_from(bytes).unwrap_or(u32::MAX).min(1 << 30);
        Self {
            free: Semaphore::new(total as usize),
            total,
        }
    }
    /// What an uplink costs; one that is larger than the whole budget may wait alone.
    fn cost(&self, uplink: &Uplink) -> u32 {
        u32::try_from(layout::record_bytes(uplink))
            .unwrap_or(u32::MAX)
            .min(self.total)
    }
}

/// What the writer takes at once.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Alarms first, each lane in its order.
    pub(super) uplinks: Vec<Uplink>,
    /// The highest ticket of each lane that is in or before this batch.
    pub(super) alarm: u64,
    pub(super) telemetry: u64,
}

impl Queue {
    pub(super) fn new(alarm_bytes: usize, telemetry_bytes: usize) -> Self {
        Self {
            waiting: Mutex::default(),
            filled: Condvar::new(),
            alarm: Budget::new(alarm_bytes),
            telemetry: Budget::new(telemetry_bytes),
        }
    }

    fn budget(&self, lane: Lane) -> &Budget {
        match lane {
            Lane::Alarm => &self.alarm,
            Lane::Telemetry => &self.telemetry,
        }
    }

    /// Bytes that wait in a lane, and how many may.
    pub(super) fn fill(&self, lane: Lane) -> (usize, usize) {
        let budget = self.budget(lane);
        let total = budget.total as usize;
        (total.saturating_sub(budget.free.available_permits()), total)
    }

    pub(super) fn try_put(&self, lane: Lane, uplink: Uplink) -> Result<Ticket, AppendError> {
        let budget = self.budget(lane);
        match budget.free.try_acquire_many(budget.cost(&uplink)) {
            Ok(permit) => permit.forget(),
            Err(tokio::sync::TryAcquireError::NoPermits) => {
                return Err(AppendError::Full(Box::new(uplink)));
            }
            Err(tokio::sync::TryAcquireError::Closed) => return Err(AppendError::Failed),
        }
        self.put(lane, uplink)
    }

    pub(super) async fn put_when_free(
        &self,
        lane: Lane,
        uplink: Uplink,
    ) -> Result<Ticket, AppendError> {
        let budget = self.budget(lane);
        let permit = budget
            .free
            .acquire_many(budget.cost(&uplink))
            .await
            .map_err(|_| AppendError::Failed)?;
        permit.forget();
        self.put(lane, uplink)
    }

    fn put(&self, lane: Lane, uplink: Uplink) -> Result<Ticket, AppendError> {
        let mut waiting = self.waiting.lock();
        if waiting.closing {
            return Err(AppendError::Failed);
        }
        let number = match lane {
            Lane::Alarm => {
                waiting.alarm.push_back(uplink);
                waiting.alarm_number += 1;
                waiting.alarm_number
            }
            Lane::Telemetry => {
                waiting.telemetry.push_back(uplink);
                waiting.telemetry_number += 1;
                waiting.telemetry_number
            }
        };
        drop(waiting);
        self.filled.notify_one();
        Ok(Ticket { lane, number })
    }

    /// Waits for work and takes up to `bytes_max` of it, alarms first. None when the queue is closed and empty.
    pub(super) fn take(&self, bytes_max: usize) -> Option<Taken> {
        let mut waiting = self.waiting.lock();
        while waiting.alarm.is_empty() && waiting.telemetry.is_empty() {
            if waiting.closing {
                return None;
            }
            self.filled.wait(&mut waiting);
        }
        let mut taken = Taken::default();
        let mut bytes = 0;
        let mut freed = [0usize; 2];
        let Waiting {
            alarm,
            telemetry,
            alarm_number,
            telemetry_number,
            ..
        } = &mut *waiting;
        for (at, (queue, budget)) in [(alarm, &self.alarm), (telemetry, &self.telemetry)]
            .into_iter()
            .enumerate()
        {
            while bytes < bytes_max {
                let Some(uplink) = queue.pop_front() else {
                    break;
                };
                bytes += layout::record_bytes(&uplink);
                freed[at] += budget.cost(&uplink) as usize;
                taken.uplinks.push(uplink);
            }
            let last = if at == 0 {
                *alarm_number
            } else {
                *telemetry_number
            };
            let taken_upto = last - queue.len() as u64;
            if at == 0 {
                taken.alarm = taken_upto;
            } else {
                taken.telemetry = taken_upto;
            }
        }
        drop(waiting);
        self.alarm.free.add_permits(freed[0]);
        self.telemetry.free.add_permits(freed[1]);
        Some(taken)
    }

    /// Nothing more is taken in.
    pub(super) fn is_closing(&self) -> bool {
        self.waiting.lock().closing
    }

    /// Takes nothing more in; what waits is still written.
    pub(super) fn close(&self) {
        self.waiting.lock().closing = true;
        self.alarm.free.close();
        self.telemetry.free.close();
        self.filled.notify_all();
    }
}
