package secret

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func get(t *testing.T, s Source) (string, time.Time, error) {
	t.Helper()
	v, expiry, err := s.Fetch(t.Context())
	if err != nil {
		return "", expiry, err
	}
	defer v.Close()
	return reveal(t, v), expiry, nil
}

func TestOAuthRefreshes(t *testing.T) {
	for _, tt := range []struct {
		name string
		file func(*endpoint, *testing.T) string
		kind string
	}{
		{"claude", (*endpoint).claudeFile, "application/json " + claudeShape.knownID},
		{"plain", (*endpoint).plainFile, "application/x-www-form-urlencoded me"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newEndpoint(t)
			path := tt.file(e, t)
			before, old := read(t, path), e.current
			token, expiry, err := get(t, e.source(t, path))
			if err != nil {
				t.Fatal(err)
			}
			current, access, given, revoked := e.state()
			if token != access || given != 1 || revoked {
				t.Errorf("token %s, want %s; %d given, revoked %v", token, access, given, revoked)
			}
			if e.asked[0] != tt.kind {
				t.Errorf("asked with %q, want %q", e.asked[0], tt.kind)
			}
			stamp := "1000"
			want := strings.NewReplacer(old, current, "at-old", access).Replace(before)
			now := read(t, path)
			// The new end is the one that was returned, in the file's own unit.
			end := itoa(expiry.Unix())
			if tt.name == "claude" {
				end = itoa(expiry.UnixMilli())
			}
			if want = strings.Replace(want, stamp, end, 1); now != want {
				t.Errorf("the file is\n%s\nwant\n%s", now, want)
			}
			if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v", info.Mode())
			}
			// A second one takes what is there.
			if again, _, err := get(t, e.source(t, path)); err != nil || again != access {
				t.Errorf("again: %s, %v", again, err)
			}
			if _, _, given, _ := e.state(); given != 1 {
				t.Errorf("%d refreshes for one expiry", given)
			}
			left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*tightship-*"))
			more, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*tightship-*"))
			if len(left)+len(more) > 0 {
				t.Errorf("left behind: %q %q", left, more)
			}
		})
	}
}

func TestOAuthThroughALink(t *testing.T) {
	e := newEndpoint(t)
	path := e.claudeFile(t)
	link := filepath.Join(t.TempDir(), "link.json")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, _, err := get(t, e.source(t, link)); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link became a file")
	}
	if current, _, _, _ := e.state(); !strings.Contains(read(t, path), current) {
		t.Error("the new token is not in the file behind it")
	}
}

func TestOAuthRenew(t *testing.T) {
	e := newEndpoint(t)
	s := e.source(t, e.claudeFile(t))
	old, _, err := s.Fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	// It is good for an hour, and Fetch keeps it; Renew does not, once.
	for _, want := range []int{2, 2} {
		v, _, err := s.Renew(t.Context(), old)
		if err != nil {
			t.Fatal(err)
		}
		if _, access, given, _ := e.state(); reveal(t, v) != access || given != want {
			t.Errorf("%d given, want %d", given, want)
		}
		v.Close()
	}
}

func TestOAuthErrors(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(e *endpoint)
		want  error
		text  string
	}{
		{"revoked", func(e *endpoint) { e.revoked = true }, ErrRevoked, "log in again with claude"},
		{"revoked, nested", func(e *endpoint) {
			e.status, e.body = 401, `{"type":"error","error":{"type":"invalid_grant","message":"ECHO"}}`
		}, ErrRevoked, "log in again"},
		{"busy", func(e *endpoint) { e.status, e.body = 429, "ECHO" }, ErrTemporary, "429"},
		{"broken", func(e *endpoint) { e.status, e.body = 503, `{"error":"invalid_grant"}` }, ErrTemporary, "503"},
		{"unreachable", func(e *endpoint) { e.Close() }, ErrTemporary, "gave no answer"},
		{"refused", func(e *endpoint) {
			e.status, e.body = 400, `{"error":"unsupported_grant_type","error_description":"ECHO"}`
		}, nil, "unsupported_grant_type"},
		{"not known", func(e *endpoint) { e.status, e.body = 401, `{"error":"invalid_client","error_description":"ECHO"}` }, nil,
			"refused: invalid_client (status 401): if that stays so, log in again with claude on this machine (/login)"},
		{"not let in", func(e *endpoint) { e.status, e.body = 403, "ECHO" }, nil, "answered 403: if that stays so, log in again"},
		{"a code that is text", func(e *endpoint) { e.status, e.body = 400, `{"error":"ECHO"}` }, nil, "answered 400"},
		{"redirected", func(e *endpoint) { e.status = 307 }, nil, "answered 307"},
		{"no token", func(e *endpoint) { e.answer = `{"token_type":"Bearer"}` }, nil, "no access_token"},
		{"a token of two lines", func(e *endpoint) { e.answer = `{"access_token":"a\nb"}` }, nil, "no access_token"},
		{"not JSON", func(e *endpoint) { e.answer = `<html>` }, nil, "not JSON"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newEndpoint(t)
			path := e.claudeFile(t)
			before := read(t, path)
			s := e.source(t, path)
			tt.spoil(e)
			for range 2 { // the second time from memory, where it was revoked
				_, _, err := get(t, s)
				if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
					t.Fatalf("got %v, want %v and %q", err, tt.want, tt.text)
				}
				if tt.want == nil && (errors.Is(err, ErrTemporary) || errors.Is(err, ErrRevoked)) {
					t.Errorf("%v is neither", err)
				}
				assertAbsent(t, "the error", err.Error(), e.current)
			}
			if tt.want == ErrRevoked && len(e.asked) != 1 {
				t.Errorf("a dead refresh token was sent %d times", len(e.asked))
			}
			if now := read(t, path); now != before {
				t.Errorf("the file changed: %s", now)
			}
			// Logging in again is all that it takes.
			if tt.want == ErrRevoked {
				fresh := newEndpoint(t)
				write(t, path, read(t, fresh.claudeFile(t)))
				s.endpoint = fresh.URL
				if _, _, err := get(t, s); err != nil {
					t.Errorf("after a new login: %v", err)
				}
			}
		})
	}
}

// What cannot be written is found out before the refresh token is spent.
func TestOAuthSpendsNothingThatItCannotWrite(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Log("root writes everywhere: the directory is taken by a directory in place of the journal")
	}
	e := newEndpoint(t)
	path := e.claudeFile(t)
	l, _, err := readLogin(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	mkdir(t, filepath.Join(journalName(path, l.refreshSum()), "in the way"))
	if _, _, err := get(t, e.source(t, path)); err == nil {
		t.Error("no error")
	}
	if len(e.asked) != 0 {
		t.Error("the refresh token was spent")
	}
}

func TestOAuthSendsTokensOnlyWhereItMay(t *testing.T) {
	for _, tt := range []struct{ name, ref string }{
		{"no TLS", "?token_endpoint=http://127.0.0.1/"},
		{"a user", "?token_endpoint=https://a:b@example.com/"},
		{"no host", "?token_endpoint=https:///token"},
		{"an unknown key", "?token=https://example.com/"},
		{"twice", "?client_id=a&client_id=b"},
		{"nothing", "?client_id="},
		{"no query", "?%zz"},
	} {
		if _, err := Open("oauth:x"+tt.ref, Options{}); !errors.Is(err, ErrReference) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	asked := false
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer plain.Close()
	path := tempFile(t, `{"access_token":"a","refresh_token":"r","expires_at":1,"token_url":"`+plain.URL+`"}`)
	if _, err := fetch(t, "oauth:"+path, Options{}); err == nil || asked {
		t.Errorf("%v, asked %v", err, asked)
	}
	path = tempFile(t, `{"access_token":"a","refresh_token":"r","expires_at":1}`)
	if _, err := fetch(t, "oauth:"+path, Options{}); err == nil || !strings.Contains(err.Error(), "token_endpoint=URL") {
		t.Errorf("without an endpoint: %v", err)
	}
	path = tempFile(t, `{"access_token":"a","expires_at":1}`)
	if _, err := fetch(t, "oauth:"+path, Options{}); !errors.Is(err, ErrRevoked) {
		t.Errorf("without a refresh token: %v", err)
	}
}

// Somebody else logs in, or out, while the endpoint answers: their word counts.
func TestOAuthYieldsToANewLogin(t *testing.T) {
	e := newEndpoint(t)
	path := e.claudeFile(t)
	s := e.source(t, path)
	login := `{"claudeAiOauth":{"accessToken":"theirs","refreshToken":"of a new login","expiresAt":99999999999999}}`
	s.at = func(step string) {
		if step == "answered" {
			write(t, path, login)
		}
	}
	if token, _, err := get(t, s); err != nil || token != "theirs" || read(t, path) != login {
		t.Errorf("%q, %v, file %s", token, err, read(t, path))
	}
	e = newEndpoint(t)
	path = e.claudeFile(t)
	s = e.source(t, path)
	s.at = func(step string) {
		if step == "answered" {
			os.Remove(path)
		}
	}
	if _, _, err := get(t, s); !errors.Is(err, ErrMissing) {
		t.Errorf("logged out: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the login came back")
	}
}

// What the other program wrote to other parts of its file meanwhile stays.
func TestOAuthKeepsWhatWasWrittenMeanwhile(t *testing.T) {
	e := newEndpoint(t)
	path := e.claudeFile(t)
	s := e.source(t, path)
	s.at = func(step string) {
		if step == "answered" {
			write(t, path, strings.Replace(read(t, path), "1.50", "2.50", 1))
		}
	}
	if _, _, err := get(t, s); err != nil {
		t.Fatal(err)
	}
	if now := read(t, path); !strings.Contains(now, "2.50") || strings.Contains(now, "at-old") {
		t.Errorf("the file is %s", now)
	}
}

// A caller that gives up does not take the new tokens with it.
func TestOAuthFinishesWhatItBegan(t *testing.T) {
	e := newEndpoint(t)
	path := e.claudeFile(t)
	s := e.source(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	e.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cancel()
		e.ServeHTTP(w, r)
	})
	s.Fetch(ctx)
	if current, _, given, _ := e.state(); given != 1 || !strings.Contains(read(t, path), current) {
		t.Errorf("%d given, file %s", given, read(t, path))
	}
}

// The locks of the program whose login it is are honoured, taken and given back.
func TestOAuthTakesTheLoginsOwnLocks(t *testing.T) {
	e := newEndpoint(t)
	path := e.claudeFile(t)
	dir := filepath.Dir(path)
	locks := []string{filepath.Join(dir, ".oauth_refresh.lock"), dir + ".lock"}
	s := e.source(t, path)
	s.at = func(string) {
		for _, l := range locks {
			if _, err := os.Stat(l); err != nil {
				t.Errorf("while refreshing: %v", err)
			}
		}
	}
	for _, l := range locks {
		mkdir(t, l)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if _, _, err := s.Fetch(ctx); err == nil || len(e.asked) != 0 {
			t.Errorf("refreshed although %s is held (%v)", l, err)
		}
		cancel()
		// Left over by a process that was killed long ago.
		long := time.Now().Add(-time.Minute)
		os.Chtimes(l, long, long)
	}
	if _, _, err := get(t, s); err != nil {
		t.Error(err)
	}
	for _, l := range locks {
		if _, err := os.Stat(l); err == nil {
			t.Errorf("%s is left", l)
		}
	}
}

// Many at once, with one source and with one each: one refresh. Without the lock
// the endpoint revokes the login, which shows that the test can see it.
func TestOAuthAtOnce(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lock  bool
		alone bool
	}{{"own sources", true, true}, {"one source", true, false}, {"without the lock", false, true}} {
		t.Run(tt.name, func(t *testing.T) {
			e := newEndpoint(t)
			e.slow = 100 * time.Millisecond
			path := e.claudeFile(t)
			shared := e.source(t, path)
			var all sync.WaitGroup
			for range 16 {
				s := shared
				if tt.alone {
					s = e.source(t, path)
				}
				if !tt.lock {
					s.lock = func(context.Context, string, string, *login) (func(), error) { return func() {}, nil }
				}
				all.Go(func() {
					token, _, err := get(t, s)
					if _, access, _, _ := e.state(); tt.lock && (err != nil || token != access) {
						t.Errorf("%q, %v", token, err)
					}
				})
			}
			all.Wait()
			if _, _, given, revoked := e.state(); revoked == tt.lock || tt.lock && given != 1 {
				t.Errorf("%d refreshes, revoked %v", given, revoked)
			}
		})
	}
}
