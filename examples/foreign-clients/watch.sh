#!/bin/sh
# Prints the frames of the stream "commands", as they are on the wire. Usage: watch.sh <port> [redis]
set -eu
if [ "${2:-}" = redis ]; then
  # Of each message redis-cli prints three lines: its kind, the channel, the frame.
  exec redis-cli -p "$1" SUBSCRIBE rivulet/default/commands
fi
exec mosquitto_sub -h 127.0.0.1 -p "$1" -t rivulet/default/commands
