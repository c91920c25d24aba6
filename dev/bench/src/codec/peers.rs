//! The codecs of other projects, each used as its documentation says.

use std::{
    convert::Infallible,
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
};

use actix_web::body::MessageBody;
use axum::response::IntoResponse;
use bytes::BytesMut;
use futures_util::stream;
use russe::Encoder as RusseEncoder;
use tokio_util::codec::Encoder as _;

use crate::{
    decode::{Count, Decode, Input, drain},
    encode::{Encode, Parts},
};

pub(crate) const DECODERS: [(&str, Decode); 5] = [
    ("`sse-stream` 0.3", sse_stream),
    ("`sse-core` 0.2", sse_core),
    ("`sse-parse` 0.1", sse_parse),
    ("`sseer` 0.3", sseer),
    ("`eventsource-stream` 0.2", eventsource_stream),
];

pub(crate) const ENCODERS: [(&str, Encode); 5] = [
    ("`sse-stream` 0.3, `Bytes`", sse_stream_encode),
    ("`russe` 0.3, buffer", russe_buffer),
    ("`russe` 0.3, `ByteString`", russe_bytes),
    ("axum 0.8, `Bytes`", axum),
    ("actix-web-lab 0.29, `Bytes`", actix_web_lab),
];

fn sse_stream(input: Input<'_>) -> Count {
    let mut count = Count::default();
    drain(sse_stream::SseByteStream::new(input.stream()), |event| {
        if let Ok(sse_stream::Sse {
            data: Some(data), ..
        }) = event
        {
            count += &data;
        }
    });
    count
}

fn sse_core(input: Input<'_>) -> Count {
    let mut decoder = other_sse_core::SseDecoder::new();
    let mut count = Count::default();
    for mut chunk in input.chunks() {
        while let Some(item) = decoder.next(&mut chunk) {
            if let Ok(other_sse_core::SseEvent::Message(event)) = item {
                count += &black_box(event).data;
            }
        }
    }
    count
}

fn sse_parse(input: Input<'_>) -> Count {
    let mut parser = sse_parse::SseParser::new();
    let mut count = Count::default();
    for chunk in input.chunks() {
        parser.feed(chunk);
        while let Some(event) = parser.next_event() {
            count += &black_box(event).data;
        }
    }
    count
}

/// It takes chunks as `Bytes`, which the other decoders do not need. The chunks are made
/// beforehand.
fn sseer(input: Input<'_>) -> Count {
    let mut count = Count::default();
    let chunks = input
        .chunks()
        .map(|chunk| Ok::<_, Infallible>(bytes::Bytes::copy_from_slice(chunk)));
    drain(
        sseer::event_stream::EventStream::new(stream::iter(chunks)),
        |event| {
            if let Ok(event) = event {
                count += &*event.data;
            }
        },
    );
    count
}

fn eventsource_stream(input: Input<'_>) -> Count {
    let mut count = Count::default();
    drain(
        eventsource_stream::EventStream::new(input.stream()),
        |event| {
            if let Ok(event) = event {
                count += &event.data;
            }
        },
    );
    count
}

fn sse_stream_encode(all: &[Parts<'_>]) -> usize {
    let encode = |parts: &Parts<'_>| {
        let mut event = sse_stream::Sse::default().data(parts.data);
        event.id = parts.id.map(Into::into);
        event.event = parts.event_type.map(Into::into);
        event.encode().map_or(0, |encoded| black_box(encoded).len())
    };
    all.iter().map(encode).sum()
}

fn russe_message(parts: &Parts<'_>) -> russe::Event {
    russe::Event::Message(russe::Message {
        data: parts.data.into(),
        event: parts.event_type.map(Into::into),
        retry: None,
        id: parts.id.map(Into::into),
    })
}

fn russe_buffer(all: &[Parts<'_>]) -> usize {
    let mut encoded = BytesMut::with_capacity(256 << 10);
    let mut bytes = 0;
    for parts in all {
        let before = encoded.len();
        if RusseEncoder::default()
            .encode(russe_message(parts), &mut encoded)
            .is_ok()
        {
            bytes += encoded.len() - before;
        }
        if encoded.len() >= 64 << 10 {
            black_box(&encoded);
            encoded.clear();
        }
    }
    bytes
}

fn russe_bytes(all: &[Parts<'_>]) -> usize {
    let encode = |parts| {
        russe_message(parts)
            .into_bytestring()
            .map_or(0, |encoded| black_box(encoded).len())
    };
    all.iter().map(encode).sum()
}

/// The number of events of a body, which never ends, cannot borrow, and does not say where it ends.
const BATCH: usize = 64;

fn axum(all: &[Parts<'_>]) -> usize {
    use axum::response::sse::{Event, Sse};

    let event = |parts: &Parts<'_>| {
        let mut event = Event::default().data(parts.data);
        if let Some(id) = parts.id {
            event = event.id(id);
        }
        if let Some(event_type) = parts.event_type {
            event = event.event(event_type);
        }
        Ok::<_, Infallible>(event)
    };
    let mut bytes = 0;
    for batch in all.chunks(BATCH) {
        let events: Vec<_> = batch.iter().map(event).collect();
        let body = Sse::new(stream::iter(events)).into_response().into_body();
        drain(body.into_data_stream(), |encoded| {
            bytes += encoded.map_or(0, |encoded| black_box(encoded).len());
        });
    }
    bytes
}

fn actix_web_lab(all: &[Parts<'_>]) -> usize {
    use actix_web_lab::sse::{Data, Event, Sse};

    let event = |parts: &Parts<'_>| {
        let mut data = Data::new(parts.data);
        if let Some(id) = parts.id {
            data = data.id(id);
        }
        if let Some(event_type) = parts.event_type {
            data = data.event(event_type);
        }
        Ok::<_, Infallible>(Event::Data(data))
    };
    let mut cx = Context::from_waker(Waker::noop());
    let mut bytes = 0;
    for batch in all.chunks(BATCH) {
        let events: Vec<_> = batch.iter().map(event).collect();
        let mut body = pin!(Sse::from_stream(stream::iter(events)));
        while let Poll::Ready(Some(Ok(encoded))) = body.as_mut().poll_next(&mut cx) {
            bytes += black_box(encoded).len();
        }
    }
    bytes
}
