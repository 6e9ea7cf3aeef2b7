package broker

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/ledger"
	"github.com/tightship-dev/tightship/policy"
)

// An upstream that shows in another code what it was sent does not give a password
// back, although that was sent in base64 already.
func TestNoReflectionOfBasic(t *testing.T) {
	codes := map[string]func([]byte) string{
		"base64": base64.StdEncoding.EncodeToString, "base64url": base64.RawURLEncoding.EncodeToString, "hex": hex.EncodeToString,
	}
	for code, encode := range codes {
		for _, user := range []string{"", "me", "x-access-token"} {
			up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, encode([]byte(r.Header.Get("Authorization"))))
			})
			tb := startBroker(t, policyOf(up.credential("x", policy.Attach{Style: policy.AttachBasic, Name: user}, allow("GET", "/**"))), nil)
			_, body := fetch(t, tb.client(t), "GET", "/x/a", nil)
			sent := base64.StdEncoding.EncodeToString([]byte(user + ":" + realKey))
			if !strings.Contains(body, "[redacted]") {
				t.Errorf("%s, user %q: nothing was taken out of %s", code, user, body)
			}
			for _, r := range append(renderings(sent), renderings(realKey)...) {
				if strings.Contains(body, r) {
					t.Errorf("%s, user %q: %s has %s", code, user, body, r)
				}
			}
		}
	}
}

// TestNoReflection has an upstream give the credential back in every place of an
// answer, and looks for it in every byte that reaches the caller.
func TestNoReflection(t *testing.T) {
	forms := map[string]string{
		"raw": realKey, "percent": url.QueryEscape("=" + realKey), "hex": hex.EncodeToString([]byte(realKey)),
		"base64": base64.StdEncoding.EncodeToString([]byte("user:" + realKey)), "json": strings.ReplaceAll(realKey, "-", `\u002d`),
	}
	places := map[string]http.HandlerFunc{
		"header": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Echo", "a "+r.Header.Get("X-Form")+" b")
		},
		"header name": func(w http.ResponseWriter, r *http.Request) { w.Header()["X-"+r.Header.Get("X-Form")] = []string{"a"} },
		"cookie": func(w http.ResponseWriter, r *http.Request) {
			http.SetCookie(w, &http.Cookie{Name: "s", Value: "session"})
		},
		"small body": func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "a ", r.Header.Get("X-Form"), " b") },
		"chunks": func(w http.ResponseWriter, r *http.Request) {
			for _, c := range []byte("a " + r.Header.Get("X-Form") + " b") {
				w.Write([]byte{c})
				w.(http.Flusher).Flush()
			}
		},
		"large body": func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, strings.Repeat("x", 64<<10-5)+r.Header.Get("X-Form")+strings.Repeat("y", 64<<10))
		},
		"events": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "data: %s\n\n", r.Header.Get("X-Form"))
		},
		"trailer": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Trailer", "X-Echo")
			io.WriteString(w, strings.Repeat("x", 70<<10))
			w.Header().Set("X-Echo", r.Header.Get("X-Form"))
		},
		"cookie in a trailer": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Trailer", "Set-Cookie")
			io.WriteString(w, strings.Repeat("x", 70<<10))
			http.SetCookie(w, &http.Cookie{Name: "s", Value: "session"})
		},
		"error": func(w http.ResponseWriter, r *http.Request) { http.Error(w, r.Header.Get("X-Form"), 500) },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/x?k="+r.Header.Get("X-Form"))
			w.WriteHeader(302)
		},
	}
	for place, h := range places {
		t.Run(place, func(t *testing.T) {
			up := newUpstream(t, h)
			tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), nil)
			for form, text := range forms {
				if strings.Contains(place, "header name") && form != "hex" && form != "raw" {
					continue // no token
				}
				c := tb.dial(t)
				fmt.Fprintf(c, "GET /x/a HTTP/1.1\r\nHost: b\r\nX-Form: %s\r\nConnection: close\r\n\r\n", text)
				got, err := io.ReadAll(c)
				if err != nil {
					t.Fatal(err)
				}
				for name, f := range forms {
					core := strings.Trim(f, "=")
					if name == "base64" {
						core = core[8 : len(core)-2] // its ends hold bits of the neighbours
					}
					if bytes.Contains(got, []byte(core)) {
						t.Errorf("%s came back as %s: %q", form, name, got)
					}
				}
				if bytes.Contains(got, []byte("session")) {
					t.Errorf("a cookie came through: %q", got)
				}
			}
			if strings.HasPrefix(place, "cookie") {
				return
			}
			eventually(t, "redactions in the ledger", func() bool {
				n := 0
				for _, e := range tb.ledger.of(ledger.Outcome) {
					n += e.Redactions
				}
				return n > 0
			})
		})
	}
}

func TestAnswersThatAreNotPassedOn(t *testing.T) {
	for name, tc := range map[string]struct {
		h    http.HandlerFunc
		rule string
	}{
		"gzip": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			io.WriteString(z, realKey)
			z.Close()
		}, RuleEncoding},
		"unknown encoding": {func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Encoding", "x-rot13") }, RuleEncoding},
		"identity, br":     {func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Encoding", "identity, br") }, RuleEncoding},
		"partial":          {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(206) }, RulePartial},
		"a part that says 200": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", "bytes 0-1/2")
			io.WriteString(w, "ab")
		}, RulePartial},
		"redirect away": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.example/?sig=x", http.StatusFound)
		}, RuleRedirect},
		"redirect to http": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://"+r.Host+"/a", http.StatusTemporaryRedirect)
		}, RuleRedirect},
		"redirect above": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/other", http.StatusMovedPermanently)
		}, RuleRedirect},
		"redirect no protocol": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "//evil.example/base/x")
			w.WriteHeader(303)
		}, RuleRedirect},
		"redirect userinfo": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "https://a@"+r.Host+"/base/x")
			w.WriteHeader(303)
		}, RuleRedirect},
		"redirect odd": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "https://[x/")
			w.WriteHeader(308)
		}, RuleRedirect},
	} {
		t.Run(name, func(t *testing.T) {
			up := newUpstream(t, tc.h)
			cr := up.credential("x", apiKey, allow("GET", "/**"))
			cr.Route.Upstream += "/base"
			tb := startBroker(t, policyOf(cr), nil)
			resp, body := fetch(t, tb.client(t), "GET", "/x/a", nil)
			if resp.StatusCode != 502 || !strings.Contains(body, `"rule":"`+tc.rule+`"`) || resp.Header.Get("Location") != "" {
				t.Errorf("%d %s %v", resp.StatusCode, body, resp.Header)
			}
			eventually(t, "an outcome", func() bool { return len(tb.ledger.of(ledger.Outcome)) == 1 })
			if e := tb.ledger.of(ledger.Outcome)[0]; e.Rule != tc.rule || e.Status != 502 {
				t.Errorf("recorded: %+v", e)
			}
		})
	}
}

// TestHeadersThatDoNotHold has headers that are not true of what is passed on, or lead
// away from the route without being a redirect.
func TestHeadersThatDoNotHold(t *testing.T) {
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "https://elsewhere.example/?sig=x")
		w.Header().Set("Etag", `"of what was sent"`)
		w.WriteHeader(http.StatusCreated)
		if r.URL.Path == "/echo" {
			io.WriteString(w, r.Header.Get("X-Api-Key"))
		}
	})
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), nil)
	for path, etag := range map[string]string{"/x/echo": "", "/x/plain": `"of what was sent"`} {
		resp, _ := fetch(t, tb.client(t), "GET", path, nil)
		if resp.StatusCode != http.StatusCreated || resp.Header.Get("Location") != "" || resp.Header.Get("Etag") != etag {
			t.Errorf("%s: %d %v", path, resp.StatusCode, resp.Header)
		}
	}
}

func TestRedirectBelowTheRoute(t *testing.T) {
	for to, want := range map[string]string{
		"/base/b?x=y": "/x/b?x=y", "c": "/x/c", "../base/d": "/x/d", "/base": "/x/", "HTTPS://HOST/base/e#f": "/x/e#f",
	} {
		up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", strings.ReplaceAll(to, "HOST", r.Host))
			w.WriteHeader(302)
		})
		cr := up.credential("x", apiKey, allow("GET", "/**"))
		cr.Route.Upstream += "/base"
		tb := startBroker(t, policyOf(cr), nil)
		resp, body := fetch(t, tb.client(t), "GET", "/x/a", nil)
		if got := resp.Header.Get("Location"); resp.StatusCode != 302 || got != want {
			t.Errorf("%s: %d %q, want %q: %s", to, resp.StatusCode, got, want, body)
		}
	}
}

// TestAddresses refuses upstreams by where they lead, whatever their name.
func TestAddresses(t *testing.T) {
	for name, tc := range map[string]struct {
		host     string
		networks []string
		ok       bool
	}{
		"loopback":            {"127.0.0.1", nil, false},
		"loopback by name":    {"localhost", nil, false},
		"loopback v6":         {"[::1]", nil, false},
		"mapped":              {"[::ffff:127.0.0.1]", nil, false},
		"nat64":               {"[64:ff9b::7f00:1]", nil, false},
		"private":             {"10.1.2.3", nil, false},
		"metadata":            {"169.254.169.254", nil, false},
		"metadata, permitted": {"169.254.169.254", []string{"169.254.0.0/16"}, false},
		"cgnat":               {"100.64.1.1", nil, false},
		"this network":        {"0.0.0.0", nil, false},
		"unique local":        {"[fd00::1]", nil, false},
		"6to4":                {"[2002:7f00:1::]", nil, false},
		"teredo":              {"[2001:0:7f00:1::]", nil, false},
		"another network":     {"127.0.0.1", []string{"10.0.0.0/8"}, false},
		"permitted":           {"127.0.0.1", []string{"127.0.0.0/8"}, true},
		"permitted by name":   {"localhost", []string{"127.0.0.0/8", "::1/128"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			up := newUpstream(t, nil)
			cr := up.credential("x", apiKey, allow("GET", "/**"))
			u, _ := url.Parse(up.URL)
			cr.Route.Upstream = "https://" + tc.host + ":" + u.Port()
			cr.Route.Networks = tc.networks
			tb := startBroker(t, policyOf(cr), nil)
			resp, body := fetch(t, tb.client(t), "GET", "/x/a", nil)
			if tc.ok {
				// The certificate is for 127.0.0.1; being asked for another name is the far end.
				if strings.Contains(body, RuleAddress) {
					t.Errorf("%d %s", resp.StatusCode, body)
				}
				return
			}
			if resp.StatusCode != 502 || !strings.Contains(body, `"rule":"address"`) {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
			if n := len(up.requests()); n != 0 {
				t.Errorf("%d requests arrived", n)
			}
		})
	}
}

// TestUpstreamFails looks at the words for upstreams that are of no use.
func TestUpstreamFails(t *testing.T) {
	stranger := httptest.NewTLSServer(nil)
	defer stranger.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	up := newUpstream(t, nil)
	for name, tc := range map[string]struct{ upstream, ca, rule string }{
		"nobody listens":      {"https://" + closed.Addr().String(), up.ca, RuleUpstream},
		"another's CA":        {stranger.URL, "", RuleTLS},
		"cut in the middle":   {up.URL, up.ca, RuleUpstream},
		"another name":        {strings.Replace(up.URL, "127.0.0.1", "localhost", 1), up.ca, RuleTLS},
		"no name that I know": {"https://nowhere.invalid", "", RuleUpstream},
	} {
		t.Run(name, func(t *testing.T) {
			cr := up.credential("x", apiKey, allow("GET", "/**"))
			cr.Route.Upstream, cr.Route.CA = tc.upstream, tc.ca
			cr.Route.Networks = append(cr.Route.Networks, "::1/128")
			if name == "cut in the middle" {
				l := cutting(t)
				cr.Route.Upstream = "https://" + l
				tc.rule = RuleUpstream
			}
			tb := startBroker(t, policyOf(cr), nil)
			resp, body := fetch(t, tb.client(t), "GET", "/x/a", nil)
			if resp.StatusCode != 502 || !strings.Contains(body, `"rule":"`+tc.rule+`"`) || strings.Contains(body, realKey) {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
		})
	}
}

// cutting closes every connection at once.
func cutting(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	return l.Addr().String()
}

// TestEventsAreNotHeld has each event arrive before the next one is sent.
func TestEventsAreNotHeld(t *testing.T) {
	next := make(chan struct{})
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			w.(http.Flusher).Flush()
			<-next
		}
	})
	tb := startBroker(t, policyOf(up.credential("x", policy.Attach{Style: policy.AttachBearer}, allow("POST", "/**"))), nil)
	resp, err := tb.client(t).Post("http://b/x/v1", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	r := bufio.NewReader(resp.Body)
	for i := range 3 {
		line, err := r.ReadString('\n')
		if err != nil || line != fmt.Sprintf("data: %d\n", i) {
			t.Fatalf("%q %v", line, err)
		}
		r.ReadString('\n')
		next <- struct{}{}
	}
	if rest, err := io.ReadAll(r); err != nil || len(rest) > 0 {
		t.Errorf("%q %v", rest, err)
	}
}

// TestCutAnswerIsNotWhole wants a caller to see that an answer ended too early.
func TestCutAnswerIsNotWhole(t *testing.T) {
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Write(make([]byte, 100<<10))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), nil)
	resp, err := tb.client(t).Get("http://b/x/a")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("it reads as whole")
	}
	eventually(t, "an outcome", func() bool { return len(tb.ledger.of(ledger.Outcome)) == 1 })
	if e := tb.ledger.of(ledger.Outcome)[0]; !strings.Contains(e.Reason, "in the middle") {
		t.Errorf("recorded: %+v", e)
	}
}

// TestCallerGoesAway wants the upstream to be told, and the outcome recorded.
func TestCallerGoesAway(t *testing.T) {
	left := make(chan struct{})
	arrived := make(chan struct{})
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
		close(left)
	})
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), nil)
	c := tb.dial(t)
	io.WriteString(c, "GET /x/a HTTP/1.1\r\nHost: b\r\n\r\n")
	<-arrived
	c.Close()
	select {
	case <-left:
	case <-time.After(20 * time.Second):
		t.Fatal("the upstream still works for nobody")
	}
	eventually(t, "an outcome", func() bool { return len(tb.ledger.of(ledger.Outcome)) == 1 })
}

// TestErrorsDoNotReflect has an upstream whose answer is none, so that what it sent is in
// the words of the error.
func TestErrorsDoNotReflect(t *testing.T) {
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		fmt.Fprintf(rw, "HTTP/1.1 200 OK\r\nyou sent %s\r\n\r\n", r.Header.Get("X-Api-Key"))
		rw.Flush()
	})
	cr := up.credential("x", apiKey, allow("GET", "/**"))
	cr.Route.WebSocket = true // by HTTP/1.1
	tb := startBroker(t, policyOf(cr), nil)
	c := tb.dial(t)
	fmt.Fprint(c, "GET /x/a HTTP/1.1\r\nHost: b\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Contains(body, []byte("you sent [redacted]")) {
		t.Errorf("%s %v", body, err)
	}
	eventually(t, "an outcome", func() bool { return len(tb.ledger.of(ledger.Outcome)) == 1 })
	if e := tb.ledger.of(ledger.Outcome)[0]; strings.Contains(e.Reason, realKey) || !strings.Contains(e.Reason, "you sent") {
		t.Errorf("recorded: %q", e.Reason)
	}
}

// An upstream hangs up in the middle of an answer that is short enough to be read first.
func TestHalfAnAnswer(t *testing.T) {
	up := newUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, strings.Repeat("x", 50))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/a"))), nil)
	resp, body := fetch(t, tb.client(t), "GET", "/x/a", nil)
	if resp.StatusCode != 502 || !strings.Contains(body, `"rule":"upstream"`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}
