"""Starts bulker-test-server as Bulker's variables ask for it, and refuses what Bulker would not work with.

BULKER_DESTINATION_* holds a destination as JSON, whose id goes before the variable's own name, BULKER_RAW_AUTH_TOKENS plain tokens
(jitsucom/bulker, .docs/server-config.md and bulkerapp/app/configuration_source.go). Kafka and the destination's Postgres have to answer, as Bulker
connects to both.
"""

import json
import os
import socket

PREFIX = "BULKER_DESTINATION_"

arguments = ["/bulker-test-server", "-addr", "0.0.0.0:3042", "-dir", "/rows", "-token", os.environ["BULKER_RAW_AUTH_TOKENS"]]
host, port = os.environ["BULKER_KAFKA_BOOTSTRAP_SERVERS"].split(":")
socket.create_connection((host, int(port)), timeout=10).close()
for name, value in os.environ.items():
    if name.startswith(PREFIX):
        destination = json.loads(value)
        credentials = destination["credentials"]
        if destination["type"] != "postgres" or not credentials["username"] or not credentials["password"] or not credentials["database"]:
            raise SystemExit(f"{name}: not a destination in a Postgres")
        socket.create_connection((credentials["host"], credentials["port"]), timeout=10).close()
        arguments += ["-destination", destination["id"]]
os.makedirs("/rows", exist_ok=True)
os.execv(arguments[0], arguments)
