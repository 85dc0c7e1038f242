//! Futures without a runtime.

use futures_util::FutureExt as _;

/// Waits for a future that another thread completes.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    loop {
        if let Some(value) = future.as_mut().now_or_never() {
            return value;
        }
        std::thread::yield_now();
    }
}
