package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/spec"
)

var someID = strings.Repeat("0123456789abcdef", 4)

// fake is a daemon that answers the handshake like Docker 20.10 and hands
// everything else to a handler.
type fake struct {
	api    string
	handle http.HandlerFunc
}

func (f fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/_ping"):
		if f.api != "" {
			w.Header().Set("Api-Version", f.api)
		}
	case strings.HasSuffix(r.URL.Path, "/version"):
		fmt.Fprint(w, `{"Version":"20.10.24","ApiVersion":"1.41","Os":"linux","Arch":"amd64"}`)
	case f.handle != nil:
		f.handle(w, r)
	default:
		http.NotFound(w, r)
	}
}

// serve listens on a Unix socket and returns its address.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	return serveOn(t, func(l net.Listener) func() {
		s := &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
		s.Start()
		return func() { s.CloseClientConnections(); s.Close() }
	})
}

func serveOn(t *testing.T, start func(net.Listener) func()) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ts") // t.TempDir is too long for a socket's path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(start(l))
	return "unix://" + path
}

// raw answers every connection with the same bytes and then holds it open.
func raw(t *testing.T, answer string, hold bool) string {
	return serveOn(t, func(l net.Listener) func() {
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer conn.Close()
					conn.Read(make([]byte, 4096))
					io.WriteString(conn, answer)
					if hold {
						io.Copy(io.Discard, conn)
					}
				}()
			}
		}()
		return func() { l.Close() }
	})
}

func connect(t *testing.T, h http.HandlerFunc) *Engine {
	t.Helper()
	t.Setenv(client.EnvOverrideAPIVersion, "")
	e, err := New(t.Context(), Options{Host: serve(t, fake{"1.41", h}), Timeout: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// good is that an error is what it should be and fit to be shown.
func good(t *testing.T, err error, want error, says string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if want != nil && !errors.Is(err, want) {
		t.Errorf("error %q is no %q", err, want)
	}
	if !strings.Contains(err.Error(), says) {
		t.Errorf("error %q does not say %q", err, says)
	}
	if strings.ContainsAny(err.Error(), "\n\r\x1b") || len(err.Error()) > 1000 {
		t.Errorf("error is not one short line: %q", err)
	}
}

func TestConnect(t *testing.T) {
	closed := serveOn(t, func(l net.Listener) func() {
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		l.Close()
		return func() {}
	})
	tests := []struct {
		name, host, version string
		want                error
		says                string
	}{
		{"no socket", "unix:///nonexistent/docker.sock", "", engine.ErrUnreachable, "/nonexistent/docker.sock: no such file"},
		{"nobody listens", closed, "", engine.ErrUnreachable, "connection refused"},
		{"port refused", "tcp://127.0.0.1:1", "", engine.ErrUnreachable, "127.0.0.1:1: connection refused"},
		{"no address", "nonsense secret", "", engine.ErrUnreachable, "no address"},
		{"unknown scheme", "fd://", "", engine.ErrUnreachable, "not supported"},
		{"hangs", raw(t, "", true), "", engine.ErrUnreachable, "does not answer in time"},
		{"hangs up", raw(t, "", false), "", engine.ErrUnreachable, "closed the connection"},
		{"speaks no HTTP", raw(t, "SSH-2.0-OpenSSH_9.9\r\n", false), "", engine.ErrBadAnswer, "does not speak HTTP"},
		{"header without end", raw(t, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", maxHeader+1), true), "", nil, "ping"},
		{"another web server", serve(t, http.NotFoundHandler()), "", nil, "ping: 404 page not found"},
		{"a web server that likes everything", serve(t, fake{"", nil}), "", engine.ErrBadAnswer, "no Docker engine"},
		{"version that is none", serve(t, fake{"banana", nil}), "", engine.ErrBadAnswer, "ping"},
		{"Docker 19.03", serve(t, fake{"1.40", nil}), "", engine.ErrVersion, "1.40"},
		{"Docker 1.12", serve(t, fake{"1.24", nil}), "", engine.ErrVersion, "1.24"},
		{"old version fixed", serve(t, fake{"1.47", nil}), "1.40", engine.ErrVersion, "1.40"},
		{"nonsense version fixed", serve(t, fake{"1.47", nil}), "x", engine.ErrVersion, "x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv(client.EnvOverrideAPIVersion, tt.version)
			t.Setenv(client.EnvOverrideCertPath, "")
			t.Setenv(client.EnvTLSVerify, "")
			start := time.Now()
			_, err := New(t.Context(), Options{Host: tt.host, Timeout: 200 * time.Millisecond})
			good(t, err, tt.want, tt.says)
			if time.Since(start) > 5*time.Second {
				t.Error("took too long")
			}
		})
	}
	t.Run("environment", func(t *testing.T) {
		t.Setenv(client.EnvOverrideAPIVersion, "")
		t.Setenv(client.EnvOverrideHost, serve(t, fake{"1.47", nil}))
		e, err := New(t.Context(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if v := e.cli.ClientVersion(); v != "1.47" {
			t.Errorf("negotiated %s", v)
		}
	})
}

// answer makes a handler of one fixed answer.
func answer(status int, kind, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		io.WriteString(w, text)
	}
}

func hang(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// calls is every call of the interface that asks the engine something.
var calls = map[string]func(context.Context, *Engine) error{
	"info":   func(ctx context.Context, e *Engine) error { _, err := e.Info(ctx); return err },
	"image":  func(ctx context.Context, e *Engine) error { _, err := e.Image(ctx, "a/b:c"); return err },
	"volume": func(ctx context.Context, e *Engine) error { return e.CreateVolume(ctx, "v", nil) },
	"create": func(ctx context.Context, e *Engine) error {
		_, err := e.Create(ctx, "n", spec.Container{Image: "i", Cmd: []string{"x"}, Env: []string{"KEY=hunter2"}})
		return err
	},
	"copy":   func(ctx context.Context, e *Engine) error { return e.CopyTo(ctx, "c", strings.NewReader("x")) },
	"attach": func(ctx context.Context, e *Engine) error { _, err := e.Attach(ctx, "c"); return err },
	"start":  func(ctx context.Context, e *Engine) error { return e.Start(ctx, "c") },
	"exec": func(ctx context.Context, e *Engine) error {
		_, err := e.Exec(ctx, "c", engine.Exec{Argv: []string{"x"}})
		return err
	},
	"inspect": func(ctx context.Context, e *Engine) error { _, err := e.Inspect(ctx, "c"); return err },
	"wait":    func(ctx context.Context, e *Engine) error { _, err := e.Wait(ctx, "c"); return err },
	"kill":    func(ctx context.Context, e *Engine) error { return e.Kill(ctx, "c", "KILL") },
	"remove":  func(ctx context.Context, e *Engine) error { return e.Remove(ctx, "c") },
	"rmvol":   func(ctx context.Context, e *Engine) error { return e.RemoveVolume(ctx, "v") },
	"list":    func(ctx context.Context, e *Engine) error { _, err := e.List(ctx, ""); return err },
}

func TestBadEngines(t *testing.T) {
	huge := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `[{"Id":"`)
		for range maxBody >> 16 {
			io.WriteString(w, strings.Repeat("x", 1<<17))
		}
	}
	// Calls whose answer has no content cannot tell garbage with a 2xx status.
	empty := "copy start kill remove rmvol"
	tests := []struct {
		name   string
		handle http.HandlerFunc
		want   error
		says   string
		skip   string
	}{
		{"hangs", hang, context.DeadlineExceeded, "does not answer in time", "wait"},
		{"garbage", answer(200, "text/html", "<html>\x1b[31m"), engine.ErrBadAnswer, "", empty},
		{"truncated", answer(200, "application/json", `{"Id":"0123`), engine.ErrBadAnswer, "", empty},
		{"wrong type", answer(200, "application/json", `{"Id":[],"ID":7,"Version":{},"OSType":[],"StatusCode":"x","Volumes":7,"Name":[],"Message":[]}`), engine.ErrBadAnswer, "", empty},
		{"huge", huge, engine.ErrBadAnswer, "longer than", empty + " attach"},
		{"redirect", answer(302, "text/plain", "elsewhere"), engine.ErrBadAnswer, "", ""},
		{"500", answer(500, "application/json", "{\"message\":\"disk on fire\\n\\u001b[31mreally\"}"), nil, "disk on fire", ""},
		{"500 without words", answer(500, "application/json", ""), nil, "500", ""},
		{"500 with garbage", answer(500, "application/json", "<html>"), nil, "", ""},
		{"forbidden", answer(403, "application/json", `{"message":"denied by plugin"}`), engine.ErrPermission, "denied by plugin", ""},
		{"too new", answer(400, "application/json", `{"message":"client version 1.41 is too old. Minimum supported API version is 1.44"}`), engine.ErrVersion, "1.44", ""},
	}
	for _, tt := range tests {
		for name, call := range calls {
			if strings.Contains(" "+tt.skip+" ", " "+name+" ") {
				continue
			}
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				e := connect(t, tt.handle)
				if tt.name != "hangs" {
					e.timeout = 20 * time.Second
				}
				good(t, call(t.Context(), e), tt.want, tt.says)
			})
		}
	}
	t.Run("wait is as patient as its context", func(t *testing.T) {
		e := connect(t, hang)
		ctx, cancel := context.WithTimeout(t.Context(), 2*e.timeout)
		defer cancel()
		start := time.Now()
		_, err := e.Wait(ctx, "c")
		good(t, err, context.DeadlineExceeded, "wait")
		if time.Since(start) < 2*e.timeout {
			t.Error("gave up early")
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		e := connect(t, hang)
		for name, call := range calls {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(10*time.Millisecond, cancel)
			err := call(ctx, e)
			if !errors.Is(err, context.Canceled) || errors.Is(err, engine.ErrUnreachable) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestStatusMapping(t *testing.T) {
	tests := []struct {
		call    string
		status  int
		message string
		want    error // nil: success
	}{
		{"image", 404, "No such image: a/b:c", engine.ErrNoImage},
		{"create", 404, "No such image: i:latest", engine.ErrNoImage},
		{"create", 400, "Unknown runtime specified nope", engine.ErrRuntime},
		{"create", 400, "unknown or invalid runtime name: nope", engine.ErrRuntime},
		{"start", 404, "No such container: c", engine.ErrNoContainer},
		{"inspect", 404, "No such container: c", engine.ErrNoContainer},
		{"attach", 404, "No such container: c", engine.ErrNoContainer},
		{"exec", 404, "No such container: c", engine.ErrNoContainer},
		{"wait", 404, "No such container: c", engine.ErrNoContainer},
		{"kill", 404, "No such container: c", engine.ErrNoContainer},
		{"copy", 404, "No such container: c", engine.ErrNoContainer},
		{"remove", 404, "No such container: c", nil},
		{"rmvol", 404, "get v: no such volume", nil},
	}
	for _, tt := range tests {
		t.Run(tt.call+"/"+tt.message, func(t *testing.T) {
			e := connect(t, answer(tt.status, "application/json", `{"message":"`+tt.message+`"}`))
			err := calls[tt.call](t.Context(), e)
			if tt.want == nil {
				if err != nil {
					t.Errorf("error %v", err)
				}
				return
			}
			good(t, err, tt.want, "")
		})
	}
	t.Run("a message gives no environment away", func(t *testing.T) {
		e := connect(t, answer(400, "application/json", `{"message":"invalid: KEY=hunter2"}`))
		err := calls["create"](t.Context(), e)
		good(t, err, nil, "KEY=***")
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("error %q", err)
		}
	})
}

// As root no socket refuses us, so the mapping is tested by itself.
func TestPermissionMapping(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EACCES, syscall.EPERM} {
		err := explainDial("unix:///s", &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", errno)})
		good(t, err, engine.ErrPermission, "unix:///s")
	}
	err := explainDial("unix:///s", &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)})
	if errors.Is(err, engine.ErrPermission) {
		t.Errorf("refused: %v", err)
	}
}

func TestNamesDoNotReachOtherRoutes(t *testing.T) {
	e := connect(t, func(w http.ResponseWriter, r *http.Request) { t.Errorf("the engine was asked for %s", r.URL) })
	for _, id := range []string{"", "../images/x", "a/b", "a?b", "a b", ".."} {
		if _, err := e.Inspect(t.Context(), id); !errors.Is(err, engine.ErrNoContainer) {
			t.Errorf("inspect %q: %v", id, err)
		}
		if err := e.Remove(t.Context(), id); err == nil {
			t.Errorf("remove %q", id)
		}
		if err := e.RemoveVolume(t.Context(), id); err == nil {
			t.Errorf("remove volume %q", id)
		}
	}
	for _, ref := range []string{"", "../containers/x", "a/../../b", "a//b", "a?b"} {
		if _, err := e.Image(t.Context(), ref); !errors.Is(err, engine.ErrNoImage) {
			t.Errorf("image %q: %v", ref, err)
		}
	}
}

// A container is not left out for a label that its image or its owner gave it.
func TestContainersOfOthers(t *testing.T) {
	e := connect(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `[{"Id":"%s","Names":["/tightship-r1-main"],"Labels":{"tightship":"r1"}},{"Id":"%[1]s","Names":["/x"],"Labels":{"tightship":"r1"}},{"Id":"%[1]s","Names":["/tightship-r1-main2"]}]`, someID)
	})
	got, err := e.Containers(t.Context(), nil)
	if err != nil || len(got) != 2 || got[0].Name != "tightship-r1-main2" || got[1].Name != "x" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestListBelievesLabelsNotFilters(t *testing.T) {
	e := connect(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/volumes") {
			fmt.Fprint(w, `{"Volumes":[{"Name":"v1","Labels":{"tightship":"r1"}},{"Name":"v2","Labels":null}]}`)
			return
		}
		fmt.Fprintf(w, `[{"Id":"%s","Names":["/a"],"Labels":{"tightship":"r1"}},{"Id":"%[1]s","Labels":{"tightship":"r2"}},{"Id":"%[1]s","Labels":{"x":"r1"}}]`, someID)
	})
	for run, want := range map[string]int{"": 3, "r1": 2, "r2": 1, "r3": 0} {
		got, err := e.List(t.Context(), run)
		if err != nil || len(got) != want {
			t.Errorf("run %q: %v, %v, want %d", run, got, err, want)
		}
	}
}

func TestInspectRefusesHalfAnswers(t *testing.T) {
	for _, text := range []string{
		`null`, `{}`, `{"Id":"../x","State":{},"Config":{},"HostConfig":{}}`,
		`{"Id":"` + someID + `","State":{},"Config":{}}`,
		`{"Id":"` + someID + `","State":{"Running":true,"Pid":-4},"Config":{},"HostConfig":{}}`,
	} {
		e := connect(t, answer(200, "application/json", text))
		_, err := e.Inspect(t.Context(), "c")
		good(t, err, engine.ErrBadAnswer, "inspect")
	}
	e := connect(t, answer(200, "application/json", `{"Id":"`+someID+`","State":{},"Config":{},"HostConfig":{}}`))
	if _, err := e.Inspect(t.Context(), "c"); err != nil {
		t.Errorf("a whole answer: %v", err)
	}
	_, err := e.Inspect(t.Context(), strings.Repeat("f", 64))
	good(t, err, engine.ErrBadAnswer, "another container")
}

func TestRemoveWaitsForAnotherRemoval(t *testing.T) {
	inspections := 0
	e := connect(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			answer(409, "application/json", `{"message":"removal of container c is already in progress"}`)(w, r)
			return
		}
		if inspections++; inspections == 3 {
			answer(404, "application/json", `{"message":"No such container: c"}`)(w, r)
			return
		}
		answer(200, "application/json", `{"Id":"`+someID+`","State":{},"Config":{},"HostConfig":{}}`)(w, r)
	})
	if err := e.Remove(t.Context(), "c"); err != nil || inspections != 3 {
		t.Errorf("error %v after %d inspections", err, inspections)
	}
	inspections = 10 // never gone
	good(t, e.Remove(t.Context(), "c"), context.DeadlineExceeded, "")
}

func TestCopyNamesTheReadersFailure(t *testing.T) {
	e := connect(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	failing := io.MultiReader(strings.NewReader("x"), iotestErr{})
	err := e.CopyTo(t.Context(), "c", failing)
	good(t, err, errSource, "disk gone")
	if errors.Is(err, engine.ErrUnreachable) {
		t.Errorf("error %v blames the engine", err)
	}
}

type iotestErr struct{}

func (iotestErr) Read([]byte) (int, error) { return 0, errors.New("disk gone") }

// hijacked answers attach with 101 and hands the connection over.
func hijacked(f func(net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
		f(conn)
	}
}

func TestStream(t *testing.T) {
	wait := make(chan struct{})
	defer close(wait)
	hold := func(c net.Conn) { io.Copy(io.Discard, c) }

	t.Run("garbage", func(t *testing.T) {
		e := connect(t, hijacked(func(c net.Conn) { io.WriteString(c, frame(1, "a")+"garbage garbage") }))
		s, err := e.Attach(t.Context(), "c")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		got, err := io.ReadAll(s.Stdout)
		if string(got) != "a" {
			t.Errorf("stdout %q", got)
		}
		good(t, err, engine.ErrBadAnswer, "garbage")
		_, err = io.ReadAll(s.Stderr)
		good(t, err, engine.ErrBadAnswer, "garbage")
	})
	t.Run("half-close", func(t *testing.T) {
		e := connect(t, hijacked(func(c net.Conn) {
			in, _ := io.ReadAll(c) // ends only if our side is closed in this direction
			io.WriteString(c, frame(1, "got "+string(in)))
		}))
		s, err := e.Attach(t.Context(), "c")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		io.WriteString(s.Stdin, "hello")
		for range 2 {
			if err := s.Stdin.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := io.ReadAll(s.Stdout); string(got) != "got hello" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("close unblocks", func(t *testing.T) {
		e := connect(t, hijacked(hold))
		s, err := e.Attach(t.Context(), "c")
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(20*time.Millisecond, func() { s.Close(); s.Close() })
		if got, err := io.ReadAll(s.Stdout); len(got) != 0 || err != nil {
			t.Errorf("%q, %v, want EOF", got, err)
		}
	})
	t.Run("ends with its context", func(t *testing.T) {
		e := connect(t, hijacked(hold))
		ctx, cancel := context.WithCancel(t.Context())
		s, err := e.Attach(ctx, "c")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		time.AfterFunc(20*time.Millisecond, cancel)
		if _, err := io.ReadAll(s.Stdout); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("outlives the call's own time limit", func(t *testing.T) {
		e := connect(t, hijacked(func(c net.Conn) { time.Sleep(500 * time.Millisecond); io.WriteString(c, frame(1, "late")) }))
		s, err := e.Attach(t.Context(), "c")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if got, err := io.ReadAll(s.Stdout); string(got) != "late" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("header without end", func(t *testing.T) {
		e := connect(t, func(w http.ResponseWriter, r *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			defer conn.Close()
			io.WriteString(conn, "HTTP/1.1 101 UPGRADED\r\n")
			for range 8 << 20 / 64 {
				if _, err := fmt.Fprintf(conn, "X: %s\r\n", strings.Repeat("x", 60)); err != nil {
					return
				}
			}
		})
		_, err := e.Attach(t.Context(), "c")
		good(t, err, engine.ErrBadAnswer, "header longer")
	})
	t.Run("stdin that was not asked for", func(t *testing.T) {
		e := connect(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/start") {
				hijacked(hold)(w, r)
				return
			}
			answer(201, "application/json", `{"Id":"`+someID+`"}`)(w, r)
		})
		s, err := e.Exec(t.Context(), "c", engine.Exec{Argv: []string{"x"}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := s.Stdin.Write([]byte("x")); err == nil {
			t.Error("was written")
		}
	})
}
