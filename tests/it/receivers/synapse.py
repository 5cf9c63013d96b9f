"""A homeserver of Matrix: Synapse, a program of its own.

Prints its address, an access token and the id of a room of that user, then each message of the room
as one line of JSON: the content of its event.
"""

import hashlib
import hmac
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

directory = tempfile.TemporaryDirectory()
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
address = f"http://127.0.0.1:{port}"
config = f"{directory.name}/homeserver.yaml"
with open(config, "w") as file:
    file.write(f"""
server_name: localhost
report_stats: false
pid_file: {directory.name}/pid
signing_key_path: {directory.name}/signing.key
media_store_path: {directory.name}/media
trusted_key_servers: []
registration_shared_secret: s3cr3t
database: {{name: sqlite3, args: {{database: "{directory.name}/homeserver.db"}}}}
listeners:
  - {{port: {port}, type: http, bind_addresses: ["127.0.0.1"], resources: [{{names: [client]}}]}}
""")
server = [sys.executable, "-m", "synapse.app.homeserver", "-c", config]
subprocess.run([*server, "--generate-keys"], check=True, stdout=subprocess.DEVNULL,
               stderr=subprocess.DEVNULL)
# The test ends the process that it started: that becomes Synapse, and a child asks it.
parent = os.getpid()
if os.fork():
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    os.execv(server[0], server)


def ask(method, path, body=None, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address + path, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


begun = time.monotonic()
while True:
    try:
        nonce = ask("GET", "/_synapse/admin/v1/register")["nonce"]
        break
    except (urllib.error.URLError, ConnectionError):
        if os.getppid() != parent or time.monotonic() - begun > 120:
            sys.exit("Synapse does not start")
        time.sleep(0.1)
mac = hmac.new(b"s3cr3t", f"{nonce}\0bot\0pass\0notadmin".encode(), hashlib.sha1).hexdigest()
user = ask("POST", "/_synapse/admin/v1/register", {
    "nonce": nonce, "username": "bot", "password": "pass", "admin": False, "mac": mac,
})
token = user["access_token"]
room = ask("POST", "/_matrix/client/v3/createRoom", {}, token)["room_id"]
print(address, token, room, flush=True)

batch = ask("GET", "/_matrix/client/v3/sync", None, token)["next_batch"]
while True:
    try:
        answer = ask("GET", f"/_matrix/client/v3/sync?since={batch}&timeout=10000", None, token)
    except OSError:
        # Synapse has ended, and the test with it.
        sys.exit()
    batch = answer["next_batch"]
    joined = answer.get("rooms", {}).get("join", {}).get(room)
    for event in joined["timeline"]["events"] if joined else []:
        if event["type"] == "m.room.message":
            print(json.dumps(event["content"]), flush=True)
