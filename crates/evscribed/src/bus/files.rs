//! Reads files for those who ask, on a thread of its own: what takes long for one
//! holds up nobody else's pause.

use async_channel::{Sender, bounded};
use evscribe_sink::background;

use super::ask::Reply;
use super::call::Refusal;

type Job = Box<dyn FnOnce() + Send>;

/// Who asks while so many wait, waits at the bus.
const JOBS: usize = 16;

/// The end of the bus.
#[derive(Clone)]
pub(super) struct Files(Sender<Job>);

impl Files {
    /// Starts the thread, which lives as long as this does.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub(super) fn start() -> std::io::Result<Self> {
        let (jobs, work) = bounded::<Job>(JOBS);
        let work = move || {
            while let Ok(job) = work.recv_blocking() {
                job();
            }
        };
        background::spawn("evscribe-files", work)?;
        Ok(Self(jobs))
    }

    /// What `read` returns.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Reply<T> {
        let gone =
            || Refusal::Failed("the thread that reads files ended; restart evscribed".into());
        let (reply, answer) = bounded(1);
        // Whoever asked may be gone.
        let job = Box::new(move || drop(reply.try_send(read())));
        self.0.send(job).await.map_err(|_| gone())?;
        answer.recv().await.map_err(|_| gone())
    }
}
