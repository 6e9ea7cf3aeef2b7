#!/bin/sh
# Runs one command of the build: quietly, with retries, and trusting the company's
# CA if the build was given one as the secret `ca`. All of it lives in this one RUN
# step's environment and in its tmpfs on /tmp, so nothing of it reaches a layer.
set -eu
export DEBIAN_FRONTEND=noninteractive
export APT_CONFIG=/tmp/apt.conf
printf '%s\n' 'Acquire::Retries "3";' 'Dpkg::Use-Pty "0";' 'quiet "2";' >"$APT_CONFIG"

ca=/tmp/ca
if [ -s "$ca" ]; then
	# A proxy may intercept only some hosts: add the CA to the public ones.
	bundle=/tmp/ca-bundle.pem
	{
		cat "$ca"
		echo
		cat /etc/ssl/certs/ca-certificates.crt 2>/dev/null || true
	} >"$bundle"
	echo "Acquire::https::CAInfo \"$bundle\";" >>"$APT_CONFIG"
	export SSL_CERT_FILE="$bundle" PIP_CERT="$bundle"
	export NODE_EXTRA_CA_CERTS="$bundle" NPM_CONFIG_CAFILE="$bundle"
fi
exec "$@"
