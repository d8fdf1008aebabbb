//! The table of all problems: code, status, words, and what to do next.

use actix_web::http::StatusCode;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $code:literal $status:ident $title:literal, $detail:literal;)*) => {
        /// Every kind of problem that a client can meet.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum ProblemKind {
            $($(#[$doc])* $kind,)*
        }

        impl ProblemKind {
            /// The stable word for programs.
            pub(crate) fn code(self) -> &'static str {
                match self { $(Self::$kind => $code,)* }
            }

            /// The status of the answer.
            pub(crate) fn status(self) -> StatusCode {
                match self { $(Self::$kind => StatusCode::$status,)* }
            }

            /// The kind of problem in words.
            pub(crate) fn title(self) -> &'static str {
                match self { $(Self::$kind => $title,)* }
            }

            /// What happened, where there is nothing more precise to say.
            pub(super) fn usual_detail(self) -> &'static str {
                match self { $(Self::$kind => $detail,)* }
            }
        }
    };
}

kinds! {
    /// The body is not JSON.
    MalformedJson "malformed_json" BAD_REQUEST "The body is not JSON", "The body could not be read as JSON.";
    /// The request cannot be read.
    MalformedRequest "malformed_request" BAD_REQUEST "The request cannot be read", "The request could not be read to its end.";
    /// The body is not what its `Content-Encoding` says.
    MalformedEncoding "malformed_encoding" BAD_REQUEST "The body cannot be inflated", "The body could not be inflated: it is broken off, corrupt or followed by something, or (zstd) needs a window of more than 8 MiB.";
    /// No access token, or not a good one.
    Unauthenticated "unauthenticated" UNAUTHORIZED "Sign in first", "A valid access token or API key is needed: Authorization: Bearer <token>.";
    /// Sign-in or refresh that failed.
    InvalidCredentials "invalid_credentials" UNAUTHORIZED "The credentials are not right", "The e-mail address or the password is wrong.";
    /// No device key, or not a good one.
    InvalidDeviceKey "invalid_device_key" UNAUTHORIZED "The device key is not right", "The key of a device is needed: X-Device-Key: rdk_….";
    /// An API key, where only a user in a session will do.
    SessionRequired "session_required" FORBIDDEN "A session is required", "An API key cannot do this: sign in, and use the access token.";
    /// An API key that was not made for this.
    InsufficientScope "insufficient_scope" FORBIDDEN "The API key lacks a scope", "The API key does not have the scope that this needs.";
    /// The device's owner has disabled it.
    DeviceDisabled "device_disabled" FORBIDDEN "The device is disabled", "Its owner has disabled this device; its readings are not taken.";
    /// There is no such thing, or it is someone else's.
    NotFound "not_found" NOT_FOUND "Not found", "There is nothing here.";
    /// The path has no such method.
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED "The method is not allowed here", "The path does not have this method; see the Allow header.";
    /// None of the media types that there are would do.
    NotAcceptable "not_acceptable" NOT_ACCEPTABLE "No media type would do", "There is no media type that the Accept header allows.";
    /// The body did not arrive in time.
    RequestTimeout "request_timeout" REQUEST_TIMEOUT "The request took too long", "The body did not arrive in time.";
    /// Someone has signed up with this address.
    EmailTaken "email_taken" CONFLICT "The e-mail address is taken", "Someone has signed up with this e-mail address.";
    /// There is nothing to verify any more.
    EmailAlreadyVerified "email_already_verified" CONFLICT "The e-mail address is verified", "The e-mail address of this user is verified already.";
    /// The alert is over.
    AlertAlreadyResolved "alert_already_resolved" CONFLICT "The alert is already resolved", "The alert is already resolved.";
    /// Another value is stored for this metric and time.
    ReadingConflict "reading_conflict" CONFLICT "Another value is stored", "A reading of this metric at this time is stored with another value.";
    /// A request with the same key is being done.
    IdempotencyInFlight "idempotency_in_flight" CONFLICT "The same request is being done", "A request with this Idempotency-Key is being done right now: try again to hear what became of it.";
    /// The key was sent with another request.
    IdempotencyMismatch "idempotency_mismatch" UNPROCESSABLE_ENTITY "The key stands for another request", "This Idempotency-Key was sent with another method, path or body within the last 24 hours: take a new key for a new request.";
    /// The body is too large, or has too many readings.
    PayloadTooLarge "payload_too_large" PAYLOAD_TOO_LARGE "The body is too large", "The body is too large.";
    /// The content type or encoding is none that is taken here.
    UnsupportedMediaType "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE "The content type is not supported", "The body must be application/json.";
    /// The request is well formed but not valid.
    ValidationFailed "validation_failed" UNPROCESSABLE_ENTITY "The request is not valid", "The request is not valid.";
    /// A user who is signed in gave a wrong password.
    WrongPassword "wrong_password" UNPROCESSABLE_ENTITY "The password is not right", "The password is not that of the user; nothing was changed.";
    /// A mailed token that is not good, or not any more.
    InvalidToken "invalid_token" UNPROCESSABLE_ENTITY "The token is not valid", "The token is not valid: it was used before, has expired, or was never mailed.";
    /// Not one reading of a batch was stored or stored before.
    NoUsableReading "no_usable_reading" UNPROCESSABLE_ENTITY "No reading could be taken", "Not one reading of the batch could be taken.";
    /// More readings than the quota of the device or of its owner allows now.
    RateLimited "rate_limited" TOO_MANY_REQUESTS "Too many readings", "More readings than the quota allows; nothing was stored.";
    /// A reading of an atomic batch was refused, so that none was stored.
    AtomicRefused "atomic_refused" UNPROCESSABLE_ENTITY "Nothing of the batch was stored", "The batch was to be stored as a whole or not at all, and some of its readings were refused.";
    /// Too much waits already.
    Overloaded "overloaded" SERVICE_UNAVAILABLE "The service is overloaded", "Too many requests wait already; nothing was stored.";
    /// The database cannot be reached.
    Unavailable "unavailable" SERVICE_UNAVAILABLE "The service is unavailable", "The service cannot do this now. Trying again is harmless.";
    /// A query ran into its time limit.
    QueryTimeout "query_timeout" SERVICE_UNAVAILABLE "The query took too long", "The query was cut by its time limit: ask for a shorter range or fewer metrics.";
    /// A defect of the service.
    Internal "internal" INTERNAL_SERVER_ERROR "Something went wrong", "The service failed; the request id finds the reason in its log.";
}

impl ProblemKind {
    /// Seconds after which to try again, where that makes sense and nothing more precise is known.
    pub(super) fn retry_after(self) -> Option<u64> {
        let later = [
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::TOO_MANY_REQUESTS,
        ];
        let is_later = later.contains(&self.status()) || self == Self::IdempotencyInFlight;
        is_later.then_some(1)
    }

    /// How to authenticate (RFC 9110, section 11.6.1), where that was what failed.
    pub(super) fn challenge(self) -> Option<&'static str> {
        if self == Self::InvalidDeviceKey {
            return Some("X-Device-Key");
        }
        (self.status() == StatusCode::UNAUTHORIZED).then_some("Bearer")
    }
}
