"""Reads all streams of a source with PyAirbyte into a new cache: pyairbyte.py SOURCE CONFIG_FILE."""

import json
import sys

import airbyte as ab

program, config_file = sys.argv[1:]
with open(config_file, encoding="utf-8") as file:
    config = json.load(file)
source = ab.get_source("source-faker", local_executable=program, config=config)
source.select_all_streams()
result = source.read(cache=ab.new_local_cache("bench"), force_full_refresh=True)
print(result.processed_records, "rows")
