"""Brings the rows in a source's output into Postgres with dlt: todlt.py FILE append|append_dedup."""
import json
import sys

import dlt


def rows():
    with open(sys.argv[1], encoding="utf-8") as output:
        for line in output:
            message = json.loads(line)
            if message["type"] == "RECORD":
                yield message["record"]["data"]


dedup = sys.argv[2] == "append_dedup"
resource = dlt.resource(rows, name="rows_0", write_disposition="merge" if dedup else "append", primary_key="id" if dedup else None)
print(dlt.pipeline("bench", destination="postgres", dataset_name="dlt_bench").run(resource))
