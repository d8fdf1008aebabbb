//! Equal questions that wait at the same moment are answered once.
//!
//! A question is joined only as long as it has not begun. Whoever joins has asked before its snapshot is taken, so the
//! answer is as true for them as one of their own would be.

use crate::{
    conditional::Tagged,
    problem::{Problem, ProblemKind},
};
use actix_web::HttpRequest;
use domain::user::UserId;
use persistence::session::OwnerId;
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Semaphore, SemaphorePermit, watch};

type Answer = Result<Tagged, Problem>;
type Telling = watch::Receiver<Option<Answer>>;

/// Who asks, and what, as it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Question(UserId, String);

impl Question {
    pub(super) fn new(owner: OwnerId, request: &HttpRequest) -> Self {
        Self(owner.user_id(), request.uri().to_string())
    }
}

/// Questions that wait for their turn.
#[derive(Debug)]
pub(crate) struct Shared {
    turns: Semaphore,
    waiting: Mutex<HashMap<Question, Telling>>,
}

/// A question that others may still join. Dropping it has them wait for nothing more.
#[derive(Debug)]
pub(super) struct Open<'a> {
    shared: &'a Shared,
    question: Question,
}

impl Shared {
    /// For so many questions at once, at least one: more than there are connections would only wait for these.
    pub(crate) fn new(turns: usize) -> Arc<Self> {
        Arc::new(Self {
            turns: Semaphore::new(turns.max(1)),
            waiting: Mutex::default(),
        })
    }

    /// The answer to a question: that of an equal one which has not begun yet, or what is found out now. What is
    /// found out must be so after [`Open::begin`].
    pub(super) async fn answer(
        &self,
        question: Question,
        find_out: impl AsyncFnOnce(Open<'_>) -> Answer,
    ) -> Answer {
        let (tell, answer) = watch::channel(None);
        if let Some(other) = self.join(&question, answer) {
            return told(other).await;
        }
        let open = Open {
            shared: self,
            question,
        };
        let answer = find_out(open).await;
        tell.send_replace(Some(answer.clone()));
        answer
    }

    /// An equal question that has not begun yet; where there is none, others may join this one.
    fn join(&self, question: &Question, answer: Telling) -> Option<Telling> {
        match self.waiting().entry(question.clone()) {
            Entry::Occupied(other) => Some(other.get().clone()),
            Entry::Vacant(free) => {
                free.insert(answer);
                None
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Question, Telling>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for what another one finds out, who only fails to tell when it panics.
async fn told(mut other: Telling) -> Answer {
    match other.wait_for(Option::is_some).await {
        Ok(answer) => answer.clone().unwrap_or_else(nothing),
        Err(_) => nothing(),
    }
}

fn nothing() -> Answer {
    Err(Problem::new(ProblemKind::Internal))
}

impl<'a> Open<'a> {
    /// Waits for a turn. From then on nobody joins any more.
    pub(super) async fn begin(self) -> Option<SemaphorePermit<'a>> {
        // Never closed.
        self.shared.turns.acquire().await.ok()
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.shared.waiting().remove(&self.question);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join_all;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::{join, sync::Notify};
    use uuid::Uuid;

    fn question(text: &str) -> Question {
        Question(UserId(Uuid::nil()), text.to_owned())
    }

    #[tokio::test]
    async fn equal_questions_that_wait_are_answered_once() {
        let shared = Shared::new(1);
        let (runs, release) = (AtomicUsize::new(0), Notify::new());
        let ask = |text: &'static str| {
            shared.answer(question(text), async |open| {
                let _turn = open.begin().await;
                let run = runs.fetch_add(1, Ordering::Relaxed);
                if run == 0 {
                    release.notified().await;
                }
                Tagged::new(&run)
            })
        };
        let first = ask("a");
        let others = async {
            let equal = join_all((0..9).map(|_| ask("a")));
            let (equal, other, ()) = join!(equal, ask("b"), async { release.notify_one() });
            (equal, other)
        };
        let (first, (equal, other)) = join!(first, others);
        let bodies = |answer: Answer| answer.unwrap().body().to_vec();
        // The first had begun when the others asked; those share one answer, which is not its.
        assert_eq!(bodies(first), b"0");
        assert!(equal.into_iter().map(bodies).all(|it| it == b"1"));
        assert_eq!(bodies(other), b"2");
        assert!(shared.waiting().is_empty());
    }

    #[tokio::test]
    async fn what_is_refused_before_it_begins_is_refused_for_all_and_forgotten() {
        let shared = Shared::new(1);
        let ask = || {
            shared.answer(question("a"), async |_open| {
                tokio::task::yield_now().await;
                Err(Problem::new(ProblemKind::NotFound))
            })
        };
        let (one, other) = join!(ask(), ask());
        assert!(one.is_err() && other.is_err());
        assert!(shared.waiting().is_empty());
    }

    #[tokio::test]
    async fn one_who_goes_away_leaves_no_question_behind() {
        let shared = Shared::new(1);
        let never = shared.answer(question("a"), async |_open| std::future::pending().await);
        let soon = std::time::Duration::from_millis(1);
        assert!(tokio::time::timeout(soon, never).await.is_err());
        assert!(shared.waiting().is_empty());
    }
}
