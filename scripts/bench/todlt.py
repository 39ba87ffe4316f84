"""Brings the rows in a source's output into Postgres with dlt: todlt.py FILE append|append_dedup [at-once].

dlt takes the rows one by one, or with at-once as a list of all of them, as a script does that has them in memory.
"""
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
data = list(rows()) if sys.argv[3:] == ["at-once"] else rows
resource = dlt.resource(data, name="rows_0", write_disposition="merge" if dedup else "append", primary_key="id" if dedup else None)
print(dlt.pipeline("bench", destination="postgres", dataset_name="dlt_bench").run(resource))
