//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// installed asks scripts/setup.sh for a program, which it prints the path of. It may
// install it first.
func installed(ctx context.Context, what string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "scripts/setup.sh", what).Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		lines := strings.Split(strings.TrimSpace(string(exit.Stderr)), "\n")
		return "", fmt.Errorf("scripts/setup.sh %s ends with %d: %s", what, exit.ExitCode(), strings.Join(lines[max(0, len(lines)-3):], "; "))
	}
	return strings.TrimSpace(string(out)), err
}

// nginxConf has what the others do and no more: the upstream's certificate is
// checked, connections on both sides stay open for as long as the run, every request is
// in the access log, and there is a worker for each core. The arguments are the
// directory, the upstream's port and the key.
const nginxConf = `daemon off;
user root;
worker_processes auto;
pid %[1]s/nginx.pid;
error_log %[1]s/nginx-error.log;
events { worker_connections 1024; }
http {
	access_log %[1]s/nginx-access.log combined;
	client_body_temp_path %[1]s/nginx-body;
	proxy_temp_path %[1]s/nginx-proxy;
	fastcgi_temp_path %[1]s/nginx-fastcgi;
	uwsgi_temp_path %[1]s/nginx-uwsgi;
	scgi_temp_path %[1]s/nginx-scgi;
	keepalive_requests 1000000000;
	upstream up {
		server 127.0.0.1:%[2]d;
		keepalive 256;
		keepalive_requests 1000000000;
	}
	server {
		listen unix:%[1]s/nginx.sock;
		location / {
			proxy_pass https://up;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host localhost;
			proxy_set_header ` + header + ` %[3]s;
			proxy_ssl_server_name on;
			proxy_ssl_name localhost;
			proxy_ssl_verify on;
			proxy_ssl_trusted_certificate %[1]s/ca.pem;
		}
	}
}
`

func (b *bench) startNginx(ctx context.Context) (*proxy, error) {
	program, err := installed(ctx, "nginx")
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(b.file("key"))
	if err != nil {
		return nil, err
	}
	conf := b.file("nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, b.dir, b.upstream, key), 0o600); err != nil {
		return nil, err
	}
	p, err := b.start(program, "-e", b.file("nginx-error.log"), "-p", b.dir, "-c", conf)
	if err != nil {
		return nil, err
	}
	return &proxy{network: "unix", address: b.file("nginx.sock"), process: p}, nil
}

// startMitmproxy starts mitmdump, which has no terminal to draw on. It cannot listen on a
// Unix socket, so it is on loopback.
func (b *bench) startMitmproxy(ctx context.Context) (*proxy, error) {
	program, err := installed(ctx, "mitmproxy")
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(b.file("key"))
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free
	if err != nil {
		return nil, err
	}
	address := l.Addr().(*net.TCPAddr)
	if err := l.Close(); err != nil {
		return nil, err
	}
	p, err := b.start(program, "--quiet", "--mode", "reverse:"+b.origin(),
		"--listen-host", "127.0.0.1", "--listen-port", strconv.Itoa(address.Port),
		"--set", "confdir="+b.file("mitmproxy"),
		"--set", "ssl_verify_upstream_trusted_ca="+b.file("ca.pem"),
		"--modify-headers", "/~q/"+header+"/"+string(key))
	if err != nil {
		return nil, err
	}
	return &proxy{network: "tcp", address: address.String(), process: p}, nil
}
