//! Calls of JavaScript: with a packed buffer or an event, never both.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use napi::Status;
use napi::bindgen_prelude::{Buffer, FnArgs, Function, Uint32Array};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};

use kafka_core::boundary::events::{ClientEvent, ConsumerEvent, ProducerEvent, text};
use kafka_core::consumer::MOST_BACKLOG_BYTES;
use kafka_core::consumer::intake::Intake;
use librdkafka::ConsumerHandle;

/// The intake from which JavaScript takes records.
type Taken = Intake<ConsumerHandle>;

/// Arguments of a consumer's callback.
pub(super) type ConsumerArgs = FnArgs<(Option<Buffer>, Option<String>)>;
/// Arguments of a producer's callback.
pub(super) type ProducerArgs = FnArgs<(Option<Uint32Array>, Option<String>)>;

/// A consumer's call of JavaScript.
enum ConsumerSignal {
    /// Packed records.
    Batch(Vec<u8>),
    /// JSON text.
    Event(String),
    /// There are records, which JavaScript's thread takes and packs itself.
    Records,
}

/// Calls a consumer's callback, and counts what JavaScript has not received yet.
pub(super) struct ConsumerSink {
    callback: ThreadsafeFunction<ConsumerSignal, (), ConsumerArgs, Status, false>,
    waiting: Arc<Waiting>,
    intake: Arc<OnceLock<Arc<Taken>>>,
}

/// Batches and events on their way to JavaScript.
#[derive(Default)]
struct Waiting {
    count: AtomicUsize,
    bytes: AtomicUsize,
}

impl Waiting {
    fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
        self.count.fetch_add(1, Ordering::AcqRel);
    }

    /// Returns whether the bytes have just fallen to the limit.
    fn take(&self, bytes: usize) -> bool {
        self.count.fetch_sub(1, Ordering::AcqRel);
        let before = self.bytes.fetch_sub(bytes, Ordering::AcqRel);
        before > MOST_BACKLOG_BYTES && before - bytes <= MOST_BACKLOG_BYTES
    }
}

impl ConsumerSink {
    /// Wraps the callback.
    pub(super) fn new(callback: &Function<'_, ConsumerArgs, ()>) -> napi::Result<Self> {
        let waiting = Arc::new(Waiting::default());
        let intake: Arc<OnceLock<Arc<Taken>>> = Arc::default();
        let (taken, from) = (Arc::clone(&waiting), Arc::clone(&intake));
        let callback = callback
            .build_threadsafe_function::<ConsumerSignal>()
            .callee_handled::<false>()
            .build_callback(move |context| {
                let intake = from.get();
                let batch = match context.value {
                    ConsumerSignal::Batch(packed) => {
                        if taken.take(packed.len())
                            && let Some(intake) = intake
                        {
                            intake.go_on();
                        }
                        Some(packed)
                    }
                    ConsumerSignal::Event(text) => {
                        taken.take(0);
                        return Ok(FnArgs::from((None, Some(text))));
                    }
                    ConsumerSignal::Records => intake.and_then(|intake| intake.pull_for_javascript()),
                };
                Ok(FnArgs::from((batch.map(Buffer::from), None)))
            })?;
        Ok(Self { callback, waiting, intake })
    }

    /// Sets the intake from which JavaScript takes records.
    pub(super) fn connect(&self, intake: Arc<Taken>) {
        // A sink belongs to one consumer, so this is set once.
        let _ = self.intake.set(intake);
    }

    fn send(&self, signal: ConsumerSignal) {
        // A status other than Ok means that the environment is going away, and the thread with it.
        self.callback.call(signal, ThreadsafeFunctionCallMode::NonBlocking);
    }
}

impl kafka_core::consumer::Sink for ConsumerSink {
    fn call(&self) {
        self.send(ConsumerSignal::Records);
    }

    fn is_idle(&self) -> bool {
        self.waiting.count.load(Ordering::Acquire) == 0
    }

    fn batch(&self, packed: Vec<u8>) {
        self.waiting.add(packed.len());
        self.send(ConsumerSignal::Batch(packed));
    }

    fn event(&self, event: ConsumerEvent) {
        self.waiting.add(0);
        self.send(ConsumerSignal::Event(text(&event)));
    }

    fn backlog(&self) -> usize {
        self.waiting.bytes.load(Ordering::Acquire)
    }
}

/// A producer's call of JavaScript.
enum ProducerSignal {
    /// Delivery reports, as numbers.
    Reports(Vec<u32>),
    /// JSON text.
    Event(String),
}

/// Calls the callback of a producer, or of an admin client (which has only events).
pub(super) struct ProducerSink {
    callback: ThreadsafeFunction<ProducerSignal, (), ProducerArgs, Status, false>,
}

impl ProducerSink {
    /// Wraps the callback.
    pub(super) fn new(callback: &Function<'_, ProducerArgs, ()>) -> napi::Result<Self> {
        let callback = callback
            .build_threadsafe_function::<ProducerSignal>()
            .callee_handled::<false>()
            .build_callback(|context| {
                Ok(match context.value {
                    ProducerSignal::Reports(words) => FnArgs::from((Some(Uint32Array::new(words)), None)),
                    ProducerSignal::Event(text) => FnArgs::from((None, Some(text))),
                })
            })?;
        Ok(Self { callback })
    }
}

impl kafka_core::producer::Sink for ProducerSink {
    fn reports(&self, words: Vec<u32>) {
        self.callback.call(ProducerSignal::Reports(words), ThreadsafeFunctionCallMode::NonBlocking);
    }

    fn event(&self, event: ProducerEvent) {
        self.callback.call(ProducerSignal::Event(text(&event)), ThreadsafeFunctionCallMode::NonBlocking);
    }
}

impl kafka_core::admin::Sink for ProducerSink {
    fn event(&self, event: ClientEvent) {
        self.callback.call(ProducerSignal::Event(text(&event)), ThreadsafeFunctionCallMode::NonBlocking);
    }
}
