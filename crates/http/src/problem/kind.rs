//! The table of all problems: code, status, words, and what to do next.

use actix_web::http::StatusCode;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $code:literal $status:ident $title:literal, $detail:literal, $advice:literal;)*) => {
        /// Every kind of problem that a client can meet.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum ProblemKind {
            $($(#[$doc])* $kind,)*
        }

        impl ProblemKind {
            /// All of them.
            pub(super) const ALL: &[Self] = &[$(Self::$kind),*];

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

            /// What to do about it.
            pub(super) fn advice(self) -> &'static str {
                match self { $(Self::$kind => $advice,)* }
            }
        }
    };
}

kinds! {
    /// The body is not JSON.
    MalformedJson "malformed_json" BAD_REQUEST "The body is not JSON", "The body could not be read as JSON.",
        "Send well-formed JSON in UTF-8; the detail names the line and column where it stops being that.";
    /// The request cannot be read.
    MalformedRequest "malformed_request" BAD_REQUEST "The request cannot be read", "The request could not be read to its end.",
        "Look at the header that is named, if one is; else send the request again, whole.";
    /// The body is not what its `Content-Encoding` says.
    MalformedEncoding "malformed_encoding" BAD_REQUEST "The body cannot be inflated", "The body could not be inflated: it is broken off, corrupt or followed by something, or (zstd) needs a window of more than 8 MiB.",
        "Pack the body again as Content-Encoding says, or send it as it is without that header.";
    /// No access token, or not a good one.
    Unauthenticated "unauthenticated" UNAUTHORIZED "Sign in first", "A valid access token or API key is needed: Authorization: Bearer <token>.",
        "Sign in, or refresh the session, and send the new access token. Do not try again with the same one.";
    /// Sign-in or refresh that failed.
    InvalidCredentials "invalid_credentials" UNAUTHORIZED "The credentials are not right", "The e-mail address or the password is wrong.",
        "Check what was typed. A refresh token is good once: sign in again where it was used before.";
    /// No device key, or not a good one.
    InvalidDeviceKey "invalid_device_key" UNAUTHORIZED "The device key is not right", "The key of a device is needed: X-Device-Key: rdk_….",
        "Send the key that the device was provisioned with. One that is lost cannot be shown again: provision the device anew.";
    /// An API key, where only a user in a session will do.
    SessionRequired "session_required" FORBIDDEN "A session is required", "An API key cannot do this: sign in, and use the access token.",
        "Sign in, and send the access token in the place of the API key.";
    /// An API key that was not made for this.
    InsufficientScope "insufficient_scope" FORBIDDEN "The API key lacks a scope", "The API key does not have the scope that this needs.",
        "Make an API key with the scope that the detail names; those of a key never change.";
    /// The device's owner has disabled it.
    DeviceDisabled "device_disabled" FORBIDDEN "The device is disabled", "Its owner has disabled this device; its readings are not taken.",
        "Keep the readings until the owner enables the device again, with PATCH and enabled: true.";
    /// There is no such thing, or it is someone else's.
    NotFound "not_found" NOT_FOUND "Not found", "There is nothing here.",
        "Check the path and the identifiers in it, and whose access token it is: what belongs to others is not found.";
    /// The path has no such method.
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED "The method is not allowed here", "The path does not have this method; see the Allow header.",
        "Use one of the methods that the Allow header names.";
    /// None of the media types that there are would do.
    NotAcceptable "not_acceptable" NOT_ACCEPTABLE "No media type would do", "There is no media type that the Accept header allows.",
        "Ask for one of the media types that the detail names, or leave the Accept header out.";
    /// The body did not arrive in time.
    RequestTimeout "request_timeout" REQUEST_TIMEOUT "The request took too long", "The body did not arrive in time.",
        "Send the body faster, or in smaller pieces: it has to be there 20 seconds after its head.";
    /// Someone has signed up with this address.
    EmailTaken "email_taken" CONFLICT "The e-mail address is taken", "Someone has signed up with this e-mail address.",
        "Sign in instead, or sign up with another address.";
    /// There is nothing to verify any more.
    EmailAlreadyVerified "email_already_verified" CONFLICT "The e-mail address is verified", "The e-mail address of this user is verified already.",
        "Nothing is to be done.";
    /// The alert is over.
    AlertAlreadyResolved "alert_already_resolved" CONFLICT "The alert is already resolved", "The alert is already resolved.",
        "Nothing is to be done: read the alert to see when and why it ended.";
    /// The thing has another version than the request is meant for.
    PreconditionFailed "precondition_failed" PRECONDITION_FAILED "It has changed since", "It is no longer what the request is meant for; nothing was done.",
        "Read the thing again, decide whether the change is still right, and send it with the new ETag. Nothing was done.";
    /// The request has to say what it is meant for.
    PreconditionRequired "precondition_required" PRECONDITION_REQUIRED "Say what you have seen", "The request has to name in If-Match what it is meant for.",
        "Read the thing, and send its ETag as If-Match; or send If-Match: * to mean it whatever is there.";
    /// Another value is stored for this metric and time.
    ReadingConflict "reading_conflict" CONFLICT "Another value is stored", "A reading of this metric at this time is stored with another value.",
        "Do not try again: the value that is stored stays. Send a correction with another time or under another metric.";
    /// A request with the same key is being done.
    IdempotencyInFlight "idempotency_in_flight" CONFLICT "The same request is being done", "A request with this Idempotency-Key is being done right now: try again to hear what became of it.",
        "Wait for the seconds of Retry-After, and send the same again with the same key.";
    /// The key was sent with another request.
    IdempotencyMismatch "idempotency_mismatch" UNPROCESSABLE_ENTITY "The key stands for another request", "This Idempotency-Key was sent with another method, path or body within the last 24 hours: take a new key for a new request.",
        "Take a new key for a new request, and send the same request again with the key that it had.";
    /// The body is too large, or has too many readings.
    PayloadTooLarge "payload_too_large" PAYLOAD_TOO_LARGE "The body is too large", "The body is too large.",
        "Send less at a time: at most 10,000 readings or 1,000 devices and 1 MiB, and 64 KiB of anything else.";
    /// The content type or encoding is none that is taken here.
    UnsupportedMediaType "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE "The content type is not supported", "The body must be application/json.",
        "Say in Content-Type what the body is, and use one of the types and codings of this operation.";
    /// The request is well formed but not valid.
    ValidationFailed "validation_failed" UNPROCESSABLE_ENTITY "The request is not valid", "The request is not valid.",
        "Correct what errors names, by a JSON pointer into the body or by parameter. The same request is refused again.";
    /// A user who is signed in gave a wrong password.
    WrongPassword "wrong_password" UNPROCESSABLE_ENTITY "The password is not right", "The password is not that of the user; nothing was changed.",
        "Ask for the password again; a user who has forgotten it can have it reset.";
    /// A mailed token that is not good, or not any more.
    InvalidToken "invalid_token" UNPROCESSABLE_ENTITY "The token is not valid", "The token is not valid: it was used before, has expired, or was never mailed.",
        "Ask for another mail, and use the link of the latest one.";
    /// Not one reading of a batch was stored or stored before.
    NoUsableReading "no_usable_reading" UNPROCESSABLE_ENTITY "No reading could be taken", "Not one reading of the batch could be taken.",
        "Correct the readings as errors says of each; those that are retryable may be sent again later.";
    /// More readings than the quota of the device or of its owner allows now.
    RateLimited "rate_limited" TOO_MANY_REQUESTS "Too many readings", "More readings than the quota allows; nothing was stored.",
        "Wait for the seconds of Retry-After, and send the same again; send fewer readings a second.";
    /// Too much was tried that can be guessed.
    TooManyAttempts "too_many_attempts" TOO_MANY_REQUESTS "Too many attempts", "Too many attempts; try again later.",
        "Wait for the seconds of Retry-After. A password that is forgotten can be reset by mail.";
    /// A reading of an atomic batch was refused, so that none was stored.
    AtomicRefused "atomic_refused" UNPROCESSABLE_ENTITY "Nothing of the batch was stored", "The batch was to be stored as a whole or not at all, and some of its readings were refused.",
        "Correct or leave out the readings that errors names, and send the batch again; or send it without atomic.";
    /// Too much waits already.
    Overloaded "overloaded" SERVICE_UNAVAILABLE "The service is overloaded", "Too many requests wait already; nothing was stored.",
        "Wait for the seconds of Retry-After and a little by chance, and send the same again.";
    /// The database cannot be reached.
    Unavailable "unavailable" SERVICE_UNAVAILABLE "The service is unavailable", "The service cannot do this now. Trying again is harmless.",
        "Wait for the seconds of Retry-After, and send the same again, with longer pauses each time.";
    /// A query ran into its time limit.
    QueryTimeout "query_timeout" SERVICE_UNAVAILABLE "The query took too long", "The query was cut by its time limit: ask for a shorter range or fewer metrics.",
        "Ask for a shorter range, fewer devices or metrics, or whole hours; or try again when there is less to do.";
    /// A defect of the service.
    Internal "internal" INTERNAL_SERVER_ERROR "Something went wrong", "The service failed; the request id finds the reason in its log.",
        "Try again once; where it stays, tell those who run the service the request id.";
}

impl ProblemKind {
    /// Where it is explained, which is what identifies it (RFC 9457, section 3.1.1): relative to the service that
    /// answered, so that it leads somewhere by whatever name that is reached.
    pub(super) fn page(self) -> String {
        format!("/problems/{}", self.code())
    }

    /// Seconds after which to try again, where that makes sense and nothing more precise is known.
    pub(super) fn retry_after(self) -> Option<u64> {
        let later = [
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::TOO_MANY_REQUESTS,
        ];
        let is_later = later.contains(&self.status()) || self == Self::IdempotencyInFlight;
        is_later.then_some(1)
    }

    /// Whether the same request may go well later, without anything having been done about it.
    pub(super) fn is_retryable(self) -> bool {
        self.retry_after().is_some() || self.status() == StatusCode::REQUEST_TIMEOUT
    }

    /// How to authenticate (RFC 9110, section 11.6.1), where that was what failed.
    pub(super) fn challenge(self) -> Option<&'static str> {
        if self == Self::InvalidDeviceKey {
            return Some("X-Device-Key");
        }
        (self.status() == StatusCode::UNAUTHORIZED).then_some("Bearer")
    }
}
