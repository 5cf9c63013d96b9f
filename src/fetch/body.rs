//! Reads bodies chunk by chunk. Their size is counted after decompression, and all of them together
//! stay within the memory budget of the process.
//!
//! A body that waits for memory also holds the chunk just read and whatever the HTTP library has
//! read ahead, as much again as was waiting in the socket. So a large body also needs a reader slot
//! before more of it is read, while its buffers are still small.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use super::coding::{Coding, Decoder};
use super::failure::{Phase, of_body, of_coding};
use super::{Failure, FailureKind};

/// What every body may use without a reservation: an ordinary page, so that it never waits behind
/// large ones.
const FREE: usize = 64 << 10;
/// Decoded in steps of this size, so that a small chunk of a decompression bomb never expands in
/// memory at once.
const PART: usize = 16 << 10;
/// The unit of the budget in bytes.
const UNIT: usize = 4 << 10;

/// Number of large bodies read in parallel.
const READERS: usize = 16;
/// How long a body may keep its reader slot; after that it continues without one. A slow host thus
/// blocks no slot for long, and has little in its buffers.
const TURN: Duration = Duration::from_secs(1);
/// Received data extends the slot: this much per KiB, which is one mebibyte per second.
const TURN_PER_KIB: Duration = Duration::from_micros(977);

/// Memory for bodies beyond what each may use without a reservation.
#[derive(Debug)]
pub(super) struct Budget {
    units: Arc<Semaphore>,
    total: u32,
    readers: Semaphore,
    /// For the one body that may exceed the total, so that bodies that each hold a part and need
    /// more cannot deadlock.
    beyond: Arc<Semaphore>,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        let total = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX).min(1 << 28);
        Self {
            units: Arc::new(Semaphore::new(total as usize)),
            total,
            readers: Semaphore::new(READERS),
            beyond: Arc::new(Semaphore::new(1)),
        }
    }
}

/// The reader slot of a large body.
struct BodySlot<'a> {
    permit: Option<SemaphorePermit<'a>>,
    until: Instant,
}

impl<'a> BodySlot<'a> {
    /// Waits for a reader slot.
    async fn wait(budget: &'a Budget, phase: &mut Phase) -> Self {
        *phase = Phase::Room;
        // The semaphore is never closed; if it were, the only effect would be more parallelism.
        let permit = budget.readers.acquire().await.ok();
        *phase = Phase::Body;
        Self { permit, until: Instant::now() + TURN }
    }

    /// Reads the next chunk; gives the slot up once it has been held too long.
    async fn next(&mut self, response: &mut Response) -> reqwest::Result<Option<Bytes>> {
        if self.permit.is_some() {
            if let Ok(piece) = timeout_at(self.until, response.chunk()).await {
                let kib = piece
                    .as_ref()
                    .ok()
                    .and_then(Option::as_ref)
                    .map_or(0, |piece| piece.len() >> 10);
                self.until += TURN_PER_KIB.saturating_mul(u32::try_from(kib).unwrap_or(u32::MAX));
                return piece;
            }
            self.permit = None;
        }
        response.chunk().await
    }
}

/// A body's memory and its share of the budget, released together.
struct Kept {
    buffer: Vec<u8>,
    share: Share,
}

#[derive(Default)]
struct Share {
    permit: Option<OwnedSemaphorePermit>,
    units: u32,
    /// Held by the body that needs no more units.
    beyond: Option<OwnedSemaphorePermit>,
}

impl Share {
    /// Waits for further units, or for the right to exceed the budget.
    async fn more(&mut self, missing: u32, budget: &Budget) -> Option<()> {
        if self.beyond.is_some() {
            return Some(());
        }
        tokio::select! {
            biased;
            more = Arc::clone(&budget.units).acquire_many_owned(missing) => {
                let more = more.ok()?;
                match &mut self.permit {
                    Some(permit) => permit.merge(more),
                    none => *none = Some(more),
                }
                self.units += missing;
            }
            beyond = Arc::clone(&budget.beyond).acquire_owned(), if self.units > 0 => self.beyond = Some(beyond.ok()?),
        }
        Some(())
    }
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Kept {
    /// Appends a part; the whole may be at most `most` bytes. `expected`: the likely final length.
    async fn append(
        &mut self,
        part: &[u8],
        expected: usize,
        most: usize,
        budget: &Budget,
        phase: &mut Phase,
    ) -> Result<(), Failure> {
        let length = self.buffer.len() + part.len();
        if length > most {
            return Err(too_large(most));
        }
        self.room(length.max(expected), most, budget, phase).await?;
        self.buffer.extend_from_slice(part);
        Ok(())
    }

    /// Reserves room for `length` bytes in total, both in the budget and from the allocator.
    async fn room(
        &mut self,
        length: usize,
        most: usize,
        budget: &Budget,
        phase: &mut Phase,
    ) -> Result<(), Failure> {
        if length <= self.buffer.capacity() {
            return Ok(());
        }
        let capacity = length.max(self.buffer.capacity().saturating_mul(2)).min(most);
        // A single body may always have the whole budget, and never asks for more than that.
        let wanted = u32::try_from(capacity.saturating_sub(FREE).div_ceil(UNIT))
            .unwrap_or(u32::MAX)
            .min(budget.total);
        if let Some(missing) = wanted.checked_sub(self.share.units).filter(|missing| *missing > 0) {
            *phase = Phase::Room;
            self.share
                .more(missing, budget)
                .await
                .ok_or_else(|| Failure::new(FailureKind::Resource, "no memory for the body"))?;
            *phase = Phase::Body;
        }
        self.buffer
            .try_reserve_exact(capacity - self.buffer.len())
            .map_err(|_| Failure::new(FailureKind::Resource, "no memory for the body"))
    }
}

/// Reads a whole body of at most `most` bytes, counted after decoding; the encoded body may be only
/// slightly longer than that. The memory returns to the budget when the last reference to the bytes
/// is dropped.
pub(super) async fn read(
    response: &mut Response,
    coding: Coding,
    most: usize,
    budget: &Budget,
    phase: &mut Phase,
) -> Result<Bytes, Failure> {
    *phase = Phase::Body;
    let most_coded = if coding == Coding::Identity { most } else { most.saturating_add(FREE) };
    let announced = response
        .content_length()
        .and_then(|length| usize::try_from(length).ok())
        .unwrap_or_default();
    if announced > most_coded {
        return Err(too_large(most));
    }
    let mut kept = Kept { buffer: Vec::new(), share: Share::default() };
    let mut turn = None;
    if announced > FREE {
        turn = Some(BodySlot::wait(budget, phase).await);
    }
    let mut decoder = (coding != Coding::Identity).then(|| Box::new(Decoder::new(coding)));
    let mut coded = 0_usize;
    loop {
        let piece = match &mut turn {
            Some(turn) => turn.next(response).await,
            None => response.chunk().await,
        };
        let piece = piece.map_err(|error| of_body(&error))?;
        let ended = piece.is_none();
        coded = coded.saturating_add(piece.as_ref().map_or(0, Bytes::len));
        if coded > most_coded {
            return Err(too_large(most));
        }
        if let Some(decoder) = &mut decoder {
            decoder.push(piece);
            let mut part = vec![0; PART];
            while let Some(part) = decode(decoder, &mut part)? {
                if kept.buffer.len() + part.len() > FREE && turn.is_none() {
                    turn = Some(BodySlot::wait(budget, phase).await);
                }
                kept.append(part, 0, most, budget, phase).await?;
            }
        } else if let Some(piece) = piece {
            if coded > FREE && turn.is_none() {
                turn = Some(BodySlot::wait(budget, phase).await);
            }
            // The announced length is only a hint: it reserves no more than the free allowance.
            kept.append(&piece, announced.min(FREE), most, budget, phase).await?;
        }
        if ended {
            return Ok(Bytes::from_owner(kept));
        }
    }
}

/// Decodes the next part. `None` at the end, or when more input is needed.
fn decode<'a>(decoder: &mut Decoder, part: &'a mut [u8]) -> Result<Option<&'a [u8]>, Failure> {
    match decoder.read(part) {
        Ok(0) => Ok(None),
        Ok(length) => Ok(part.get(..length)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(of_coding(&error)),
    }
}

/// Reads the beginning of a body, only to determine what it is.
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
    Failure::new(
        FailureKind::BodyTooLarge,
        format!("the body is larger than max_body ({most} bytes)"),
    )
}
