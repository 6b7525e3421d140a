#!/bin/sh
# The password reaches the process alone: in the container's settings every user of the engine would read it.
set -eu
if [ -f /run/secrets/mongodb_url ]; then
    MONGODB_URL="$(cat /run/secrets/mongodb_url)"
    export MONGODB_URL
fi
if [ -f /run/secrets/client_secret ]; then
    SANKOFA_CLIENT_SECRET="$(cat /run/secrets/client_secret)"
    export SANKOFA_CLIENT_SECRET
fi
if [ -f /run/secrets/pages_client_secret ]; then
    SANKOFA_PAGES_CLIENT_SECRET="$(cat /run/secrets/pages_client_secret)"
    export SANKOFA_PAGES_CLIENT_SECRET
fi
if [ -f /run/secrets/mail_password ]; then
    SANKOFA_MAIL_PASSWORD="$(cat /run/secrets/mail_password)"
    export SANKOFA_MAIL_PASSWORD
fi
exec sankofa "$@"
