//! Reads arbitrary bytes as a response head: no panic, and the same result for all chunks.
//!
//! The first byte chooses the chunks.
#![no_main]

mod cuts;

use libfuzzer_sys::fuzz_target;
use sse_core::http::{
    Response, ResponseHeadError, ResponseHeadLimits, ResponseHeadReader, is_event_stream,
};

/// Returns the head, if it is complete, and the number of its bytes.
fn read(chunks: &[&[u8]]) -> Result<Option<(Response<()>, usize)>, ResponseHeadError> {
    let mut reader = ResponseHeadReader::new(ResponseHeadLimits::default());
    let mut taken = 0;
    for chunk in chunks {
        let mut rest = *chunk;
        let head = reader.read(&mut rest)?;
        taken += chunk.len() - rest.len();
        if let Some(head) = head {
            return Ok(Some((head, taken)));
        }
        assert!(rest.is_empty());
    }
    Ok(None)
}

fuzz_target!(|bytes: &[u8]| {
    let Some((seed, bytes)) = bytes.split_first() else {
        return;
    };
    let whole = read(&[bytes]);
    let cut = read(&cuts::cut(*seed, bytes));
    // The `Debug` form shows everything.
    assert_eq!(format!("{whole:?}"), format!("{cut:?}"));

    if let Ok(Some((response, _))) = whole {
        assert!(!response.status().is_informational());
        assert!(response.headers().len() <= ResponseHeadLimits::default().fields);
        let _ = is_event_stream(response.headers());
    }
});
