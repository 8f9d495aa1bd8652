//! The port through which the kill switch reaches an account.

use tripline_containment::{Description, Failure, Place, Subject};
use tripline_engine::Permit;
use tripline_iam::AccountId;

/// Reads and changes the few places that containment is about. Calls answer once; whoever calls tries
/// again.
pub trait Responder: Sync {
    /// What stands in a place; nothing where nothing does.
    fn read(&self, place: &Place) -> impl Future<Output = Result<Option<String>, Failure>> + Send;

    /// Puts a text there, or removes it. The permit proves that somebody was entitled to decide it.
    fn write(
        &self,
        permit: &Permit,
        place: &Place,
        text: Option<&str>,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// What a plan has to know of a role or user.
    fn describe(
        &self,
        subject: &Subject,
    ) -> impl Future<Output = Result<Description, Failure>> + Send;

    /// All of an account's places that have statements of ours, with their texts.
    fn find(
        &self,
        account: AccountId,
    ) -> impl Future<Output = Result<Vec<(Place, String)>, Failure>> + Send;
}

/// Time, as the executor needs it.
pub trait Clock: Sync {
    /// Milliseconds since 1970.
    fn now_unix_ms(&self) -> i64;

    /// Waits.
    fn sleep(&self, milliseconds: u64) -> impl Future<Output = ()> + Send;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_unix_ms(&self) -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.ok().and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or(0)
    }

    async fn sleep(&self, milliseconds: u64) {
        tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await;
    }
}
