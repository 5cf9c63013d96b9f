"""A mail server: prints its port, then each message as one line of JSON."""

import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

mode, certificate, key = sys.argv[1:4]
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(certificate, key)


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("gone@"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        part = lambda kind: message.get_body((kind,)).get_content().replace("\r\n", "\n")
        defects = [repr(defect) for part in message.walk() for defect in part.defects]
        print(json.dumps({
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None or mode == "tls",
            "headers": {name.lower(): str(value) for name, value in message.items()},
            "text": part("plain"),
            "html": part("html"),
            "defects": defects,
        }), flush=True)
        return "250 queued"


def authenticate(server, session, envelope, mechanism, data):
    good = data.login == b"user" and data.password == b"s3cr3t"
    return AuthResult(success=good, handled=False)


def protocol():
    login = {"authenticator": authenticate, "auth_required": True}
    if mode == "starttls":
        return SMTP(Handler(), tls_context=context, require_starttls=True, **login)
    if mode == "tls":
        return SMTP(Handler(), auth_require_tls=False, **login)
    return SMTP(Handler())


async def main():
    loop = asyncio.get_running_loop()
    # "localhost" may be either.
    server = await loop.create_server(
        protocol, "127.0.0.1", 0, ssl=context if mode == "tls" else None)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
