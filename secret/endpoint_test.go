package secret

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/internal/canary"
)

// endpoint is a token endpoint that gives a new refresh token with each access
// token, and revokes the whole login when it sees an old one again.
type endpoint struct {
	*httptest.Server

	mu      sync.Mutex
	current string // the refresh token that is good
	access  string // the access token given last
	given   int
	revoked bool
	status  int           // answered in place of a token, 0 for none
	body    string        // with it
	answer  string        // in place of a token, "" for none
	life    int           // seconds
	slow    time.Duration // before it answers
	asked   []string      // content types
}

func newEndpoint(t *testing.T) *endpoint {
	e := &endpoint{current: "rt-" + canary.Token(), life: 3600}
	e.Server = httptest.NewTLSServer(e)
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var form struct {
		GrantType    string `json:"grant_type"`
		RefreshToken string `json:"refresh_token"`
		ClientID     string `json:"client_id"`
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		json.NewDecoder(r.Body).Decode(&form)
	} else {
		form.GrantType, form.RefreshToken, form.ClientID = r.FormValue("grant_type"), r.FormValue("refresh_token"), r.FormValue("client_id")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = append(e.asked, r.Header.Get("Content-Type")+" "+form.ClientID)
	w.Header().Set("Content-Type", "application/json")
	switch {
	case e.status != 0:
		w.WriteHeader(e.status)
		fmt.Fprint(w, strings.ReplaceAll(e.body, "ECHO", form.RefreshToken))
		return
	case e.answer != "":
		fmt.Fprint(w, e.answer)
		return
	case form.GrantType != "refresh_token" || e.revoked || form.RefreshToken != e.current:
		e.revoked = true
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error":"invalid_grant","error_description":"%s was used"}`, form.RefreshToken)
		return
	}
	e.given++
	e.current, e.access = fmt.Sprintf("rt-%d-%s", e.given, canary.Token()), fmt.Sprintf("at-%d-%s", e.given, canary.Token())
	answer := fmt.Sprintf(`{"token_type":"Bearer","access_token":%q,"refresh_token":%q,"expires_in":%d}`, e.access, e.current, e.life)
	e.mu.Unlock()
	time.Sleep(e.slow)
	e.mu.Lock()
	fmt.Fprint(w, answer)
}

func (e *endpoint) state() (current, access string, given int, revoked bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.current, e.access, e.given, e.revoked
}

// claudeFile is a login whose access token has expired, in a directory of its own.
func (e *endpoint) claudeFile(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "login", ".credentials.json")
	mkdir(t, filepath.Dir(path))
	return write(t, path, fmt.Sprintf(`{
  "claudeAiOauth": {"accessToken": "at-old", "refreshToken": %q, "expiresAt": 1000, "scopes": ["user:inference"], "big": 12345678901234567890},
  "other": {"kept": [1.50, "ü"]}
}
`, e.current))
}

func (e *endpoint) plainFile(t *testing.T) string {
	return tempFile(t, fmt.Sprintf(`{"access_token":"at-old","refresh_token":%q,"expires_at":1000,"token_endpoint":%q,"client_id":"me"}`, e.current, e.URL+"/token"))
}

// source opens a token file of this endpoint.
func (e *endpoint) source(t *testing.T, path string) *oauthSource {
	t.Helper()
	s, err := Open("oauth:"+path+"?token_endpoint="+e.URL+"/token", Options{Client: e.Client()})
	if err != nil {
		t.Fatal(err)
	}
	return s.(*oauthSource)
}
