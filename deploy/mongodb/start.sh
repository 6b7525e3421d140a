#!/bin/sh
# mongod refuses a key file that others may read, and a mounted secret has the permissions of the host's file.
set -eu
umask 077
cat /run/secrets/mongodb_key >/tmp/key
exec mongod --replSet rs0 --keyFile /tmp/key --bind_ip_all --wiredTigerCacheSizeGB 0.75
