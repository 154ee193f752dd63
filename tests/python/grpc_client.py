"""A gRPC client on the C core, with Debian's python3-grpcio; GRPC_XDS_BOOTSTRAP names its bootstrap for targets xds:///name.

Told what to do by JSON lines on standard input, it tells what it met by JSON lines on standard output:
  {"do":"call","target":"xds:///service","text":"x"} -> {"event":"answer","text":".."} or {"event":"failed","code":14,"details":".."}
  {"do":"open","target":"127.0.0.1:1","method":"/s/M"} opens a stream of messages as bytes; {"do":"send","data":base64} writes one
      -> {"event":"message","data":base64} for each received, {"event":"ended","code":0,"details":".."} at its end; {"do":"half-close"}
"""
import base64
import json
import queue
import sys
import threading

import grpc

CHANNELS = {}
TELLING = threading.Lock()
OUTGOING = queue.Queue()


def tell(event):
    with TELLING:
        print(json.dumps(event), flush=True)


def channel(target):
    if target not in CHANNELS:
        CHANNELS[target] = grpc.insecure_channel(target, options=[("grpc.max_receive_message_length", -1)])
    return CHANNELS[target]


def call(command):
    try:
        say = channel(command["target"]).unary_unary("/meshl4.test.Echo/Say")
        tell({"event": "answer", "text": say(command["text"].encode(), timeout=15).decode()})
    except grpc.RpcError as failure:
        tell({"event": "failed", "code": failure.code().value[0], "details": failure.details()})


def converse(command):
    stream = channel(command["target"]).stream_stream(command["method"])(iter(OUTGOING.get, None))
    try:
        for message in stream:
            tell({"event": "message", "data": base64.b64encode(message).decode()})
    except grpc.RpcError:
        pass
    tell({"event": "ended", "code": stream.code().value[0], "details": stream.details()})


def main():
    for line in sys.stdin:
        command = json.loads(line)
        if command["do"] == "call":
            call(command)
        elif command["do"] == "open":
            threading.Thread(target=converse, args=(command,), daemon=True).start()
        elif command["do"] == "send":
            OUTGOING.put(base64.b64decode(command["data"]))
        elif command["do"] == "half-close":
            OUTGOING.put(None)


main()
