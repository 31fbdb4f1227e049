//! Rows in statements of a few fixed lengths, so that each length is prepared once and then comes from the statement cache.

/// Rows in one statement, the longest first. SQLite takes 32,766 values in one.
const LENGTHS: [usize; 4] = [256, 32, 8, 1];

/// Cuts rows into runs of those lengths.
pub(super) fn chunks<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let length = LENGTHS.into_iter().find(|length| *length <= rows.len())?;
        let (head, tail) = rows.split_at(length);
        rows = tail;
        Some(head)
    })
}

#[cfg(test)]
mod tests {
    use super::chunks;

    #[test]
    fn no_row_is_lost_or_doubled() {
        let rows: Vec<u32> = (0..613).collect();
        let again: Vec<u32> = chunks(&rows).flatten().copied().collect();
        assert_eq!(rows, again);
        assert_eq!(chunks::<u32>(&[]).count(), 0);
    }
}
