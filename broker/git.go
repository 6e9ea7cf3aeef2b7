package broker

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/tightship-dev/tightship/broker/front"
	"github.com/tightship-dev/tightship/broker/gitwire"
	"github.com/tightship-dev/tightship/ledger"
	"github.com/tightship-dev/tightship/policy"
)

// gitCall is a request of git's that is let through.
type gitCall struct {
	call gitwire.Call
	refs []ledger.RefUpdate // of a push
	push *push              // nil for everything but the request that carries one
}

// gitGate holds a request against the git block of its credential. Where git shows
// what an answer says, it answers itself, and says so.
func (c *call) gitGate() (d *denial, answered bool) {
	head := c.x.Head
	no := func(format string, args ...any) (*denial, bool) {
		return deny(RuleGit, http.StatusForbidden, format, args...), false
	}
	call, v, err := classified(c.live.Credential, head, c.rest, head.Header.Get("Content-Type"))
	if err != nil {
		return no("%v", err)
	}
	protocol, err := gitwire.Protocol(head.Header["Git-Protocol"])
	if err != nil {
		return no("%v", err)
	}
	c.entry.Rule = "credentials[" + c.live.Name + "].git." + v.Rule
	if !v.Allowed {
		if call.Service == gitwire.ReceivePack && !call.Advertise {
			return no("%s", v.Reason)
		}
		kind, body := gitwire.RefuseCall(call, protocol, c.live.Name, v)
		return nil, c.gitAnswer(kind, body, v.Rule, v.Reason, nil)
	}
	c.git = &gitCall{call: call}
	if call.Service == gitwire.ReceivePack && !call.Advertise {
		return c.gitPush(accessOf(c.live.Credential))
	}
	return nil, false
}

// classified reads a request of git's, and holds it against the repositories of its
// credential. The error says that it is none.
func classified(c *policy.Credential, head *front.Head, rest, contentType string) (call gitwire.Call, v gitwire.Verdict, err error) {
	if head.Upgrade != "" || head.EncodedSlash {
		return call, v, gitwire.ErrCall
	}
	if call, err = gitwire.Classify(head.Method, rest, head.Query, contentType); err != nil {
		return call, v, fmt.Errorf("%w: the route %s is for git alone", err, c.Route.Listen)
	}
	return call, accessOf(c).Call(call), nil
}

// accessOf is the git block of a credential as gitwire decides by it.
func accessOf(c *policy.Credential) gitwire.Access {
	g := c.Git
	return gitwire.Access{
		Name: c.Name, Repositories: g.Repositories, Fetch: g.Fetch,
		Push: g.Push, Force: g.Force, Tags: g.Tags, Delete: g.Delete,
	}
}

// gitAnswer refuses with an answer that git shows, and records it. Git reads none
// before it has sent everything.
func (c *call) gitAnswer(kind string, body []byte, rule, reason string, refs []ledger.RefUpdate) bool {
	if c.body != nil {
		if _, err := io.Copy(io.Discard, c.body); err != nil {
			reason += " (the rest of the request could not be read)"
		}
	}
	c.entry.Rule, c.entry.Reason, c.entry.Status, c.entry.Refs = RuleGit+": "+rule, reason, http.StatusOK, refs
	c.recordDenial(c.entry)
	c.x.Respond(http.StatusOK, http.Header{"Content-Type": {kind}, "Cache-Control": {"no-cache"}}, body)
	return true
}

// refsOf is a push as the ledger has it.
func refsOf(updates []gitwire.RefUpdate) []ledger.RefUpdate {
	out := make([]ledger.RefUpdate, len(updates))
	for i, u := range updates {
		out[i] = ledger.RefUpdate{Ref: u.Ref, Old: u.Old, New: u.New}
	}
	return out
}

// why is what was decided against in a push, in one line.
func why(d gitwire.Decision) (rule, reason string) {
	var all []string
	for _, v := range d.Refs {
		if !v.Allowed {
			rule = v.Rule
			all = append(all, v.Update.Ref+": "+v.Reason)
		}
	}
	return rule, strings.Join(all, "; ")
}
