"""A cluster of Kafka: three brokers of librdkafka, a program of its own.

Prints the addresses of the brokers, then each record of the topic as one line of JSON.
"""

import json
import sys

from confluent_kafka import Consumer, Producer

topic = sys.argv[1]
# The brokers live as long as their producer.
cluster = Producer({"test.mock.num.brokers": 3, "log_level": 0})
# The brokers create a topic for whoever lets them.
brokers = cluster.list_topics(topic, timeout=60).brokers.values()
servers = [f"{broker.host}:{broker.port}" for broker in brokers]
print(" ".join(servers), flush=True)

consumer = Consumer({
    "bootstrap.servers": ",".join(servers),
    "group.id": "test",
    "auto.offset.reset": "earliest",
    "log_level": 0,
})
consumer.subscribe([topic])
while True:
    record = consumer.poll(1)
    if record is None:
        continue
    if record.error():
        sys.exit(str(record.error()))
    print(json.dumps({
        "partition": record.partition(),
        "offset": record.offset(),
        "key": record.key().decode(),
        "value": json.loads(record.value()),
        "headers": {name: value.decode() for name, value in record.headers()},
        "timestamp": record.timestamp()[1],
    }), flush=True)
