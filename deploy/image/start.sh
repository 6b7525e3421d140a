#!/bin/sh
# The password reaches the process alone: in the container's settings every user of the engine would read it.
set -eu
if [ -f /run/secrets/mongodb_url ]; then
    MONGODB_URL="$(cat /run/secrets/mongodb_url)"
    export MONGODB_URL
fi
exec sankofa "$@"
