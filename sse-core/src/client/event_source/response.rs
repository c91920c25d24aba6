//! Inputs from outside: the response, from a foreign HTTP client or from the bytes of a connection, and
//! how it is judged.

use std::time::{Duration, Instant};

use ::http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::{
    super::{
        End, Failure, Loss,
        state::{Answer, State, Verdict},
        target::is_redirect,
    },
    EventSource,
    transitions::Step,
};
#[cfg(feature = "compression")]
use crate::http::KnownCoding;
use crate::http::{BodyReader, Framing, ResponseHeadError, content_codings, is_event_stream};

impl EventSource {
    /// Handles the response's head from the foreign HTTP client that was given the request by
    /// [`take_request`](Self::take_request). The body follows with [`handle_body`](Self::handle_body).
    ///
    /// The foreign client must not follow redirects, because it could send credentials along; the event
    /// source follows them. Interim responses (1xx) are ignored.
    pub fn handle_response(&mut self, now: Instant, response: Response<()>) {
        let is_awaited = matches!(
            &self.state,
            State::Requesting(requesting) if matches!(requesting.answer, Answer::Foreign)
        );
        if !is_awaited {
            return;
        }
        match response.status() {
            StatusCode::SWITCHING_PROTOCOLS => {
                self.lose(
                    now,
                    Loss::BadHead(ResponseHeadError::SwitchedProtocols),
                    None,
                );
            }
            status if status.is_informational() => {}
            _ => {
                self.judge(now, response, BodyReader::new(Framing::CloseDelimited));
                self.receive(now, &[]);
            }
        }
    }

    /// Handles bytes of the response's body, without transfer framing, from the foreign HTTP client. They
    /// are otherwise handled as by [`handle_input`](Self::handle_input).
    pub fn handle_body(&mut self, now: Instant, bytes: &[u8]) {
        self.receive(now, bytes);
    }

    /// Reports that the response's body is complete. A body that broke off is a [transport
    /// error](Self::handle_transport_error).
    pub fn handle_body_end(&mut self, now: Instant) {
        self.end(now, Loss::Ended);
    }

    /// Changes the state as the response demands.
    pub(super) fn judge(&mut self, now: Instant, response: Response<()>, body: BodyReader) {
        let status = response.status();
        if status == StatusCode::NO_CONTENT {
            return self.over(Ok(End::NoContent));
        }
        if is_redirect(status) {
            return self.follow(now, &response);
        }
        let is_retried = self.config.retry_statuses.contains(&status);
        if status == StatusCode::OK && !is_retried && is_event_stream(response.headers()) {
            return self.open(now, response, body);
        }
        let verdict = Verdict {
            loss: match status {
                StatusCode::OK => Loss::ContentType,
                _ => Loss::Status,
            },
            is_final: !is_retried && !self.asks_after_unexpected(),
            retry_after: retry_after(&response),
        };
        let response = Box::new(response);
        self.step(Step::Unexpected {
            verdict,
            response,
            body,
        });
    }

    /// Counts a response that is not an event stream, and returns whether the application may prepare
    /// another attempt.
    fn asks_after_unexpected(&mut self) -> bool {
        self.unexpected_responses = self.unexpected_responses.saturating_add(1);
        self.prepares && self.unexpected_responses < self.config.max_unexpected_responses
    }

    fn open(&mut self, now: Instant, response: Response<()>, body: BodyReader) {
        if let Some(coding) = self.refused_coding(response.headers()) {
            return self.over(Err(Failure::ContentCoding(coding.clone())));
        }
        self.decoder.restart();
        self.unexpected_responses = 0;
        self.last_loss = None;
        self.has_been_open = true;
        if self.config.resume_by_get {
            self.target.become_get();
        }
        let response = Box::new(response);
        self.step(Step::Opened {
            now,
            response,
            body,
        });
    }

    /// Returns the content coding that the event source does not decode, if there is one. It decodes one
    /// coding, and not a second one below it.
    fn refused_coding<'r>(&self, headers: &'r HeaderMap) -> Option<&'r HeaderValue> {
        let mut codings = content_codings(headers);
        let first = codings.next()?;
        #[cfg(feature = "compression")]
        if self.config.accept_gzip && KnownCoding::of(first).is_some() {
            return codings.next();
        }
        Some(first)
    }

    /// Follows a redirect, if that is possible.
    fn follow(&mut self, now: Instant, response: &Response<()>) {
        if self.redirects >= self.config.max_redirects {
            return self.lose(now, Loss::TooManyRedirects, None);
        }
        self.redirects += 1;
        let location = response.headers().get(header::LOCATION);
        match self.target.redirect(response.status(), location) {
            Err(error) => self.over(Err(Failure::Redirect(error))),
            Ok(()) => self.step(Step::Redirected),
        }
    }

    /// Ends the wait for an unexpected response's body, of which the wanted part has come, or all there
    /// is.
    pub(super) fn end_unexpected(&mut self, now: Instant) {
        if let State::Unexpected(unexpected) = &mut self.state {
            let loss = unexpected.loss();
            match unexpected.verdict {
                Verdict { is_final: true, .. } => self.over(Err(Failure::of(loss))),
                Verdict { retry_after, .. } => self.lose(now, loss, retry_after),
            }
        }
    }
}

/// Returns how long the response asks to wait: in seconds, or until a date, which is compared with the
/// response's own `Date` ([RFC 9110 section
/// 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)).
fn retry_after(response: &Response<()>) -> Option<Duration> {
    let field = |name| response.headers().get(name)?.to_str().ok();
    let value = field(header::RETRY_AFTER)?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number too large for a `u64` is a very long time.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let then = httpdate::parse_http_date(value).ok()?;
    let now = httpdate::parse_http_date(field(header::DATE)?).ok()?;
    then.duration_since(now).ok()
}
