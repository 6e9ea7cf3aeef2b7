package secret

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// childSource opens the token file that the environment names.
func childSource() (*oauthSource, error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(os.Getenv("CA")))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	s, err := Open(os.Getenv("FROM"), Options{Client: client})
	if err != nil {
		return nil, err
	}
	return s.(*oauthSource), nil
}

const rounds = 4

func init() {
	children["refresh"] = func() error {
		var all sync.WaitGroup
		errs := make([]error, 6)
		for i := range errs {
			all.Go(func() { errs[i] = renewOften() })
		}
		all.Wait()
		return errors.Join(errs...)
	}
	children["crash"] = func() error {
		s, err := childSource()
		if err != nil {
			return err
		}
		s.at = func(step string) {
			if step == os.Getenv("STEP") {
				syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		}
		_, _, err = s.Fetch(context.Background())
		return err
	}
}

func renewOften() error {
	s, err := childSource()
	if err != nil {
		return err
	}
	if os.Getenv("NOLOCK") != "" {
		s.lock = func(context.Context, string, string, *login) (func(), error) { return func() {}, nil }
	}
	v, _, err := s.Fetch(context.Background())
	if err != nil {
		return err
	}
	for range rounds {
		next, _, err := s.Renew(context.Background(), v)
		v.Close()
		if err != nil {
			return err
		}
		v = next
	}
	v.Close()
	return nil
}

func (e *endpoint) env(path string) []string {
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: e.Certificate().Raw})
	return []string{"CA=" + string(ca), "FROM=oauth:" + path + "?token_endpoint=" + e.URL}
}

// Processes that share a login never strand it. Without the lock they do.
func TestOAuthProcesses(t *testing.T) {
	for _, tt := range []struct {
		name, env string
		stranded  bool
	}{{"locked", "", false}, {"without the lock", "NOLOCK=1", true}} {
		t.Run(tt.name, func(t *testing.T) {
			e := newEndpoint(t)
			path := e.claudeFile(t)
			var all []*child
			for range 3 {
				all = append(all, startChild(t, "refresh", append(e.env(path), tt.env)...))
			}
			for _, c := range all {
				if err := c.Wait(); (err != nil) != tt.stranded {
					t.Errorf("%v: %s", err, c.stderr.String())
				}
			}
			current, _, given, revoked := e.state()
			if revoked != tt.stranded {
				t.Errorf("revoked %v after %d refreshes", revoked, given)
			}
			if tt.stranded {
				return
			}
			if !strings.Contains(read(t, path), current) {
				t.Error("the file does not hold the current refresh token")
			}
			// Each round wants one of all; taking another's is what the lock is for.
			if given < rounds || given > 3*6*rounds {
				t.Errorf("%d refreshes", given)
			}
			if _, _, err := e.source(t, path).Renew(t.Context(), newValue(t, "none")); err != nil {
				t.Errorf("the login afterwards: %v", err)
			}
		})
	}
}

// Killed at each step of the write, the login stays good for the next process.
func TestOAuthKilled(t *testing.T) {
	for _, tt := range []struct {
		step string
		want error
	}{
		// What cannot be closed: only the dead process knew the new token.
		{"answered", ErrRevoked},
		{"written", nil}, {"synced", nil}, {"renamed", nil},
	} {
		t.Run(tt.step, func(t *testing.T) {
			e := newEndpoint(t)
			path := e.claudeFile(t)
			c := startChild(t, "crash", append(e.env(path), "STEP="+tt.step)...)
			if err := c.Wait(); err == nil || c.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("%v: %s", err, c.stderr.String())
			}
			// The lock of the login's own program was left behind; it goes stale.
			os.Remove(filepath.Join(filepath.Dir(path), ".oauth_refresh.lock"))
			os.Remove(filepath.Dir(path) + ".lock")
			s := e.source(t, path)
			token, _, err := get(t, s)
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			current, access, given, _ := e.state()
			if given != 1 {
				t.Errorf("%d refreshes", given)
			}
			if tt.want != nil {
				return
			}
			if token != access || !strings.Contains(read(t, path), current) {
				t.Errorf("token %s, file %s", token, read(t, path))
			}
			if _, _, err := s.Renew(t.Context(), newValue(t, token)); err != nil {
				t.Errorf("the next refresh: %v", err)
			}
		})
	}
}

// A journal of which only a part reached the disk is not taken for a login.
func TestTornJournal(t *testing.T) {
	whole := `{"claudeAiOauth":{"accessToken":"new-access","refreshToken":"new-refresh","expiresAt":99999999999999}}`
	for cut := range len(whole) + 1 {
		path := filepath.Join(t.TempDir(), "login.json")
		write(t, path, `{"claudeAiOauth":{"accessToken":"old","refreshToken":"old","expiresAt":1}}`)
		l, _, err := readLogin(path)
		if err != nil {
			t.Fatal(err)
		}
		ready := write(t, journalName(path, l.refreshSum()), whole[:cut]+strings.Repeat("\x00", len(whole)-cut+100))
		l.close()
		l, _, err = readAdopted(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := reveal(t, l.accessToken), map[bool]string{true: "new-access", false: "old"}[cut == len(whole)]; got != want {
			t.Errorf("cut at %d: %s", cut, got)
		}
		l.close()
		if _, err := os.Stat(ready); err == nil {
			t.Errorf("cut at %d: the journal stays", cut)
		}
		if strings.Contains(read(t, path), "\x00") {
			t.Error("filling in the token file")
		}
	}
}
