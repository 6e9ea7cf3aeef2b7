package gitwire

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// remote answers the two requests of an Upstream, and keeps them.
type remote struct {
	advertised, fetched string
	status              int
	asked               []string
}

func (r *remote) RoundTrip(q *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return nil, err
	}
	r.asked = append(r.asked, q.Method+" "+q.URL.String()+" "+q.Header.Get("Git-Protocol")+" "+q.Header.Get("Content-Type")+" "+string(body))
	answer := r.advertised
	if q.Method == "POST" {
		answer = r.fetched
	}
	return &http.Response{StatusCode: r.status, Body: io.NopCloser(strings.NewReader(answer))}, nil
}

func TestUpstream(t *testing.T) {
	old := idB
	w := newPack()
	next := w.commit(commitBody("a", old))
	other := newPack()
	other.commit(commitBody("another", old))
	pack := func(w *packWriter) string {
		return packet("packfile\n") + packet("\x02counting") + packet("\x01"+string(w.end()[:20])) + packet("\x01") + packet("\x01"+string(w.end()[20:])) + "0000"
	}
	const header = "version 2\n"
	caps := packet(header) + packet("agent=git/2") + packet("ls-refs=unborn\n") + packet("fetch=shallow filter\n") + packet("object-format=sha1\n") + "0000"
	bare := packet(header) + packet("fetch\n") + "0000"
	for name, row := range map[string]struct {
		advertised, fetched string
		status              int
		want                bool
		why                 string
	}{
		"yes":                           {caps, pack(w), 200, true, ""},
		"yes, behind the service":       {packet("# service=git-upload-pack\n") + "0000" + caps, pack(w), 200, true, ""},
		"yes, without a filter":         {bare, pack(w), 200, true, ""},
		"no, an empty pack":             {caps, pack(newPack()), 200, false, ""},
		"no, it speaks of another":      {caps, pack(other), 200, false, ""},
		"version 0":                     {packet("# service=git-upload-pack\n") + "0000" + packet(idA+" HEAD\x00 agent=git/2\n") + "0000", "", 200, false, "protocol version 2"},
		"an error in the advertisement": {packet("ERR not for you"), "", 200, false, "protocol version 2"},
		"no fetch":                      {packet(header) + packet("ls-refs") + "0000", "", 200, false, "no fetch"},
		"another format":                {packet(header) + packet("fetch=filter") + packet("object-format=sha256") + "0000", "", 200, false, "no fetch for objects of sha1"},
		"a page":                        {"<html>", "", 200, false, "no pkt-line"},
		"nothing":                       {"", "", 200, false, "EOF"},
		"a redirect":                    {caps, "", 302, false, "status 302"},
		"not found":                     {"", "", 404, false, "status 404"},
		"an error":                      {caps, packet("ERR upload-pack: not our ref \x1b[2J"), 200, false, `"upload-pack: not our ref ?[2J"`},
		"an error in the pack":          {caps, packet("packfile\n") + packet("\x03it\nfailed") + "0000", 200, false, `"it?failed"`},
		"no pack":                       {caps, packet("acknowledgments\n") + packet("NAK\n") + "0000", 200, false, "no pack"},
		"a pack that is cut":            {caps, pack(w)[:100], 200, false, "EOF"},
		"packets without bands":         {caps, packet("packfile\n") + "0004" + "0000", 200, false, "no band"},
		"a pack that has no end":        {caps, packet("packfile\n") + strings.Repeat(packet("\x02"+strings.Repeat("x", 60_000)), 3), 200, false, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &remote{advertised: row.advertised, fetched: row.fetched, status: row.status}
			u := &Upstream{Transport: r, URL: "https://forge.example.com/acme/widget.git", Format: SHA1, Limits: DefaultLimits(), Bytes: 100_000}
			got, err := u.Descends(t.Context(), []string{next}, old)
			if got != row.want || (err == nil) != (row.why == "") || err != nil && (!errors.Is(err, ErrUpstream) || !strings.Contains(err.Error(), row.why)) {
				t.Fatalf("%v, %v", got, err)
			}
			if !row.want {
				return
			}
			filter := ""
			if row.advertised != bare {
				filter = packet("filter tree:0\n")
			}
			if diff := cmp.Diff([]string{
				"GET https://forge.example.com/acme/widget.git/info/refs?service=git-upload-pack version=2  ",
				"POST https://forge.example.com/acme/widget.git/git-upload-pack version=2 application/x-git-upload-pack-request " +
					packet("command=fetch\n") + packet("object-format=sha1\n") + "0001" + packet("no-progress\n") + filter + packet("want "+next+"\n") + packet("have "+old+"\n") + packet("done\n") + "0000",
			}, r.asked); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
