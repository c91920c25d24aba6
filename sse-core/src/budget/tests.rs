use super::*;

#[test]
fn a_reservation_grows_inside_its_share_and_no_further() {
    let budget = Budget::new(1000);
    let mut body = budget.reserve(Holding::Body);
    assert!(body.try_grow(250));
    assert!(!body.try_grow(251));
    assert_eq!(body.bytes(), 250);
    let mut other = budget.reserve(Holding::Body);
    assert!(!other.try_grow(1), "the bodies have their quarter");
    let mut history = budget.reserve(Holding::History);
    assert!(history.try_grow(500));
    assert!(!history.try_grow(501));
    let mut queue = budget.reserve(Holding::Queue);
    assert!(queue.try_grow(250));
    assert!(!queue.try_grow(251) && budget.is_exhausted());
    drop(body);
    assert!(queue.try_grow(500) && budget.is_exhausted());
    let used = budget.used();
    assert_eq!((used.bodies, used.queued, used.history), (0, 500, 500));
}

#[test]
fn memory_in_use_is_counted_beyond_the_limit() {
    let budget = Budget::new(1000);
    let mut queue = budget.reserve(Holding::Queue);
    queue.resize(3000);
    assert_eq!(budget.used().total(), 3000);
    assert!(budget.is_exhausted());
    assert!(!budget.fits(Holding::Queue, 1));
    queue.resize(999);
    assert!(!budget.is_exhausted() && budget.fits(Holding::Queue, 1));
    drop(queue);
    assert_eq!(budget.used(), BudgetUse::default());
}

#[test]
fn bytes_are_counted_until_the_last_handle_goes() {
    let budget = Budget::new(1 << 20);
    let bytes = budget.count(Holding::History, vec![b'x'; 10_000]);
    let slice = bytes.slice(9_000..);
    drop(bytes);
    assert_eq!(budget.used().history, 2 * Budget::GRANULE);
    assert_eq!(&slice[..], [b'x'; 1_000]);
    drop(slice);
    assert_eq!(budget.used().history, 0);
    // Less than one granule is not counted at all.
    let small = budget.count(Holding::History, vec![b'x'; Budget::GRANULE - 1]);
    assert_eq!(
        (small.len(), budget.used().total()),
        (Budget::GRANULE - 1, 0)
    );
}

#[test]
fn the_bytes_of_a_part_count_in_the_whole_and_both_bound_them() {
    let whole = Budget::new(1000);
    let part = whole.part(400);
    let mut history = part.reserve(Holding::History);
    assert!(history.try_grow(400), "all of the part");
    assert!(!history.try_grow(401) && !part.fits(Holding::History, 1));
    assert_eq!((part.used().history, whole.used().history), (400, 400));
    let mut other = whole.reserve(Holding::History);
    assert!(other.try_grow(100));
    assert!(!other.try_grow(101), "the histories of the whole have half");
    history.resize(300);
    assert!(other.try_grow(200));
    assert!(!history.try_grow(301) && !part.fits(Holding::History, 1));
    assert_eq!((part.used().total(), whole.used().total()), (300, 500));
    drop(history);
    assert_eq!((part.used().total(), whole.used().total()), (0, 200));
    assert!(!part.is_exhausted());
    let mut queue = whole.reserve(Holding::Queue);
    assert!(queue.try_grow(800));
    assert!(part.is_exhausted(), "there is no room in the whole");
}

#[test]
fn handles_are_equal_where_they_share() {
    let budget = Budget::new(1000);
    assert_eq!(budget, budget.clone());
    assert_ne!(budget, Budget::new(1000));
    assert_eq!(Budget::default(), Budget::of_process());
    assert_eq!(Budget::default().limit(), Budget::DEFAULT);
}

#[test]
fn many_threads_never_get_more_than_there_is() {
    let budget = Budget::new(4000);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for size in (1..2000).cycle().step_by(7).take(2000) {
                    let mut body = budget.reserve(Holding::Body);
                    let _ = body.try_grow(size);
                    let used = budget.used();
                    assert!(used.bodies <= 1000, "{used:?}");
                }
            });
        }
    });
    assert_eq!(budget.used(), BudgetUse::default());
}
