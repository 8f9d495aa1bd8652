//! An iterator that works on a thread of its own, ahead of whoever asks it.

use std::sync::mpsc::sync_channel;
use std::thread;

/// How many batches may wait.
const BATCHES: usize = 4;

/// Hands `work` the items of `source`, made ahead of it on another thread, so many at a time.
pub(crate) fn ahead<T: Send, R>(
    source: impl Iterator<Item = T> + Send,
    at_a_time: usize,
    work: impl FnOnce(&mut dyn Iterator<Item = T>) -> R,
) -> R {
    let (batches, made) = sync_channel(BATCHES);
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut source = source.peekable();
            while source.peek().is_some() {
                // Nobody takes it once the work has failed.
                if batches.send(source.by_ref().take(at_a_time).collect::<Vec<T>>()).is_err() {
                    return;
                }
            }
        });
        work(&mut made.into_iter().flatten())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_items_come_in_order_and_nobody_need_take_them_all() {
        for batch in [1, 100] {
            let count = batch * (BATCHES + 2) + 1;
            assert!(ahead(0..count, batch, |items| items.eq(0..count)));
            assert_eq!(ahead(0.., batch, |items| items.nth(batch)), Some(batch));
            assert_eq!(ahead(0..0, batch, |items| items.count()), 0);
        }
    }
}
