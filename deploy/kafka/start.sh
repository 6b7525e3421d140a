#!/bin/bash
# Formats an empty data folder once, under an id of its own, then starts the node.
set -eu
properties=/etc/sankofa/server.properties
if [ ! -f /var/lib/kafka/data/log/meta.properties ]; then
    id="$(/opt/kafka/bin/kafka-storage.sh random-uuid)"
    /opt/kafka/bin/kafka-storage.sh format --standalone --cluster-id "$id" --config "$properties"
fi
exec /opt/kafka/bin/kafka-server-start.sh "$properties"
