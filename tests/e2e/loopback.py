# SPDX-License-Identifier: Apache-2.0
"""Servers and their clients in one process: what Python's library makes of sockets. Says the same wherever it runs."""

import asyncio
import http.server
import multiprocessing.connection
import os
import socket
import socketserver
import tempfile
import threading
import urllib.request
import xmlrpc.client
import xmlrpc.server


def serving(server):
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address


class Reverse(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line[::-1].strip() + b"\n")


def reversed_by_server(address, number):
    with socket.create_connection(address) as client:
        file = client.makefile("rwb")
        file.write(b"client %d\n" % number)
        file.flush()
        client.shutdown(socket.SHUT_WR)
        return file.readline()


with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Reverse) as server:
    address = serving(server)
    print([reversed_by_server(address, i) for i in range(5)])
    server.shutdown()

with xmlrpc.server.SimpleXMLRPCServer(("localhost", 0), logRequests=False) as server:
    server.register_function(pow)
    print(xmlrpc.client.ServerProxy("http://localhost:%d" % serving(server)[1]).pow(2, 10))
    server.shutdown()


class Upper(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).upper()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class V6(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6


for kind, host in ((http.server.ThreadingHTTPServer, "127.0.0.1"), (V6, "::1")):
    with kind((host, 0), Upper) as server:
        port = serving(server)[1]
        url = "http://%s:%d/" % (f"[{host}]" if ":" in host else host, port)
        print(urllib.request.urlopen(url, data=b"x" * 100000).read() == b"X" * 100000)
        server.shutdown()

listener = multiprocessing.connection.Listener(("127.0.0.1", 0))


def send_object():
    with multiprocessing.connection.Client(listener.address) as client:
        client.send({"a": [1, 2]})


thread = threading.Thread(target=send_object)
thread.start()
print(listener.accept().recv())
thread.join()


async def datagrams():
    got = asyncio.get_running_loop().create_future()

    class Server(asyncio.DatagramProtocol):
        def connection_made(self, transport):
            self.transport = transport

        def datagram_received(self, data, address):
            self.transport.sendto(data + b"!", address)

    class Client(asyncio.DatagramProtocol):
        def datagram_received(self, data, _):
            got.set_result(data)

    loop = asyncio.get_running_loop()
    server, _ = await loop.create_datagram_endpoint(Server, local_addr=("127.0.0.1", 0))
    client, _ = await loop.create_datagram_endpoint(Client, remote_addr=server.get_extra_info("sockname"))
    client.sendto(b"ping")
    print(await got)


async def many_streams():
    async def upper(reader, writer):
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
        writer.close()

    async def ask(port, number):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"number %d\n" % number)
        answer = await reader.readline()
        writer.close()
        return answer

    server = await asyncio.start_server(upper, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(sorted(await asyncio.gather(*(ask(port, i) for i in range(50))))[-1])
    server.close()


async def unix_stream(path):
    async def echo(reader, writer):
        writer.write(await reader.read())
        writer.close()

    server = await asyncio.start_unix_server(echo, path)
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"over a path")
    writer.write_eof()
    print(await reader.read())
    server.close()


asyncio.run(datagrams())
asyncio.run(many_streams())
with tempfile.TemporaryDirectory() as directory:
    asyncio.run(unix_stream(os.path.join(directory, "socket")))

one, other = socket.socketpair()
end, start = os.pipe()
socket.send_fds(one, [b"message"], [end])
os.write(start, b"through")
message, fds, _, _ = socket.recv_fds(other, 20, 4)
print(message, os.read(fds[0], 20))
print(socket.gethostbyname("localhost"), "lo" in [name for _, name in socket.if_nameindex()])
