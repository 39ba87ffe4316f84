"""Starts source-faker: the same three lines as in the connector's own repository (airbytehq/airbyte, connectors/source-faker/main.py)."""

from source_faker.run import run

if __name__ == "__main__":
    run()
