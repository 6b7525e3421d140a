#!/bin/bash
# What Kafka's own script of this name does with the settings that docker-compose.yml gives.
set -eu
while [ "$1" = "-name" ]; do shift 2; done
mkdir -p "${LOG_DIR:-/opt/kafka/logs}"
# shellcheck disable=SC2086
exec java ${KAFKA_HEAP_OPTS:--Xmx256M} "-Dkafka.logs.dir=${LOG_DIR:-/opt/kafka/logs}" ${KAFKA_LOG4J_OPTS:-} \
    -cp "/opt/kafka/libs/*" "$@"
