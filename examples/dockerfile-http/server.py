"""An HTTP server from Python's own library that says what powers it."""

import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        pages = {"/": f"Powered by {os.environ.get('POWERED_BY', 'Deis')}\n", "/health": "ok\n"}
        body = pages.get(self.path.partition("?")[0])
        self.answer(200, body) if body else self.answer(404, "not found\n")

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = ThreadingHTTPServer(("0.0.0.0", int(os.environ.get("PORT", "5000"))), Handler)
# shutdown() waits for the loop to end, so it must not run in the thread of the loop.
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print("dockerfile-http is ready", flush=True)
server.serve_forever()
