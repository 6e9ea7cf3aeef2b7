package test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// socketOf is the Unix socket of the lane's engine.
func socketOf(ts *testscript.TestScript) string {
	path, ok := strings.CutPrefix(os.Getenv("DOCKER_HOST"), "unix://")
	if !ok && os.Getenv("DOCKER_HOST") != "" {
		ts.Fatalf("the lane's engine is remote itself: %s", os.Getenv("DOCKER_HOST"))
	}
	if path == "" {
		path = "/var/run/docker.sock"
	}
	return path
}

// sshd starts an SSH server of this script's own and puts an ssh in the PATH
// that knows its key and has one of its own.
func sshd(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) > 0 {
		ts.Fatalf("usage: sshd")
	}
	server, err := exec.LookPath("sshd")
	if err != nil {
		server = "/usr/sbin/sshd" // no directory of its own in a user's PATH
	}
	client, err := exec.LookPath("ssh")
	ts.Check(err)
	me, err := user.Current()
	ts.Check(err)
	if os.Getuid() == 0 {
		ts.Check(os.MkdirAll("/run/sshd", 0o755)) // where sshd locks its children in
	}
	dir := ts.MkAbs("ssh")
	ts.Check(os.MkdirAll(filepath.Join(dir, "bin"), 0o755))
	for _, key := range []string{"host", "id"} {
		out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, key)).CombinedOutput()
		if err != nil {
			ts.Fatalf("ssh-keygen: %v: %s", err, out)
		}
	}
	port := freePort(ts)
	config := fmt.Sprintf("Port %s\nListenAddress 127.0.0.1\nHostKey %s/host\nAuthorizedKeysFile %[2]s/id.pub\nPidFile none\nUsePAM no\nStrictModes no\n"+
		"PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n", port, dir)
	ts.Check(os.WriteFile(filepath.Join(dir, "sshd_config"), []byte(config), 0o600))
	hostKey, err := os.ReadFile(filepath.Join(dir, "host.pub"))
	ts.Check(err)
	ts.Check(os.WriteFile(filepath.Join(dir, "known_hosts"), []byte("[127.0.0.1]:"+port+" "+string(hostKey)), 0o600))
	config = fmt.Sprintf("UserKnownHostsFile %s/known_hosts\nGlobalKnownHostsFile none\nIdentityFile %[1]s/id\nIdentitiesOnly yes\nIdentityAgent none\n", dir)
	ts.Check(os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o600))
	ts.Check(os.WriteFile(filepath.Join(dir, "bin", "ssh"), fmt.Appendf(nil, "#!/bin/sh\nexec %s -F %s/config \"$@\"\n", client, dir), 0o755))

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	c := exec.CommandContext(ctx, server, "-D", "-e", "-f", filepath.Join(dir, "sshd_config"))
	var log bytes.Buffer
	c.Stderr, c.WaitDelay = &log, time.Second
	ts.Check(c.Start())
	ts.Defer(func() { cancel(); _ = c.Wait() })
	eventually(ts, 10*time.Second, "sshd listens", func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	ts.Setenv("PATH", filepath.Join(dir, "bin")+string(filepath.ListSeparator)+ts.Getenv("PATH"))
	ts.Setenv("SSHPORT", port)
	ts.Setenv("SSHHOST", "ssh://"+me.Username+"@127.0.0.1:"+port+socketOf(ts))
}

func freePort(ts *testscript.TestScript) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// nossh wants that no ssh of this script runs, at once or within some seconds.
func nossh(ts *testscript.TestScript, _ bool, args []string) {
	seconds := 0
	if len(args) == 1 {
		seconds, _ = strconv.Atoi(args[0])
	}
	mine := ts.MkAbs("ssh") + "/config"
	var left string
	eventually(ts, time.Duration(seconds)*time.Second, "no ssh is left", func() bool {
		all, err := filepath.Glob("/proc/[0-9]*/cmdline")
		ts.Check(err)
		left = ""
		for _, path := range all {
			if data, _ := os.ReadFile(path); bytes.Contains(data, []byte("-F\x00"+mine)) {
				left += path + " "
			}
		}
		return left == ""
	})
}

// tlsEngine puts TLS before the lane's engine, for clients with a certificate,
// and writes ca.pem, cert.pem and key.pem.
func tlsEngine(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: tlsengine DIR")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	authority := &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	authorityKey := certify(ts, filepath.Join(dir, "ca.pem"), "", authority, authority, nil)
	serverKey := filepath.Join(ts.MkAbs("."), "server.key")
	certify(ts, filepath.Join(ts.MkAbs("."), "server.pem"), serverKey, &x509.Certificate{DNSNames: []string{"localhost"}}, authority, authorityKey)
	certify(ts, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), &x509.Certificate{}, authority, authorityKey)

	own, err := tls.LoadX509KeyPair(filepath.Join(ts.MkAbs("."), "server.pem"), serverKey)
	ts.Check(err)
	clients := x509.NewCertPool()
	clients.AddCert(authority)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{own}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert,
	})
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	socket := socketOf(ts)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go relay(c.(*tls.Conn), socket)
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	ts.Setenv("TLSHOST", "tcp://localhost:"+port)
}

// certify writes a certificate and its key, and makes c what was issued.
func certify(ts *testscript.TestScript, to, keyTo string, c, by *x509.Certificate, byKey *ecdsa.PrivateKey) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	if byKey == nil {
		byKey = key
	}
	c.SerialNumber, c.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: filepath.Base(to)}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, c, by, &key.PublicKey, byKey)
	ts.Check(err)
	ts.Check(os.WriteFile(to, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
	if keyTo != "" {
		private, err := x509.MarshalPKCS8PrivateKey(key)
		ts.Check(err)
		ts.Check(os.WriteFile(keyTo, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	}
	issued, err := x509.ParseCertificate(der)
	ts.Check(err)
	*c = *issued
	return key
}

// relay connects a client with the engine, each direction by itself.
func relay(from *tls.Conn, socket string) {
	defer from.Close()
	to, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	defer to.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(to, from)
		_ = to.(*net.UnixConn).CloseWrite()
	}()
	_, _ = io.Copy(from, to)
	_ = from.CloseWrite()
	<-done
}

// elsewheres alter what the lane's engine says of itself, as if the socket were
// forwarded from another machine.
var elsewheres = map[string]func(answer map[string]any){
	"kernel": func(a map[string]any) { replace(a, "KernelVersion", "6.6.16-linuxkit") },
	"memory": func(a map[string]any) { replace(a, "MemTotal", 4<<30) },
	"host":   func(a map[string]any) { replace(a, "Name", "docker-desktop") },
	// A machine that is like this one in all of that: its numbers of processes
	// mean others here.
	"alike": func(a map[string]any) {
		if state, ok := a["State"].(map[string]any); ok && state["Pid"] != nil {
			state["Pid"] = os.Getpid()
		}
	},
}

func replace(a map[string]any, name string, value any) {
	if _, ok := a[name]; ok {
		a[name] = value
	}
}

// elsewhere points DOCKER_HOST at a socket that seems to be forwarded.
func elsewhere(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 || elsewheres[args[0]] == nil {
		ts.Fatalf("usage: elsewhere KIND, one of %d kinds", len(elsewheres))
	}
	socket := socketOf(ts)
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "docker"})
	proxy.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	proxy.FlushInterval = -1
	proxy.ModifyResponse = func(r *http.Response) error {
		if !strings.HasSuffix(r.Request.URL.Path, "/info") && !strings.HasSuffix(r.Request.URL.Path, "/json") || r.StatusCode != http.StatusOK {
			return nil
		}
		data, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		var answer map[string]any
		if json.Unmarshal(data, &answer) == nil { // a list of containers stays as it is
			elsewheres[args[0]](answer)
			if data, err = json.Marshal(answer); err != nil {
				return err
			}
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
		r.Header.Set("Content-Length", strconv.Itoa(len(data)))
		return nil
	}
	dir, err := os.MkdirTemp("", "ts") // the script's directory is too long for a socket's path
	ts.Check(err)
	ts.Defer(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	ts.Check(err)
	server := &http.Server{Handler: proxy}
	ts.Defer(func() { server.Close() })
	go func() { _ = server.Serve(l) }()
	ts.Setenv("DOCKER_HOST", "unix://"+filepath.Join(dir, "s"))
}
