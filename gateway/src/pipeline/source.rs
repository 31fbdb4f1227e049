//! Batches of parsed uplinks, read from the journal as far as it is durable.

use std::sync::Arc;

use anyhow::Context as _;
use domain::place::Registry;
use domain::{Seq, Uplink};
use store::journal::{Journal, Reader};
use tokio::sync::watch;

use crate::adapters::memory::MemoryRow;
use crate::adapters::rerun::{self, Rerun};
use crate::adapters::{self, Bridges, Context, Memory, Parsed};

/// Most uplinks of one batch: big enough to share a transaction, small enough to stay quick.
const BATCH_RECORDS_MAX: usize = 4096;
/// Most bytes of one batch.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// One uplink and what an adapter made of it.
pub(super) struct Item {
    pub(super) seq: Seq,
    pub(super) uplink: Uplink,
    pub(super) parsed: Parsed,
    /// It came before, could not be read, and was put to the adapters again.
    pub(super) rerun: Option<Rerun>,
}

/// A reader with the registry as it is for each batch, moved onto a blocking thread for each batch: reading and parsing are file and CPU work.
pub struct Source {
    reader: Option<(Reader, Memory)>,
    registry: watch::Receiver<Arc<Registry>>,
    bridges: Arc<Bridges>,
}

impl Source {
    pub(crate) fn new(
        journal: &Journal,
        after: Seq,
        registry: watch::Receiver<Arc<Registry>>,
        bridges: Arc<Bridges>,
        memory: Memory,
    ) -> Self {
        Self {
            reader: Some((journal.read_from(after), memory)),
            registry,
            bridges,
        }
    }

    /// What the adapters remember otherwise than before the last call.
    pub(super) fn take_memory(&mut self) -> Vec<MemoryRow> {
        self.reader
            .as_mut()
            .map(|(_, memory)| memory.take_dirty())
            .unwrap_or_default()
    }

    /// The next batch; empty when everything durable has been read.
    pub(super) async fn next(&mut self) -> anyhow::Result<Vec<Item>> {
        let (mut reader, mut memory) = self
            .reader
            .take()
            .context("the reader was lost in an earlier failure")?;
        let registry = Arc::clone(&self.registry.borrow());
        let bridges = Arc::clone(&self.bridges);
        let (reader, items) = tokio::task::spawn_blocking(move || {
            let records = reader.next_batch(BATCH_RECORDS_MAX, BATCH_BYTES_MAX);
            let context = Context {
                registry: &registry,
                bridges: &bridges,
            };
            let items = records.map(|records| {
                let parse = |(seq, uplink): (Seq, Uplink)| {
                    let parsed = adapters::parse(seq, &uplink, &context, &mut memory);
                    Item {
                        rerun: rerun::of(&uplink),
                        seq,
                        uplink,
                        parsed,
                    }
                };
                records.into_iter().map(parse).collect::<Vec<_>>()
            });
            ((reader, memory), items)
        })
        .await
        .context("reading the journal")?;
        self.reader = Some(reader);
        items.context("reading the journal")
    }
}
