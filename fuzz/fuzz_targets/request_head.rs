//! Reads arbitrary bytes as a request head: no panic, the same result for all chunks, and an accepted
//! head has nothing that two readers could read differently.
//!
//! The first byte chooses the chunks.
#![no_main]

mod cuts;

use libfuzzer_sys::fuzz_target;
use sse_core::http::{
    BodyLength, HeadLimits, RequestHead, RequestHeadError, RequestHeadReader, Version, header,
};

/// Returns the head, if it is complete, and the number of its bytes.
fn read(chunks: &[&[u8]]) -> Result<Option<(RequestHead, usize)>, RequestHeadError> {
    let mut reader = RequestHeadReader::new(HeadLimits::default());
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

    if let Ok(Some((head, taken))) = whole {
        let headers = head.request().headers();
        let count = |name| headers.get_all(name).iter().count();
        assert!(taken <= HeadLimits::default().head);
        assert!(headers.len() <= HeadLimits::default().fields);
        assert!(count(header::HOST) <= 1 && count(header::CONTENT_LENGTH) <= 1);
        if head.request().version() == Version::HTTP_11 {
            assert_eq!(count(header::HOST), 1);
        }
        let has_both = count(header::CONTENT_LENGTH) > 0 && count(header::TRANSFER_ENCODING) > 0;
        assert!(!has_both);
        assert_eq!(
            head.body() == BodyLength::Chunked,
            count(header::TRANSFER_ENCODING) > 0
        );
        assert!(!bytes[..taken].contains(&0));
    }
});
