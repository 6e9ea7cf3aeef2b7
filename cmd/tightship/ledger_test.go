package main

import (
	"bufio"
	"context"
	"io"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tightship-dev/tightship/ledger"
)

// mkledger makes a ledger: 0 the log's own, 1 and 2 a use, 3 a denial with a
// hostile path, 4 a push without an outcome, 5 the log's own.
func mkledger(ts *testscript.TestScript, _ bool, args []string) {
	l, err := ledger.Open(ts.MkAbs(args[0]), ledger.Options{
		Copies: []string{ts.MkAbs("copies")},
		Now:    func() time.Time { return time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC) },
	})
	ts.Check(err)
	for _, e := range []ledger.Entry{
		{Kind: ledger.Intent, Sandbox: "agent", Credential: "anthropic", Route: "/anthropic", Method: "POST", Path: "/v1/messages", Decision: "allow", Rule: "allow[0]"},
		{Kind: ledger.Outcome, Of: 1, Sandbox: "agent", Credential: "anthropic", Status: 200, BytesOut: 512, Latency: 1500 * time.Microsecond},
		{Kind: ledger.Denied, Sandbox: "other", Credential: "github", Method: "GET", Path: "/\x1b[2J\u202e", Decision: "deny", Reason: "no rule allows it"},
		{Kind: ledger.Intent, Sandbox: "agent", Credential: "github", Method: "POST", Path: "/acme/widget.git/git-receive-pack", Decision: "allow",
			Refs: []ledger.RefUpdate{{Ref: "refs/heads/agent/x", Old: "0000000000000000000000000000000000000000", New: "89abcdef0123456789abcdef0123456789abcdef"}}},
	} {
		_, err := l.Append(context.Background(), e)
		ts.Check(err)
	}
	ts.Check(l.Close())
}

// tail -f prints what is there and then what is recorded while it waits, also into
// the next segment, until it is interrupted.
func TestLedgerTailFollows(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	l, err := ledger.Open(dir, ledger.Options{SegmentBytes: 4096})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, stop := context.WithCancelCause(t.Context())
	defer stop(nil)
	r, w := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- newApp().run(ctx, []string{"ledger", "tail", "-f", "-o", "json", "--dir", dir}, strings.NewReader(""), w, io.Discard)
		w.Close()
	}()
	lines := bufio.NewScanner(r)
	for want := range uint64(40) {
		if !lines.Scan() {
			t.Fatalf("it ended before record %d", want)
		}
		if rec, err := ledger.ParseRecord(lines.Bytes()); err != nil || rec.Seq != want {
			t.Fatalf("%q is not record %d: %v", lines.Bytes(), want, err)
		}
		// Only now: until then there is nothing more to print.
		if _, err := l.Append(ctx, ledger.Entry{Kind: ledger.Denied, Sandbox: "agent", Reason: strings.Repeat("x", 200)}); err != nil {
			t.Fatal(err)
		}
	}
	if segments, _ := filepath.Glob(filepath.Join(dir, "*.start")); len(segments) < 2 {
		t.Error("there is only one segment")
	}
	stop(stopped{syscall.SIGINT})
	go io.Copy(io.Discard, r)
	if c := <-code; c != 130 {
		t.Errorf("exit code %d", c)
	}
}
