//! Kafka: writes one record to the leader of its partition and waits for all replicas in sync.
//!
//! The protocol: <https://kafka.apache.org/protocol>. The versions in use are spoken by every broker
//! since 0.11, and by those of version 4, which dropped older ones.
//!
//! The crate `rskafka` would do this as well, but keeps connections and repeats on its own, and adds
//! 18 crates; `rdkafka` is a library in C.

mod broker;
mod hash;
mod scram;
mod wire;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use statuswatch_notify::{KafkaAnswer, KafkaRequest, KafkaStage, Security, Server};

use self::broker::{Broker, METADATA, PRODUCE, Stop, check};
use self::wire::{Broken, Reader, Record};
use crate::fetch::Client;

/// Longest name of a broker.
const HOST: usize = 253;

/// Error codes that are treated here; the channel judges the others.
const UNKNOWN_TOPIC: i16 = 3;
const LEADER_NOT_AVAILABLE: i16 = 5;
const NOT_LEADER: i16 = 6;
const REQUEST_TIMED_OUT: i16 = 7;
const NOT_ENOUGH_REPLICAS_AFTER_APPEND: i16 = 20;

/// Writes a record within `timeout`, which the caller enforces. `sent` is set while a broker may have
/// stored it.
pub(super) async fn send(
    client: &Client,
    request: &KafkaRequest,
    timeout: Duration,
    sent: &AtomicBool,
) -> Result<KafkaAnswer, String> {
    // Servers share the load, and one that does not answer does not delay every message.
    let first = fastrand::usize(..request.servers.len().max(1));
    let mut written = write(client, request, timeout, sent, first).await;
    if let Err(Stop::Answered(KafkaAnswer::Error { code, .. })) = &written
        && is_stale(*code)
    {
        // The leader has changed: another server may know the new one already.
        written = write(client, request, timeout, sent, first + 1).await;
    }
    match written {
        Ok(answer) | Err(Stop::Answered(answer)) => Ok(answer),
        Err(Stop::Lost(reason)) => Err(reason),
    }
}

/// Returns whether a code says that what is known of the cluster is out of date.
const fn is_stale(code: i16) -> bool {
    matches!(code, UNKNOWN_TOPIC | LEADER_NOT_AVAILABLE | NOT_LEADER)
}

/// Finds the leader, beginning with the server of this number, and writes the record once.
async fn write(
    client: &Client,
    request: &KafkaRequest,
    timeout: Duration,
    sent: &AtomicBool,
    first: usize,
) -> Result<KafkaAnswer, Stop> {
    let count = request.servers.len();
    let share = timeout / u32::try_from(count).unwrap_or(u32::MAX).saturating_add(1);
    let mut failed = Stop::Lost("there is no server".to_owned());
    for place in request.servers.iter().cycle().skip(first % count.max(1)).take(count) {
        let found = tokio::time::timeout(share, find(client, request, place)).await;
        match found.unwrap_or_else(|_| Err(format!("no answer within {share:?}").into())) {
            Ok((broker, leader)) => {
                return produce(client, request, timeout, sent, broker, leader).await;
            }
            Err(answered @ Stop::Answered(_)) => return Err(answered),
            Err(lost) => failed = lost,
        }
    }
    Err(failed)
}

/// A partition and its leader.
struct Leader {
    partition: i32,
    place: Server,
}

/// Asks a server for the leader of the key's partition, and returns the connection to it as well.
async fn find(
    client: &Client,
    request: &KafkaRequest,
    place: &Server,
) -> Result<(Broker, Leader), Stop> {
    let mut broker = Broker::open(client, request, place).await?;
    let mut body = 1_i32.to_be_bytes().to_vec();
    wire::string(&mut body, &request.topic)?;
    // A topic is not created: with a misspelled name, nobody would read it.
    body.push(0);
    // A broker does not answer whoever has not logged in where it expects that.
    let hint = request.login.is_none().then_some("does it expect a login?");
    let answer = broker.call(METADATA, &body).await.map_err(|stop| stop.hint(hint))?;
    let leader = leader(&mut Reader(&answer), request, place.security)?;
    Ok((broker, leader))
}

/// Reads an answer to `Metadata`.
fn leader(
    answer: &mut Reader<'_>,
    request: &KafkaRequest,
    security: Security,
) -> Result<Leader, Stop> {
    let _throttled = answer.int()?;
    let brokers = answer.list(|answer| {
        let (node, host, port, _rack) =
            (answer.int()?, answer.text()?, answer.int()?, answer.text()?);
        Ok((node, host, port))
    })?;
    let (_cluster, _controller) = (answer.text()?, answer.int()?);
    let topics = answer.list(|answer| {
        let (code, name, _internal) = (answer.short()?, answer.text()?, answer.flag()?);
        let partitions = answer.list(|answer| {
            let (_code, index, leader) = (answer.short()?, answer.int()?, answer.int()?);
            let (_replicas, _in_sync) = (answer.list(Reader::int)?, answer.list(Reader::int)?);
            Ok((index, leader))
        })?;
        Ok((code, name, partitions))
    })?;
    let topic = topics.into_iter().find(|(_, name, _)| *name == request.topic).ok_or(Broken)?;
    let (code, _, mut partitions) = topic;
    check(KafkaStage::Metadata, code, "")?;
    partitions.sort_unstable();
    let chosen = hash::partition(&request.key, partitions.len());
    let (partition, node) = chosen.and_then(|at| partitions.get(at)).copied().ok_or(Broken)?;
    let found = brokers.into_iter().find(|(known, ..)| *known == node);
    // Without a leader the node is -1.
    let Some((_, host, port)) = found else {
        return Err(Stop::error(KafkaStage::Metadata, LEADER_NOT_AVAILABLE, ""));
    };
    let port = u16::try_from(port).map_err(|_| Broken)?;
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
    if host.is_empty() || host.len() > HOST || !host.bytes().all(valid) {
        return Err(Stop::unusable("the broker names another one that has no usable address"));
    }
    Ok(Leader { partition, place: Server { host, port, security } })
}

/// Sends the record to the leader.
async fn produce(
    client: &Client,
    request: &KafkaRequest,
    timeout: Duration,
    sent: &AtomicBool,
    known: Broker,
    leader: Leader,
) -> Result<KafkaAnswer, Stop> {
    let is_known = known.place == leader.place;
    let mut broker =
        if is_known { known } else { Broker::open(client, request, &leader.place).await? };
    let records = wire::batch(&Record {
        timestamp: request.timestamp,
        key: &request.key,
        value: &request.value,
        headers: &request.headers,
    })?;
    let mut body = Vec::with_capacity(records.len() + 512);
    // No transaction; all replicas in sync.
    body.extend((-1_i16).to_be_bytes());
    body.extend((-1_i16).to_be_bytes());
    // For its replicas: it answers before we give up, unless it was found late.
    let patience = i32::try_from((timeout / 2).as_millis()).unwrap_or(i32::MAX);
    body.extend(patience.to_be_bytes());
    body.extend(1_i32.to_be_bytes());
    wire::string(&mut body, &request.topic)?;
    body.extend(1_i32.to_be_bytes());
    body.extend(leader.partition.to_be_bytes());
    wire::bytes(&mut body, &records)?;

    sent.store(true, Ordering::Release);
    let answer = broker.call(PRODUCE, &body).await?;
    let mut topics = Reader(&answer).list(|answer| {
        let name = answer.text()?;
        let partitions = answer.list(|answer| {
            let (index, code, offset, _time) =
                (answer.int()?, answer.short()?, answer.long()?, answer.long()?);
            Ok((index, code, offset))
        })?;
        Ok((name, partitions))
    })?;
    let (name, partitions) = topics.pop().ok_or(Broken)?;
    let [(partition, code, offset)] = partitions.as_slice() else { return Err(Broken.into()) };
    if name != request.topic || *partition != leader.partition {
        return Err("the broker answers about another partition".to_owned().into());
    }
    if matches!(*code, REQUEST_TIMED_OUT | NOT_ENOUGH_REPLICAS_AFTER_APPEND) {
        return Err("too few replicas have confirmed the record".to_owned().into());
    }
    sent.store(false, Ordering::Release);
    check(KafkaStage::Produce, *code, "")?;
    Ok(KafkaAnswer::Stored { partition: *partition, offset: *offset })
}
