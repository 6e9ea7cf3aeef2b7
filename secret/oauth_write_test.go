package secret

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
)

// A redirect would carry the refresh token to whoever it names.
func TestOAuthFollowsNoRedirect(t *testing.T) {
	followed := false
	other := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed = true }))
	defer other.Close()
	e := newEndpoint(t)
	e.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	// The test servers share a certificate, so the client trusts the other too.
	if _, _, err := get(t, e.source(t, e.claudeFile(t))); err == nil || !strings.Contains(err.Error(), "answered 307") || followed {
		t.Errorf("%v, followed %v", err, followed)
	}
}

// The room for the new tokens is on the disk before the old one is spent.
func TestOAuthHasRoomBeforeItAsks(t *testing.T) {
	e := newEndpoint(t)
	path := e.claudeFile(t)
	l, data, err := readLogin(path)
	if err != nil {
		t.Fatal(err)
	}
	ready := journalName(path, l.refreshSum())
	l.close()
	asked := false
	e.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = true
		var st syscall.Stat_t
		if err := syscall.Stat(ready, &st); err != nil || st.Blocks*512 < int64(len(data)+room) {
			t.Errorf("%v, %d bytes on the disk", err, st.Blocks*512)
		}
		e.ServeHTTP(w, r)
	})
	if _, _, err := get(t, e.source(t, path)); err != nil || !asked {
		t.Error(err)
	}
}

// What could not be renamed stays for the next one, which puts it in place.
func TestOAuthKeepsWhatCouldNotBeRenamed(t *testing.T) {
	e := newEndpoint(t)
	path := e.claudeFile(t)
	s := e.source(t, path)
	s.at = func(step string) {
		if step == "synced" {
			os.Rename(path, path+".aside")
			os.MkdirAll(path+"/in the way", 0o700)
		}
	}
	if _, _, err := get(t, s); err == nil {
		t.Fatal("no error")
	}
	os.RemoveAll(path)
	os.Rename(path+".aside", path)
	s.at = func(string) {}
	token, _, err := get(t, s)
	if _, access, given, revoked := e.state(); err != nil || token != access || given != 1 || revoked {
		t.Errorf("%v, %d given, revoked %v", err, given, revoked)
	}
}
