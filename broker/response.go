package broker

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/tightship-dev/tightship/policy"
)

// The rules of answers that are not passed on.
const (
	RuleEncoding = "content-encoding" // it cannot be searched for the credential
	RuleRedirect = "redirect"         // it leads away from the route
	RulePartial  = "partial"          // a part of something, which nobody asked for
	RuleStatus   = "status"           // not a final answer
)

// small is up to how many bytes an answer is read before it is sent, so that it can
// have a Content-Length.
const small = 64 << 10

var chunks = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

// kept from the caller: what is between us and the upstream, and what would let a
// caller go on as the credential's owner elsewhere (a session's cookie is as good as
// the credential that it was got with).
var keptBack = []string{"Set-Cookie", "Set-Cookie2", "Alt-Svc", "Content-Encoding", "Proxy-Authentication-Info", "Keep-Alive"}

// answer passes an upstream's response on, without the credential.
func (c *call) answer(resp *http.Response) {
	defer resp.Body.Close()
	if d := c.unfit(resp); d != nil {
		c.abandon(d)
		return
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		c.webSocket(resp)
		return
	}
	header := c.headers(resp.Header)
	c.status = resp.StatusCode
	var err error
	if n := resp.ContentLength; c.x.Head.Method == http.MethodHead || resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified {
		c.x.Start(resp.StatusCode, header, n)
		err = c.x.End(nil)
	} else if n >= 0 && n <= small {
		err = c.whole(resp, header)
	} else {
		err = c.stream(resp, header)
	}
	if err != nil && c.complaint == "" {
		c.complaint = c.redacted(err.Error())
	}
}

// unfit says why a response is not passed on.
func (c *call) unfit(resp *http.Response) *denial {
	for _, v := range resp.Header["Content-Encoding"] {
		for coding := range strings.SplitSeq(v, ",") {
			if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "identity") {
				return deny(RuleEncoding, http.StatusBadGateway, "the upstream answers in another encoding than identity, which was asked for: it cannot be searched for the credential")
			}
		}
	}
	if s := resp.StatusCode; s == http.StatusPartialContent || resp.Header.Get("Content-Range") != "" && s != http.StatusRequestedRangeNotSatisfiable {
		return deny(RulePartial, http.StatusBadGateway, "the upstream answers with a part of something, which was not asked for")
	} else if s < 200 && (s != http.StatusSwitchingProtocols || c.x.Head.Upgrade == "") || s > 599 {
		return deny(RuleStatus, http.StatusBadGateway, "the upstream answers with the status %d", s)
	}
	return c.redirect(resp)
}

// redirect rewrites a Location below the route and lets none through that leads
// anywhere else: it would be followed without us, and may hold a signature that is a
// credential of its own.
func (c *call) redirect(resp *http.Response) *denial {
	locations := resp.Header["Location"]
	if len(locations) == 0 {
		return nil
	}
	at := target(c.live.base, c.rest, "", false)
	for i, l := range locations {
		to, ok := c.live.local(at, l)
		if !ok {
			if resp.StatusCode >= 300 && resp.StatusCode < 400 {
				l, n := c.b.redactor.Text(l) // before it is cut up, as a piece of a value is not found
				c.hits += n
				return deny(RuleRedirect, http.StatusBadGateway, "the upstream redirects to %s, which is not below the route %s", hostOf(at, l), c.live.Route.Listen)
			}
			delete(resp.Header, "Location")
			return nil
		}
		locations[i] = to
	}
	return nil
}

// local is where the broker serves what a Location names.
func (l *live) local(at *url.URL, location string) (string, bool) {
	u, err := at.Parse(location)
	if err != nil || !sameHost(l.base, u) {
		return "", false
	}
	rest, ok := below(strings.TrimSuffix(l.base.EscapedPath(), "/"), u.EscapedPath())
	if !ok {
		return "", false
	}
	out := l.prefix + rest
	query := u.RawQuery
	if l.Attach.Style == policy.AttachQuery {
		query = withoutParameter(query, l.Attach.Name)
	}
	if query != "" {
		out += "?" + query
	}
	if u.Fragment != "" {
		out += "#" + u.EscapedFragment()
	}
	return out, true
}

func hostOf(at *url.URL, location string) string {
	u, err := at.Parse(location)
	if err != nil {
		return "what is no URL"
	}
	return fmt.Sprintf("%s://%s", u.Scheme, u.Host)
}

// headers is the response's headers without the credential and without what is not
// the caller's.
func (c *call) headers(h http.Header) http.Header {
	for _, v := range h["Connection"] {
		for name := range strings.SplitSeq(v, ",") {
			delete(h, http.CanonicalHeaderKey(strings.TrimSpace(name)))
		}
	}
	for _, name := range keptBack {
		delete(h, name)
	}
	return c.clean(h)
}

// clean takes the credential out of headers. Most have none, which one look at all of
// them together shows.
func (c *call) clean(h http.Header) http.Header {
	var all strings.Builder
	for name, values := range h {
		all.WriteString(name)
		for _, v := range values {
			all.WriteByte('\n')
			all.WriteString(v)
		}
		all.WriteByte('\n')
	}
	if _, n := c.b.redactor.Text(all.String()); n == 0 {
		return h
	}
	out := make(http.Header, len(h))
	for name, values := range h {
		if _, n := c.b.redactor.Text(name); n > 0 {
			c.hits += n
			continue
		}
		for _, v := range values {
			text, n := c.b.redactor.Text(v)
			c.hits += n
			out[name] = append(out[name], text)
		}
	}
	return out
}

// reader is the response's body without the credential. In a stream of events, where
// somebody waits for each line, no line is held back.
func (c *call) reader(resp *http.Response) io.Reader {
	hit := func(string) { c.hits++ }
	from := io.Reader(resp.Body)
	if c.git != nil && c.git.push != nil {
		from = io.TeeReader(from, c.git.push.report)
	}
	switch kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind {
	case "text/event-stream", "application/x-ndjson", "application/jsonl", "application/stream+json":
		return c.b.redactor.Lines(from, hit)
	}
	return c.b.redactor.Reader(from, hit)
}

// digests are of what the upstream sent, and false of what is left of it.
var digests = []string{"Etag", "Content-Md5", "Digest", "Content-Digest", "Repr-Digest"}

// whole sends an answer that is read first.
func (c *call) whole(resp *http.Response, header http.Header) error {
	before := c.hits
	body, err := io.ReadAll(c.reader(resp))
	if err != nil {
		c.abandon(upstreamDenial(c.live.base.Host, err))
		return nil
	}
	if c.hits > before {
		for _, name := range digests {
			delete(header, name)
		}
	}
	c.x.Start(resp.StatusCode, header, int64(len(body)))
	n, err := c.x.Write(body)
	c.out += int64(n)
	return errors.Join(err, c.x.End(nil))
}

// stream sends an answer as it comes.
func (c *call) stream(resp *http.Response, header http.Header) error {
	r := c.reader(resp)
	buf := chunks.Get().(*[]byte)
	defer chunks.Put(buf)
	c.x.Start(resp.StatusCode, header, -1)
	if err := c.x.Flush(); err != nil {
		return err
	}
	for {
		n, err := r.Read(*buf)
		if n > 0 {
			c.out += int64(n)
			_, werr := c.x.Write((*buf)[:n])
			if werr = errors.Join(werr, c.x.Flush()); werr != nil {
				return fmt.Errorf("the caller went away: %w", werr)
			}
		}
		if err == io.EOF {
			return c.x.End(c.headers(resp.Trailer))
		}
		if err != nil { // without an End, which would make it look complete
			c.rule = RuleUpstream
			return fmt.Errorf("the answer ended in the middle: %w", err)
		}
	}
}
