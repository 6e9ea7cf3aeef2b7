package broker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tightship-dev/tightship/broker/front"
	"github.com/tightship-dev/tightship/ledger"
)

// Further rules that refuse.
const (
	RuleRevoked = "revoked"
	RuleSecret  = "secret" // its source gives no value
	RuleLedger  = "ledger" // nothing can be recorded
	RuleCaller  = "caller" // went away in the middle of its request
)

// session is one attested connection of a sandbox. It is a front.Handler.
type session struct {
	b         *Broker
	sandbox   *sandbox
	container string
}

// call is one request on its way.
type call struct {
	*session
	x     *front.Exchange
	began time.Time
	entry ledger.Entry // what every record of it says

	live *live
	rest string // of the path below the route, "" where nothing follows
	git  *gitCall

	body      *upload // the caller's, as the upstream reads it; nil is none
	length    int64   // of the body; -1 is not known
	hits      int     // redactions
	in        int64   // bytes of what came over a WebSocket
	out       int64   // bytes of the answer's body
	status    int     // of the answer; 0 before it began
	rule      string  // that cut it short
	complaint string  // what went wrong, without any value
}

// Serve answers one request.
func (s *session) Serve(x *front.Exchange) {
	c := &call{session: s, x: x, began: time.Now()}
	c.entry = ledger.Entry{Sandbox: s.sandbox.name, Container: s.container, Method: x.Head.Method}
	if d := c.run(); d != nil {
		c.refuse(d)
	}
}

// run does everything until the answer, or says why there is none. A denial that
// it returns comes before anything was recorded or attached.
func (c *call) run() *denial {
	w := c.b.world.Load()
	head := c.x.Head
	r, rest := w.table.find(head.Path)
	d := decide(w.table, r, head, rest)
	c.entry.Credential, c.entry.Route, c.entry.Rule = d.Credential, d.Route, d.Rule
	c.entry.Path = withoutValues(d.Path, head.Query)
	if !d.Allowed {
		return denied(d)
	}
	c.live, c.rest = w.live[r.Name], head.Path[len(r.prefix):]
	if w.revoked(r.Name) {
		return deny(RuleRevoked, http.StatusForbidden, "the credential %s was revoked", r.Name)
	}
	limit := int64(r.Limits.Body)
	if limit > 0 && head.Length > limit {
		return fromRefusal(front.TooLarge(limit))
	}
	u := c.sandbox.usage(r.Name)
	if d := u.begin(c.began, r.Limits, c.x); d != nil {
		return d
	}
	defer u.end(c.x)
	// In the meantime, when whoever cut its uses did not see this one yet.
	if w.revoked(r.Name) {
		return deny(RuleRevoked, http.StatusForbidden, "the credential %s was revoked", r.Name)
	} else if c.b.world.Load().of(r.Name) == nil {
		return deny(RuleRevoked, http.StatusForbidden, "the credential %s was taken out of the policy", r.Name)
	}
	if c.x.HasBody() {
		body, length, err := c.x.Body(limit)
		var refusal *front.Refusal
		if errors.As(err, &refusal) {
			return fromRefusal(refusal)
		} else if err != nil {
			c.x.Cancel() // and nobody is left to tell
			return deny(RuleCaller, http.StatusBadRequest, "the body cannot be read: %v", err)
		}
		c.body, c.length = &upload{ReadCloser: body}, length
	}
	if r.Git != nil {
		if d, answered := c.gitGate(); d != nil || answered {
			return d
		}
	}
	if err := c.live.vault.check(c.x.Context()); err != nil {
		return deny(RuleSecret, http.StatusBadGateway, "the value of the credential %s cannot be had: `tightship broker status` on the host says why", r.Name).because(err)
	}
	return c.attempt()
}

// attempt sends the request, and once more where a connection that had been idle was
// closed under a request that may be repeated. Each time is a use of its own.
func (c *call) attempt() *denial {
	for again := false; ; again = true {
		e := c.entry
		e.Kind, e.Decision = ledger.Intent, "allowed"
		if again {
			e.Reason = "once more, as the upstream closed the connection"
		}
		if c.git != nil {
			e.Refs = c.git.refs
		}
		seq, err := c.b.record(c.x.Context(), e)
		if err != nil {
			return deny(RuleLedger, http.StatusServiceUnavailable, "the use of the credential %s cannot be recorded, so it is not used: the broker's log says why", e.Credential).because(err)
		}
		resp, stale, err := c.send()
		if err != nil && stale && !again && c.x.Context().Err() == nil {
			c.outcome(seq, err)
			continue
		}
		if err != nil {
			c.failed(err)
		} else {
			c.answer(resp)
		}
		c.outcome(seq, nil)
		return nil
	}
}

// outcome records what came of an intent. The caller does not wait for it.
func (c *call) outcome(seq uint64, lost error) {
	e := c.entry
	e.Kind, e.Of, e.Decision = ledger.Outcome, seq, "allowed"
	e.Status, e.BytesIn, e.BytesOut = c.status, c.x.BodyRead()+c.in, c.out
	e.Latency, e.Redactions = time.Since(c.began), c.hits
	e.Reason = clip(c.complaint)
	if c.rule != "" {
		e.Rule = c.rule
	}
	if c.git != nil {
		e.Refs = c.git.refs
		if p := c.git.push; p != nil && e.Reason == "" && c.status == http.StatusOK {
			e.Reason = clip(c.redacted(p.results()))
		}
	}
	if lost != nil {
		e.Reason = "the upstream closed the connection before it answered"
	}
	c.b.later(e)
	if lost == nil {
		c.b.metrics.observe(e)
	}
}

// refuse answers a denial and records it.
func (c *call) refuse(d *denial) {
	c.entry.Rule, c.entry.Reason, c.entry.Status = d.rule, c.redacted(d.recorded()), d.status
	c.status = d.status
	c.session.recordDenial(c.entry)
	c.respond(d, problemError{
		Type: typeOf(d.status), Message: d.message(), Rule: d.rule, AllowLine: d.allowLine, Where: d.where,
		Denied: c.x.Head.Method + " " + clip(c.x.Head.Path),
	})
}

// respond sends an answer of the broker's own, in a form that the client shows: git shows
// plain text and nothing else, npm a header of its own.
func (c *call) respond(d *denial, p problemError) {
	h, body := c.header(d), p.body()
	if c.live != nil && c.live.Git != nil {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		body = []byte("tightship: " + p.Message + "\n")
	}
	h.Set("Npm-Notice", "tightship: "+p.Message)
	c.x.Respond(d.status, h, body)
}

func (c *call) header(d *denial) http.Header {
	h := http.Header{"Content-Type": {"application/json"}, "X-Content-Type-Options": {"nosniff"}}
	if d.retry > 0 {
		h.Set("Retry-After", fmt.Sprint(d.retry))
	}
	return h
}

// redacted takes the values out of words that may come from an upstream.
func (c *call) redacted(s string) string {
	clean, n := c.b.redactor.Text(s)
	c.hits += n
	return clean
}

// message is the denial's sentence, with the line that would allow it.
func (d *denial) message() string {
	if d.allowLine == "" {
		return d.reason
	}
	return fmt.Sprintf("%s; the line that would allow it, under %s: %s", d.reason, d.where, d.allowLine)
}

func denied(d Decision) *denial {
	out := &denial{rule: d.Rule, status: http.StatusForbidden, reason: d.Reason, allowLine: d.AllowLine}
	if d.AllowLine != "" {
		out.where = fmt.Sprintf("credentials[%s].allow", d.Credential)
		if d.Rule == RuleUpgrade {
			out.where = fmt.Sprintf("credentials[%s]", d.Credential)
		}
	}
	return out
}

func fromRefusal(r *front.Refusal) *denial {
	return &denial{rule: r.Rule, status: r.Status, reason: r.Reason}
}

// Refused records a request that never became one.
func (s *session) Refused(_ context.Context, r *front.Refusal) []byte {
	s.recordDenial(ledger.Entry{Sandbox: s.sandbox.name, Container: s.container, Rule: r.Rule, Reason: r.Reason, Status: r.Status})
	return problemError{Type: typeRefused, Message: r.Reason, Rule: r.Rule}.body()
}

// recordDenial records what was refused, up to a rate, and says whether it did.
func (s *session) recordDenial(e ledger.Entry) bool {
	e.Kind, e.Decision, e.Reason = ledger.Denied, "denied", clip(e.Reason)
	s.b.metrics.observe(e)
	lost, ok := s.sandbox.denials.admit(time.Now())
	if !ok {
		return false
	}
	if lost > 0 {
		e.Reason += fmt.Sprintf(" (%d denials before this one were not recorded, as there were too many)", lost)
	}
	s.b.later(e)
	return true
}

// failed answers for an upstream that did not.
func (c *call) failed(err error) {
	if c.x.Context().Err() != nil {
		c.complaint = "the caller went away"
		return
	}
	if c.git != nil && c.git.push != nil && c.git.push.stopped(err) {
		return
	}
	var r *front.Refusal
	if c.body != nil {
		r = c.body.refusal()
	}
	if r != nil || errors.As(err, &r) {
		c.abandon(fromRefusal(r))
		return
	}
	c.abandon(upstreamDenial(c.live.base.Host, err))
}

// abandon answers a request of which the intent was recorded. The outcome says the
// rest.
func (c *call) abandon(d *denial) {
	c.rule, c.complaint, c.status = d.rule, c.redacted(d.recorded()), d.status
	c.respond(d, problemError{Type: typeOf(d.status), Message: c.redacted(d.reason), Rule: d.rule})
}
