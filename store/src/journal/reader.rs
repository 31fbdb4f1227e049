//! Reading in order, as far as the disk has it.

use std::io;
use std::sync::Arc;

use domain::{Seq, Uplink};
use tokio::sync::watch;
use tracing::error;

use super::segment::{Segment, Step, Walker};
use super::{Glance, Shared, Watermarks, layout};

/// Why the journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file system refused.
    #[error("cannot read journal segment {file}")]
    Io {
        /// Which segment file.
        file: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A cursor over the journal. Several may read at once, each on its own.
pub struct Reader {
    shared: Arc<Shared>,
    durable: watch::Receiver<Watermarks>,
    after: Seq,
    walker: Option<(Segment, Walker)>,
}

impl Reader {
    pub(super) fn new(
        shared: Arc<Shared>,
        durable: watch::Receiver<Watermarks>,
        after: Seq,
    ) -> Self {
        Self {
            shared,
            durable,
            after,
            walker: None,
        }
    }

    /// The position of the last record that was given.
    pub fn after(&self) -> Seq {
        self.after
    }

    /// The next records in order, up to so many and about so many bytes; empty when everything durable has been given. What is
    /// damaged is passed over and logged; the verifier and the recovery report name it too.
    pub fn next_batch(
        &mut self,
        records_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<(Seq, Uplink)>, ReadError> {
        self.next_matching(records_max, bytes_max, |_| true)
    }

    /// The same, of the records that `wants` wants; what it does not want costs little. `after` may move with nothing given.
    pub fn next_matching(
        &mut self,
        records_max: usize,
        bytes_max: usize,
        mut wants: impl FnMut(Glance<'_>) -> bool,
    ) -> Result<Vec<(Seq, Uplink)>, ReadError> {
        let durable = self.durable.borrow().seq;
        let (mut batch, mut bytes) = (Vec::new(), 0);
        let mut looked_again = None;
        while self.after < durable && batch.len() < records_max && bytes < bytes_max {
            if self.walker.is_none() && !self.open()? {
                continue;
            }
            let Some((segment, walker)) = &mut self.walker else {
                break;
            };
            let failed = |source| ReadError::Io {
                file: segment.path.display().to_string(),
                source,
            };
            match walker.step().map_err(failed)? {
                Step::Record { seq, .. } if seq <= self.after => {}
                Step::Record { seq, body } => {
                    bytes += body.len();
                    let wanted = layout::glance(body).map(&mut wants);
                    match wanted {
                        Some(false) => {}
                        _ => match layout::decode(body) {
                            Some(uplink) => batch.push((seq, uplink)),
                            None => {
                                error!(journal.seq = %seq, "record has a good checksum and a bad inside, passed over");
                            }
                        },
                    }
                    self.after = seq;
                }
                Step::Damaged(damage) => {
                    error!(journal.damage = %damage, "journal damaged, passed over");
                    self.after = self.after.max(damage.last);
                }
                Step::End { .. } => {
                    let next = self
                        .shared
                        .segments
                        .lock()
                        .iter()
                        .map(|s| s.first)
                        .find(|first| *first > segment.first);
                    match next {
                        Some(first) => {
                            if first.0 > self.after.0 + 1 {
                                error!(
                                    journal.first = self.after.0 + 1,
                                    journal.last = first.0 - 1,
                                    "journal records are missing"
                                );
                                self.after = Seq(first.0 - 1);
                            }
                            self.walker = None;
                        }
                        // durable says there is more: it was written since this window was read
                        None if looked_again != Some(self.after) => {
                            looked_again = Some(self.after);
                            walker.refresh();
                        }
                        // and it is not there: it was lost at the end of the log, which recovery has told
                        None => {
                            error!(
                                journal.first = self.after.0 + 1,
                                journal.last = durable.0,
                                "journal records are missing at the end"
                            );
                            self.after = durable;
                        }
                    }
                }
            }
        }
        // what was read ahead beyond the durable end may have been written only in part
        if self.after >= durable
            && let Some((_, walker)) = &mut self.walker
        {
            walker.refresh();
        }
        Ok(batch)
    }

    /// Opens the segment that holds the record after `after`. False when it cannot be read: `after` has moved past it.
    fn open(&mut self) -> Result<bool, ReadError> {
        let segment = {
            let segments = self.shared.segments.lock();
            let holds = segments
                .iter()
                .rev()
                .find(|s| s.first.0 <= self.after.0 + 1);
            holds.or_else(|| segments.first()).cloned()
        };
        let Some(segment) = segment else {
            error!("the journal has no segment");
            self.after = self.durable.borrow().seq;
            return Ok(false);
        };
        if segment.first.0 > self.after.0 + 1 {
            error!(
                journal.first = self.after.0 + 1,
                journal.last = segment.first.0 - 1,
                "journal records are gone"
            );
            self.after = Seq(segment.first.0 - 1);
        }
        let opened = Walker::open(&segment).map_err(|source| ReadError::Io {
            file: segment.path.display().to_string(),
            source,
        })?;
        if let Some((walker, _)) = opened {
            self.walker = Some((segment, walker));
            Ok(true)
        } else {
            let next = self
                .shared
                .segments
                .lock()
                .iter()
                .map(|s| s.first)
                .find(|first| *first > segment.first);
            error!(journal.segment = %segment.path.display(), "not a segment of this journal, passed over");
            match next {
                Some(first) => self.after = Seq(first.0 - 1),
                None => self.after = self.durable.borrow().seq,
            }
            Ok(false)
        }
    }
}
