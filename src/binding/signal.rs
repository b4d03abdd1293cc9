//! What the poll threads call JavaScript with: a packed buffer or an event, never both.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use napi::Status;
use napi::bindgen_prelude::{Buffer, FnArgs, Function, Uint32Array};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};

use crate::consumer::MOST_BACKLOG_BYTES;
use crate::consumer::inbox::Inbox;

/// Arguments of a consumer's callback.
pub type ConsumerArgs = FnArgs<(Option<Buffer>, Option<String>)>;
/// Arguments of a producer's callback.
pub type ProducerArgs = FnArgs<(Option<Uint32Array>, Option<String>)>;

/// One call's worth.
pub enum Signal<D> {
    /// Numbers or packed records.
    Data(D),
    /// JSON text.
    Event(String),
}

type Callback<D, A> = ThreadsafeFunction<Signal<D>, (), A, Status, false>;

/// Calls a consumer's callback, and knows how many bytes JavaScript has yet to take.
pub struct ConsumerSink {
    callback: Callback<Vec<u8>, ConsumerArgs>,
    backlog: Arc<AtomicUsize>,
}

impl ConsumerSink {
    /// Wraps the callback; `inbox` is nudged when the backlog is no longer what keeps it from taking more.
    pub fn wrap(callback: &Function<'_, ConsumerArgs, ()>) -> napi::Result<PendingConsumerSink> {
        let backlog = Arc::new(AtomicUsize::new(0));
        let inbox: Arc<std::sync::OnceLock<Arc<Inbox>>> = Arc::default();
        let (taken, nudged) = (Arc::clone(&backlog), Arc::clone(&inbox));
        let callback = callback
            .build_threadsafe_function::<Signal<Vec<u8>>>()
            .callee_handled::<false>()
            .build_callback(move |context| {
                Ok(match context.value {
                    Signal::Data(packed) => {
                        let size = packed.len();
                        let before = taken.fetch_sub(size, Ordering::AcqRel);
                        if before > MOST_BACKLOG_BYTES
                            && before - size <= MOST_BACKLOG_BYTES
                            && let Some(inbox) = nudged.get()
                        {
                            inbox.nudge();
                        }
                        FnArgs::from((Some(Buffer::from(packed)), None))
                    }
                    Signal::Event(text) => FnArgs::from((None, Some(text))),
                })
            })?;
        Ok(PendingConsumerSink { sink: Self { callback, backlog }, inbox })
    }
}

/// A sink whose inbox does not exist yet.
pub struct PendingConsumerSink {
    sink: ConsumerSink,
    inbox: Arc<std::sync::OnceLock<Arc<Inbox>>>,
}

impl PendingConsumerSink {
    /// Connects the sink to the poll thread's inbox.
    #[must_use]
    pub fn connect(self, inbox: Arc<Inbox>) -> Box<dyn crate::consumer::Sink> {
        let _ = self.inbox.set(inbox);
        Box::new(self.sink)
    }
}

impl crate::consumer::Sink for ConsumerSink {
    fn batch(&self, packed: Vec<u8>) {
        self.backlog.fetch_add(packed.len(), Ordering::AcqRel);
        // A status other than Ok means that the environment is going away, and the thread with it.
        self.callback.call(Signal::Data(packed), ThreadsafeFunctionCallMode::NonBlocking);
    }

    fn event(&self, event: serde_json::Value) {
        self.callback.call(Signal::Event(event.to_string()), ThreadsafeFunctionCallMode::NonBlocking);
    }

    fn backlog(&self) -> usize {
        self.backlog.load(Ordering::Acquire)
    }
}

/// Calls a producer's callback.
pub struct ProducerSink {
    callback: Callback<Vec<u32>, ProducerArgs>,
}

impl ProducerSink {
    /// Wraps the callback.
    pub fn new(callback: &Function<'_, ProducerArgs, ()>) -> napi::Result<Self> {
        let callback = callback
            .build_threadsafe_function::<Signal<Vec<u32>>>()
            .callee_handled::<false>()
            .build_callback(|context| {
                Ok(match context.value {
                    Signal::Data(words) => FnArgs::from((Some(Uint32Array::new(words)), None)),
                    Signal::Event(text) => FnArgs::from((None, Some(text))),
                })
            })?;
        Ok(Self { callback })
    }
}

impl crate::producer::Sink for ProducerSink {
    fn reports(&self, words: Vec<u32>) {
        self.callback.call(Signal::Data(words), ThreadsafeFunctionCallMode::NonBlocking);
    }

    fn event(&self, event: serde_json::Value) {
        self.callback.call(Signal::Event(event.to_string()), ThreadsafeFunctionCallMode::NonBlocking);
    }
}
