//! An iterator that works on a thread of its own, ahead of whoever asks it.

use std::sync::mpsc::sync_channel;
use std::thread;

/// How many batches may wait.
const BATCHES: usize = 4;

/// Hands `work` the items of `source`, made ahead of it on another thread: batches of what it needs.
pub(crate) fn ahead<T: Send, R>(
    source: impl Iterator<Item = T> + Send,
    work: impl FnOnce(&mut dyn Iterator<Item = T>) -> R,
) -> R {
    let (items, made) = sync_channel(BATCHES);
    thread::scope(|scope| {
        scope.spawn(move || {
            for item in source {
                // Nobody takes it once the work has failed.
                if items.send(item).is_err() {
                    return;
                }
            }
        });
        // It goes when this is done, so that nobody waits for its taking more.
        work(&mut made.into_iter())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_items_come_in_order_and_nobody_need_take_them_all() {
        let count = BATCHES * 2 + 1;
        assert!(ahead(0..count, |items| items.eq(0..count)));
        assert_eq!(ahead(0.., |items| items.nth(BATCHES + 2)), Some(BATCHES + 2));
        assert_eq!(ahead(0..0, |items| items.count()), 0);
    }
}
