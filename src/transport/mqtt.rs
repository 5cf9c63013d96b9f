//! MQTT: publishes one message with QoS 1 and waits until the broker has it.
//!
//! Sections in comments are those of MQTT 5.0, which 3.1.1 shares but for properties and codes:
//! <https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html>.
//!
//! The crate `rumqttc` would do this as well, but keeps an event loop that connects and repeats on
//! its own, and adds a crate to read certificates that is no longer maintained.

use std::sync::atomic::{AtomicBool, Ordering};

use statuswatch_notify::{MqttAnswer, MqttRequest, MqttVersion, Security};

use super::connection::Connection;
use crate::fetch::Client;

/// Most bytes of a packet of the broker.
const PACKET: usize = 64 << 10;
/// Most packets that are read before the expected one.
const PACKETS: usize = 100;
/// The id of the only message of a connection.
const ID: u16 = 1;
/// Seconds without a packet after which the broker may close the connection.
const KEEP_ALIVE: u16 = 60;

/// Types of packets with their flags (section 2.1.2).
const CONNECT: u8 = 0x10;
const CONNACK: u8 = 0x20;
const PUBLISH_QOS1: u8 = 0x32;
const RETAIN: u8 = 0x01;
const PUBACK: u8 = 0x40;
const DISCONNECT: u8 = 0xe0;

/// Publishes a message. `sent` is set when the broker may have it.
pub(super) async fn send(
    client: &Client,
    request: &MqttRequest,
    sent: &AtomicBool,
) -> Result<MqttAnswer, String> {
    let (hello, publish) = (connect(request)?, publish(request)?);
    let host = request.server.host.as_str();
    let mut connection = Connection::open(client, host, request.server.port).await?;
    if request.server.security != Security::None {
        connection = connection.secure(client, host).await?;
    }
    connection.write(hello).await?;
    match packet(&mut connection).await? {
        (CONNACK, body) => match body.get(1) {
            Some(0) => {}
            Some(code) => return Ok(MqttAnswer::Connect(*code)),
            None => return Err("the broker sent a broken packet".to_owned()),
        },
        _ => return Err("the server does not speak MQTT".to_owned()),
    }
    sent.store(true, Ordering::Release);
    connection.write(publish).await?;
    for _ in 0..PACKETS {
        let (kind, body) = packet(&mut connection).await?;
        match kind {
            PUBACK if body.get(..2) == Some(&ID.to_be_bytes()) => {
                // The message is there: how the connection ends changes nothing.
                connection.write([DISCONNECT, 0]).await.ok();
                return Ok(MqttAnswer::Publish(body.get(2).copied().unwrap_or_default()));
            }
            DISCONNECT => {
                return Ok(MqttAnswer::Disconnect(body.first().copied().unwrap_or_default()));
            }
            _ => {}
        }
    }
    Err("the broker sends no answer, but much else".to_owned())
}

/// Returns the packet that opens a session of its own (section 3.1).
fn connect(request: &MqttRequest) -> Result<Vec<u8>, String> {
    let is_v5 = request.version == MqttVersion::V5;
    let mut body = Vec::new();
    field(&mut body, "MQTT")?;
    body.push(if is_v5 { 5 } else { 4 });
    // A clean session, a user and a password.
    body.push(0x02 | if request.login.is_some() { 0xc0 } else { 0 });
    body.extend(KEEP_ALIVE.to_be_bytes());
    if is_v5 {
        body.push(0);
    }
    field(&mut body, &request.client_id)?;
    if let Some(login) = &request.login {
        field(&mut body, &login.user)?;
        field(&mut body, login.password.expose())?;
    }
    framed(CONNECT, body)
}

/// Returns the packet with the message (section 3.3).
fn publish(request: &MqttRequest) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    field(&mut body, &request.topic)?;
    body.extend(ID.to_be_bytes());
    if request.version == MqttVersion::V5 {
        body.push(0);
    }
    body.extend_from_slice(request.payload.as_bytes());
    framed(PUBLISH_QOS1 | if request.retain { RETAIN } else { 0 }, body)
}

/// Appends a text with its length (section 1.5.4).
fn field(body: &mut Vec<u8>, text: &str) -> Result<(), String> {
    let length = u16::try_from(text.len()).map_err(|_| "a field is longer than 64 KiB")?;
    if text.contains('\0') {
        return Err("a field holds a NUL".to_owned());
    }
    body.extend(length.to_be_bytes());
    body.extend_from_slice(text.as_bytes());
    Ok(())
}

/// Puts the type and the length before a packet (section 2.1).
fn framed(kind: u8, body: Vec<u8>) -> Result<Vec<u8>, String> {
    let mut packet = vec![kind];
    let mut rest = body.len();
    if rest >= 1 << 28 {
        return Err("the message is longer than 256 MiB".to_owned());
    }
    loop {
        // Seven bits a byte, the lowest first; the eighth says that another byte follows.
        let low = (rest & 0x7f) as u8;
        rest >>= 7;
        packet.push(if rest > 0 { low | 0x80 } else { low });
        if rest == 0 {
            break;
        }
    }
    packet.extend(body);
    Ok(packet)
}

/// Reads a packet: its type without flags, and its body.
async fn packet(connection: &mut Connection) -> Result<(u8, Vec<u8>), String> {
    let kind = connection.byte().await? & 0xf0;
    let mut length = 0;
    for shift in [0, 7, 14, 21] {
        let byte = connection.byte().await?;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            if length > PACKET {
                break;
            }
            return Ok((kind, connection.bytes(length).await?));
        }
    }
    Err("the broker sent a packet without a usable length".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From section 1.5.5 of the specification.
    #[test]
    fn lengths_are_those_of_the_specification() {
        for (length, coded) in [
            (0, &[0x00][..]),
            (127, &[0x7f]),
            (128, &[0x80, 0x01]),
            (16_383, &[0xff, 0x7f]),
            (16_384, &[0x80, 0x80, 0x01]),
            (2_097_151, &[0xff, 0xff, 0x7f]),
            (2_097_152, &[0x80, 0x80, 0x80, 0x01]),
        ] {
            let packet = framed(CONNECT, vec![0; length]).unwrap();
            assert_eq!(&packet[1..=coded.len()], coded);
            assert_eq!(packet.len(), 1 + coded.len() + length);
        }
    }
}
