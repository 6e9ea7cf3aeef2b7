package broker

import (
	"io"
	"net/http"
	"strings"

	"github.com/tightship-dev/tightship/broker/gitwire"
	"github.com/tightship-dev/tightship/ledger"
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
	if head.Upgrade != "" || head.EncodedSlash {
		return no("it is no request of git's smart HTTP")
	}
	call, err := gitwire.Classify(head.Method, c.rest, head.Query, head.Header.Get("Content-Type"))
	if err != nil {
		return no("%v: the route %s is for git alone", err, c.live.Route.Listen)
	}
	protocol, err := gitwire.Protocol(head.Header["Git-Protocol"])
	if err != nil {
		return no("%v", err)
	}
	g := c.live.Git
	access := gitwire.Access{
		Name: c.live.Name, Repositories: g.Repositories, Fetch: g.Fetch,
		Push: g.Push, Force: g.Force, Tags: g.Tags, Delete: g.Delete,
	}
	v := access.Call(call)
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
		return c.gitPush(access)
	}
	return nil, false
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
