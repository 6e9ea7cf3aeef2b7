package upstream_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/tightship-dev/tightship/test/upstream"
)

const secret = "s3cr3t/+with=odd chars"

func start(t *testing.T, d upstream.Demand, h http.Handler) *upstream.Server {
	t.Helper()
	s, err := upstream.Start(d, h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// ask sends a request as the broker should: with the credential.
func ask(t *testing.T, s *upstream.Server, d upstream.Demand, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	d.Meet(r)
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

// None answers what lacks the credential, has it twice or has another's beside it.
func TestDemand(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]upstream.Demand{
		"header": upstream.Header("X-Api-Key", secret), "bearer": upstream.Bearer(secret),
		"basic": upstream.Basic("user", secret), "query": upstream.Query("key", secret),
	} {
		for _, row := range []struct {
			what   string
			change func(*http.Request)
			want   int
		}{
			{"met", d.Meet, http.StatusOK},
			{"absent", func(*http.Request) {}, http.StatusUnauthorized},
			{"another", func(r *http.Request) {
				other := map[string]upstream.Demand{
					"header": upstream.Header("X-Api-Key", "x"), "bearer": upstream.Bearer("x"),
					"basic": upstream.Basic("user", "x"), "query": upstream.Query("key", "x"),
				}[name]
				other.Meet(r)
			}, http.StatusUnauthorized},
			{"beside a placeholder", func(r *http.Request) {
				d.Meet(r)
				if name == "query" {
					r.URL.RawQuery += "&key=placeholder"
				} else {
					r.Header.Add("X-Api-Key", "placeholder")
					r.Header.Add("Authorization", "placeholder")
				}
			}, http.StatusUnauthorized},
			{"in a second place", func(r *http.Request) {
				d.Meet(r)
				if name == "query" {
					r.Header.Set("Referer", "https://x/?key="+secret)
				} else {
					for _, v := range r.Header {
						r.Header.Set("X-Copy", v[0])
					}
				}
			}, http.StatusUnauthorized},
		} {
			t.Run(name+" "+row.what, func(t *testing.T) {
				t.Parallel()
				s := start(t, d, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "in") }))
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/x?a=b", nil)
				if err != nil {
					t.Fatal(err)
				}
				row.change(r)
				resp, err := s.Client().Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if resp.StatusCode != row.want {
					t.Errorf("%s, want %d", resp.Status, row.want)
				}
				uses := s.Uses()
				if len(uses) != 1 || uses[0].Authorized != (row.want == http.StatusOK) || uses[0].ID == "" || uses[0].ID != resp.Header.Get("X-Request-Id") {
					t.Errorf("recorded %+v", uses)
				}
				if got := s.Authorized(); got != len(uses) && row.want == http.StatusOK {
					t.Errorf("%d authorized", got)
				}
			})
		}
	}
}

// Who does not know the authority gets no answer, and the IDs differ.
func TestServer(t *testing.T) {
	t.Parallel()
	d := upstream.Bearer(secret)
	s, other := start(t, d, http.NotFoundHandler()), start(t, d, http.NotFoundHandler())
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	if resp, err := other.Client().Do(r); err == nil {
		resp.Body.Close()
		t.Error("a stand-in of another authority is trusted")
	}
	for range 2 {
		ask(t, s, d, http.MethodGet, "/", "")
	}
	next := upstream.Bearer("the next one")
	s.Rotate(next)
	for _, row := range []struct {
		d    upstream.Demand
		want int
	}{{d, http.StatusUnauthorized}, {next, http.StatusNotFound}} {
		if resp, _ := ask(t, s, row.d, http.MethodGet, "/", ""); resp.StatusCode != row.want {
			t.Errorf("after another credential took its place: %s, want %d", resp.Status, row.want)
		}
	}
	u := s.Uses()
	if len(u) != 4 || u[0].ID == u[1].ID || u[0].Proto != "HTTP/2.0" {
		t.Errorf("%+v", u)
	}
}

// Whatever an echo is asked for, the credential is in it: else a test for reflection
// would find nothing wherever it looks.
func TestEcho(t *testing.T) {
	t.Parallel()
	d := upstream.Bearer(secret)
	s := start(t, d, http.NotFoundHandler())
	for form, want := range map[string]string{
		"raw": secret, "base64": "czNjcjN0Lyt3aXRoPW9kZCBjaGFycw==", "hex": "7333637233742f2b776974683d6f6464206368617273",
		"percent": url.QueryEscape(secret), "json": `"` + secret + `"`,
	} {
		for _, in := range []string{"body", "header", "trailer"} {
			t.Run(form+" "+in, func(t *testing.T) {
				t.Parallel()
				resp, body := ask(t, s, d, http.MethodPost, upstream.EchoPath+"?split=3&form="+form+"&in="+in, "the body")
				var all strings.Builder
				switch in {
				case "body":
					all.WriteString(body)
				case "header":
					_ = resp.Header.Write(&all)
				case "trailer":
					_ = resp.Trailer.Write(&all)
				}
				if !strings.Contains(all.String(), want) {
					t.Errorf("no %s in %s", want, all.String())
				}
				if in == "header" && strings.Contains(body, want) {
					t.Error("the body has it too")
				}
			})
		}
	}
	if _, body := ask(t, s, d, http.MethodPost, upstream.EchoPath, "the body"); !strings.Contains(body, "the body") {
		t.Errorf("no body in %s", body)
	}
	if resp, _ := ask(t, s, d, http.MethodGet, upstream.EchoPath+"?form=x", ""); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a form that there is not: %s", resp.Status)
	}
}
