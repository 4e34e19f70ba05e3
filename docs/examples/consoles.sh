#!/bin/sh
# A guest's console by curl alone:  consoles.sh ROOT GUEST-UUID
#
# ROOT is the API's address, such as http://127.0.0.1:8080.  Who asks is told in a file, so that
# no password is in a command line: CURLRC names one with a line such as
#
#     user = "ann:PASSWORD"        or        header = "X-Auth-Token: TOKEN"

set -eu

root=${1%/}
server=$root/v1.1/servers/$2

ask() {
    curl --silent --show-error --fail-with-body ${CURLRC:+--config "$CURLRC"} \
        --header "Content-Type: application/json" "$@"
    echo
}

echo "# the seed's own way to a console: a URL for the browser"
ask --request POST --data '{}' "$server/ajax_console"

echo "# the same, to look at only, on a certain serial device"
made=$(ask --request POST --data '{"console": {"mode": "ro", "device": "serial0"}}' "$server/consoles")
echo "$made"

echo "# which consoles of this guest are open, and who is on them"
ask "$server/consoles"

id=$(printf '%s' "$made" | sed -n 's/.*"id": *"\([^"]*\)".*/\1/p')

echo "# one of them"
ask "$server/consoles/$id"

echo "# what the guest said, and how often one may ask"
ask --request POST --data '{"os-getConsoleOutput": {"length": 5}}' "$server/action"
ask "$root/v1.1/limits"

echo "# its end, for everybody on it"
ask --request DELETE "$server/consoles/$id"

echo "# none is open any more"
ask "$server/consoles"
