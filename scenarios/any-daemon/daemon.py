"""The smallest daemon that leaks: it starts the claude that it is told for each session, and forgets it when the session ends."""

import json
import subprocess
import sys

claudes = {}
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    session = request.get("session")
    if request["ask"] == "open":
        command = [sys.argv[1], "--input-format", "stream-json", "--output-format", "stream-json", "--verbose"]
        claudes[session] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    elif request["ask"] == "prompt":
        message = {"type": "user", "session_id": session, "message": {"role": "user", "content": request["text"]}}
        claudes[session].stdin.write(json.dumps(message).encode() + b"\n")
        claudes[session].stdin.flush()
    elif request["ask"] == "end":
        pass  # The leak. What is right: claudes[session].stdin.close(); claudes.pop(session).wait()
    print(json.dumps({"id": request["id"], "status": "ok"}), flush=True)
