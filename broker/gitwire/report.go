package gitwire

import (
	"strings"
)

// Result is what a server says about one ref of a push.
type Result struct {
	OK     bool
	Reason string // if not OK: the server's own words, not to be trusted
}

// Report reads a server's answer to a push while it goes by: write to it what the
// client gets (io.TeeReader, io.MultiWriter). A Write never fails.
type Report struct {
	sideband bool
	results  map[string]Result
	unpacked string
	outer    splitter // the body
	inner    splitter // band 1 of it
	ended    bool
}

// NewReport makes a Report for the answer to p.
func NewReport(p *Push) *Report {
	r := &Report{sideband: p.Capabilities.Sideband, results: map[string]Result{}}
	asked := map[string]bool{}
	for _, u := range p.Updates {
		asked[u.Ref] = true
	}
	r.inner.each = func(k kind, line []byte) { r.line(asked, k, line) }
	r.outer.each = func(k kind, packet []byte) {
		if k == data && len(packet) > 0 && packet[0] == 1 {
			r.inner.write(packet[1:])
		}
	}
	return r
}

// Write takes the next bytes of the response's body.
func (r *Report) Write(p []byte) (int, error) {
	if r.sideband {
		r.outer.write(p)
	} else {
		r.inner.write(p)
	}
	return len(p), nil
}

// Results are what the server said by ref, and whether its report came to its end.
// What is missing is not known: the ref may have changed or not. A server that was
// told to decide otherwise by a hook (report-status-v2, "option refname") is taken at
// its ok for the ref that was pushed to.
func (r *Report) Results() (results map[string]Result, whole bool) {
	return r.results, r.ended && r.unpacked != ""
}

// Unpack is what the server says about the pack: "ok", or an error in its own words;
// empty if it said nothing.
func (r *Report) Unpack() string { return r.unpacked }

// line reads "unpack ok", "ok REF", "ng REF REASON"; the first word on a ref counts.
func (r *Report) line(asked map[string]bool, k kind, line []byte) {
	if k == flush {
		r.ended = true
	}
	if k != data || r.ended {
		return
	}
	word, rest, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), " ")
	ref, reason, _ := strings.Cut(rest, " ")
	_, known := r.results[ref]
	switch {
	case word == "unpack" && r.unpacked == "":
		r.unpacked = cut(plain(rest), 1024)
	case !asked[ref] || known:
	case word == "ok":
		r.results[ref] = Result{OK: true}
	case word == "ng":
		r.results[ref] = Result{Reason: cut(plain(reason), 1024)}
	}
}
