#!/bin/sh
# Prints the frames of the stream "commands", as they are on the wire. Usage: watch.sh <port>
set -eu
exec mosquitto_sub -h 127.0.0.1 -p "$1" -t rivulet/default/commands
