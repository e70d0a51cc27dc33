# SPDX-License-Identifier: Apache-2.0
"""An interpreter, frozen after its imports: what its modules keep must not make two events alike. Takes the same
bodies and answers in the same lines as leave.h says."""

import os
import random
import secrets
import socket
import ssl
import sys
import tempfile
import threading
import uuid

state = {"number": 1}
rng = random.SystemRandom()
# Every generator has been used before the freeze: so it has a state that could come back.
secrets.token_hex(4), random.random(), uuid.uuid4(), uuid.uuid1(), ssl.RAND_bytes(8), rng.random()
with tempfile.NamedTemporaryFile():
    pass

certificate = sys.argv[1] if len(sys.argv) > 1 else None
if certificate:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.maximum_version = ssl.TLSVersion.TLSv1_3
    client_context = ssl.create_default_context()
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE


def server_hello():
    """The first record that a server sends, from a handshake in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            pass
    return to_client.read()


if certificate:
    server_hello()

word = sys.stdin.buffer.read(8).split()[0].decode()
if word in ("dirty", "both"):
    state["number"] += 1
    random.seed(1)
    os.environ["LEFT"] = "1"
    with open("/tmp/left", "w") as f:
        f.write("left")
    threading.Thread(target=lambda: os.read(os.pipe()[0], 1), daemon=True).start()
if word in ("look", "scan", "both"):
    found = 0
    for bad, text in ((state["number"] != 1, "a global has changed"), ("LEFT" in os.environ, "the environment has changed"),
                      (os.path.exists("/tmp/left"), "a file is there"), (threading.active_count() > 1, "a thread runs")):
        if bad:
            found += 1
            print("leak", text)
    print("unique os.urandom", os.urandom(16).hex())
    print("unique secrets", secrets.token_hex(16))
    print("unique SystemRandom", rng.getrandbits(128))
    print("unique uuid4", uuid.uuid4())
    print("unique uuid1", uuid.uuid1())
    print("unique openssl", ssl.RAND_bytes(16).hex())
    if "--random" in sys.argv:
        print("unique random", random.random())
    print("differs tempfile", tempfile.mktemp())
    print("differs pid", os.getpid())
    if certificate:
        # Record and handshake headers and version have 11 bytes, then comes the random.
        hello = server_hello()
        print("unique server", hello[11:43].hex() if hello[5] == 2 else "?")
    print("leaks" if found else "clean")
else:
    print("left")
sys.stdout.flush()
os._exit(0)
