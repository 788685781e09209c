//! Checks passwords against their hashes: beside the loops that serve everybody, and only so many at a time.
//!
//! Each takes a millisecond or more on purpose. Whoever sends guesses from many addresses can make those who bring a
//! password for the first time wait, but takes no core from anybody else.

use std::sync::Arc;
use std::time::Duration;

use deis_model::routing::Credential;
use tokio::sync::Semaphore;

/// How long to wait for one's turn, and when to come again if it does not come.
const PATIENCE: Duration = Duration::from_millis(500);
const COME_AGAIN: Duration = Duration::from_secs(1);

/// Checks passwords.
pub(crate) struct Verifier {
    turns: Arc<Semaphore>,
    patience: Duration,
}

impl Verifier {
    /// One that takes half of so many cores, or the only one, at most.
    pub(crate) fn new(cores: usize) -> Self {
        Self { turns: Arc::new(Semaphore::new((cores / 2).max(1))), patience: PATIENCE }
    }

    /// Whether `password` is that of `credential`; or when to come again, if too many others are checked.
    pub(super) async fn verify(&self, credential: Credential, password: Vec<u8>) -> Result<bool, Duration> {
        let turn = tokio::time::timeout(self.patience, Arc::clone(&self.turns).acquire_owned());
        let Ok(Ok(turn)) = turn.await else { return Err(COME_AGAIN) };
        let checked = tokio::task::spawn_blocking(move || {
            // Until it is done, whether or not anybody still waits for it.
            let _turn = turn;
            credential.verify(&password)
        });
        // There is none if the router is about to end.
        checked.await.map_err(|_| COME_AGAIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    use futures::FutureExt;

    fn credential() -> Credential {
        Credential::new("alice", b"secret", [1; 16])
    }

    #[tokio::test]
    async fn whoever_finds_no_turn_is_to_come_again() {
        let verifier = Verifier { patience: Duration::from_millis(1), ..Verifier::new(1) };
        let turn = Arc::clone(&verifier.turns).acquire_owned().await.unwrap();
        assert_eq!(verifier.verify(credential(), b"secret".to_vec()).await, Err(COME_AGAIN));
        drop(turn);
        let verifier = Verifier::new(1);
        assert_eq!(verifier.verify(credential(), b"secret".to_vec()).await, Ok(true));
        assert_eq!(verifier.verify(credential(), b"other".to_vec()).await, Ok(false));
    }

    #[test]
    fn half_of_the_cores_are_taken_at_most() {
        for (cores, turns) in [(0, 1), (1, 1), (2, 1), (3, 1), (4, 2), (16, 8)] {
            assert_eq!(Verifier::new(cores).turns.available_permits(), turns, "{cores}");
        }
    }

    #[test]
    fn the_loop_goes_on_meanwhile() {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().max_blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            // The one thread beside the loop is busy.
            let (release, busy) = mpsc::channel::<()>();
            let occupied = tokio::task::spawn_blocking(move || busy.recv());
            let verifier = Verifier::new(1);
            let mut verifying = Box::pin(verifier.verify(credential(), b"secret".to_vec()));
            assert!((&mut verifying).now_or_never().is_none());
            release.send(()).unwrap();
            assert_eq!(verifying.await, Ok(true));
            occupied.await.unwrap().unwrap();
        });
    }
}
