//! Errors in a program: passed on by `?`, searched for a cause, and converted to an `io::Error`.

#![allow(clippy::disallowed_methods)] // an `Instant` has to come from somewhere

use std::{
    error::Error,
    io::{self, ErrorKind},
    num::ParseIntError,
    sync::Arc,
    time::{Instant, SystemTime},
};

use futures_util::{FutureExt, StreamExt, stream};
use sse_core::{
    BadData, DecodeError, Decoder, DecoderLimits, Event, EventError, EventId, EventStream,
    EventStreamError, EventType, FromEvent, IntoEvent, InvalidField, MessageEvent, TypedError,
    TypedEvents, WrongPhase,
    client::{
        self, AttemptError, ClientEvent, EventSource, EventSourceConfig, Failure, InvalidRequest,
    },
    http::{RequestHead, RequestHeadError, Response},
    lifecycle::CloseReason,
    server::{self, Connection, ResponseBody},
    topic::{PublishError, SlowConsumer, Topic, TopicConfig},
};

const TICK: EventType = EventType::from_static("tick");
const FIRST: EventId = EventId::from_static("first");

#[test]
fn building_an_event_has_one_error() {
    // Neither closure needs an annotation.
    let texts = |data: &[u8], name: &str| Event::json(data)?.with_event_type(name)?.with_id(name);
    let typed = |data: &[u8]| Event::json(data).map(|event| event.of_type(TICK).under_id(7));
    let event = texts(&[1], "a").unwrap();
    assert_eq!(
        event,
        typed(&[1])
            .unwrap()
            .of_type("a".try_into().unwrap())
            .under_id(EventId::new("a").unwrap())
    );
    assert!(matches!(
        texts(&[1], "a\0"),
        Err(EventError::InvalidField(_))
    ));
}

#[test]
fn literals_numbers_and_typed_values_need_no_result() {
    let event = Event::new("x").of_type(TICK).under_id(FIRST);
    assert_eq!(event.event_type(), Some(&TICK));
    assert_eq!(event.id(), Some(&FIRST));
    assert_eq!(
        event,
        Event::new("x")
            .with_event_type("tick")
            .unwrap()
            .with_id("first")
            .unwrap()
    );
    assert_eq!(Event::new("x").under_id(-7).id().unwrap(), &"-7");
}

#[test]
fn a_static_text_is_valid_exactly_where_a_text_is() {
    for text in ["", " ", "a b", "grüezi 👋", "\x01\t", "\u{2028}"] {
        assert_eq!(EventType::from_static(text), EventType::new(text).unwrap());
        assert_eq!(EventId::from_static(text), EventId::new(text).unwrap());
    }
    for text in ["\r", "a\nb", "a\0"] {
        assert!(std::panic::catch_unwind(|| EventType::from_static(text)).is_err());
        assert!(EventType::new(text).is_err());
    }
}

/// A type with an error of its own, whose data is not JSON.
#[derive(Debug, PartialEq)]
struct Count(u32);

impl FromEvent for Count {
    type Error = ParseIntError;

    fn from_event(event: &MessageEvent) -> Result<Option<Self>, ParseIntError> {
        event.data().parse().map(|count| Some(Self(count)))
    }
}

fn first_error<T: FromEvent>(
    chunk: io::Result<&'static str>,
) -> TypedError<EventStreamError<io::Error>, T::Error> {
    let decoder = Decoder::with_limits(DecoderLimits::default().with_event(4));
    let events = EventStream::with_decoder(stream::iter([chunk]), decoder);
    let mut values = TypedEvents::<_, T>::new(events);
    match values.next().now_or_never().expect("a ready stream") {
        Some(Err(error)) => error,
        _ => panic!("no error"),
    }
}

/// Returns the first error of type `T` among `error` and its causes.
fn cause<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    match error.downcast_ref() {
        Some(error) => Some(error),
        None => cause(error.source()?),
    }
}

fn reset() -> io::Error {
    ErrorKind::ConnectionReset.into()
}

#[test]
fn causes_are_found_however_deep_they_are() {
    let of_transport = first_error::<Count>(Err(reset()));
    let kind = cause::<io::Error>(&of_transport).map(io::Error::kind);
    assert_eq!(kind, Some(ErrorKind::ConnectionReset));
    assert!(cause::<DecodeError>(&first_error::<Count>(Ok("data: 12345\n\n"))).is_some());
    let of_data = first_error::<Count>(Ok("data: x\n\n"));
    assert!(cause::<ParseIntError>(&of_data).is_some());
    let TypedError::Data(of_data) = of_data else {
        panic!("{of_data:?}");
    };
    assert_eq!(of_data.error(), &"x".parse::<u32>().unwrap_err());
    assert_eq!(of_data.event().data(), "x");

    let of_stream = Err::<Event, _>(reset()).into_event().unwrap_err();
    assert!(cause::<io::Error>(&PublishError::from(of_stream)).is_some());
    let of_field = Event::new("x").with_id("\n").unwrap_err();
    assert!(cause::<InvalidField>(&of_field).is_some());
    let of_json = f64::NAN.into_event().unwrap_err();
    assert!(cause::<serde_json::Error>(&of_json).is_some());
}

/// Returns the close reason of a connection whose stream yields `error`.
fn reason_of(error: impl Into<Box<dyn Error + Send + Sync>>) -> CloseReason {
    Err::<Event, _>(error).into_event().unwrap_err().into()
}

#[test]
fn a_close_reason_keeps_the_error_of_the_stream() {
    let reason = reason_of(reset());
    assert_eq!(reason.name(), "stream_error");
    assert_eq!(
        reason.to_string(),
        format!("the stream failed: {}", reset())
    );
    let error = reason
        .clone()
        .error()
        .and_then(|error| error.downcast_ref().map(io::Error::kind));
    assert_eq!(error, Some(ErrorKind::ConnectionReset));

    // It is found within other errors, and within an `io::Error`.
    let of_data = first_error::<Count>(Ok("data: x\n\n"));
    assert!(
        reason_of(io::Error::other(of_data))
            .cause::<ParseIntError>()
            .is_some()
    );
    let of_json = CloseReason::from(f64::NAN.into_event().unwrap_err());
    assert!(of_json.cause::<serde_json::Error>().is_some());
    assert!(of_json.cause::<io::Error>().is_none());

    assert!(reason_of("out of paper").error().is_some());
    assert!(CloseReason::Shutdown.error().is_none());
    assert_eq!(reason_of(SlowConsumer::new(7)), CloseReason::SlowConsumer);
}

#[test]
fn close_reasons_are_equal_where_they_say_the_same() {
    assert_eq!(
        reason_of(reset()),
        CloseReason::StreamError(reset().to_string().into())
    );
    assert_ne!(reason_of("a"), reason_of("b"));
    assert_ne!(reason_of("a"), CloseReason::StreamEnded);
}

#[test]
fn a_wrong_phase_is_the_cause_of_what_the_verbs_return() {
    let (now, date) = (Instant::now(), SystemTime::UNIX_EPOCH);
    let mut connection = Connection::new(now, date, Arc::default());
    let stream = Response::new(ResponseBody::event_stream());
    let response = connection.respond(now, stream).unwrap_err();
    let event = connection.send(now, &Event::new("x")).unwrap_err();
    let finish = connection.finish(now).unwrap_err();
    assert!(cause::<WrongPhase<server::Phase>>(&response).is_some());
    assert_eq!(
        cause::<WrongPhase<server::Phase>>(&event).map(|error| error.call),
        Some("send")
    );
    assert_eq!((finish.call, finish.phase), ("finish", server::Phase::Head));

    let source = EventSource::new("http://a/", EventSourceConfig::default(), 1).unwrap();
    let mut source = source.with_preparation();
    let Some(ClientEvent::Prepare(attempt)) = source.poll_event(now) else {
        panic!("no attempt")
    };
    let mut bad = attempt.clone();
    bad.url = "http://".into();
    let error = source.attempt(now, *bad).unwrap_err();
    assert!(cause::<url::ParseError>(&error).is_some());
    source.attempt(now, *attempt.clone()).unwrap();
    let error = source.attempt(now, *attempt).unwrap_err();
    assert!(matches!(error, AttemptError::WrongPhase(_)));
    assert!(cause::<WrongPhase<client::Phase>>(&error).is_some());
}

#[test]
fn an_error_converts_to_an_io_error_that_keeps_it() {
    fn kind_and_cause<T: Error + 'static>(error: impl Into<io::Error>) -> (ErrorKind, bool) {
        let error = error.into();
        let kept = error
            .get_ref()
            .is_some_and(|inner| cause::<T>(inner).is_some());
        (error.kind(), kept)
    }

    // An error that was an `io::Error` becomes that one again.
    let of_stream = Err::<Event, _>(reset()).into_event().unwrap_err();
    let again = io::Error::from(PublishError::from(of_stream));
    assert_eq!(again.kind(), ErrorKind::ConnectionReset);
    let again = io::Error::from(first_error::<Count>(Err(reset())));
    assert_eq!(again.kind(), ErrorKind::ConnectionReset);

    let kept = |kind: ErrorKind| (kind, true);
    let of_field = EventId::new("\n").unwrap_err();
    assert_eq!(
        kind_and_cause::<InvalidField>(of_field),
        kept(ErrorKind::InvalidInput)
    );
    let of_event = Event::new("x").with_id("\n").unwrap_err();
    assert_eq!(
        kind_and_cause::<EventError>(of_event),
        kept(ErrorKind::InvalidInput)
    );
    let of_limits = first_error::<Count>(Ok("data: 12345\n\n"));
    assert_eq!(
        kind_and_cause::<DecodeError>(of_limits),
        kept(ErrorKind::InvalidData)
    );
    let of_data = first_error::<Count>(Ok("data: x\n\n"));
    assert_eq!(
        kind_and_cause::<BadData<ParseIntError>>(of_data),
        kept(ErrorKind::InvalidData)
    );
    let without_host = RequestHead::new(http::Request::new(())).unwrap_err();
    assert_eq!(
        kind_and_cause::<RequestHeadError>(without_host),
        kept(ErrorKind::InvalidData)
    );

    let of_url = EventSource::new("nowhere", EventSourceConfig::default(), 1).unwrap_err();
    assert_eq!(
        kind_and_cause::<InvalidRequest>(of_url),
        kept(ErrorKind::InvalidInput)
    );
    let mut once = EventSourceConfig::default();
    once.reconnection = None;
    let (mut source, now) = (
        EventSource::new("http://a/", once, 1).unwrap(),
        Instant::now(),
    );
    let _ = source.poll_event(now);
    source.handle_transport_error(now, reset());
    let failure = std::iter::from_fn(|| source.poll_event(now)).find_map(|event| match event {
        ClientEvent::Closed(Err(failure)) => Some(failure),
        _ => None,
    });
    assert_eq!(
        kind_and_cause::<Failure>(failure.unwrap()),
        kept(ErrorKind::ConnectionReset)
    );

    let topic = Topic::new(TopicConfig::default(), 1, Instant::now);
    topic.close();
    let closed = topic.publish("x").unwrap_err();
    assert_eq!(
        kind_and_cause::<PublishError>(closed),
        kept(ErrorKind::BrokenPipe)
    );
}
