//! Verifications over HTTP: tokens by mail, and what can be done with them.

use crate::{
    auth::{User, network},
    body::Json,
    problem::{
        AuthProblems, BodyProblems, EmailVerifiedProblem, FieldError, MailedTokenProblems, Problem,
        ProblemKind, ServerProblems, ThrottleProblem,
    },
    state::{AppState, nonce, random_bits},
    throttle::{forgive, guard},
    user::weak,
};
use actix_web::{HttpRequest, HttpResponse, post, web::Data};
use domain::{
    Timestamp,
    mail::{MailId, NewMail},
    throttle::{Account, Attempt},
    user::Email,
    verification::{PasswordReset, Purpose, VerificationToken},
};
use persistence::{mail, session, verification};
use serde::Deserialize;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

/// Whose password is to be reset.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordResetRequest {
    /// Address that the user signed up with.
    email: Email,
}

/// A token that was mailed.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct EmailVerification {
    /// The token of the mail.
    #[schema(format = Password, example = "rvt_7Qk4bJ0vZ5mW8xY1cT3nL6pR9sD2fG4hK7jM0qB5uVaXeIo2dPiSw9")]
    token: String,
}

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(verification_request_password_reset)
        .service(verification_reset_password)
        .service(verification_send_email)
        .service(verification_verify_email);
}

/// Ask for a mail to reset a password with
///
/// The answer is the same, and takes the same time, whether there is such a user or not. The mail brings a token
/// that is good for an hour. At most five such mails an hour are sent to a user; further requests change nothing.
#[utoipa::path(
    tag = "auth",
    security(()),
    request_body = PasswordResetRequest,
    responses(
        (status = ACCEPTED, description = "A mail is on its way, if there is such a user"),
        BodyProblems,
        ThrottleProblem,
        ServerProblems
    )
)]
#[post("/auth/request-password-reset")]
async fn verification_request_password_reset(
    request: HttpRequest,
    state: Data<AppState>,
    body: Json<PasswordResetRequest>,
) -> Result<HttpResponse, Problem> {
    let email = body.0.email;
    let account = Account::of(email.as_str());
    let attempt = Attempt::RequestReset(account, network(&state, &request));
    // Nobody looks up the address here: whoever sends the mail does, so there is nothing that time could tell.
    let (purpose, now) = (Purpose::ResetPassword, state.clock.now());
    guard(&state, attempt, send(&state, purpose, email, now)).await
}

/// Choose a new password with a mailed token
///
/// The token is used up, others of the user are void, and all sessions and API keys of the user end. Of parallel
/// attempts with one token one wins. The mail reached its address, so that is verified, too.
#[utoipa::path(
    tag = "auth",
    security(()),
    request_body = PasswordReset,
    responses(
        (status = NO_CONTENT, description = "The password is the new one; sign in with it"),
        MailedTokenProblems,
        ThrottleProblem,
        ServerProblems
    )
)]
#[post("/auth/reset-password")]
async fn verification_reset_password(
    request: HttpRequest,
    state: Data<AppState>,
    body: Json<PasswordReset>,
) -> Result<HttpResponse, Problem> {
    let attempt = Attempt::MailedToken(network(&state, &request));
    let email = guard(&state, attempt, reset_password(&state, body.0)).await?;
    forgive(&state, &request, &email).await;
    Ok(HttpResponse::NoContent().finish())
}

/// Resets the password, and answers whose it is.
async fn reset_password(state: &AppState, reset: PasswordReset) -> Result<Email, Problem> {
    let PasswordReset {
        token,
        new_password,
    } = reset;
    let token = VerificationToken::parse(&token).map_err(|_| invalid_token())?;
    // Looked at first, since a password takes long to hash; whether it is still good then is decided below.
    let purpose = Purpose::ResetPassword;
    let found = verification::find_email(&state.db, purpose, &token, state.clock.now()).await?;
    let email = found.ok_or_else(invalid_token)?;
    new_password
        .check_for(&email)
        .map_err(|error| weak("/new_password", error))?;
    let password = new_password.as_bytes().to_vec();
    let hash = state.passwords.hash(password).await?;
    let now = state.clock.now();
    let ended = verification::reset_password(&state.db, &token, &hash, now).await?;
    let ended = ended.ok_or_else(invalid_token)?;
    state.sessions.end(ended.sessions);
    for key in ended.api_keys {
        state.api_keys.revoke(key);
    }
    Ok(email)
}

/// Ask for a mail to verify the address with
///
/// One is sent at sign-up. The mail brings a token that is good for 24 hours. At most five such mails an hour are
/// sent to a user; further requests change nothing.
#[utoipa::path(
    tag = "auth",
    responses(
        (status = ACCEPTED, description = "A mail is on its way"),
        AuthProblems,
        EmailVerifiedProblem,
        ServerProblems
    )
)]
#[post("/auth/send-verification-email")]
async fn verification_send_email(
    user: User,
    state: Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let found = session::find(&state.db, user.owner, user.session, now).await?;
    let (person, _) = found.ok_or_else(|| Problem::new(ProblemKind::Unauthenticated))?;
    if person.email_verified_at.is_some() {
        return Err(Problem::new(ProblemKind::EmailAlreadyVerified));
    }
    send(&state, Purpose::VerifyEmail, person.email, now).await
}

/// Verify an address with a mailed token
///
/// Doing it again with the same token changes nothing and is answered in the same way, until the token expires.
#[utoipa::path(
    tag = "auth",
    security(()),
    request_body = EmailVerification,
    responses(
        (status = NO_CONTENT, description = "The address is verified"),
        MailedTokenProblems,
        ThrottleProblem,
        ServerProblems
    )
)]
#[post("/auth/verify-email")]
async fn verification_verify_email(
    request: HttpRequest,
    state: Data<AppState>,
    body: Json<EmailVerification>,
) -> Result<HttpResponse, Problem> {
    guard(
        &state,
        Attempt::MailedToken(network(&state, &request)),
        async {
            let token = VerificationToken::parse(&body.0.token).map_err(|_| invalid_token())?;
            let is_good = verification::verify_email(&state.db, &token, state.clock.now()).await?;
            is_good
                .then(|| HttpResponse::NoContent().finish())
                .ok_or_else(invalid_token)
        },
    )
    .await
}

/// Leaves a mail with a token to be sent.
///
/// 202 is what RFC 9110 (section 15.3.3) has for an answer that is noncommittal on purpose.
async fn send(
    state: &AppState,
    purpose: Purpose,
    to: Email,
    now: Timestamp,
) -> Result<HttpResponse, Problem> {
    let mail = mail_with_token(state, purpose, to)?;
    if mail::insert(&state.db, &mail, now).await? {
        Ok(HttpResponse::Accepted().finish())
    } else {
        let detail = "Too many mails wait to be sent already; this one was not taken.";
        Err(Problem::with_detail(ProblemKind::Overloaded, detail))
    }
}

/// A mail that brings a new token.
pub(crate) fn mail_with_token(
    state: &AppState,
    purpose: Purpose,
    to: Email,
) -> Result<NewMail, Problem> {
    let id = MailId(Uuid::now_v7());
    let token = VerificationToken::new(random_bits()?);
    NewMail::with_token(id, purpose, to, &token, &state.sealer, nonce()?)
        .map_err(|error| Problem::new(ProblemKind::Internal).because(error))
}

/// The one answer for tokens that are used, expired, void, of another purpose, or none.
fn invalid_token() -> Problem {
    let kind = ProblemKind::InvalidToken;
    let detail = "is not valid: it was used before, has expired, or was never mailed";
    Problem::new(kind).and(FieldError::at_pointer(
        "/token".to_owned(),
        "invalid_token",
        detail.to_owned(),
    ))
}
