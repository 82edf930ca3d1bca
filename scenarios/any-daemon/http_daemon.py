"""The daemon of daemon.py over HTTP: it starts the claude that it is told for each session, and forgets it when the session ends."""

import json
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

claudes = {}


class Daemon(BaseHTTPRequestHandler):
    def answer(self):
        request = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
        _, what, session, *_ = self.path.split("/") + [""]
        if what == "sessions" and self.command == "POST":
            command = [sys.argv[2], "--input-format", "stream-json", "--output-format", "stream-json", "--verbose"]
            claudes[session] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        elif what == "prompts":
            message = {"type": "user", "session_id": session, "message": {"role": "user", "content": request["text"]}}
            claudes[session].stdin.write(json.dumps(message).encode() + b"\n")
            claudes[session].stdin.flush()
        elif self.command == "DELETE":
            pass  # The leak. What is right: claudes[session].stdin.close(); claudes.pop(session).wait()
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_POST = do_DELETE = answer


HTTPServer(("127.0.0.1", int(sys.argv[1])), Daemon).serve_forever()
