//! Bodies: read piece by piece, counted after decompression, and never more of them in memory
//! than the budget of the process allows.

use std::sync::Arc;

use bytes::Bytes;
use reqwest::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::failure::{Phase, of_body};
use super::{Failure, FailureKind};

/// What every body may take without asking: an ordinary page, so that it never waits behind large ones.
const FREE: usize = 64 << 10;
/// The budget is counted in so many bytes.
const UNIT: usize = 4 << 10;

/// Memory for bodies beyond what each may take without asking.
#[derive(Debug)]
pub(super) struct Budget {
    units: Arc<Semaphore>,
    total: u32,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        let total = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX).min(1 << 28);
        Self { units: Arc::new(Semaphore::new(total as usize)), total }
    }
}

/// A body's memory and its share of the budget, given back together.
struct Kept {
    buffer: Vec<u8>,
    share: Share,
}

#[derive(Default)]
struct Share {
    permit: Option<OwnedSemaphorePermit>,
    units: u32,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Kept {
    /// Room for `length` bytes in all, of the budget and of the system.
    async fn room(&mut self, length: usize, most: usize, budget: &Budget, phase: &mut Phase) -> Result<(), Failure> {
        if length <= self.buffer.capacity() {
            return Ok(());
        }
        let capacity = length.max(self.buffer.capacity().saturating_mul(2)).min(most);
        // One body alone may always have all there is, and no more is asked for than that.
        let wanted = u32::try_from(capacity.saturating_sub(FREE).div_ceil(UNIT)).unwrap_or(u32::MAX).min(budget.total);
        if let Some(missing) = wanted.checked_sub(self.share.units).filter(|missing| *missing > 0) {
            *phase = Phase::Room;
            let more = Arc::clone(&budget.units).acquire_many_owned(missing).await;
            *phase = Phase::Body;
            let more = more.map_err(|_| Failure::new(FailureKind::Resource, "no memory for the body"))?;
            match &mut self.share.permit {
                Some(permit) => permit.merge(more),
                none => *none = Some(more),
            }
            self.share.units = wanted;
        }
        self.buffer
            .try_reserve_exact(capacity - self.buffer.len())
            .map_err(|_| Failure::new(FailureKind::Resource, "no memory for the body"))
    }
}

/// Reads the whole body of at most `most` bytes. The memory is given back to the budget when the
/// last reference to the bytes goes.
pub(super) async fn read(response: &mut Response, most: usize, budget: &Budget, phase: &mut Phase) -> Result<Bytes, Failure> {
    *phase = Phase::Body;
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
    if announced > most {
        return Err(too_large(most));
    }
    let Some(first) = response.chunk().await.map_err(|error| of_body(&error))? else { return Ok(Bytes::new()) };
    if first.len() > most {
        return Err(too_large(most));
    }
    let mut kept = Kept { buffer: Vec::new(), share: Share::default() };
    // What is announced is a hint alone: a stranger's number reserves no more than is free.
    kept.room(first.len().max(announced.min(FREE)), most, budget, phase).await?;
    kept.buffer.extend_from_slice(&first);
    drop(first);
    while let Some(chunk) = response.chunk().await.map_err(|error| of_body(&error))? {
        let length = kept.buffer.len() + chunk.len();
        if length > most {
            return Err(too_large(most));
        }
        kept.room(length, most, budget, phase).await?;
        kept.buffer.extend_from_slice(&chunk);
    }
    Ok(Bytes::from_owner(kept))
}

/// The beginning of a body nobody will use but to tell what it is.
pub(super) async fn peek(response: &mut Response, most: usize) -> Vec<u8> {
    let mut seen = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        seen.extend_from_slice(chunk.get(..most - seen.len()).unwrap_or(&chunk));
        if seen.len() >= most {
            break;
        }
    }
    seen
}

fn too_large(most: usize) -> Failure {
    Failure::new(FailureKind::BodyTooLarge, format!("the body is larger than {most} bytes"))
}
