//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// What the broker knows the load by.
const (
	sandboxName = "bench"
	prefix      = "/bench"
)

// policyYAML is the policy. The default limit of eight requests at once is lifted, and
// everything else is as it is by default. The arguments are the directory and the upstream.
const policyYAML = `credentials:
  - name: bench
    from: file:%[1]s/key
    route: {listen: ` + prefix + `, upstream: "%[2]s", ca: %[1]s/ca.pem, networks: [127.0.0.0/8, "::1/128"]}
    attach: {header: ` + header + `}
    allow:
      - {methods: [POST], paths: [` + path + `]}
      - {methods: [GET], paths: ["/stream/*"]}
    limits: {concurrency: 100000, rate: unlimited}
`

// startBroker starts the program as it is.
func (b *bench) startBroker(ctx context.Context) (*proxy, error) { return b.serve(ctx, b.program, "t") }

// serve starts a broker with a state of its own, and makes this process its sandbox.
func (b *bench) serve(ctx context.Context, program, name string) (p *proxy, err error) {
	file, state := b.file(name+".yaml"), b.file(name)
	if err := os.WriteFile(file, fmt.Appendf(nil, policyYAML, b.dir, b.origin()), 0o600); err != nil {
		return nil, err
	}
	// The broker is where this process was, and the load is elsewhere.
	if b.cgroup != nil {
		if err := moveTo(b.cgroup.before); err != nil {
			return nil, err
		}
	}
	run, err := b.start(program, "broker", "serve", "--policy", file, "--state", state, "--ledger", b.file(name+"-ledger"))
	if b.cgroup == nil {
		c, cerr := enterCgroup()
		if cerr != nil {
			return nil, cerr
		}
		b.cgroup = c
	} else if merr := moveTo(b.cgroup.own); merr != nil {
		return nil, merr
	}
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(state, "control.sock")); err == nil {
			break
		}
		if run.ended() || time.Now().After(end) || ctx.Err() != nil {
			return nil, fmt.Errorf("it does not start: %s", run.output())
		}
	}
	ask := func(args ...string) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		args = append([]string{"broker", "sandbox"}, append(args, "--state", state)...)
		out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out)), nil
	}
	dir, err := ask("add", sandboxName, "--uid", strconv.Itoa(os.Getuid()))
	if err != nil {
		return nil, err
	}
	if _, err := ask("bind", sandboxName, "--pid", strconv.Itoa(os.Getpid())); err != nil {
		return nil, err
	}
	return &proxy{network: "unix", address: filepath.Join(dir, "broker.sock"), prefix: prefix, process: run}, nil
}

// What the redactor is built into, and what stands there in a broker without it.
const (
	redactorFile = "broker/response.go"
	withRedactor = "return c.b.redactor.Reader(from, hit)"
	without      = "return from"
)

// startUnredacted builds the program without its redactor and starts that. There is no
// switch for it, on purpose: the compiler is given one file in another wording.
func (b *bench) startUnredacted(ctx context.Context) (*proxy, error) {
	file, err := filepath.Abs(redactorFile)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if n := strings.Count(string(text), withRedactor); n != 1 {
		return nil, fmt.Errorf("%s has %q %d times: say in bench/broker how to build a broker without its redactor", redactorFile, withRedactor, n)
	}
	changed := b.file("response.go")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(text), withRedactor, without, 1)), 0o600); err != nil {
		return nil, err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {file: changed}})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(b.file("overlay.json"), overlay, 0o600); err != nil {
		return nil, err
	}
	program := b.file("unredacted")
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w",
		"-overlay", b.file("overlay.json"), "-o", program, "./cmd/tightship").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("build it without its redactor: %w: %s", err, out)
	}
	return b.serve(ctx, program, "u")
}
