//! The data of the events that are sent: each event differs, and the same ones come in every run.

use crate::control::MARK;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Corpus {
    /// Prices: numbers, and names that recur.
    Ticker,
    /// A language model's answer as its API sends it: a word, with the same text around each.
    Tokens,
    /// Messages of people, whose names recur.
    Chat,
}

const SYMBOLS: [&str; 8] = [
    "AAPL", "MSFT", "NVDA", "AMZN", "GOOG", "TSLA", "ASML", "SAP",
];
const NAMES: [&str; 6] = ["ada", "grace", "linus", "margaret", "ken", "barbara"];

/// The source of words.
const TEXT: &str = "the house stood on the hill and from its windows the whole valley could be seen with \
    the river in the middle of it and the old road that nobody had used since the bridge was built further \
    down where the mill had been before the great flood took it away one night in autumn together with the \
    boats and the fishermen's huts so that in the morning only wet stones were left and a single door which \
    they found weeks later near the coast still locked although its key hung at home on a nail beside the \
    stove as it always did when someone came late and did not want to wake anyone who was asleep already";

impl Corpus {
    pub(crate) const ALL: [Self; 3] = [Self::Ticker, Self::Tokens, Self::Chat];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ticker => "ticker",
            Self::Tokens => "tokens",
            Self::Chat => "chat",
        }
    }

    pub(crate) fn number(self) -> usize {
        self as usize
    }

    /// Returns the data of the event with this number.
    pub(crate) fn data(self, n: u64) -> String {
        let mut random = Random(n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mark = char::from(MARK);
        match self {
            Self::Ticker => {
                let (bid, size) = (random.below(40_000) + 10_000, random.below(900) + 100);
                let ask = bid + random.below(30) + 1;
                format!(
                    r#"{{"symbol":"{}","bid":{}.{:02},"ask":{}.{:02},"size":{size},"time":{}}}{mark}"#,
                    random.one_of(&SYMBOLS),
                    bid / 100,
                    bid % 100,
                    ask / 100,
                    ask % 100,
                    1_790_000_000_000 + 37 * n + random.below(37),
                )
            }
            Self::Tokens => format!(
                r#"{{"id":"chatcmpl-B8aJ2Qm4","object":"chat.completion.chunk","created":1790000000,"model":"a-model-2026","choices":[{{"index":0,"delta":{{"content":" {}"}},"logprobs":null,"finish_reason":null}}]}}{mark}"#,
                random.word(),
            ),
            Self::Chat => {
                let count = random.below(12) + 3;
                let words: Vec<_> = (0..count).map(|_| random.word()).collect();
                format!(
                    r#"{{"room":"general","from":"{}","key":"{:016x}","text":"{}"}}{mark}"#,
                    random.one_of(&NAMES),
                    random.next(),
                    words.join(" "),
                )
            }
        }
    }
}

/// Numbers without a pattern: xorshift.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_of(&mut self, all: &[&'static str]) -> &'static str {
        all[self.below(all.len() as u64) as usize]
    }

    fn word(&mut self) -> &'static str {
        let at = self.below(100) as usize;
        TEXT.split_whitespace().nth(at).unwrap_or("end")
    }
}
