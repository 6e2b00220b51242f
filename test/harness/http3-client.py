"""One HTTP/3 connection: a request in JSON on each line of the input, its answer in JSON on each line of the output.

Ends with the input, and with status 1 where the connection cannot be had or is lost.
"""

import asyncio
import json
import ssl
import sys
from contextlib import AsyncExitStack

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, StreamReset

LIMIT_S = 10


class Client(QuicConnectionProtocol):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.http = H3Connection(self._quic)
        self.answers = {}

    def quic_event_received(self, event):
        if isinstance(event, ConnectionTerminated):
            for _, done in self.answers.values():
                if not done.done():
                    done.set_exception(ConnectionError(event.reason_phrase or f"code {event.error_code}"))
        if isinstance(event, StreamReset) and event.stream_id in self.answers:
            self.answers[event.stream_id][1].set_exception(ConnectionError(f"stream reset with {event.error_code}"))
        for each in self.http.handle_event(event):
            answer, done = self.answers.get(getattr(each, "stream_id", None), (None, None))
            if answer is None:
                continue
            if isinstance(each, HeadersReceived):
                for name, value in each.headers:
                    if name == b":status":
                        answer["status"] = int(value)
                    elif not name.startswith(b":"):
                        answer["headers"][name.decode()] = value.decode()
            if isinstance(each, DataReceived):
                answer["body"] += each.data.decode()
            if each.stream_ended and not done.done():
                done.set_result(answer)

    async def ask(self, host, method="GET", path="/", headers=None):
        stream = self._quic.get_next_available_stream_id()
        done = asyncio.get_running_loop().create_future()
        self.answers[stream] = ({"status": 0, "headers": {}, "body": ""}, done)
        pseudo = {":method": method, ":scheme": "https", ":authority": host, ":path": path}
        fields = [(name.encode(), value.encode()) for name, value in {**pseudo, **(headers or {})}.items()]
        self.http.send_headers(stream, fields, end_stream=True)
        self.transmit()
        return await asyncio.wait_for(done, LIMIT_S)


async def read_lines():
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def main(address, port, server_name, authority, limit_s):
    configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name=server_name)
    if authority:
        configuration.load_verify_locations(cadata=authority.encode())
    else:
        configuration.verify_mode = ssl.CERT_NONE
    lines = await read_lines()
    async with AsyncExitStack() as stack:
        tickets = []
        opening = connect(
            address,
            port,
            configuration=configuration,
            create_protocol=Client,
            session_ticket_handler=lambda ticket: tickets.append(ticket.max_early_data_size or 0),
        )
        client = await asyncio.wait_for(stack.enter_async_context(opening), limit_s)
        print("{}", flush=True)
        while line := await lines.readline():
            answer = await client.ask(**json.loads(line))
            print(json.dumps({**answer, "tickets": tickets}), flush=True)


if __name__ == "__main__":
    try:
        asyncio.run(main(**json.loads(sys.argv[1])))
    except (ConnectionError, asyncio.TimeoutError) as error:
        print(f"{type(error).__name__} {error}", file=sys.stderr)
        sys.exit(1)
