# SPDX-License-Identifier: Apache-2.0
"""S3 by hand: requests that are signed step by step, so that each step can be done wrong. (The tests of ordinary use take ordinary clients.)"""

import datetime
import hashlib
import hmac
import http.client
import re
import urllib.parse

EMPTY = hashlib.sha256(b"").hexdigest()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def read_key(path):
    """(access key id, secret) of a credentials file."""
    text = open(path).read()
    return tuple(re.search(rf"{name} = (\S+)", text)[1] for name in ("aws_access_key_id", "aws_secret_access_key"))


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def code(self):
        """The <Code> of an error."""
        found = re.search(rb"<Code>([^<]*)</Code>", self.body)
        return found[1].decode() if found else ""

    def all(self, name):
        return [text.decode() for text in re.findall(rb"<%s>([^<]*)</%s>" % (name.encode(), name.encode()), self.body)]

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


class Signer:
    def __init__(self, key, host, region="us-east-1", service="s3", skew_s=0):
        self.key_id, self.secret = key
        self.host, self.region, self.service = host, region, service
        now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=skew_s)
        self.time = now.strftime("%Y%m%dT%H%M%SZ")
        self.scope = f"{self.time[:8]}/{region}/{service}/aws4_request"
        key = mac(("AWS4" + self.secret).encode(), self.time[:8])
        for part in (region, service, "aws4_request"):
            key = mac(key, part)
        self.key = key

    def text(self, kind, *lines):
        return "\n".join([kind, self.time, self.scope, *lines])

    def canonical(self, method, path, query, headers, payload):
        pairs = [part.partition("=") for part in query.split("&") if part]
        pairs = sorted((urllib.parse.quote(urllib.parse.unquote(a), "-_.~"),
                        urllib.parse.quote(urllib.parse.unquote(b), "-_.~")) for a, _, b in pairs)
        names = sorted(headers)
        lines = [method, path, "&".join(f"{a}={b}" for a, b in pairs),
                 *(f"{name}:{' '.join(headers[name].split())}" for name in names), "", ";".join(names), payload]
        return sha256("\n".join(lines).encode())

    def sign(self, method, path, query, headers, payload):
        """The headers with those that sign them; self.signature is the signature."""
        headers = {name.lower(): value for name, value in headers.items()}
        headers.update({"host": self.host, "x-amz-date": self.time, "x-amz-content-sha256": payload})
        request = self.canonical(method, path, query, headers, payload)
        self.signature = mac(self.key, self.text("AWS4-HMAC-SHA256", request)).hex()
        names = ";".join(sorted(headers))
        headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={self.key_id}/{self.scope}, SignedHeaders={names}, "
                                    f"Signature={self.signature}")
        return headers

    def presign(self, method, path, expires, query=""):
        """A target with a signature in its query."""
        more = {"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": f"{self.key_id}/{self.scope}",
                "X-Amz-Date": self.time, "X-Amz-Expires": str(expires), "X-Amz-SignedHeaders": "host"}
        query = "&".join(filter(None, [query, urllib.parse.urlencode(more, quote_via=urllib.parse.quote)]))
        request = self.canonical(method, path, query, {"host": self.host}, "UNSIGNED-PAYLOAD")
        signature = mac(self.key, self.text("AWS4-HMAC-SHA256", request)).hex()
        return f"{path}?{query}&X-Amz-Signature={signature}"

    def chunk(self, data):
        """One signed chunk, in order."""
        text = "\n".join(["AWS4-HMAC-SHA256-PAYLOAD", self.time, self.scope, self.signature, EMPTY, sha256(data)])
        self.signature = mac(self.key, text).hex()
        return f"{len(data):x};chunk-signature={self.signature}\r\n".encode() + data + (b"\r\n" if data else b"")

    def trailer(self, name, value):
        text = self.text("AWS4-HMAC-SHA256-TRAILER", self.signature, sha256(f"{name}:{value}\n".encode()))
        self.signature = mac(self.key, text).hex()
        return f"{name}:{value}\r\nx-amz-trailer-signature:{self.signature}\r\n\r\n".encode()


class Client:
    """One key, one server."""

    def __init__(self, url, key):
        self.host = url.split("//")[1]
        self.key = key

    def signer(self, **how):
        return Signer(self.key, self.host, **how)

    def connection(self):
        return http.client.HTTPConnection(self.host, timeout=40)

    def send(self, method, target, body=b"", headers=None):
        """As it is given."""
        connection = self.connection()
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            headers = {name.lower(): value for name, value in (headers or {}).items()}
            headers.setdefault("host", self.host)
            if body or method in ("PUT", "POST"):
                headers.setdefault("content-length", str(len(body)))
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            try:
                connection.send(body)
            except (BrokenPipeError, ConnectionResetError):
                pass
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def __call__(self, method, path, query="", body=b"", headers=None, payload=None, **how):
        """Signed."""
        signer = self.signer(**how)
        signed = signer.sign(method, path, query, headers or {}, payload or sha256(body))
        return self.send(method, path + ("?" + query if query else ""), body, signed)
