#!/bin/bash
# Runs a command as the ordinary user tester, in a scope that systemd delegates to it.
exec setpriv --reuid 1000 --regid 1000 --init-groups env -i -C /home/tester HOME=/home/tester USER=tester LOGNAME=tester OUT=/out \
	PATH=/share/bin:/usr/local/bin:/usr/bin:/bin XDG_RUNTIME_DIR=/run/user/1000 DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus "$@"
