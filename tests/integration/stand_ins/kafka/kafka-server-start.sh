#!/bin/bash
# shellcheck disable=SC2086
exec /opt/kafka/bin/kafka-run-class.sh ${EXTRA_ARGS:-} kafka.Kafka "$@"
