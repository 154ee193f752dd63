"""A gRPC server on the C core that compresses what it sends: the aggregated stream, state of the world, one response for each type.

Its argument is a file with JSON: type URL -> base64 of a DiscoveryResponse. It tells its port as a JSON line, and ends with its input.
"""
import base64
import json
import sys
from concurrent import futures

import grpc

METHOD = "StreamAggregatedResources"


class Streams(grpc.GenericRpcHandler):
    def __init__(self, responses):
        self._responses = responses

    def service(self, details):
        if not details.method.endswith("/" + METHOD):
            return None
        return grpc.stream_stream_rpc_method_handler(self._serve)

    def _serve(self, requests, _context):
        sent = set()
        for request in requests:
            for url, response in self._responses.items():
                if url.encode() in request and url not in sent:
                    sent.add(url)
                    yield response


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        responses = {url: base64.b64decode(text) for url, text in json.load(file).items()}
    server = grpc.server(futures.ThreadPoolExecutor(8), compression=grpc.Compression.Gzip)
    server.add_generic_rpc_handlers((Streams(responses),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(json.dumps({"event": "listening", "port": port}), flush=True)
    sys.stdin.read()
    server.stop(0)


main()
