package broker

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tightship-dev/tightship/ledger"
	"github.com/tightship-dev/tightship/policy"
)

// renderings are the ways in which a value must not be found. Base64 is cut at its
// ends, which hold bits of the neighbours.
func renderings(value string) []string {
	all := []string{value, url.QueryEscape(value), hex.EncodeToString([]byte(value)), strings.ToUpper(hex.EncodeToString([]byte(value)))}
	for _, before := range []string{"", "x", "xy"} {
		b := base64.StdEncoding.EncodeToString([]byte(before + value))
		all = append(all, b[4:len(b)-4])
	}
	return all
}

// TestNeverWritten uses credentials in every way that works or fails, and looks for
// the value in all that the broker writes: the ledger, its state, its notices, its
// metrics, and every answer.
func TestNeverWritten(t *testing.T) {
	dir := shortDir(t)
	log, err := ledger.Open(filepath.Join(dir, "ledger"), ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	var mu sync.Mutex
	var written strings.Builder
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		echo := r.Header.Get("X-Api-Key") + r.Header.Get("Authorization") + r.URL.RawQuery
		switch r.URL.Path {
		case "/redirect":
			w.Header().Set("Location", "https://elsewhere.example/?k="+echo)
			w.WriteHeader(http.StatusFound)
		case "/encoding":
			w.Header().Set("Content-Encoding", echo)
		case "/header":
			w.Header().Set("X-Echo", echo)
		case "/abort":
			w.Write([]byte(strings.Repeat("x", 80<<10) + echo))
			panic(http.ErrAbortHandler)
		default:
			w.WriteHeader(http.StatusInternalServerError)
			io.WriteString(w, echo)
		}
	})
	all := allow("GET", "/**")
	tb := startBroker(t, policyOf(
		up.credential("h", apiKey, all), up.credential("b", policy.Attach{Style: policy.AttachBearer}, all),
		up.credential("u", policy.Attach{Style: policy.AttachBasic, Name: "me"}, all), up.credential("q", policy.Attach{Style: policy.AttachQuery, Name: "key"}, all),
	), func(o *Options) {
		o.Dir, o.Ledger = dir, log
		o.Notify = func(n Notice) {
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintln(&written, n)
		}
	})
	for _, route := range []string{"h", "b", "u", "q"} {
		for _, path := range []string{"redirect", "encoding", "header", "abort", "error"} {
			c := tb.dial(t)
			fmt.Fprintf(c, "GET /%s/%s HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n", route, path)
			got, _ := io.ReadAll(c) // some are cut
			mu.Lock()
			written.Write(got)
			mu.Unlock()
		}
	}
	up.CloseClientConnections()
	tb.quiesce(t)
	mu.Lock()
	defer mu.Unlock()
	if err := tb.metrics.write(&written, 1, 1); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		written.Write(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(up.requests()); n < 20 {
		t.Errorf("%d uses", n)
	}
	for _, r := range renderings(realKey) {
		if i := strings.Index(written.String(), r); i >= 0 {
			t.Errorf("written: …%q", written.String()[max(0, i-200):i+len(r)])
		}
	}
	// The search can find: what is planted in a path is written, as the caller said it.
	c := tb.dial(t)
	fmt.Fprintf(c, "GET /h/%s HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n", "planted-0123456789")
	io.Copy(io.Discard, c)
	tb.quiesce(t)
	found := false
	for id := range intents(t, filepath.Join(copyOf(t, dir), "ledger")) {
		found = found || strings.Contains(id, "planted-0123456789")
	}
	if !found {
		t.Error("what was planted was not found either")
	}
}

// copyOf is a copy of a directory that is in use.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	for _, name := range []string{"ledger", "ledger.key", "ledger.key.pub"} {
		err := filepath.WalkDir(filepath.Join(dir, name), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			if d.IsDir() {
				return os.MkdirAll(filepath.Join(to, rel), 0o700)
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(to, rel), data, 0o600)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// TestFilesExhausted takes all file descriptors away, and gives them back: nothing is
// sent without a record in between, and the broker serves again after.
func TestFilesExhausted(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	up := newUpstream(t, nil)
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), nil)
	fetch(t, tb.client(t), "GET", "/x/a", nil)
	c := tb.dial(t) // waits to be accepted when there are files again
	eventually(t, "the connection", func() bool { return tb.conns.Load() >= 2 })
	low := limit
	low.Cur = 3
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	status, _ := say(t, c, "GET /x/b HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n")
	_, dialed := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "unix", tb.socket())
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if dialed == nil {
		t.Error("there were files left, so nothing was tried")
	}
	if status != 200 && status != 502 {
		t.Errorf("without files: %d", status)
	}
	if uses, records := len(up.requests()), len(tb.ledger.of(ledger.Intent)); uses > records {
		t.Errorf("%d uses, %d records", uses, records)
	}
	if resp, body := fetch(t, tb.client(t), "GET", "/x/a", nil); resp.StatusCode != 200 {
		t.Errorf("afterwards: %d %s", resp.StatusCode, body)
	}
}

// TestLedgerOnFullDisk has every sync fail from some moment on: nothing is sent then.
func TestLedgerOnFullDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting takes root")
	}
	dir := filepath.Join(shortDir(t), "full")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skip(err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	log, err := ledger.Open(filepath.Join(dir, "ledger"), ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close() // it is broken
	up := newUpstream(t, nil)
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/use/*"))), func(o *Options) { o.Ledger = log })
	c := tb.client(t)
	last := 0
	for i := range 2000 {
		resp, body := fetch(t, c, "GET", fmt.Sprint("/x/use/", i), nil)
		if last = resp.StatusCode; last != 200 {
			if last != 503 || !strings.Contains(body, RuleLedger) {
				t.Errorf("%d %s", last, body)
			}
			break
		}
	}
	if last != 503 {
		t.Error("the disk was never full")
	}
	sent := len(up.requests())
	for i := range 10 {
		if resp, _ := fetch(t, c, "GET", fmt.Sprint("/x/use/after", i), nil); resp.StatusCode != 503 {
			t.Errorf("afterwards: %d", resp.StatusCode)
		}
	}
	if n := len(up.requests()); n != sent {
		t.Errorf("%d uses on a full disk", n-sent)
	}
}
