//! Attempts at what can be guessed: charged before they are made, and given back where they do not fail.

use crate::{
    auth::network,
    problem::{Problem, ProblemKind},
    state::AppState,
};
use actix_web::HttpRequest;
use domain::{
    throttle::{Account, Attempt, Charge, Scope, Throttled},
    user::Email,
};
use persistence::throttle as store;

/// Makes an attempt, unless there were too many of its kind: then nothing of it is done, above all
/// nothing that costs, and nothing that tells whether there is such an account.
///
/// Only failures count: a wrong password or token. A charge is taken before, so that of any number of
/// parallel attempts no more are made than the limits allow; whoever goes away before the end, or loses the
/// connection to the database, has spent it.
pub(crate) async fn guard<T>(
    state: &AppState,
    attempt: Attempt,
    work: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    if !state.throttling {
        return work.await;
    }
    let charges = take(state, &attempt).await?;
    let result = work.await;
    if !counts(&attempt, &result)
        && let Err(error) = store::give_back(&state.db, &charges).await
    {
        // It is earned back soon, and no reason to take back what was done.
        let error = &error as &dyn std::error::Error;
        tracing::warn!(
            attempt = attempt.as_str(),
            error,
            "a charge was not given back"
        );
    }
    result
}

/// Notes that a user was on the network of a request, so that strangers who try there passwords do not lock them out.
///
/// Where it cannot be noted the user is answered all the same.
pub(crate) async fn note_familiar(state: &AppState, request: &HttpRequest, email: &Email) {
    if !state.throttling {
        return;
    }
    let network = network(state, request).familiar(&state.sealer);
    let (account, now) = (Account::of(email.as_str()), state.clock.now());
    if let Err(error) = store::note_familiar(&state.db, &account, network, now).await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(error, "a familiar network was not noted");
    }
}

/// Lets a user sign in who has just proved to read their mail, whatever they or strangers have tried before.
pub(crate) async fn forgive(state: &AppState, request: &HttpRequest, email: &Email) {
    if !state.throttling {
        return;
    }
    note_familiar(state, request, email).await;
    let attempt = Attempt::SignIn(Account::of(email.as_str()), network(state, request));
    let mut charges = attempt.charges(&state.sealer);
    // What a network has tried with other accounts goes on counting.
    charges.retain(|it| matches!(it.scope, Scope::Visitor | Scope::Account));
    if let Err(error) = store::forgive(&state.db, &charges).await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(error, "what was tried before was not forgiven");
    }
}

/// Charges an attempt, and answers what it was charged to.
async fn take(state: &AppState, attempt: &Attempt) -> Result<Vec<Charge>, Problem> {
    let now = state.clock.now();
    let mut charges = attempt.charges(&state.sealer);
    let mut taken = store::take(&state.db, &charges, now).await?;
    if let Err(Throttled {
        scope: Scope::Account,
        ..
    }) = taken
        && let Some((account, network)) = attempt.visitor()
        && store::is_familiar(&state.db, account, network.familiar(&state.sealer), now).await?
    {
        charges.retain(|it| it.scope != Scope::Account);
        taken = store::take(&state.db, &charges, now).await?;
    }
    taken.map(|()| charges).map_err(|throttled| {
        let (kind, scope) = (attempt.as_str(), throttled.scope.as_str());
        metrics::counter!("readout_throttled_total", "attempt" => kind, "scope" => scope)
            .increment(1);
        throttled.into()
    })
}

fn counts<T>(attempt: &Attempt, result: &Result<T, Problem>) -> bool {
    match result {
        Ok(_) => attempt.always_counts(),
        Err(problem) if attempt.always_counts() => !problem.kind().status().is_server_error(),
        Err(problem) => [
            ProblemKind::InvalidCredentials,
            ProblemKind::InvalidToken,
            ProblemKind::WrongPassword,
        ]
        .contains(&problem.kind()),
    }
}

impl From<Throttled> for Problem {
    fn from(throttled: Throttled) -> Self {
        let seconds = throttled.seconds();
        let detail = format!("Too many attempts; try again in {seconds} seconds.");
        Self::with_detail(ProblemKind::TooManyAttempts, detail).retry_after(seconds)
    }
}
