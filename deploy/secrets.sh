#!/bin/sh
# Makes what docker-compose.yml reads from its secrets' folder: `sh deploy/secrets.sh [FOLDER]`. Nothing is replaced.
# The folder is closed to other users; the files are not, since each container reads its own as a user of its own.
set -eu
folder="${1:-secrets}"
mkdir -p "$folder"
chmod 0700 "$folder"

random() {
    head -c "$1" /dev/urandom | base64 | tr -d '\n'
}

keep() {
    if [ ! -s "$folder/$1" ]; then
        printf '%s\n' "$2" >"$folder/.$1"
        chmod 0444 "$folder/.$1"
        mv "$folder/.$1" "$folder/$1"
    fi
}

keep mongodb_key "$(random 756)"
keep mongodb_operator_password "$(random 32 | tr '+/' '-_' | tr -d '=')"
keep client_secret "$(random 32 | tr '+/' '-_' | tr -d '=')"
keep pages_client_secret "$(random 32 | tr '+/' '-_' | tr -d '=')"
keep mail_password "$(random 32 | tr '+/' '-_' | tr -d '=')"
for service in registration matching placement monitoring; do
    password="$(random 32 | tr '+/' '-_' | tr -d '=')"
    keep "${service}_mongodb_url" "mongodb://$service:$password@mongodb:27017/?replicaSet=rs0&authSource=admin"
done
